// The conditions of a WHERE that are joined by AND, and what they say of time.
// Threads: pure functions.
#pragma once

#include <optional>
#include <vector>

#include "api/query/scalar.h"
#include "storage/model/types.h"
#include "storage/scan.h"

namespace varve {

// Takes nested ANDs apart.
void collect_conjuncts(ScalarPtr expr, std::vector<ScalarPtr>& conjuncts);
ScalarPtr joined(std::vector<ScalarPtr> conjuncts);  // by AND; null when there are none

void make_empty(TimeRange& range);
// True when the conjunct is wholly a bound on time, which `range` now has.
bool take_time_bound(const Scalar& conjunct, TimeRange& range);

// The range of a field that the conjunct, a comparison with constants, stands for; its `field` is the slot. nullopt:
// it says something else, or more.
std::optional<FieldRange> field_range(const Scalar& conjunct);

}  // namespace varve
