#include "api/query/time_buckets.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/query/interval.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr int64_t kNsPerWeek = 7 * kNsPerDay;
constexpr int64_t kFirstMonday = 4 * kNsPerDay;           // 1970-01-05
constexpr int64_t kMeanMonthNs = 2629746 * kNsPerSecond;  // of the Gregorian cycle: 146097 days / 4800

__extension__ using Wide = __int128;  // a difference of two int64

int64_t floor_to(int64_t value, int64_t step) {
  const int64_t past = value % step;
  return value - (past < 0 ? past + step : past);
}

}  // namespace

bool BucketRule::whole_days() const {
  return months > 0 || width_ns % kNsPerDay == 0;
}

int64_t BucketRule::local_start(int64_t local) const {
  if (months == 0) return bucket_start(local, width_ns, origin_ns);
  const int64_t month = month_of(saturating_subtract(local, origin_ns)) - origin_month;
  return saturating_add(month_start(floor_to(month, months) + origin_month), origin_ns);
}

int64_t BucketRule::local_end(int64_t local) const {
  if (months == 0) {  // wide: the start may be clamped
    const auto past = static_cast<int64_t>((static_cast<Wide>(local) - origin_ns) % width_ns);
    return saturating_add(local, past < 0 ? -past : width_ns - past);
  }
  const int64_t month = month_of(saturating_subtract(local, origin_ns)) - origin_month;
  return saturating_add(month_start(floor_to(month, months) + origin_month + months), origin_ns);
}

int64_t BucketRule::start_of(int64_t time) const {
  if (zone.is_utc()) return local_start(time);
  const TimeZone::Period now = zone.period_at(time);
  const int64_t start = local_start(saturating_add(time, now.offset_ns));
  if (whole_days()) return zone.to_utc(start);
  const int64_t here = saturating_subtract(start, now.offset_ns);
  if (here >= now.begin) return here;
  // The clock was set within the bucket. It began before that, unless it had ended by then: then this is a piece of its own.
  const TimeZone::Period before = zone.period_at(now.begin - 1);
  if (saturating_subtract(local_end(start), before.offset_ns) <= now.begin) return now.begin;
  return std::clamp(saturating_subtract(start, before.offset_ns), before.begin, now.begin);
}

int64_t BucketRule::end_of(int64_t start) const {
  if (zone.is_utc()) return local_end(start);
  const TimeZone::Period now = zone.period_at(start);
  const int64_t end = local_end(saturating_add(start, now.offset_ns));
  if (whole_days()) return zone.to_utc(end);
  const int64_t here = saturating_subtract(end, now.offset_ns);
  if (here <= now.end || now.end == INT64_MAX) return here;
  if (start_of(now.end) != start) return now.end;
  return std::max(now.end, saturating_subtract(end, zone.period_at(now.end).offset_ns));
}

int64_t BucketRule::mean_width_ns() const {
  if (months == 0) return width_ns;
  return months > INT64_MAX / kMeanMonthNs ? INT64_MAX : months * kMeanMonthNs;
}

QueryResult<BucketRule> parse_bucket_width(std::string_view width, size_t position) {
  const Result<Duration> parsed = parse_calendar_duration(width);
  if (!parsed)
    return tl::make_unexpected(invalid_query("invalid_interval", parsed.error().message, position));
  BucketRule rule;
  rule.width_ns = parsed->ns;
  rule.months = parsed->months;
  if (rule.width_ns != 0 && rule.months != 0) {
    return tl::make_unexpected(invalid_query(
        "invalid_interval", "the width of a bucket is months or a fixed length, not both", position));
  }
  constexpr int64_t kMonthsMax = 12'000;  // a thousand years, beyond what times reach
  if (rule.width_ns < 0 || rule.months < 0 || (rule.width_ns == 0 && rule.months == 0) ||
      rule.months > kMonthsMax) {
    return tl::make_unexpected(
        invalid_query("invalid_interval", "the width of a bucket must be more than 0", position));
  }
  if (rule.months == 0 && rule.width_ns % kNsPerWeek == 0) rule.origin_ns = kFirstMonday;
  return rule;
}

QueryResult<void> set_time_zone(BucketRule& rule, std::string_view zone, size_t position) {
  const Result<TimeZone> found = TimeZone::find(zone);
  if (!found) return tl::make_unexpected(invalid_query("invalid_time_zone", found.error().message, position));
  rule.zone = *found;
  return {};
}

QueryResult<void> set_origin(BucketRule& rule, int64_t origin, size_t position) {
  if (rule.months == 0) {
    rule.origin_ns = origin;
    return {};
  }
  rule.origin_month = month_of(origin);
  return shift_origin(rule, saturating_subtract(origin, month_start(rule.origin_month)), position);
}

QueryResult<void> shift_origin(BucketRule& rule, int64_t by_ns, size_t position) {
  constexpr int64_t kShortestMonthNs = 28 * kNsPerDay;
  if (rule.months > 0 && (by_ns >= kShortestMonthNs || by_ns <= -kShortestMonthNs)) {
    return tl::make_unexpected(invalid_query(
        "invalid_interval", "months cannot begin after the 28th: not every month has that day", position));
  }
  rule.origin_ns = saturating_add(rule.origin_ns, by_ns);
  return {};
}

}  // namespace varve
