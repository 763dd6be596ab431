// A URL taken apart by libcurl.
// Threads: none of its own.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace varve {

class CurlUrl {
 public:
  explicit CurlUrl(const std::string& text);
  bool is_valid() const { return valid_; }  // a URL of any scheme
  bool has(CURLUPart part) const { return !part_text(part).empty(); }
  bool has_login() const { return has(CURLUPART_USER) || has(CURLUPART_PASSWORD); }
  std::string part_text(CURLUPart part) const;  // empty = it has none

 private:
  struct Deleter {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  std::unique_ptr<CURLU, Deleter> url_;
  bool valid_;
};

}  // namespace varve
