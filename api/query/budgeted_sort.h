// A sort that looks at the query's time all along: std::sort of ten million groups would run on for seconds.
// Runs short enough for std::sort, then merges of neighbours; takes as much memory again as the vector.
// Errors:  timeout, cancelled; then the order is unspecified.
// Threads: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "api/query/budget.h"

namespace varve {

template <class Before>
QueryResult<void> sort_within_budget(std::vector<uint32_t>& items, Before before, const QueryBudget& budget) {
  constexpr size_t kStepItems = 64 << 10;  // some 10 ms
  const size_t count = items.size();
  const auto at = [](std::vector<uint32_t>& of, size_t i) {
    return of.begin() + static_cast<std::ptrdiff_t>(i);
  };
  for (size_t from = 0; from < count; from += kStepItems) {
    VARVE_QUERY_TRY(budget.check());
    std::sort(at(items, from), at(items, std::min(from + kStepItems, count)), before);
  }
  std::vector<uint32_t> merged(count > kStepItems ? count : 0);
  for (size_t width = kStepItems; width < count; width *= 2) {
    for (size_t from = 0; from < count; from += 2 * width) {
      size_t left = from;
      const size_t middle = std::min(from + width, count);
      size_t right = middle;
      const size_t end = std::min(middle + width, count);
      for (size_t out = from; out < end; ++out) {
        if (out % kStepItems == 0) VARVE_QUERY_TRY(budget.check());
        const bool from_left = left < middle && (right == end || !before(items[right], items[left]));
        merged[out] = items[from_left ? left++ : right++];
      }
    }
    items.swap(merged);
  }
  return {};
}

}  // namespace varve
