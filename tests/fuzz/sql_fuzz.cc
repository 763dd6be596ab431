// Arbitrary bytes as SQL over a small table: an answer or an error with a position inside the statement,
// never a crash.
#include <cmath>

#include "storage/base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve::fuzz {
namespace {

const MemoryEngine& engine() {
  static const MemoryEngine filled = [] {
    MemoryEngine made;
    made.block_rows = 5;
    for (int row = 0; row < 40; ++row) {
      MemoryEngine::Fields fields{{"ph", Value(row % 7 == 0 ? std::nan("") : row / 4.0)},
                                  {"n", int64_t{row % 5 == 0 ? INT64_MAX : row}},
                                  {"ok", row % 3 == 0},
                                  {"note", std::string(row % 11, 'x')}};
      fields.resize(static_cast<size_t>(1 + row % 4));
      made.insert("varve", "t", row * kNsPerSecond, {{"site", row % 2 == 0 ? "a" : "b"}}, fields);
    }
    return made;
  }();
  return filled;
}

}  // namespace

void sql(const uint8_t* data, size_t size) {
  const std::string statement(reinterpret_cast<const char*>(data), size);
  QueryOptions options;
  options.max_memory_bytes = 16 << 20;
  options.max_rows = 10'000;
  const QueryParameters parameters{{"p", 1.5}, {"s", std::string("a")}};
  MemoryEngine own = engine();  // a DELETE must not change what the next input finds
  const CollectedResult result = run_query(own, statement, parameters, options);
  if (result.error) VARVE_CHECK(result.error->position.value_or(0) <= size);
}

}  // namespace varve::fuzz
