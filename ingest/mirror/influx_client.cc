#include "ingest/mirror/influx_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ingest/curl_url.h"
#include "ingest/http_client.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr long kConnectTimeoutMs = 5000;
constexpr int64_t kRetryAfterMaxSeconds = 600;

struct HeadersDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, HeadersDeleter>;

void add_header(Headers& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  VARVE_CHECK(longer != nullptr);
  static_cast<void>(headers.release());
  headers.reset(longer);
}

Result<void> check_url(const std::string& text) {
  const auto wrong = [&](std::string_view why) {
    return invalid_argument(fmt::format("mirror url {}; use e.g. http://127.0.0.1:8086", why));
  };
  const CurlUrl url(text);
  if (!url.is_valid()) return wrong(fmt::format("'{}' is not a URL", text));
  // Before the URL is repeated in a message: it may hold a password.
  if (url.has_login()) return wrong("holds a user or password; give them by token_env");
  const std::string scheme = url.part_text(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    return wrong(fmt::format("'{}' is neither http nor https", text));
  if (url.has(CURLUPART_QUERY) || url.has(CURLUPART_FRAGMENT)) {
    return wrong(fmt::format("'{}' has a query or fragment", text));
  }
  return {};
}

// "1.6.7", "v2.7.1", "3.0.0-..." -> the first number.
std::optional<int> generation_of(std::string_view version) {
  if (!version.empty() && version.front() == 'v') version.remove_prefix(1);
  if (version.size() < 2 || version[1] != '.' || version[0] < '1' || version[0] > '3') return std::nullopt;
  return version[0] - '0';
}

class CurlInfluxClient : public InfluxClient {
 public:
  CurlInfluxClient(InfluxClientOptions options, std::function<bool()> should_abort)
      : options_(std::move(options)), should_abort_(std::move(should_abort)), curl_(curl_easy_init()) {
    VARVE_CHECK(curl_ != nullptr);
    while (options_.url.ends_with('/')) options_.url.pop_back();
  }
  CurlInfluxClient(const CurlInfluxClient&) = delete;
  CurlInfluxClient& operator=(const CurlInfluxClient&) = delete;
  ~CurlInfluxClient() override { curl_easy_cleanup(curl_); }

  InfluxAnswer ping() override { return request("/ping", 0, {}, nullptr, false); }

  InfluxAnswer write(int generation, std::string_view database, const std::string& packed) override {
    std::string path;
    if (generation == 2) {
      path = fmt::format("/api/v2/write?org={}&bucket={}&precision=ns", url_encoded(options_.org),
                         url_encoded(database));
    } else if (generation == 3) {
      path = fmt::format("/api/v3/write_lp?db={}&precision=nanosecond", url_encoded(database));
    } else {
      path = fmt::format("/write?db={}&precision=ns", url_encoded(database));
    }
    return request(path, generation, packed, "text/plain; charset=utf-8", true);
  }

  InfluxAnswer create_database(int generation, std::string_view database) override {
    if (generation == 2) return create_bucket(database);
    if (generation == 3) {
      return request("/api/v3/configure/database", 3, Json{{"db", database}}.dump(), "application/json",
                     false);
    }
    std::string name;
    for (const char c : database) {
      if (c == '"' || c == '\\') name.push_back('\\');
      name.push_back(c);
    }
    const std::string form = "q=" + url_encoded(fmt::format("CREATE DATABASE \"{}\"", name));
    return request("/query", 1, form, "application/x-www-form-urlencoded", false);
  }

 private:
  using Json = nlohmann::json;

  InfluxAnswer create_bucket(std::string_view bucket) {
    InfluxAnswer answer = request("/api/v2/orgs?org=" + url_encoded(options_.org), 2, {}, nullptr, false);
    if (!answer.ok()) return answer;
    const Json body = Json::parse(answer.text, nullptr, false);
    const Json::json_pointer path("/orgs/0/id");
    if (!body.is_object() || !body.contains(path) || !body[path].is_string()) {
      return {.status = 404, .text = "there is no such org", .retry_after_ns = {}, .generation = {}};
    }
    const Json wanted = {{"orgID", body[path]}, {"name", bucket}, {"retentionRules", Json::array()}};
    return request("/api/v2/buckets", 2, wanted.dump(), "application/json", false);
  }

  // GET without `content_type`, else POST.
  InfluxAnswer request(std::string_view path, int generation, const std::string& body,
                       const char* content_type, bool gzip) {
    answer_ = {};
    curl_easy_reset(curl_);  // options only; connections stay
    char reason[CURL_ERROR_SIZE] = "";
    const std::string url = options_.url + std::string(path);
    Headers headers;
    if (content_type != nullptr) add_header(headers, fmt::format("Content-Type: {}", content_type));
    if (gzip) add_header(headers, "Content-Encoding: gzip");
    add_header(headers, "Expect:");  // no round trip before the body
    if (generation == 1 && options_.token.find(':') != std::string::npos) {
      set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);  // every 1.x takes it; "Token" only the last ones
      set(CURLOPT_USERPWD, options_.token.c_str());
    } else if (!options_.token.empty()) {
      const bool bearer = generation == 1 || generation == 3;
      add_header(headers, fmt::format("Authorization: {} {}", bearer ? "Bearer" : "Token", options_.token));
    }
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // a server beside us, not the environment's web
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.request_timeout_ns / kNsPerMs));
    set(CURLOPT_ERRORBUFFER, &reason[0]);
    set(CURLOPT_WRITEFUNCTION, &CurlInfluxClient::take_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &CurlInfluxClient::take_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &CurlInfluxClient::check_abort);
    set(CURLOPT_XFERINFODATA, this);
    if (content_type != nullptr) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      set(CURLOPT_POSTFIELDS, body.data());
    }
    const CURLcode code = curl_easy_perform(curl_);
    if (code != CURLE_OK) {
      answer_.status = 0;
      answer_.text = reason[0] != '\0' ? reason : curl_easy_strerror(code);
      return std::move(answer_);
    }
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    curl_off_t retry_after_seconds = 0;
    if (curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &retry_after_seconds) == CURLE_OK &&
        retry_after_seconds > 0) {
      answer_.retry_after_ns = std::min<int64_t>(retry_after_seconds, kRetryAfterMaxSeconds) * kNsPerSecond;
    }
    return std::move(answer_);
  }

  template <class T>
  void set(CURLoption option, T value) {
    VARVE_CHECK(curl_easy_setopt(curl_, option, value) == CURLE_OK);
  }

  static size_t take_body(char* data, size_t size, size_t count, void* self) {
    std::string& text = static_cast<CurlInfluxClient*>(self)->answer_.text;
    text.append(data, std::min(size * count, kAnswerBytesMax - text.size()));
    return size * count;
  }

  static size_t take_header(char* data, size_t size, size_t count, void* self) {
    std::optional<int>& generation = static_cast<CurlInfluxClient*>(self)->answer_.generation;
    const std::string_view line(data, size * count);
    const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
      if (line.size() <= name.size() || strncasecmp(line.data(), name.data(), name.size()) != 0)
        return std::nullopt;
      std::string_view value = line.substr(name.size());
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    };
    if (const auto version = value_of("x-influxdb-version:")) {
      if (const auto told = generation_of(*version)) generation = told;
    } else if (const auto build = value_of("x-influxdb-build:"); build && !generation) {
      if (build->starts_with("Cloud")) generation = 2;  // it tells no version
    }
    return size * count;
  }

  static int check_abort(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<CurlInfluxClient*>(self)->should_abort_() ? 1 : 0;
  }

  InfluxClientOptions options_;
  const std::function<bool()> should_abort_;
  CURL* const curl_;
  InfluxAnswer answer_;  // of the request running
};

}  // namespace

Result<std::unique_ptr<InfluxClient>> InfluxClient::open(InfluxClientOptions options,
                                                         std::function<bool()> should_abort) {
  init_curl();
  VARVE_TRY(check_url(options.url));
  for (const char c : options.token) {
    if (c < ' ' || c > '~')
      return invalid_argument("the mirror's token has characters that no HTTP header can carry");
  }
  return std::unique_ptr<InfluxClient>(
      std::make_unique<CurlInfluxClient>(std::move(options), std::move(should_abort)));
}

}  // namespace varve
