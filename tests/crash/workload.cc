#include "tests/crash/workload.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

namespace varve::test {
namespace {

constexpr int64_t kEpoch = 1'700'000'000 * kNsPerSecond;  // any time after 1970

uint64_t mix(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t x = a * 0x9e3779b97f4a7c15ULL ^ b * 0xbf58476d1ce4e5b9ULL ^ c * 0x94d049bb133111ebULL;
  x ^= x >> 31;
  x *= 0xd6e8feb86659fd93ULL;
  return x ^ (x >> 32);
}

RowBatch kept_rows(const Plan& plan, int writer, int64_t step) {
  RowBatchBuilder rows{std::string(kDefaultDatabase), std::string(kKeptTable)};
  for (int64_t row = step * plan.rows_per_step; row < (step + 1) * plan.rows_per_step; ++row) {
    const RowValues values = kept_row(plan, writer, row);
    rows.begin_row();
    rows.tag("writer", writer_name(writer));
    rows.tag("sensor", values.sensor);
    rows.field_int("id", row);
    rows.field_double("value", values.value);
    rows.field_string("text", values.text);
    if (values.has_extra) rows.field_bool("extra", values.extra);
    rows.end_row(values.time);
  }
  return rows.finish();
}

RowBatch late_fields(const Plan& plan, int writer, int64_t step) {
  RowBatchBuilder rows{std::string(kDefaultDatabase), std::string(kKeptTable)};
  for (int64_t row = step * plan.rows_per_step; row < (step + 1) * plan.rows_per_step; ++row) {
    const RowValues values = kept_row(plan, writer, row);
    rows.begin_row();
    rows.tag("writer", writer_name(writer));
    rows.tag("sensor", values.sensor);
    rows.field_int("late", values.late);
    rows.end_row(values.time);
  }
  return rows.finish();
}

RowBatch fading_rows(const Plan& plan, int writer, int64_t step) {
  RowBatchBuilder rows{std::string(kDefaultDatabase), std::string(kFadingTable)};
  for (int64_t row = step * kFadingRowsPerStep; row < (step + 1) * kFadingRowsPerStep; ++row) {
    const RowValues values = fading_row(plan, writer, row);
    rows.begin_row();
    rows.tag("writer", writer_name(writer));
    rows.field_int("id", row);
    rows.field_double("value", values.value);
    rows.end_row(values.time);
  }
  return rows.finish();
}

RowBatch cut_rows(const Plan& plan, int writer, int64_t step) {
  RowBatchBuilder rows{std::string(kDefaultDatabase), cut_table(writer)};
  for (int64_t row = step * kCutRowsPerStep; row < (step + 1) * kCutRowsPerStep; ++row) {
    const RowValues values = cut_row(plan, writer, row);
    rows.begin_row();
    rows.tag("writer", writer_name(writer));
    rows.tag("sensor", values.sensor);
    rows.field_int("id", row);
    rows.field_double("value", values.value);
    rows.end_row(values.time);
  }
  return rows.finish();
}

}  // namespace

Plan make_plan(uint64_t seed, const std::string& data_directory) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random);
  };
  Plan plan;
  plan.seed = seed;
  plan.writers = 3;
  plan.rows_per_step = pick(2, 24);  // a step that loses a row still has one to know it by
  plan.series = pick(1, 9);
  plan.window = static_cast<int>(pick(1, 8));
  plan.retention_ns = pick(5, 40) * kNsPerSecond;
  plan.engine.data_directory = data_directory;
  plan.engine.wal_sync = pick(0, 3) == 0 ? WalSync::kEach : WalSync::kGroup;
  plan.engine.flush_rows = static_cast<uint64_t>(pick(200, 6000));
  plan.engine.flush_age_ns = pick(20, 300) * kNsPerMs;
  plan.engine.partition_ns = pick(1, 5) * kNsPerSecond;
  plan.engine.table_retention_ns[std::string(kFadingTable)] = plan.retention_ns;
  plan.engine.memtable_bytes_max = static_cast<uint64_t>(pick(256 << 10, 4 << 20));
  plan.engine.wal_file_bytes = static_cast<uint64_t>(pick(16 << 10, 512 << 10));
  return plan;
}

std::string writer_name(int writer) {
  return fmt::format("w{}", writer);
}

RowValues kept_row(const Plan& plan, int writer, int64_t row) {
  const uint64_t number = mix(plan.seed, static_cast<uint64_t>(writer), static_cast<uint64_t>(row));
  RowValues values;
  values.time = kEpoch + row * kRowNs;
  values.sensor = fmt::format("s{}", row % plan.series);
  values.value = static_cast<double>(number % 1'000'000) / 100;
  values.text = fmt::format("text {}", number % 1000);
  values.late = static_cast<int64_t>(number >> 1);
  values.has_extra = row / plan.rows_per_step % 3 == 0;
  values.extra = number % 2 == 0;
  return values;
}

RowValues fading_row(const Plan& plan, int writer, int64_t row) {
  const uint64_t number = mix(plan.seed, static_cast<uint64_t>(writer) + 1000, static_cast<uint64_t>(row));
  RowValues values;
  values.time = kEpoch + row * kFadingRowNs;
  values.value = static_cast<double>(number % 1000);
  return values;
}

RowValues cut_row(const Plan& plan, int writer, int64_t row) {
  const uint64_t number = mix(plan.seed, static_cast<uint64_t>(writer) + 2000, static_cast<uint64_t>(row));
  RowValues values;
  values.time = kEpoch + row * kRowNs;
  values.sensor = fmt::format("s{}", row % kCutSensors);
  values.value = static_cast<double>(number % 1000);
  return values;
}

std::string cut_table(int writer) {
  return fmt::format("cut_{}", writer);
}

std::vector<RowBatch> step_batches(const Plan& plan, int writer, int64_t step) {
  std::vector<RowBatch> batches;
  batches.push_back(kept_rows(plan, writer, step));
  if (step >= kLateSteps) batches.push_back(late_fields(plan, writer, step - kLateSteps));
  batches.push_back(fading_rows(plan, writer, step));
  batches.push_back(cut_rows(plan, writer, step));
  return batches;
}

uint64_t test_seed() {
  const char* const given = std::getenv("VARVE_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  fmt::print("seed {} (again with VARVE_SEED={})\n", seed, seed);
  std::fflush(stdout);
  return seed;
}

int64_t test_size(const char* variable, int64_t otherwise) {
  const char* const given = std::getenv(variable);
  return given != nullptr ? std::strtoll(given, nullptr, 10) : otherwise;
}

}  // namespace varve::test
