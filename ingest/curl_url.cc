#include "ingest/curl_url.h"

#include "storage/base/check.h"

namespace varve {

CurlUrl::CurlUrl(const std::string& text) : url_(curl_url()) {
  VARVE_CHECK(url_ != nullptr);
  valid_ = curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
}

std::string CurlUrl::part_text(CURLUPart part) const {
  char* text = nullptr;
  if (curl_url_get(url_.get(), part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace varve
