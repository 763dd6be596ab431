// Arbitrary bytes as SQL over a small table: an answer or an error with a position inside the statement, never a
// crash; and the same outcome whether blocks come as rows or as statistics.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace {

const varve::MemoryEngine& engine() {
  static const varve::MemoryEngine filled = [] {
    varve::MemoryEngine made;
    made.block_rows = 5;
    for (int row = 0; row < 40; ++row) {
      varve::MemoryEngine::Fields fields{{"ph", row % 7 == 0 ? varve::Value(std::nan("")) : varve::Value(row / 4.0)},
                                         {"n", int64_t{row % 5 == 0 ? INT64_MAX : row}},
                                         {"ok", row % 3 == 0},
                                         {"note", std::string(row % 11, 'x')}};
      fields.resize(static_cast<size_t>(1 + row % 4));
      made.insert("varve", "t", row * varve::kNsPerSecond, {{"site", row % 2 == 0 ? "a" : "b"}}, fields);
    }
    return made;
  }();
  return filled;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string sql(reinterpret_cast<const char*>(data), size);
  varve::QueryOptions options;
  options.max_memory_bytes = 16 << 20;
  options.max_rows = 10'000;
  const varve::QueryParameters parameters{{"p", 1.5}, {"s", std::string("a")}};
  const varve::CollectedResult result = varve::run_query(engine(), sql, parameters, options);
  if (result.error && result.error->position && *result.error->position > sql.size()) {
    std::fprintf(stderr, "position beyond the statement: %s\n", result.outcome().c_str());
    std::abort();
  }
  return 0;
}
