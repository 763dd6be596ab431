// The golden stores: one folder a format, made once by golden_store.cc and never written again. Each holds
//   store/        a data folder as a crash left it: segments, catalog, and a log not yet flushed
//   expected.txt  what it answers: every column, every value, every stream position
// Threads: one.
#pragma once

#include <string>

namespace varve::test {

// What a store answers, as text. Opens it, which changes it: give a copy.
std::string describe_store(const std::string& directory);

// Makes `directory`/store and `directory`/expected.txt by the engine of today. False, with words to stderr, on failure.
bool make_golden_store(const std::string& directory);

}  // namespace varve::test
