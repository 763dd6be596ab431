#include "api/query/budget.h"

#include <fmt/format.h>

#include "storage/base/units.h"

namespace varve {

QueryBudget::QueryBudget(const QueryOptions& options, const Clock& clock)
    : options_(options), clock_(clock), started_ns_(clock.monotonic_ns()) {}

QueryResult<void> QueryBudget::check() const {
  if (cancelled_.load(std::memory_order_relaxed)) {
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
  rows_ += rows;
  if (rows_ <= options_.max_rows) return {};
  QueryError error = limit_error(
      "row_limit", fmt::format("the result has more than query.max_rows = {} rows", options_.max_rows));
  error.hint = "add LIMIT or group, or raise query.max_rows";
  return tl::make_unexpected(std::move(error));
}

QueryResult<void> MemoryUse::set(uint64_t bytes) {
  budget_.memory_bytes_ += bytes - bytes_;
  bytes_ = bytes;
  if (budget_.memory_bytes_ <= budget_.options_.max_memory_bytes) return {};
  QueryError error =
      limit_error("memory_limit", fmt::format("the query needs more than query.max_memory = {}",
                                              format_bytes(budget_.options_.max_memory_bytes)));
  error.hint = "group by fewer values, add LIMIT, or raise query.max_memory";
  return tl::make_unexpected(std::move(error));
}

}  // namespace varve
