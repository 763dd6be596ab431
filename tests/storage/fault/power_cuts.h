// Simulated power cuts: a store works, the power goes at some file call, unsynced bytes and names are lost at random,
// the store opens again and must have every acknowledged row exactly once and nothing else. Several lives a run; some
// are cut again while they recover.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/storage/fault/store_run.h"

namespace varve::test {

// What a checker found; nothing = the store kept its word.
std::optional<std::string> run_power_cuts(uint64_t seed, const Plant& plant = {});

}  // namespace varve::test
