#include "storage/table_scan.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace varve {
namespace {

constexpr size_t kRows = 3 * 64 * 1024 + 1000;  // two runs, cut after whole batches, and a rest

TableOptions options() {
  TableOptions options;
  options.database = "db";
  options.name = "t";
  options.series_max = 1'000'000;
  options.columns_max = 100;
  return options;
}

// By host, then time: the two fields.
using Model = std::map<std::pair<std::string, int64_t>, std::pair<Value, Value>>;

class TableScanTest : public ::testing::Test {
 protected:
  void insert(RowBatch batch) {
    std::vector<RejectedRow> rejected;
    const CheckedBatch checked = table_.check_batch(std::move(batch), 0, rejected);
    ASSERT_TRUE(rejected.empty()) << rejected.front().detail;
    table_.insert(checked, ++lsn_, 0);
  }

  // Rows of a few large series and many small ones, late and repeated ones among them; readers come in between.
  void insert_random_rows(std::mt19937& random, Model& model) {
    for (size_t done = 0; done < kRows || table_.version().newest.empty();) {
      RowBatchBuilder builder("db", "t");
      for (size_t i = 500 + random() % 4500; i > 0; --i, ++done) {
        const auto number = random() % 2 == 0 ? random() % 3 : random() % 2000;
        const std::string host = "h" + std::to_string(number);
        const auto time = static_cast<int64_t>(done / 4 + random() % 50);
        builder.begin_row();
        builder.tag("host", host);
        auto& known = model[{host, time}];
        known.first = static_cast<double>(random() % 1000) / 10;
        builder.field_double("a", std::get<double>(known.first));
        if (random() % 3 == 0) {
          known.second = static_cast<int64_t>(random() % 1000);
          builder.field_int("b", std::get<int64_t>(known.second));
        }
        builder.end_row(time);
      }
      insert(builder.finish());
      if (random() % 2 == 0) pieces_seen_ = std::max(pieces_seen_, table_.version().newest.size());
    }
  }

  Model read(ScanRequest request) {
    request.fields = {"a", "b", "absent"};
    auto scan = open_table_scan(table_, std::move(request));
    EXPECT_TRUE(scan);
    Model rows;
    ScanBlock block;
    std::string last;
    while (*(*scan)->next(block)) {
      const std::string host((*scan)->tags(block.series).value("host"));
      EXPECT_LE(last, host) << "series come in the order of their keys";
      last = host;
      EXPECT_EQ(block.columns.size(), 3U);
      EXPECT_EQ(block.rows, block.times.size());
      for (size_t row = 0; row < block.rows; ++row) {
        const bool added = rows.emplace(std::pair(host, block.times[row]),
                                        std::pair(block.columns[0].value(row), block.columns[1].value(row)))
                               .second;
        EXPECT_TRUE(added) << host << " " << block.times[row];
        EXPECT_EQ(block.columns[2].value(row), Value());
      }
    }
    return rows;
  }

  Table table_{options()};
  Lsn lsn_ = 0;
  size_t pieces_seen_ = 0;  // of the newest rows, at most
};

TEST_F(TableScanTest, EncodedRunsAndTheNewestRowsReadAsOneTable) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Model model;
  insert_random_rows(random, model);
  ASSERT_GE(table_.version().runs.size(), 2U);
  ASSERT_FALSE(table_.version().newest.empty());
  EXPECT_GE(pieces_seen_, 2U);
  EXPECT_EQ(read({}), model);

  ScanRequest some;
  some.time = {1000, 30'000};
  some.series_filter = [](const SeriesTags& tags) { return tags.value("host").ends_with('7'); };
  std::erase_if(model, [&](const auto& row) {
    return !row.first.first.ends_with('7') || !some.time.contains(row.first.second);
  });
  EXPECT_EQ(read(some), model);
}

TEST_F(TableScanTest, ReadersSeeWholeBatchesWhileRunsAreCut) {
  constexpr size_t kBatchRows = 4096;
  constexpr size_t kBatches = 40;
  std::atomic<size_t> written{0};
  std::atomic<bool> failed{false};
  std::thread reader([&] {
    size_t seen = 0;
    while (seen < kBatches * kBatchRows && !failed) {
      const size_t before = written;
      const size_t rows = read({}).size();
      failed = rows < before || rows < seen || rows % kBatchRows != 0;
      seen = rows;
    }
  });
  for (size_t batch = 0; batch < kBatches; ++batch) {
    RowBatchBuilder builder("db", "t");
    for (size_t row = 0; row < kBatchRows; ++row) {
      builder.begin_row();
      builder.tag("host", std::to_string(row % 7));
      builder.field_double("a", 1);
      builder.end_row(static_cast<int64_t>(batch * kBatchRows + row));
    }
    insert(builder.finish());
    written += kBatchRows;
  }
  reader.join();
  EXPECT_FALSE(failed);
}

TEST_F(TableScanTest, AFlushGivesTheMemoryOfTheBufferBack) {
  RowBatchBuilder builder("db", "t");
  for (int64_t row = 0; row < 64 * 1024; ++row) {
    builder.begin_row();
    builder.tag("host", "a");
    builder.field_double("a", 1);
    builder.end_row(row);
  }
  insert(builder.finish());
  const FrozenMemtable frozen = table_.begin_flush();
  EXPECT_EQ(frozen.rows, 64U * 1024);
  table_.publish_flush(frozen, {}, {});
  EXPECT_EQ(table_.memtable_bytes(), 0U);
}

}  // namespace
}  // namespace varve
