#include "ingest/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>
#include <optional>

#include "ingest/curl_url.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

Result<void> check_url(const std::string& text) {
  const CurlUrl url(text);
  // Before the URL is repeated in a message: it may hold a password.
  if (url.is_valid() && url.has_login()) {
    return invalid_argument("the URL holds a user or password; give them apart from it");
  }
  if (!url.is_valid() || !(text.starts_with("http://") || text.starts_with("https://")) ||
      url.has(CURLUPART_QUERY) || url.has(CURLUPART_FRAGMENT)) {
    return invalid_argument(fmt::format("'{}' is not a URL like http://127.0.0.1:8081", text));
  }
  return {};
}

class CurlHttpClient : public HttpClient {
 public:
  explicit CurlHttpClient(HttpClientOptions options) : options_(std::move(options)), curl_(curl_easy_init()) {
    VARVE_CHECK(curl_ != nullptr);
    while (options_.url.ends_with('/')) options_.url.pop_back();
  }
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;
  ~CurlHttpClient() override { curl_easy_cleanup(curl_); }

  HttpAnswer get(std::string_view path, std::string_view accept) override {
    return ask(path, fmt::format("Accept: {}", accept), std::nullopt);
  }
  HttpAnswer post(std::string_view path, std::string_view content_type, std::string_view body) override {
    return ask(path, fmt::format("Content-Type: {}", content_type), body);
  }

 private:
  HttpAnswer ask(std::string_view path, const std::string& header, std::optional<std::string_view> body) {
    answer_ = {};
    too_long_ = false;
    curl_easy_reset(curl_);  // options only; connections stay
    char reason[CURL_ERROR_SIZE] = "";
    const std::string url = options_.url + std::string(path);
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
        curl_slist_append(nullptr, header.c_str()), &curl_slist_free_all);
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout_ns / kNsPerMs));
    set(CURLOPT_ERRORBUFFER, &reason[0]);
    set(CURLOPT_WRITEFUNCTION, &CurlHttpClient::take_body);
    set(CURLOPT_WRITEDATA, this);
    if (body) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
      set(CURLOPT_POSTFIELDS, body->data());
    }
    if (!options_.user_password.empty()) {
      set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      set(CURLOPT_USERPWD, options_.user_password.c_str());
    }
    const CURLcode code = curl_easy_perform(curl_);
    if (code != CURLE_OK) {
      if (too_long_) return {0, fmt::format("the answer has more than {} bytes", kBodyBytesMax)};
      return {0, reason[0] != '\0' ? reason : curl_easy_strerror(code)};
    }
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    return std::move(answer_);
  }

  template <class T>
  void set(CURLoption option, T value) {
    VARVE_CHECK(curl_easy_setopt(curl_, option, value) == CURLE_OK);
  }

  static size_t take_body(char* data, size_t size, size_t count, void* self) {
    auto& client = *static_cast<CurlHttpClient*>(self);
    client.too_long_ = client.answer_.text.size() + size * count > kBodyBytesMax;
    if (client.too_long_) return 0;  // ends the request
    client.answer_.text.append(data, size * count);
    return size * count;
  }

  HttpClientOptions options_;
  CURL* const curl_;
  HttpAnswer answer_;  // of the request running
  bool too_long_ = false;
};

}  // namespace

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] { VARVE_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<std::unique_ptr<HttpClient>> HttpClient::open(HttpClientOptions options) {
  init_curl();
  VARVE_TRY(check_url(options.url));
  return std::unique_ptr<HttpClient>(std::make_unique<CurlHttpClient>(std::move(options)));
}

}  // namespace varve
