// The HTTP side of the mirror: one connection, kept alive, to one InfluxDB of any generation. Lines go out gzip'd, which
// their sender does: it may do so while another request is on its way. Redirects are not followed: the token is for the
// configured server alone, and is never logged. Errors: open: kInvalidArgument. Everything that happens on the wire is an
// InfluxAnswer. Threads: one at a time; `should_abort` is called on the same thread, about once a second
// while a request waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct InfluxClientOptions {
  std::string url;    // http or https, host, optional port and path prefix
  std::string org;    // 2.x
  std::string token;  // 1.x: "user:password", or a JWT; empty = none
  int64_t request_timeout_ns = 0;
};

struct InfluxAnswer {
  int status = 0;                         // 0 = none came; `text` says why
  std::string text;                       // the body's first kAnswerBytesMax bytes
  std::optional<int64_t> retry_after_ns;  // 429, 503
  std::optional<int> generation;          // 1, 2 or 3, by the X-Influxdb-Version and -Build headers
  bool ok() const { return status >= 200 && status < 300; }
};

class InfluxClient {
 public:
  static constexpr size_t kAnswerBytesMax = 64 << 10;

  static Result<std::unique_ptr<InfluxClient>> open(InfluxClientOptions options,
                                                    std::function<bool()> should_abort);
  virtual ~InfluxClient() = default;

  virtual InfluxAnswer ping() = 0;
  // `packed` is of lines with times in ns, by a LinePacker; `generation` is 1, 2 or 3.
  virtual InfluxAnswer write(int generation, std::string_view database, const std::string& packed) = 0;
  // 1.x: CREATE DATABASE; 2.x: looks the org up and makes a bucket; 3.x: configures a database.
  virtual InfluxAnswer create_database(int generation, std::string_view database) = 0;
};

}  // namespace varve
