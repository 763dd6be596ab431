// Processing over columns against the same rules written row by row.
#include <gtest/gtest.h>

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <set>

#include "tests/api/process/processing.h"

namespace varve {
namespace {

struct Reading {
  int time;
  std::string id;
  std::optional<int> a;  // in quarters, so that doubles are exact
  std::optional<int> b;
};

std::string json(const Reading& reading) {
  std::string rest = R"("c":0.5)";
  if (reading.a) rest += fmt::format(R"(,"a":{:.2f})", *reading.a / 4.0);
  if (reading.b) rest += fmt::format(R"(,"b":{:.2f})", *reading.b / 4.0);
  return varve::reading(reading.time, rest, reading.id);
}

std::optional<std::string> expected(const Reading& reading) {
  if (!reading.a || *reading.a / 4.0 <= -1.0) return std::nullopt;  // where
  const double a = *reading.a / 4.0;
  std::vector<std::string> cells{"#id=" + reading.id, fmt::format("a={}", a), "c=0.5"};
  if (reading.b) {
    const double b = *reading.b / 4.0;
    cells.push_back(fmt::format("b={}", b));
    cells.push_back(fmt::format("sum={}", a + b));
    if (b != 0) cells.push_back(fmt::format("ratio={}", (a + b) / b));
  }
  std::sort(cells.begin(), cells.end());
  return fmt::format("{} {}", 1'700'000'000 + reading.time, fmt::join(cells, " "));
}

RC_GTEST_PROP(ProcessProperty, AgreesWithRulesAppliedRowByRow, ()) {
  ProcessRules rules;
  rules.where = "a > -1";
  rules.set = {"sum = a + b", "ratio = sum / b"};
  rules.dedupe_window_ns = 1;
  Processing processing(rules);
  std::set<std::string> seen;
  uint64_t filtered = 0, deduped = 0;
  std::multiset<std::string> stored, wanted;
  int64_t offset = 0;
  const int writes = *rc::gen::inRange(1, 4);
  for (int write = 0; write < writes; ++write) {
    std::vector<std::string> messages;
    // Sometimes more than one chunk of an expression.
    const int rows = *rc::gen::element(0, 1, 7, 60, 1025, 2500);
    const auto seed = *rc::gen::arbitrary<uint32_t>();
    uint64_t state = seed + 1;
    const auto next = [&state](uint64_t n) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return static_cast<int>((state >> 33) % n);
    };
    for (int i = 0; i < rows; ++i) {
      Reading reading{next(500), next(2) == 0 ? "x" : "y", std::nullopt, std::nullopt};
      if (next(4) != 0) reading.a = next(40) - 10;
      if (next(4) != 0) reading.b = next(8) - 3;
      messages.push_back(json(reading));
      const auto row = expected(reading);
      if (!row) {
        ++filtered;
      } else if (!seen.insert(fmt::format("{} {}", reading.id, reading.time)).second) {
        ++deduped;
      } else {
        wanted.insert(*row);
      }
    }
    for (const std::string& row : processing.run(messages, offset)) stored.insert(row);
    offset += rows;
    filtered -= processing.counts.filtered;
    deduped -= processing.counts.deduped;
    RC_ASSERT(processing.refused.empty());
  }
  RC_ASSERT(filtered == 0U);
  RC_ASSERT(deduped == 0U);
  RC_ASSERT(stored == wanted);
}

}  // namespace
}  // namespace varve
