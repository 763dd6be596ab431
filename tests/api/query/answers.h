// Answers of two engines, brought to a form in which they can be compared.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/types.h"

namespace varve {

using Rows = std::vector<std::vector<Value>>;

uint64_t run_seed();  // VARVE_SEED, else a random one

// Bools count as 0 and 1, whole doubles as themselves, so that both sides compare as numbers. Sorted unless ordered.
Rows normal_rows(Rows rows, bool ordered);
bool alike(const Rows& a, const Rows& b);  // doubles to nine digits
std::string shown(const Rows& rows);

}  // namespace varve
