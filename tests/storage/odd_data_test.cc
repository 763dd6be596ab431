// Data that does not fit: fields that change their type, times far away, more series than there may be, values at the
// edges of their types.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <random>

#include "storage/base/clock.h"
#include "storage/engine.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr int64_t kYearNs = 365 * 24 * 3600 * kNsPerSecond;

using Rows = std::map<int64_t, Value>;  // of field v, by time

class OddData : public testing::Test {
 protected:
  void open() {
    engine_.reset();
    EngineOptions options = options_;
    options.data_directory = directory_.path().string();
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }
  // The same rows as they are in the memtable, in a segment, and after a restart.
  void expect_everywhere(const std::string& table, const Rows& expected, const std::string& what) {
    EXPECT_EQ(read(table), expected) << what << ", in memory";
    ASSERT_TRUE(engine_->flush());
    EXPECT_EQ(read(table), expected) << what << ", flushed";
    open();
    EXPECT_EQ(read(table), expected) << what << ", reopened";
  }

  static RowBatch batch(const std::string& table, const Rows& rows) {
    RowBatchBuilder builder("varve", table);
    for (const auto& [time, value] : rows) {
      builder.begin_row();
      builder.tag("site", "a");
      if (const auto* d = std::get_if<double>(&value)) builder.field_double("v", *d);
      if (const auto* i = std::get_if<int64_t>(&value)) builder.field_int("v", *i);
      if (const auto* b = std::get_if<bool>(&value)) builder.field_bool("v", *b);
      if (const auto* s = std::get_if<std::string>(&value)) builder.field_string("v", *s);
      builder.end_row(time);
    }
    return builder.finish();
  }
  // Why the first refused row was refused; empty = none was.
  std::string write(RowBatch rows) {
    std::vector<RowBatch> batches;
    batches.push_back(std::move(rows));
    AdmittedWrite admitted = engine_->admit(std::move(batches));
    const std::string reason = admitted.rejected().empty()
                                   ? ""
                                   : admitted.rejected()[0].reason + ": " + admitted.rejected()[0].detail;
    EXPECT_TRUE(engine_->append_and_wait(std::move(admitted)));
    return reason;
  }
  Rows read(const std::string& table) {
    ScanRequest request;
    request.database = "varve";
    request.table = table;
    request.fields = {"v"};
    Rows rows;
    auto scan = engine_->scan(request);
    EXPECT_TRUE(scan);
    if (!scan) return rows;
    ScanBlock block;
    while (true) {
      auto more = (*scan)->next(block);
      EXPECT_TRUE(more);
      if (!more || !*more) return rows;
      for (size_t row = 0; row < block.rows; ++row) rows[block.times[row]] = block.columns[0].value(row);
    }
  }

  test::TempDir directory_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

// The rule: an integer becomes a double where one of the two is a double; any other change is refused, row by row.
TEST_F(OddData, FieldsThatChangeTheirTypeWidenOrLoseOnlyTheirOwnRows) {
  const std::vector<Value> values = {Value(1.5), Value(int64_t{7}), Value(true), Value(std::string("text"))};
  const auto is_number = [](size_t type) { return type <= 1; };
  for (const char* between : {"nothing", "a flush", "a restart"}) {
    for (size_t first = 0; first < values.size(); ++first) {
      for (size_t second = 0; second < values.size(); ++second) {
        const std::string table = fmt::format("t{}{}{}", between[2], first, second);
        const std::string what = fmt::format("type {} after type {}, {} between", second, first, between);
        open();
        ASSERT_EQ(write(batch(table, {{1, values[first]}})), "") << what;
        if (between[2] == 'f') {
          ASSERT_TRUE(engine_->flush());
        }
        if (between[2] == 'r') open();
        const bool taken = first == second || (is_number(first) && is_number(second));
        const std::string refused = write(batch(table, {{2, values[second]}}));
        EXPECT_EQ(refused.starts_with("type_conflict: field `v`"), !taken) << what << ": " << refused;
        ASSERT_EQ(write(batch(table, {{3, values[first]}})), "") << what;

        Rows expected = {{1, values[first]}, {3, values[first]}};
        if (taken) expected[2] = values[second];
        if (taken && first != second) {
          for (auto& [time, value] : expected) {
            if (const auto* whole = std::get_if<int64_t>(&value)) value = static_cast<double>(*whole);
          }
        }
        expect_everywhere(table, expected, what);
      }
    }
  }
}

TEST_F(OddData, LateFutureAndUnorderedRowsAreKeptWhereTheyBelong) {
  open();
  const int64_t now = real_clock().wall_ns();
  std::mt19937_64 random(20261121);
  Rows expected;
  for (int i = 0; i < 40; ++i) {
    Rows rows;  // two rows far from each other per write, no order at all between writes
    rows[now - 10 * kYearNs + static_cast<int64_t>(random() % (11 * kYearNs))] =
        Value(static_cast<double>(i));
    rows[i % 2 == 0 ? now + kYearNs + i : now - 10 * kYearNs - i] = Value(static_cast<double>(-i));
    EXPECT_EQ(write(batch("late", rows)), "");
    expected.insert(rows.begin(), rows.end());
    if (i == 20) {
      ASSERT_TRUE(engine_->flush());
    }  // what comes later is older than what is in files
  }
  expect_everywhere("late", expected, "seed 20261121");
}

uint64_t resident_bytes() {
  long total = 0, resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
  (void)std::fclose(file);
  return static_cast<uint64_t>(resident) * 4096;
}

TEST_F(OddData, ACardinalityBombIsRefusedByTheTagsNameAndCostsNoMemory) {
  constexpr int kBatches = 100;
  constexpr int kRowsPerBatch = 10'000;
  options_.series_per_table_max = 1000;
  open();
  const uint64_t before = resident_bytes();
  ASSERT_GT(before, 0U);
  size_t taken = 0;
  for (int i = 0; i < kBatches; ++i) {
    RowBatchBuilder builder("varve", "bomb");
    for (int row = 0; row < kRowsPerBatch; ++row) {
      builder.begin_row();
      builder.tag("site", "pier");
      builder.tag("session", fmt::format("session-{}-{}", i, row));
      builder.field_double("v", 1);
      builder.end_row(i * kRowsPerBatch + row);
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    AdmittedWrite write = engine_->admit(std::move(batches));
    taken += write.rows();
    ASSERT_EQ(write.rows() + write.rejected().size(), static_cast<size_t>(kRowsPerBatch));
    for (const RejectedRow& refused : write.rejected()) {
      ASSERT_EQ(refused.reason, "series_limit");
      ASSERT_NE(refused.detail.find("tag `session`"), std::string::npos) << refused.detail;
    }
    ASSERT_TRUE(engine_->append_and_wait(std::move(write)));
  }
  EXPECT_EQ(taken, 1000U);
  EXPECT_EQ(engine_->describe("varve", "bomb")->series, 1000U);
  EXPECT_EQ(read("bomb").size(), 1000U);
  // A batch of refusals is 10,000 texts; a million of them, or their series, would be over 100 MB.
  // A sanitizer keeps what is freed.
  if (!test::kSanitized) {
    EXPECT_LT(resident_bytes(), before + (64U << 20));
  }
}

TEST_F(OddData, ValuesAtTheEdgesOfTheirTypesRoundTripBitByBit) {
  open();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double doubles[] = {
      -0.0, 0.0, kInfinity, -kInfinity, 5e-324, std::numeric_limits<double>::max(), 0.1 + 0.2, std::nan("")};
  Rows whole = {
      {1, Value(INT64_MIN)}, {2, Value(INT64_MAX)}, {3, Value(int64_t{0})}, {4, Value(int64_t{-1})}};
  Rows times = {
      {INT64_MIN + 2, Value(int64_t{1})}, {-1, Value(int64_t{2})}, {INT64_MAX - 1, Value(int64_t{3})}};
  Rows real;
  for (const double value : doubles) real[static_cast<int64_t>(real.size())] = Value(value);
  EXPECT_EQ(write(batch("whole", whole)), "");
  EXPECT_EQ(write(batch("times", times)), "");
  EXPECT_EQ(write(batch("real", real)), "");
  EXPECT_EQ(write(batch("whole", {{4, Value(int64_t{-2})}})), "");  // the later of two writes counts
  whole[4] = Value(int64_t{-2});
  for (const char* where : {"in memory", "flushed", "reopened"}) {
    EXPECT_EQ(read("whole"), whole) << where;
    EXPECT_EQ(read("times"), times) << where;
    const Rows found = read("real");
    ASSERT_EQ(found.size(), std::size(doubles)) << where;
    for (size_t i = 0; i < std::size(doubles); ++i) {
      const Value& value = found.at(static_cast<int64_t>(i));
      ASSERT_TRUE(std::holds_alternative<double>(value)) << where << ' ' << i;
      EXPECT_EQ(std::bit_cast<uint64_t>(std::get<double>(value)), std::bit_cast<uint64_t>(doubles[i]))
          << where << ' ' << i;
    }
    if (where[0] == 'i') {
      ASSERT_TRUE(engine_->flush());
    }
    if (where[0] == 'f') open();
  }
}

}  // namespace
}  // namespace varve
