// Holds a store against the ledger of the driver that was killed over it.
//   Every acknowledged row is there once, with the values that follow from its number, also the late field.
//   No row is there that was not sent; an unacknowledged step is there whole, or not at all, as its position says.
//   Deleted rows are gone; of a delete that was not answered all are, or none.
//   Retention took nothing younger than its limit. The sink's cursor does not stand before where it was saved.
// Answers problems in words, at most kProblemsMax of each kind; none means all is well.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/workload.h"

namespace varve::test {

constexpr size_t kProblemsMax = 10;

struct StoreCheck {
  std::vector<std::string> problems;
  std::vector<int64_t> positions;  // by writer: its next step
  int64_t rows = 0;                // seen
};
StoreCheck check_store(Engine& engine, const Plan& plan, const std::string& ledger_folder);

// Reads the cursor to the log's end first; then every step in the store must have come through it.
std::vector<std::string> check_sink(Engine& engine, LogCursor& cursor, const Plan& plan,
                                    const std::string& ledger_folder);

// The writer and the step of a record as step_batches() made it.
std::pair<int, int64_t> step_of(const Plan& plan, const LogRecord& record);

}  // namespace varve::test
