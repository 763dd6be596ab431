#include "storage/base/kill_point.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace varve {
namespace {

struct Target {
  std::string_view name;
  int64_t pass = 0;  // 1 = the first
};

Target read_target() {
  const char* const value = std::getenv("VARVE_KILL");
  if (value == nullptr) return {};
  const std::string_view text(value);
  const size_t colon = text.rfind(':');
  Target target;
  if (colon != std::string_view::npos && colon != 0) {
    target.name = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, target.pass);
    if (error == std::errc() && stop == end && target.pass > 0) return target;
  }
  std::fprintf(stderr, "varve: VARVE_KILL=%s: want NAME:N, N from 1\n", value);
  std::_Exit(2);
}

const Target target = read_target();
std::atomic<int64_t> passes{0};

}  // namespace

namespace kill_point_detail {

const std::atomic<bool> armed{target.pass != 0};

void pass(std::string_view name) {
  if (name != target.name || ++passes < target.pass) return;
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();  // nothing may happen after the point, on no thread
}

}  // namespace kill_point_detail
}  // namespace varve
