// The simulators with a clock of the caller's: with the same clock readings and seed, the same messages.
#pragma once

#include <memory>

#include "ingest/replay/generator.h"
#include "storage/base/clock.h"

namespace varve {

Result<std::unique_ptr<Generator>> make_simulator(const SimulatorOptions& options, const Clock& clock);

}  // namespace varve
