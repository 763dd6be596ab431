// Arbitrary bytes as InfluxQL over a small store: an answer that is JSON, whatever the statements came to, or an error
// with a position inside the text; never a crash.
#include <cmath>
#include <nlohmann/json.hpp>

#include "storage/base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/support/influxql_answer.h"
#include "tests/support/memory_engine.h"

namespace varve::fuzz {
namespace {

const MemoryEngine& engine() {
  static const MemoryEngine filled = [] {
    MemoryEngine made;
    made.block_rows = 5;
    for (int row = 0; row < 40; ++row) {
      MemoryEngine::Fields fields{{"v", row % 7 == 0 ? Value(std::nan("")) : Value(row / 4.0)},
                                  {"n", int64_t{row % 5 == 0 ? INT64_MAX : row}},
                                  {"ok", row % 3 == 0},
                                  {"note", std::string(row % 11, 'x')}};
      fields.resize(static_cast<size_t>(1 + row % 4));
      made.insert("d", row % 9 == 0 ? "mem" : "cpu", row * kNsPerSecond,
                  {{"host", std::string(1, row % 2 == 0 ? 'a' : 'b')},
                   {"dc", std::string(row % 4 == 0 ? 1 : 0, 'x')}},
                  fields);
    }
    return made;
  }();
  return filled;
}

}  // namespace

void influxql(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static const influxql::Parameters parameters{{"p", {influxql::TokenKind::kNumber, "1.5"}},
                                               {"s", {influxql::TokenKind::kString, "a"}},
                                               {"r", {influxql::TokenKind::kRegex, "a|b"}}};
  auto statements = influxql::parse_influxql(text, parameters);
  if (!statements) {
    VARVE_CHECK(statements.error().position.value_or(0) <= size);
    return;
  }
  QueryOptions options;
  options.max_memory_bytes = 16 << 20;
  options.max_rows = 10'000;
  options.timeout_ns = 5 * kNsPerSecond;
  MemoryEngine own = engine();  // a DELETE must not change what the next input finds
  test::InfluxqlRunner run(own, options);
  std::string body;
  const auto outcome = run.service().run(run.request, std::move(*statements), [&](std::string_view part) {
    body += part;
    return true;
  });
  VARVE_CHECK(outcome && *outcome);
  VARVE_CHECK(nlohmann::json::accept(body));
}

}  // namespace varve::fuzz
