#include "storage/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <map>
#include <random>
#include <thread>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// time -> value, by series ("site=a") and field.
using Model = std::map<std::string, std::map<int64_t, std::map<std::string, Value>>>;

class EngineTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> open() {
    EngineOptions options = options_;
    options.data_directory = directory_.path().string();
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }

  static Result<Lsn> write(Engine& engine, RowBatch batch, std::vector<StreamPosition> positions = {}) {
    std::vector<RowBatch> batches;
    batches.push_back(std::move(batch));
    AdmittedWrite admitted = engine.admit(std::move(batches));
    admitted.positions = std::move(positions);
    return engine.append_and_wait(std::move(admitted));
  }

  static RowBatch one_row(const std::string& site, int64_t time, const std::string& field, Value value) {
    RowBatchBuilder builder("varve", "water");
    builder.begin_row();
    builder.tag("site", site);
    if (const auto* d = std::get_if<double>(&value)) builder.field_double(field, *d);
    if (const auto* i = std::get_if<int64_t>(&value)) builder.field_int(field, *i);
    if (const auto* b = std::get_if<bool>(&value)) builder.field_bool(field, *b);
    if (const auto* s = std::get_if<std::string>(&value)) builder.field_string(field, *s);
    builder.end_row(time);
    return builder.finish();
  }

  static Model read(const Engine& engine, std::vector<std::string> fields, TimeRange range = {}) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = fields;
    request.time = range;
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan);
    Model model;
    if (!scan) return model;
    ScanBlock block;
    std::map<SeriesId, int64_t> last_time;
    while (true) {
      auto more = (*scan)->next(block);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) return model;
      const std::string site((*scan)->tags(block.series).value("site"));
      for (size_t row = 0; row < block.rows; ++row) {
        const auto [known, first] = last_time.try_emplace(block.series, block.times[row]);
        EXPECT_TRUE(first || known->second < block.times[row]) << "times must ascend without duplicates";
        known->second = block.times[row];
        auto& out = model[site][block.times[row]];
        for (size_t c = 0; c < fields.size(); ++c) {
          const Value value = block.columns[c].value(row);
          if (!std::holds_alternative<std::monostate>(value)) out[fields[c]] = value;
        }
      }
    }
  }

  test::TempDir directory_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
};

TEST_F(EngineTest, AcknowledgedRowsAreVisibleAndSurviveReopening) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 1, "ph", 7.25), {{"kafka:g:t", 3, 42}}));
  EXPECT_EQ(read(*engine, {"ph"})["a"][1]["ph"], Value(7.25));
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"ph"})["a"][1]["ph"], Value(7.25));
  ASSERT_EQ(engine->positions().size(), 1U);
  EXPECT_EQ(engine->positions()[0].stream, "kafka:g:t");
  EXPECT_EQ(engine->positions()[0].next_offset, 42);
}

TEST_F(EngineTest, ASecondOpeningOfTheSameFolderIsRefusedWithWhatToDo) {
  auto engine = open();
  EngineOptions options = options_;
  options.data_directory = directory_.path().string();
  MetricsRegistry metrics;
  options.metrics = &metrics;
  const auto second = Engine::open(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message.find("in use by another varve"), std::string::npos);
}

TEST_F(EngineTest, ALostCatalogStopsTheStartAndRemovesNoSegment) {
  for (int i = 0; i < 2; ++i) {  // the second start's flush removes the first log file
    auto engine = open();
    ASSERT_TRUE(write(*engine, one_row("a", i, "ph", 7.25)));
    ASSERT_TRUE(engine->flush());
  }
  const auto segments = [&] {
    const auto names = real_file_system().list((directory_ / "segments").string());
    return names ? names->size() : 0;
  };
  const size_t before = segments();
  ASSERT_GT(before, 0U);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(directory_ / (std::string("catalog.db") + suffix));
  }
  EngineOptions options = options_;
  options.data_directory = directory_.path().string();
  MetricsRegistry metrics;
  options.metrics = &metrics;
  for (int i = 0; i < 2; ++i) {
    const auto engine = Engine::open(options);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, ErrorCode::kCorruption);
    EXPECT_NE(engine.error().message.find("catalog.db is missing"), std::string::npos)
        << engine.error().message;
  }
  EXPECT_EQ(segments(), before);
}

TEST_F(EngineTest, TypeConflictsAreRefusedRowByRowAndIntegersWiden) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 1, "v", int64_t{5})));
  ASSERT_TRUE(write(*engine, one_row("a", 2, "v", 5.5)));
  EXPECT_EQ(read(*engine, {"v"})["a"][1]["v"], Value(5.0));
  std::vector<RowBatch> batches;
  batches.push_back(one_row("a", 3, "v", std::string("high")));
  const AdmittedWrite refused = engine->admit(std::move(batches));
  EXPECT_EQ(refused.rows(), 0U);
  ASSERT_EQ(refused.rejected().size(), 1U);
  EXPECT_EQ(refused.rejected()[0].reason, "type_conflict");
  EXPECT_NE(refused.rejected()[0].detail.find("`v`"), std::string::npos);
  ASSERT_TRUE(engine->flush());
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"v"})["a"][1]["v"], Value(5.0));
  EXPECT_EQ(read(*engine, {"v"})["a"][2]["v"], Value(5.5));
}

TEST_F(EngineTest, LimitsNameThemselves) {
  options_.series_per_table_max = 2;
  options_.columns_per_table_max = 2;
  options_.tables_max = 1;
  auto engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 1, "v", 1.0)));
  ASSERT_TRUE(write(*engine, one_row("b", 1, "v", 1.0)));
  const auto reason = [&](RowBatch batch) {
    std::vector<RowBatch> batches;
    batches.push_back(std::move(batch));
    const AdmittedWrite write = engine->admit(std::move(batches));
    return write.rejected().empty() ? std::string("accepted") : write.rejected()[0].reason;
  };
  EXPECT_EQ(reason(one_row("c", 1, "v", 1.0)), "series_limit");
  EXPECT_EQ(reason(one_row("a", 1, "w", 1.0)), "column_limit");
  EXPECT_EQ(reason(one_row("a", 1, "time", 1.0)), "invalid_name");
  EXPECT_EQ(reason(one_row("a", 1, "site", 1.0)),
            "no_field");  // a tag's name: the builder did not take the field
  RowBatch other = one_row("a", 1, "v", 1.0);
  other.table = "second";
  EXPECT_EQ(reason(other), "table_limit");
  other.table = "a\nb";
  EXPECT_EQ(reason(other), "invalid_name");
}

TEST_F(EngineTest, AFullMemtableRefusesWritesUntilAFlush) {
  options_.memtable_bytes_max = 64 << 10;
  auto engine = open();
  RowBatchBuilder builder("varve", "water");
  for (int i = 0; i < 10'000; ++i) {
    builder.begin_row();
    builder.tag("site", "a");
    builder.field_double("v", i);
    builder.end_row(i);
  }
  ASSERT_TRUE(write(*engine, builder.finish()));
  // The flush thread makes room by itself; the writer only has to try again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool refused = false;
  bool accepted = false;
  while (!accepted && std::chrono::steady_clock::now() < deadline) {
    const auto outcome = write(*engine, one_row("b", 1, "v", 1.0));
    accepted = outcome.has_value();
    if (!accepted) {
      refused = true;
      EXPECT_EQ(outcome.error().code, ErrorCode::kUnavailable);
      EXPECT_NE(outcome.error().message.find("memtable"), std::string::npos);
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_TRUE(accepted);
}

TEST_F(EngineTest, OutOfOrderRowsUpsertsFlushesAndRestartsEqualAModel) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  options_.partition_ns = 1000;
  Model model;
  auto engine = open();
  for (int step = 0; step < 120; ++step) {
    RowBatchBuilder builder("varve", "water");
    const int rows = 1 + static_cast<int>(random() % 200);
    for (int i = 0; i < rows; ++i) {
      const std::string site(1, static_cast<char>('a' + random() % 5));
      const int64_t time = static_cast<int64_t>(random() % 6000) - 3000;
      builder.begin_row();
      builder.tag("site", site);
      auto& out = model[site][time];
      if (random() % 3 != 0) {
        const double value = static_cast<double>(random() % 10'000) / 100;
        builder.field_double("x", value);
        out["x"] = value;
      }
      if (random() % 3 != 0) {
        const auto value = static_cast<int64_t>(random());
        builder.field_int("n", value);
        out["n"] = value;
      }
      if (random() % 5 == 0 || out.empty()) {
        const std::string text = "s" + std::to_string(random() % 50);
        builder.field_string("s", text);
        out["s"] = text;
      }
      builder.field_bool("b", i % 2 == 0);
      out["b"] = i % 2 == 0;
      builder.end_row(time);
    }
    ASSERT_TRUE(write(*engine, builder.finish()));
    if (random() % 6 == 0) {
      ASSERT_TRUE(engine->flush());
    }
    if (random() % 15 == 0) {
      engine.reset();
      engine = open();
    }
  }
  EXPECT_EQ(read(*engine, {"x", "n", "s", "b"}), model);
  const TimeRange range{-500, 700};
  Model part;
  for (const auto& [site, times] : model) {
    for (const auto& [time, fields] : times) {
      if (range.contains(time)) part[site][time] = fields;
    }
  }
  EXPECT_EQ(read(*engine, {"x", "n", "s", "b"}, range), part);
}

TEST_F(EngineTest, StatisticsBlocksAgreeWithRows) {
  auto engine = open();
  RowBatchBuilder builder("varve", "water");
  for (int i = 0; i < 10'000; ++i) {
    builder.begin_row();
    builder.tag("site", i % 2 == 0 ? "a" : "b");
    builder.field_double("x", (i * 7919 % 1000) / 10.0);
    builder.field_int("n", i * 31 % 977 - 500);
    builder.end_row(i);
  }
  ASSERT_TRUE(write(*engine, builder.finish()));
  ASSERT_TRUE(engine->flush());
  const auto sums = [&](bool statistics, uint64_t& from_statistics) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = {"x", "n"};
    request.time = {100, 9'000};
    request.may_use_statistics = statistics;
    auto scan = engine->scan(request);
    double x = 0;
    int64_t n = 0;
    uint64_t count = 0;
    ScanBlock block;
    while (*(*scan)->next(block)) {
      count += block.rows;
      for (size_t row = 0; !block.from_statistics && row < block.rows; ++row) {
        x += block.columns[0].doubles[row];
        n += block.columns[1].ints[row];
      }
      if (block.from_statistics) {
        x += block.statistics[0].sum;
        n += block.statistics[1].sum_int;
        EXPECT_EQ(block.statistics[0].count, block.rows);
      }
    }
    from_statistics = (*scan)->counters().blocks_from_statistics;
    return std::tuple(std::llround(x * 10), n, count);
  };
  uint64_t with = 0;
  uint64_t without = 0;
  const auto by_statistics = sums(true, with);
  EXPECT_EQ(by_statistics, sums(false, without));
  EXPECT_EQ(std::get<2>(by_statistics), 8901U);
  EXPECT_GT(with, 0U);
  EXPECT_EQ(without, 0U);
}

TEST_F(EngineTest, ACursorReadsEverythingFromWhereItWasSaved) {
  auto engine = open();
  const auto drain = [](LogCursor& cursor) {
    std::vector<int64_t> times;
    LogRecord record;
    while (true) {
      const auto more = cursor.next(record, 0);
      EXPECT_TRUE(more);
      if (!more || !*more) return std::pair(times, record.lsn);
      for (const RowBatch& batch : record.batches) {
        times.insert(times.end(), batch.times.begin(), batch.times.end());
      }
    }
  };
  {
    auto cursor = engine->open_cursor("mirror.0");
    ASSERT_TRUE(cursor);
    ASSERT_TRUE(write(*engine, one_row("a", 1, "v", 1.0)));
    ASSERT_TRUE(write(*engine, one_row("a", 2, "v", 1.0)));
    const auto [times, lsn] = drain(**cursor);
    EXPECT_EQ(times, (std::vector<int64_t>{1, 2}));
    EXPECT_EQ((*cursor)->backlog_records(), 2U);
    ASSERT_TRUE((*cursor)->save(lsn - 1));
    EXPECT_EQ((*cursor)->backlog_records(), 1U);
  }
  ASSERT_TRUE(write(*engine, one_row("a", 3, "v", 1.0)));
  engine.reset();
  engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 4, "v", 1.0)));
  ASSERT_TRUE(engine->flush());  // and removes log files: not those a cursor of the run before has not read
  auto cursor = engine->open_cursor("mirror.0");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(drain(**cursor).first, (std::vector<int64_t>{2, 3, 4}));
}

TEST_F(EngineTest, ACursorAheadOfALogThatLostItsEndMissesNothingNew) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 1, "v", 1.0)));
  const Lsn ahead = 1000;  // as if the records it read had been cut off as a torn tail
  ASSERT_TRUE((*engine->open_cursor("mirror.0"))->save(ahead));
  engine.reset();
  engine = open();
  const auto lsn = write(*engine, one_row("a", 2, "v", 1.0));
  ASSERT_TRUE(lsn);
  EXPECT_GT(*lsn, ahead);
  auto cursor = engine->open_cursor("mirror.0");
  ASSERT_TRUE(cursor);
  LogRecord record;
  const auto more = (*cursor)->next(record, kNsPerSecond);
  ASSERT_TRUE(more && *more);
  EXPECT_EQ(record.batches[0].times, std::vector<int64_t>{2});
}

TEST_F(EngineTest, RetentionDropsOldSegmentsByTheDataNotByAClockAhead) {
  options_.partition_ns = kNsPerDay;
  options_.retention_ns = 10 * kNsPerDay;
  auto engine = open();
  ASSERT_TRUE(write(*engine, one_row("a", 1 * kNsPerDay, "v", 1.0)));
  ASSERT_TRUE(write(*engine, one_row("a", 5 * kNsPerDay, "v", 1.0)));
  ASSERT_TRUE(write(*engine, one_row("a", 12 * kNsPerDay, "v", 1.0)));
  ASSERT_TRUE(engine->flush());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (read(*engine, {"v"})["a"].size() != 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const Model left = read(*engine, {"v"});
  ASSERT_EQ(left.at("a").size(), 2U);  // day 5 is 7 days before the newest row: kept, though 1970 is long ago
  EXPECT_EQ(left.at("a").begin()->first, 5 * kNsPerDay);
}

TEST_F(EngineTest, ConcurrentWritersReadersAndFlushesLoseNothing) {
  options_.flush_rows = 2000;
  auto engine = open();
  constexpr int kWriters = 4;
  constexpr int kWrites = 150;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      if (engine->describe("varve", "water")) read(*engine, {"v"});
    }
  });
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        RowBatchBuilder builder("varve", "water");
        for (int row = 0; row < 20; ++row) {
          builder.begin_row();
          builder.tag("site", std::string(1, static_cast<char>('a' + w)));
          builder.field_int("v", i * 20 + row);
          builder.end_row(i * 20 + row);
        }
        EXPECT_TRUE(write(*engine, builder.finish()));
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  reader.join();
  const Model model = read(*engine, {"v"});
  ASSERT_EQ(model.size(), static_cast<size_t>(kWriters));
  for (const auto& [site, rows] : model) EXPECT_EQ(rows.size(), static_cast<size_t>(kWrites * 20)) << site;
}

TEST_F(EngineTest, NamesOfDatabasesOutliveARestart) {
  auto engine = open();
  ASSERT_TRUE(engine->create_database("plant 2"));
  ASSERT_TRUE(engine->create_database("a"));
  ASSERT_TRUE(engine->create_database("a"));
  ASSERT_TRUE(engine->create_database("gone"));
  ASSERT_TRUE(engine->forget_database("gone"));
  ASSERT_TRUE(engine->forget_database("never there"));
  const auto refused = engine->create_database("new\nline");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(engine->create_database(""));
  engine.reset();
  engine = open();
  EXPECT_EQ(engine->created_databases(), (std::vector<std::string>{"a", "plant 2"}));
  EXPECT_TRUE(engine->tables().empty());
}

}  // namespace
}  // namespace varve
