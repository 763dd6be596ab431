#include "api/query/budget.h"

#include <fmt/format.h>

#include "storage/base/units.h"

namespace varve {

QueryBudget::QueryBudget(const QueryOptions& options, const Clock& clock, StopSwitch stop)
    : options_(options),
      clock_(clock),
      started_ns_(clock.monotonic_ns()),
      stop_(stop ? std::move(stop) : std::make_shared<std::atomic<bool>>(false)) {}

QueryResult<void> QueryBudget::check() const {
  if (stop_->load(std::memory_order_relaxed)) {
    return tl::make_unexpected(
        QueryError{QueryErrorKind::kCancelled, "cancelled", "the query was cancelled", std::nullopt, {}});
  }
  if (clock_.monotonic_ns() - started_ns_ > options_.timeout_ns) {
    return tl::make_unexpected(QueryError{
        QueryErrorKind::kTimeout, "timeout",
        fmt::format("the query ran longer than query.timeout = {}", format_duration(options_.timeout_ns)),
        std::nullopt, "narrow the time range, or raise query.timeout"});
  }
  return {};
}

QueryResult<void> QueryBudget::count_rows(uint64_t rows) {
  if (rows_.fetch_add(rows, std::memory_order_relaxed) + rows <= options_.max_rows) return {};
  QueryError error = limit_error(
      "row_limit", fmt::format("the result has more than query.max_rows = {} rows", options_.max_rows));
  error.hint = "add LIMIT or group, or raise query.max_rows";
  return tl::make_unexpected(std::move(error));
}

QueryResult<void> MemoryUse::set(uint64_t bytes) {
  const uint64_t change = bytes - bytes_;  // modulo 2^64 when it shrinks
  const uint64_t total = budget_.memory_bytes_.fetch_add(change, std::memory_order_relaxed) + change;
  bytes_ = bytes;
  if (total <= budget_.options_.max_memory_bytes) return {};
  QueryError error =
      limit_error("memory_limit", fmt::format("the query needs more than query.max_memory = {}",
                                              format_bytes(budget_.options_.max_memory_bytes)));
  error.hint = "group by fewer values, add LIMIT, or raise query.max_memory";
  return tl::make_unexpected(std::move(error));
}

}  // namespace varve
