// Rows for measuring the store, and what a measurement costs the process.
// The rows have TSBS's cpu shape: `hosts` series every 10 s, ten doubles with two decimals, in order of arrival.
// Batches are made once and handed out as copies with later times, so that making them costs a copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/engine.h"

namespace varve::bench {

constexpr size_t kStoreFields = 10;
constexpr int64_t kTickNs = 10 * kNsPerSecond;
constexpr int64_t kFirstTime = 1'735'689'600 * kNsPerSecond;  // 2025-01-01

class CpuRows {
 public:
  CpuRows(size_t hosts, size_t ticks_per_batch);
  RowBatch next();

 private:
  size_t ticks_per_batch_;
  std::vector<RowBatch> made_;
  size_t batches_ = 0;
};

std::string field_name(size_t field);  // f0 ...

// One row at time `tick` of each of `series` series, from number `first` on.
RowBatch one_row_each(size_t first, size_t series, size_t tick);

struct Usage {
  double wall_s = 0;
  double cpu_s = 0;
  double peak_mib = 0;  // of the process so far
  double now_mib = 0;
};
Usage usage_now();

// Opened or the program ends.
std::unique_ptr<Engine> open_store(EngineOptions options);
[[noreturn]] void give_up(const Error& error);

// admit() and append(), waiting while the store says it is full. Returns the seconds spent waiting.
double append_rows(Engine& engine, std::vector<RowBatch> batches);
void wait_until_written(Engine& engine, uint64_t rows);

}  // namespace varve::bench
