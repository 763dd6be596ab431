// Every way to scan gives the same rows: whole or on demand, newest first, in windows, in parts, by ranges of fields.
#include "storage/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

struct Row {
  std::string host;
  int64_t time = 0;
  std::vector<Value> values;
  bool operator==(const Row&) const = default;
  bool operator<(const Row& other) const { return std::tie(host, time) < std::tie(other.host, other.time); }
};
using Rows = std::vector<Row>;

const std::vector<std::string> kFields{"level", "count", "note", "late", "absent"};

std::string text_of(const Row& row) {
  std::string text = row.host + " at " + std::to_string(row.time);
  for (const Value& value : row.values) {
    text += " | " + std::string(std::holds_alternative<std::monostate>(value) ? "null" : "");
    if (const auto* real = std::get_if<double>(&value)) text += std::to_string(*real);
    if (const auto* note = std::get_if<std::string>(&value)) text += *note;
    if (const auto* flag = std::get_if<bool>(&value)) text += *flag ? "true" : "false";
  }
  return text;
}

// Names the first difference.
testing::AssertionResult same_rows(const Rows& rows, const Rows& expected) {
  for (size_t i = 0; i < std::min(rows.size(), expected.size()); ++i) {
    if (rows[i] == expected[i]) continue;
    return testing::AssertionFailure()
           << "row " << i << " is " << text_of(rows[i]) << "\nexpected " << text_of(expected[i]);
  }
  if (rows.size() == expected.size()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << rows.size() << " rows, expected " << expected.size();
}

class ScanTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.data_directory = directory_.path().string();
    options.metrics = &metrics_;
    options.compaction = false;
    auto engine = Engine::open(options);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }

  // Rows of three hosts with blocks of their own and some small ones, a part of them out of order or written twice.
  // `count` widens from int64 to double half way; `late` comes then.
  void fill(std::mt19937& random, unsigned lateness = 500) {
    int64_t now = 0;
    for (int round = 0; round < 6; ++round) {
      RowBatchBuilder rows("varve", "t");
      for (int i = 0; i < 4000; ++i) {
        const unsigned host = random() % 10 == 0 ? 3 + random() % 20 : random() % 3;
        now += 1 + random() % 3;
        rows.begin_row();
        rows.tag("host", "h" + std::to_string(host));
        if (random() % 10 != 0)
          rows.field_double("level", static_cast<double>(now / 500 * 100 + random() % 50) / 4);
        if (round < 3) {
          rows.field_int("count", static_cast<int64_t>(random() % 1000));
        } else {
          rows.field_double("count", static_cast<double>(random() % 1000) / 2);
        }
        if (random() % 4 == 0) rows.field_string("note", "n" + std::to_string(random() % 9));
        if (round >= 3) rows.field_bool("late", random() % 2 == 0);
        rows.end_row(random() % 50 == 0 ? now - static_cast<int64_t>(random() % lateness) : now);
      }
      std::vector<RowBatch> batches;
      batches.push_back(rows.finish());
      ASSERT_TRUE(engine_->append_and_wait(engine_->admit(std::move(batches))));
      if (round == 2) {
        DeleteRequest some;
        some.database = "varve";
        some.table = "t";
        some.time = {now / 4, now / 3};
        some.series_filter = [](const SeriesTags& tags) { return tags.value("host") == "h1"; };
        ASSERT_TRUE(engine_->erase(some));
      }
      if (round % 2 == 0 && round < 5) {
        ASSERT_TRUE(engine_->flush());
      }
    }
    last_ = now;
  }

  static ScanRequest request() {
    ScanRequest wanted;
    wanted.database = "varve";
    wanted.table = "t";
    wanted.fields = kFields;
    return wanted;
  }
  std::unique_ptr<Scan> open(ScanRequest wanted) {
    auto scan = engine_->scan(std::move(wanted));
    EXPECT_TRUE(scan);
    return std::move(*scan);
  }

  static void append_block(Scan& scan, const ScanBlock& block, bool on_demand, Rows& rows) {
    std::vector<const ColumnVector*> columns;
    for (size_t i = 0; i < kFields.size(); ++i) {
      columns.push_back(on_demand ? *scan.column(i) : &block.columns[i]);
    }
    EXPECT_EQ(block.times.size(), block.rows);
    EXPECT_EQ(block.times.front(), block.time_min);
    EXPECT_EQ(block.times.back(), block.time_max);
    for (size_t row = 0; row < block.rows; ++row) {
      Row& read =
          rows.emplace_back(Row{std::string(scan.tags(block.series).value("host")), block.times[row], {}});
      for (const ColumnVector* column : columns) {
        read.values.push_back(column == nullptr ? Value{} : column->value(block.first_row + row));
      }
    }
  }

  static void read_on(Scan& scan, bool on_demand, Rows& rows) {
    ScanBlock block;
    while (true) {
      const auto more = scan.next(block);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
      if (block.from_statistics) {
        ASSERT_TRUE(scan.load_rows(block));
      }
      append_block(scan, block, on_demand, rows);
    }
  }
  Rows read(ScanRequest wanted) {
    const bool on_demand = wanted.columns_on_demand;
    Rows rows;
    const auto scan = open(std::move(wanted));
    read_on(*scan, on_demand, rows);
    return rows;
  }

  const unsigned seed_ = std::random_device{}();
  testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  std::mt19937 random_{seed_};
  test::TempDir directory_;
  MetricsRegistry metrics_;
  std::unique_ptr<Engine> engine_;
  int64_t last_ = 0;
};

TEST_F(ScanTest, ColumnsOnDemandAreTheSameRows) {
  fill(random_);
  for (const TimeRange time :
       {TimeRange{}, TimeRange{last_ / 5, last_ / 5 * 4}, TimeRange{last_ + 1, INT64_MAX}}) {
    ScanRequest wanted = request();
    wanted.time = time;
    const Rows expected = read(wanted);
    EXPECT_EQ(expected.empty(), time.min > last_);
    wanted.columns_on_demand = true;
    EXPECT_TRUE(same_rows(read(wanted), expected));
    wanted.may_use_statistics = true;  // and load_rows()
    wanted.bucket_width_ns = 20'000;
    EXPECT_TRUE(same_rows(read(wanted), expected));
  }
}

TEST_F(ScanTest, APinnedStateStaysWhateverHappensToTheTable) {
  fill(random_);
  const Rows expected = read(request());
  const auto pin = engine_->pin("varve", "t");
  ASSERT_TRUE(pin);
  fill(random_);  // the same times again, other values
  DeleteRequest all;
  all.database = "varve";
  all.table = "t";
  ASSERT_TRUE(engine_->erase(all));
  ASSERT_TRUE(engine_->flush());
  ASSERT_TRUE(engine_->compact());
  EXPECT_TRUE(read(request()).empty());
  ScanRequest wanted = request();
  wanted.pin = *pin;
  EXPECT_TRUE(same_rows(read(wanted), expected));
  EXPECT_FALSE(engine_->pin("varve", "none"));
}

TEST_F(ScanTest, NewestFirstTurnsTheBlocksOfEachSeriesRound) {
  fill(random_);
  ScanRequest wanted = request();
  Rows expected = read(wanted);
  wanted.newest_first = true;
  wanted.columns_on_demand = true;
  const auto scan = open(wanted);
  Rows rows;
  ScanBlock block;
  std::optional<SeriesId> series;
  int64_t before = 0;
  size_t later = 0;
  while (*scan->next(block)) {
    if (series == block.series && block.time_min > before) ++later;  // within what had to be merged
    series = block.series;
    before = block.time_max;
    append_block(*scan, block, true, rows);
  }
  EXPECT_LT(later, scan->counters().blocks_decoded);
  std::sort(rows.begin(), rows.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_TRUE(same_rows(rows, expected));
}

TEST_F(ScanTest, ASkippedSeriesGivesNoMoreBlocks) {
  fill(random_);
  ScanRequest wanted = request();
  wanted.columns_on_demand = true;
  const auto scan = open(wanted);
  ScanBlock block;
  std::vector<SeriesId> seen;
  while (*scan->next(block)) {
    EXPECT_EQ(std::count(seen.begin(), seen.end(), block.series), 0);
    seen.push_back(block.series);
    scan->skip_series();
  }
  EXPECT_EQ(seen.size(), 23U);
}

TEST_F(ScanTest, SkippingWhatIsOlderNeverSkipsANewerRow) {
  fill(random_, 20'000);  // so late that runs overlap far and wide
  ScanRequest wanted = request();
  wanted.newest_first = true;
  wanted.columns_on_demand = true;
  int64_t newest = INT64_MIN;
  const auto scan = open(wanted);
  ScanBlock block;
  for (Scan& all = *scan; *all.next(block);) newest = std::max(newest, block.time_max);
  int64_t found = INT64_MIN;
  const auto again = open(wanted);
  while (*again->next(block)) {
    if (block.time_max < found) {
      again->skip_series();
    } else {
      found = block.time_max;
    }
  }
  EXPECT_EQ(found, newest);
}

TEST_F(ScanTest, PartsReadByHelpersAreTheRowsInOrder) {
  fill(random_, random_() % 2 == 0 ? 500 : 9000);
  for (const bool on_demand : {false, true}) {
    for (const bool whole_series : {false, true}) {
      ScanRequest wanted = request();
      wanted.columns_on_demand = on_demand;
      wanted.time = {last_ / 9, last_ / 9 * 8};
      wanted.series_filter = [](const SeriesTags& tags) { return tags.value("host") != "h2"; };
      const Rows expected = read(wanted);
      const auto scan = open(wanted);
      const auto one = *scan->helper();
      const auto other = *scan->helper();
      Rows rows;
      std::string last_host;
      size_t parts = 0;
      while (true) {
        auto part = scan->cut(1 + random_() % 3000, whole_series);
        ASSERT_TRUE(part);
        if (*part == nullptr) break;
        Scan& helper = ++parts % 2 == 0 ? *one : *other;
        helper.read(std::move(*part));
        const size_t before = rows.size();
        read_on(helper, on_demand, rows);
        if (whole_series && before < rows.size()) {
          EXPECT_NE(rows[before].host, last_host);
        }
        if (!rows.empty()) last_host = rows.back().host;
      }
      EXPECT_GE(parts, 2U);
      EXPECT_TRUE(same_rows(rows, expected));
    }
  }
}

TEST_F(ScanTest, WindowsTogetherAreTheWholeRange) {
  fill(random_);
  ScanRequest wanted = request();
  wanted.columns_on_demand = true;
  Rows expected = read(wanted);
  const auto scan = open(wanted);
  Rows rows;
  int64_t end = INT64_MAX;
  uint64_t rows_there = 0;
  for (const ScanExtent& extent : scan->extents()) rows_there += extent.rows;
  EXPECT_GE(rows_there, expected.size());
  while (end > -10'000) {
    const int64_t from = end == INT64_MAX ? last_ - 100 : std::max<int64_t>(-10'000, end - 5000);
    scan->restart({from, end});
    if (end == INT64_MAX) {
      EXPECT_LT(scan->counters().segments, 3U);  // older ones are not even opened
    }
    read_on(*scan, true, rows);
    end = from - 1;
  }
  EXPECT_EQ(scan->counters().segments_pruned, 0U);
  std::sort(rows.begin(), rows.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_TRUE(same_rows(rows, expected));
}

TEST_F(ScanTest, RangesOfFieldsLeaveOutOnlyRowsOutside) {
  fill(random_);
  const Rows all = read(request());
  for (int n = 0; n < 20; ++n) {
    ScanRequest wanted = request();
    wanted.columns_on_demand = true;
    FieldRange range;
    range.field = n % 2;  // `count`, int64 in some segments, is double in the table
    range.min = static_cast<double>(random_() % 300);
    range.max = range.min + static_cast<double>(random_() % 200);
    wanted.field_ranges = {range};
    const auto inside = [&](const Row& row) {
      const auto* value = std::get_if<double>(&row.values[range.field]);
      return value != nullptr && *value >= range.min && *value <= range.max;
    };
    const auto scan = open(wanted);
    Rows rows;
    ScanBlock block;
    while (*scan->next(block)) {
      const size_t before = rows.size();
      append_block(*scan, block, true, rows);
      if (block.all_wanted) {
        EXPECT_TRUE(std::all_of(rows.begin() + static_cast<ptrdiff_t>(before), rows.end(), inside));
      }
    }
    if (range.field == 0) {
      EXPECT_GT(scan->counters().blocks_pruned, 0U);
    }
    Rows expected = all;
    std::erase_if(expected, [&](const Row& row) { return !inside(row); });
    std::erase_if(rows, [&](const Row& row) { return !inside(row); });
    EXPECT_TRUE(same_rows(rows, expected));
  }
}

}  // namespace
}  // namespace varve
