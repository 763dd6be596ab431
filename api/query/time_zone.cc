#include "api/query/time_zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/nearest.h"

namespace varve {
namespace {

// The last whole second whose nanoseconds fit, and the first.
constexpr int64_t kSecondMax = INT64_MAX / kNsPerSecond;
constexpr int64_t kSecondMin = INT64_MIN / kNsPerSecond;

date::sys_seconds second_of(int64_t ns) {
  return date::floor<std::chrono::seconds>(
      std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>(
          std::chrono::nanoseconds(ns)));
}

int64_t ns_of(date::sys_seconds second) {
  const int64_t seconds = second.time_since_epoch().count();
  if (seconds > kSecondMax) return INT64_MAX;
  if (seconds < kSecondMin) return INT64_MIN;
  return seconds * kNsPerSecond;
}

int64_t offset_ns(const date::sys_info& info) {
  return static_cast<int64_t>(info.offset.count()) * kNsPerSecond;
}

}  // namespace

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return a < 0 ? INT64_MIN : INT64_MAX;
  return sum;
}

int64_t saturating_subtract(int64_t a, int64_t b) {
  int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) return a < 0 ? INT64_MIN : INT64_MAX;
  return difference;
}

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  if (name == "UTC" || name == "Etc/UTC" || name == "Z" || name == "GMT") return zone;
  try {
    zone.zone_ = date::locate_zone(std::string(name));
    return zone;
  } catch (const std::exception&) {
    // Said below, with the nearest name.
  }
  try {
    std::vector<std::string> names;
    for (const auto& known : date::get_tzdb().zones) names.push_back(known.name());
    const std::string nearest = nearest_name(name, names);
    return invalid_argument(
        nearest.empty()
            ? fmt::format("'{}' is not a time zone; use e.g. 'Europe/Paris' or 'UTC'", name.substr(0, 60))
            : fmt::format("'{}' is not a time zone; did you mean '{}'?", name.substr(0, 60), nearest));
  } catch (const std::exception& problem) {
    return unavailable(
        fmt::format("the system's time zones cannot be read ({}); install tzdata", problem.what()));
  }
}

std::string_view TimeZone::name() const {
  if (zone_ == nullptr) return "UTC";
  return zone_->name();
}

TimeZone::Period TimeZone::period_at(int64_t time) const {
  if (zone_ == nullptr) return {};
  const date::sys_info info = zone_->get_info(second_of(time));
  return {ns_of(info.begin), ns_of(info.end), offset_ns(info)};
}

int64_t TimeZone::to_utc(int64_t local) const {
  if (zone_ == nullptr) return local;
  const date::local_time<std::chrono::seconds> second(second_of(local).time_since_epoch());
  const date::local_info info = zone_->get_info(second);
  if (info.result == date::local_info::nonexistent) return ns_of(info.first.end);
  return saturating_subtract(local, offset_ns(info.first));
}

int64_t month_of(int64_t local) {
  const auto day = date::floor<date::days>(second_of(local));
  const date::year_month_day date(day);
  return (static_cast<int64_t>(static_cast<int>(date.year())) - 1970) * 12 +
         static_cast<int64_t>(static_cast<unsigned>(date.month())) - 1;
}

int64_t month_start(int64_t month) {
  constexpr int64_t kYearMax = 2263;  // int64 ns end in 2262 and begin in 1677
  constexpr int64_t kYearMin = 1676;
  const int64_t year_from_epoch = month / 12 - (month % 12 < 0 ? 1 : 0);
  const int64_t year = 1970 + year_from_epoch;
  if (year > kYearMax) return INT64_MAX;
  if (year < kYearMin) return INT64_MIN;
  const auto number = static_cast<unsigned>(month - year_from_epoch * 12 + 1);
  const date::sys_days day = date::year(static_cast<int>(year)) / date::month(number) / date::day(1);
  return ns_of(date::sys_seconds(day));
}

}  // namespace varve
