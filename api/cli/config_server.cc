#include "api/cli/config_server.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {
namespace {

constexpr uint64_t kLiveReadersLimit = 10'000;  // each holds a thread (guessed)
constexpr size_t kOriginsMax = 100;             // each request with an Origin is compared with all (guessed)

// As browsers send it: "https://HOST[:PORT]", lower case, nothing behind.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme) || text.size() == scheme.size()) continue;
    return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(scheme.size()), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' ||
             c == '[' || c == ']';
    });
  }
  return false;
}

}  // namespace

void read_service(ConfigReader& reader, ServerConfig& out) {
  reader.count("live_readers", 0, kLiveReadersLimit, out.live_readers);
  reader.duration("drain_timeout", true, out.drain_timeout_ns);
  std::string access_log = "errors";
  reader.word("access_log", {"off", "errors", "all"}, access_log);
  out.policy.access_log = access_log == "off"   ? AccessLog::kOff
                          : access_log == "all" ? AccessLog::kAll
                                                : AccessLog::kErrors;
  reader.texts("cors_origins", out.policy.cors_origins);
  if (out.policy.cors_origins.size() > kOriginsMax) {
    reader.fail("cors_origins", fmt::format("more than {} origins", kOriginsMax));
  }
  for (size_t i = 0; i < out.policy.cors_origins.size(); ++i) {
    const std::string& origin = out.policy.cors_origins[i];
    if (is_origin(origin)) continue;
    reader.fail_element("cors_origins", i,
                        origin == "*"
                            ? "\"*\" would let every page in; name the origins"
                            : fmt::format("\"{}\" is no origin, e.g. https://dash.example", origin));
  }
}

}  // namespace varve
