// increase, delta, rate, derivative, integral: aggregates of steps between neighbouring rows of a series (aggregate.h).
// Threads: as aggregates.
#pragma once

#include <memory>

#include "api/query/aggregate.h"

namespace varve {

std::unique_ptr<Aggregate> make_step_aggregate(const AggregateSpec& spec);

}  // namespace varve
