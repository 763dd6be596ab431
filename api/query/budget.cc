#include "api/query/budget.h"

#include <fmt/format.h>

#include "storage/base/units.h"

namespace varve {

// How often a query looks whether its reader still is there.
constexpr int64_t kLookNs = kNsPerSecond / 10;

QueryBudget::QueryBudget(const QueryOptions& options, const Clock& clock, StopSwitch stop,
                         SharedBytes* all_bytes)
    : options_(options),
      clock_(clock),
      started_ns_(clock.monotonic_ns()),
      stop_(stop ? std::move(stop) : std::make_shared<std::atomic<bool>>(false)),
      all_bytes_(all_bytes),
      next_look_ns_(started_ns_ + kLookNs) {}

QueryResult<void> QueryBudget::check() const {
  const int64_t now = clock_.monotonic_ns();
  if (stop_->load(std::memory_order_relaxed) || reader_left(now)) {
    return tl::make_unexpected(
        QueryError{QueryErrorKind::kCancelled, "cancelled", "the query was cancelled", std::nullopt, {}});
  }
  if (now - started_ns_ > options_.timeout_ns) {
    return tl::make_unexpected(QueryError{
        QueryErrorKind::kTimeout, "timeout",
        fmt::format("the query ran longer than query.timeout = {}", format_duration(options_.timeout_ns)),
        std::nullopt, "narrow the time range, or raise query.timeout"});
  }
  return {};
}

bool QueryBudget::reader_left(int64_t now) const {
  if (!reader_gone_) return false;
  int64_t due = next_look_ns_.load(std::memory_order_relaxed);
  const bool look = now >= due && next_look_ns_.compare_exchange_strong(due, now + kLookNs);
  if (!look || !reader_gone_()) return false;
  stop_->store(true, std::memory_order_relaxed);
  return true;
}

QueryResult<void> QueryBudget::count_rows(uint64_t rows) {
  if (rows_.fetch_add(rows, std::memory_order_relaxed) + rows <= options_.max_rows) return {};
  QueryError error = limit_error(
      "row_limit", fmt::format("the result has more than query.max_rows = {} rows", options_.max_rows));
  error.hint = "add LIMIT or group, or raise query.max_rows";
  return tl::make_unexpected(std::move(error));
}

QueryResult<void> QueryBudget::take_memory(uint64_t bytes) {
  const uint64_t own = memory_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const uint64_t all =
      all_bytes_ == nullptr ? 0 : all_bytes_->fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (own <= options_.max_memory_bytes && all <= options_.total_memory_bytes) {
    uint64_t peak = peak_memory_bytes();
    while (own > peak && !peak_memory_bytes_.compare_exchange_weak(peak, own, std::memory_order_relaxed)) {
    }
    return {};
  }
  give_back_memory(bytes);  // this query ends; the others keep their room
  if (own > options_.max_memory_bytes) {
    QueryError error =
        limit_error("memory_limit", fmt::format("the query needs more than query.max_memory = {}",
                                                format_bytes(options_.max_memory_bytes)));
    error.hint = "group by fewer values, add LIMIT, or raise query.max_memory";
    return tl::make_unexpected(std::move(error));
  }
  return tl::make_unexpected(
      QueryError{QueryErrorKind::kBusy, "total_memory_limit",
                 fmt::format("all queries together need more than query.total_memory = {}, {} of it this one",
                             format_bytes(options_.total_memory_bytes), format_bytes(own)),
                 std::nullopt, "try again when fewer run, or raise query.total_memory"});
}

void QueryBudget::give_back_memory(uint64_t bytes) {
  memory_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (all_bytes_ != nullptr) all_bytes_->fetch_sub(bytes, std::memory_order_relaxed);
}

QueryResult<void> MemoryUse::set(uint64_t bytes) {
  if (bytes > bytes_) {
    VARVE_QUERY_TRY(budget_.take_memory(bytes - bytes_));
  } else {
    budget_.give_back_memory(bytes_ - bytes);
  }
  bytes_ = bytes;
  return {};
}

}  // namespace varve
