// The width of a panel's buckets of time: as narrow as its number of points allows, of a size people know.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "api/grafana/request.h"

namespace varve::grafana {

// Never more than max_data_points buckets, and (if given) not narrower than interval_ns: 1, 2, 5 ms ... 1, 2, 5, 10, 15,
// 20, 30 s and min, 1, 2, 3, 6, 12 h, 1, 2, 7, 14, 30, 90, 365 d. An interval that fits is taken as it is.
int64_t automatic_bucket_ns(const Range& range, int64_t interval_ns, uint64_t max_data_points);

std::string interval_text(int64_t ns);  // as SQL reads it: "30s", "1500ms"

}  // namespace varve::grafana
