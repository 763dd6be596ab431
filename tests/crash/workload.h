// What the crash driver writes: every row, and with it every answer of the checker, follows from a seed, the number of
// the writer and the number of its step. A step is one append: new rows, a late field for the rows of an earlier step
// (an upsert, mostly of rows already flushed), rows of tables that retention and deletes eat, and the writer's position. As a
// record is applied whole or not at all, a store with position P of a writer holds exactly the first P steps.
// Threads: values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/engine.h"

namespace varve::test {

constexpr std::string_view kKeptTable = "kept";
constexpr std::string_view kFadingTable = "fading";
constexpr int64_t kCutRowsPerStep = 4;  // of the table of each writer that deletes eat
constexpr int64_t kCutSensors = 3;
constexpr std::string_view kSinkName = "crash_sink";
constexpr int64_t kLateSteps = 5;     // a row gets its late field so many steps after the row
constexpr int64_t kRowNs = kNsPerMs;  // between a writer's kept rows
constexpr int64_t kFadingRowsPerStep = 3;
constexpr int64_t kFadingRowNs = 20 * kNsPerMs;

// The sizes of one store's life, drawn from its seed: small, so that flushes, log files and expired segments come fast.
struct Plan {
  uint64_t seed = 0;
  int writers = 0;
  int64_t rows_per_step = 0;
  int64_t series = 0;  // per writer
  int window = 0;      // steps a writer has under way
  int64_t retention_ns = 0;
  EngineOptions engine;
};
Plan make_plan(uint64_t seed, const std::string& data_directory);

// A row's values by its number within its writer.
struct RowValues {
  int64_t time = 0;
  std::string sensor;
  double value = 0;
  std::string text;
  int64_t late = 0;
  bool has_extra = false;
  bool extra = false;
};
RowValues kept_row(const Plan& plan, int writer, int64_t row);
RowValues fading_row(const Plan& plan, int writer, int64_t row);
RowValues cut_row(const Plan& plan, int writer, int64_t row);
std::string cut_table(int writer);
std::string writer_name(int writer);

std::vector<RowBatch> step_batches(const Plan& plan, int writer, int64_t step);

// A seed from the environment (VARVE_SEED) or a random one; printed.
uint64_t test_seed();
// A size from the environment, or the default.
int64_t test_size(const char* variable, int64_t otherwise);

}  // namespace varve::test
