#include "storage/base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "storage/base/clock.h"

namespace varve {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array<Unit, 8> kDurationUnits{{{"w", 7 * kNsPerDay},
                                              {"d", kNsPerDay},
                                              {"h", 3600 * kNsPerSecond},
                                              {"m", 60 * kNsPerSecond},
                                              {"s", kNsPerSecond},
                                              {"ms", kNsPerMs},
                                              {"us", kNsPerUs},
                                              {"ns", 1}}};
constexpr std::array<Unit, 8> kByteUnits{{{"", 1},
                                          {"B", 1},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"KiB", 1ULL << 10},
                                          {"MiB", 1ULL << 20},
                                          {"GiB", 1ULL << 30}}};

template <size_t N>
Result<uint64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units, uint64_t max,
                                 std::string_view expected) {
  const Error wrong = invalid_argument(fmt::format("'{}' is not {}", text, expected));
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc()) return wrong;
  std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  if (suffix.empty() && number == 0) return uint64_t{0};
  for (const Unit& unit : units) {
    if (unit.name != suffix) continue;
    if (number > max / unit.factor) return invalid_argument(fmt::format("'{}' is too large", text));
    return number * unit.factor;
  }
  return wrong;
}

}  // namespace

Result<int64_t> parse_duration(std::string_view text) {
  VARVE_ASSIGN(const uint64_t ns, parse_with_unit(text, kDurationUnits, INT64_MAX,
                                                  "a duration such as 500ms, 60s, 5m, 1h or 1d"));
  return static_cast<int64_t>(ns);
}

Result<uint64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, kByteUnits, UINT64_MAX, "a size such as 1048576, 512MiB or 2GiB");
}

std::string format_duration(int64_t ns) {
  if (ns == 0) return "0";
  for (const Unit& unit : kDurationUnits) {
    const auto factor = static_cast<int64_t>(unit.factor);
    if (ns % factor == 0) return fmt::format("{}{}", ns / factor, unit.name);
  }
  return fmt::format("{}ns", ns);
}

std::string format_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

}  // namespace varve
