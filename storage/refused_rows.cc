#include "storage/refused_rows.h"

#include <map>

#include "storage/base/log.h"

namespace varve {

void RefusedRows::count(const std::vector<RejectedRow>& rows) {
  if (rows.empty()) return;
  std::map<std::string, uint64_t> by_reason;
  for (const RejectedRow& row : rows) {
    const uint64_t so_far = ++by_reason[row.reason];
    const bool limit = row.reason.ends_with("_limit");
    // A limit once reached stays so: it needs somebody to see to it.
    if (limit && so_far == 1) log_warn("store", "rows are refused: " + row.reason, {{"detail", row.detail}});
  }
  for (const auto& [reason, count] : by_reason) {
    metrics_
        .counter("varve_rows_refused_total",
                 "Rows the store could not hold, by reason; they are in varve_quarantine.",
                 {{"reason", reason}})
        .add(count);
  }
}

}  // namespace varve
