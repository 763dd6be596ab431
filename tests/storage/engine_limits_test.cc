// Each limit of the store: what is refused at it, in which words, and that what lies just within is taken.
#include <gmock/gmock.h>

#include <atomic>
#include <latch>

#include "tests/storage/limited_store.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EngineLimits : public LimitedStore {
 protected:
  struct Row {
    std::string table = "water";
    std::string tag = "site";
    std::string tag_value = "a";
    std::string field = "v";
    std::string text = "x";
  };
  // "accepted", or the reason and detail.
  static std::string outcome(Engine& engine, const Row& row) {
    RowBatchBuilder builder("varve", row.table);
    builder.begin_row();
    builder.tag(row.tag, row.tag_value);
    builder.field_string(row.field, row.text);
    builder.end_row(1);
    const AdmittedWrite write = admit(engine, builder.finish());
    if (write.rejected().empty()) return "accepted";
    return write.rejected()[0].reason + ": " + write.rejected()[0].detail;
  }
};

TEST_F(EngineLimits, SeriesColumnsAndTablesNameTheirKeys) {
  options_.series_per_table_max = 2;
  options_.columns_per_table_max = 2;
  options_.tables_max = 1;
  const auto engine = open();
  EXPECT_EQ(outcome(*engine, {}), "accepted");
  EXPECT_EQ(outcome(*engine, {.tag_value = "b"}), "accepted");
  EXPECT_THAT(
      outcome(*engine, {.tag_value = "c"}),
      AllOf(HasSubstr("series_limit: "), HasSubstr("storage.series_per_table"), HasSubstr("tag `site`")));
  EXPECT_THAT(
      outcome(*engine, {.field = "w"}),
      AllOf(HasSubstr("column_limit: "), HasSubstr("storage.columns_per_table"), HasSubstr("field `w`")));
  EXPECT_THAT(
      outcome(*engine, {.tag = "town"}),
      AllOf(HasSubstr("column_limit: "), HasSubstr("storage.columns_per_table"), HasSubstr("tag `town`")));
  EXPECT_THAT(outcome(*engine, {.table = "air"}),
              AllOf(HasSubstr("table_limit: "), HasSubstr("storage.tables_max"), HasSubstr("`air`")));
  EXPECT_EQ(outcome(*engine, {.tag_value = "b"}), "accepted") << "what is known goes on";
}

TEST_F(EngineLimits, ATableHasSoManyTags) {
  const auto engine = open();
  for (size_t i = 0; i < kTagColumnsMax; ++i)
    ASSERT_EQ(outcome(*engine, {.tag = "t" + std::to_string(i)}), "accepted");
  EXPECT_EQ(engine->status().limits.size(), 1U);
  EXPECT_THAT(outcome(*engine, {.tag = "one_more"}),
              AllOf(HasSubstr("column_limit: "), HasSubstr("256 tags"), HasSubstr("tag `one_more`")));
  EXPECT_EQ(outcome(*engine, {.tag = "t7", .field = "w"}), "accepted") << "fields have a limit of their own";
}

TEST_F(EngineLimits, AStopTakesNoLongerForTenThousandTables) {
  constexpr size_t kTables = 50;
  auto engine = open();
  for (size_t i = 0; i < kTables; ++i) {
    RowBatchBuilder builder("varve", "t" + std::to_string(i));
    builder.begin_row();
    builder.field_int("v", 1);
    builder.end_row(1);
    ASSERT_TRUE(engine->append_and_wait(admit(*engine, builder.finish())));
  }
  // Each file of a segment takes a second.
  files_.lie([&](FileCall call, std::string_view path) {
    if (call == FileCall::kCreate && path.find("/segments/") != std::string_view::npos)
      clock_.pass(kNsPerSecond);
    return false;
  });
  engine.reset();
  files_.lie([](FileCall, std::string_view) { return false; });
  engine = open();
  size_t rows = 0;
  for (const TableInfo& table : engine->tables()) rows += table.rows;
  const size_t flushed = engine->segments().size();
  EXPECT_EQ(rows, kTables) << "the others are replayed";
  EXPECT_GT(flushed, 0U);
  EXPECT_LT(flushed, kTables / 2);
}

TEST_F(EngineLimits, LengthsOfNamesAndValues) {
  const auto engine = open();
  const std::string name(kNameBytesMax, 'n');
  EXPECT_EQ(outcome(*engine, {.table = name}), "accepted");
  EXPECT_EQ(outcome(*engine, {.tag = name}), "accepted");
  EXPECT_EQ(outcome(*engine, {.field = name + "f"}).substr(0, 13), "invalid_name:");
  EXPECT_EQ(outcome(*engine, {.field = std::string(kNameBytesMax, 'f')}), "accepted");
  EXPECT_EQ(outcome(*engine, {.table = name + "t"}).substr(0, 13), "invalid_name:");
  EXPECT_EQ(outcome(*engine, {.tag = name + "t"}).substr(0, 13), "invalid_name:");
  EXPECT_EQ(outcome(*engine, {.tag_value = std::string(kTagValueBytesMax, 'v')}), "accepted");
  EXPECT_THAT(outcome(*engine, {.tag_value = std::string(kTagValueBytesMax + 1, 'v')}),
              AllOf(HasSubstr("value_too_long: "), HasSubstr("`site`"), HasSubstr("4096 bytes")));
  EXPECT_EQ(outcome(*engine, {.text = std::string(kStringValueBytesMax, 'v')}), "accepted");
  EXPECT_THAT(outcome(*engine, {.text = std::string(kStringValueBytesMax + 1, 'v')}),
              AllOf(HasSubstr("value_too_long: "), HasSubstr("`v`"), HasSubstr("1048576 bytes")));
}

// Without a flush that could help, many writers at once stay within the limit and one write.
TEST_F(EngineLimits, MemoryOfRowsStaysBelowItsLimitHoweverManyWrite) {
  constexpr int kThreads = 8;
  options_.memtable_bytes_max = 256 << 10;
  options_.disk_reserve_bytes = 0;
  const auto engine = open();
  files_.fail(FileCall::kCreate, 1, kNoSpace, 1'000'000);
  std::atomic<int> refused = 0;
  std::atomic<uint64_t> most = 0;
  std::latch go(kThreads);
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&, thread] {
      go.arrive_and_wait();
      for (int64_t i = 0; i < 200; ++i) {
        RowBatchBuilder builder("varve", "water");
        for (int64_t row = 0; row < 100; ++row) {
          builder.begin_row();
          builder.tag("site", "a");
          builder.field_string("v", std::string(100, 'x'));
          builder.end_row(thread * 1'000'000 + i * 1000 + row);
        }
        const auto done = engine->append_and_wait(admit(*engine, builder.finish()));
        if (!done) {
          EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
          ++refused;
        }
        const uint64_t now = engine->status().memtable_bytes;
        for (uint64_t before = most; before < now && !most.compare_exchange_weak(before, now);) {
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(refused, 0);
  EXPECT_GT(most, options_.memtable_bytes_max / 4);
  EXPECT_LT(most, 2 * options_.memtable_bytes_max);
}

TEST_F(EngineLimits, AWriteLargerThanTheWholeLimitIsTakenWhenNothingElseIsHeld) {
  options_.memtable_bytes_max = 1 << 10;
  const auto engine = open();
  RowBatchBuilder builder("varve", "water");
  builder.begin_row();
  builder.field_string("v", std::string(100'000, 'x'));
  builder.end_row(1);
  EXPECT_TRUE(engine->append_and_wait(admit(*engine, builder.finish())));
}

// ---- the log kept for cursors ----

class EngineLogLimit : public LimitedStore {
 protected:
  void SetUp() override {
    options_.wal_file_bytes = 64 << 10;
    options_.wal_bytes_max = 100 << 10;
  }
  // Records that fill `files` log files: two do not fit into one.
  void fill_log(Engine& engine, int files) {
    for (int i = 0; i < files; ++i) {
      RowBatchBuilder builder("varve", "water");
      builder.begin_row();
      builder.tag("site", "a");
      builder.field_string("text", std::string(40'000, 'x'));
      builder.end_row(next_time_++);
      ASSERT_TRUE(engine.append_and_wait(admit(engine, builder.finish())));
    }
    ASSERT_TRUE(engine.flush());  // and with it the log is trimmed
  }
  int64_t next_time_ = 1;
};

TEST_F(EngineLogLimit, ALaggingCursorHoldsTheLogOnlyUpToTheLimitAndIsTold) {
  auto engine = open();
  auto cursor = std::move(*engine->open_cursor("slow"));
  fill_log(*engine, 2);
  LogRecord record;
  ASSERT_TRUE(*cursor->next(record, 0));
  EXPECT_EQ(record.lsn, 1U);
  EXPECT_EQ(record.lost_before, 0U);
  EXPECT_EQ(metrics_->render().find("varve_log_dropped_records_total"), std::string::npos);
  fill_log(*engine, 4);
  EXPECT_LE(engine->status().wal_bytes, options_.wal_bytes_max);
  const std::string metrics = metrics_->render();
  EXPECT_THAT(metrics, HasSubstr("varve_log_dropped_records_total{cursor=\"slow\"} 4\n"));
  EXPECT_THAT(metrics, HasSubstr("varve_log_dropped_bytes_total{cursor=\"slow\"} "));
  EXPECT_EQ(cursor->saved(), 0U);
  // It held the file of record 1 open, so record 2 may still come from there; the next file it looks for is gone.
  uint64_t lost = 0;
  uint64_t read = 1;
  while (*cursor->next(record, 0)) {
    ++read;
    lost += record.lost_before;
  }
  EXPECT_EQ(record.lsn, 6U);
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(read + lost, 6U) << "each record was read or is counted as lost";
}

TEST_F(EngineLogLimit, ACursorOpenedLaterIsToldWhatWentBefore) {
  auto engine = open();
  ASSERT_TRUE((*engine->open_cursor("away"))->save(1));
  engine.reset();
  engine = open();
  fill_log(*engine, 6);
  LogRecord record;
  uint64_t lost = 0;
  uint64_t read = 0;
  auto cursor = std::move(*engine->open_cursor("away"));
  const Lsn first = cursor->saved() + 1;
  while (*cursor->next(record, 0)) {
    ++read;
    lost += record.lost_before;
  }
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(first + read + lost - 1, record.lsn);
}

TEST_F(EngineLogLimit, ACursorOfAnEarlierRunHoldsTheLogForAMinute) {
  options_.wal_bytes_max = 1 << 30;
  auto engine = open();
  ASSERT_TRUE(write(*engine, 1));
  ASSERT_TRUE((*engine->open_cursor("sink"))->save(1));
  engine.reset();
  engine = open();
  fill_log(*engine, 3);
  EXPECT_EQ((*engine->open_cursor("sink"))->saved(), 1U);
  LogRecord record;
  ASSERT_TRUE(*(*engine->open_cursor("sink"))->next(record, 0));
  EXPECT_EQ(record.lsn, 2U) << "nothing went before the sink was there";
  engine.reset();
  engine = open();
  clock_.pass(61 * kNsPerSecond);
  fill_log(*engine, 3);
  ASSERT_TRUE(*(*engine->open_cursor("sink"))->next(record, 0));
  EXPECT_GT(record.lost_before, 0U) << "a sink that does not come back holds nothing";
}

// ---- tables of the program's own ----

TEST_F(EngineLogLimit, OwnTablesTakeWhatOthersRefuse) {
  options_.series_per_table_max = 1;
  options_.columns_per_table_max = 2;
  options_.tables_max = 1;
  auto engine = open();
  const auto rejected = [&](const std::string& table, const std::string& series) {
    RowBatchBuilder builder(std::string(kDefaultDatabase), table);
    builder.begin_row();
    EXPECT_EQ(builder.tag("site", series), RowBatchBuilder::Add::kOk);
    for (const char* field : {"a", "b", "c"})
      EXPECT_EQ(builder.field_int(field, 1), RowBatchBuilder::Add::kOk);
    builder.end_row(1);
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    auto write = engine->admit(std::move(batches));
    const size_t refused = write.rejected().size();
    if (refused == 0) {
      EXPECT_TRUE(engine->append_and_wait(std::move(write)).has_value());
    }
    return refused;
  };
  EXPECT_EQ(rejected("limited", "one"), 1U);
  EXPECT_EQ(rejected("another", "one"), 1U);
  for (const char* series : {"one", "two", "three"}) EXPECT_EQ(rejected("varve_own", series), 0U);
  engine.reset();
  engine = open();
  EXPECT_EQ(rejected("varve_own", "four"), 0U);
  EXPECT_EQ(rejected("limited", "two"), 1U);
}

// ---- retention and the clock ----

class EngineClock : public LimitedStore {
 protected:
  void SetUp() override {
    options_.retention_ns = 7 * kNsPerDay;
    options_.partition_ns = kNsPerDay;
  }
  // Rows of yesterday, and of a sensor whose clock is 10 days ahead: it makes "the newest row" no guard.
  void write_rows(Engine& engine) {
    const int64_t now = clock_.wall_ns();
    ASSERT_TRUE(write(engine, now - kNsPerDay));
    ASSERT_TRUE(write(engine, now + 10 * kNsPerDay));
    ASSERT_TRUE(engine.flush());
  }
  // Upkeep, and with it retention, has run after this call once it says so.
  void wait_for_metric(const std::string& line) {
    while (metrics_->render().find(line) == std::string::npos) {
      clock_.move_monotonic(6 * kNsPerSecond);
      clock_.move_wall(6 * kNsPerSecond);
      std::this_thread::yield();
    }
  }
};

TEST_F(EngineClock, AJumpingClockNeverDeletes) {
  auto engine = open();
  write_rows(*engine);
  for (const int64_t jump : {kNsPerDay, -kNsPerDay, 365 * kNsPerDay}) {
    clock_.move_wall(jump);
    wait_for_metric("varve_retention_suspended 1\n");
    EXPECT_THAT(engine->status().retention_suspended_reason, HasSubstr("the wall clock jumped"));
    EXPECT_EQ(times(*engine), acknowledged_) << jump;
    clock_.move_wall(-jump);
    wait_for_metric("varve_retention_suspended 0\n");
    EXPECT_EQ(times(*engine), acknowledged_) << jump;
  }
  for (const int64_t wall : {int64_t{0}, INT64_MAX}) {  // 1970 and 2262
    clock_.fix_wall(wall);
    wait_for_metric("varve_retention_suspended 1\n");
    EXPECT_EQ(times(*engine), acknowledged_);
    clock_.free_wall();
    wait_for_metric("varve_retention_suspended 0\n");
  }
  EXPECT_EQ(times(*engine), acknowledged_);
}

TEST_F(EngineClock, TimeThatPassesDeletes) {
  auto engine = open();
  write_rows(*engine);
  const int64_t old = *acknowledged_.begin();
  clock_.pass(8 * kNsPerDay);
  while (times(*engine).contains(old)) {
    clock_.pass(6 * kNsPerSecond);  // to the next upkeep
    std::this_thread::yield();
  }
  EXPECT_EQ(times(*engine).size(), 1U);
}

TEST_F(EngineClock, AStartWithAWrongClockDeletesNothing) {
  open()->close();
  for (const int64_t wall : {int64_t{0}, kNsPerDay}) {
    auto engine = open();
    write_rows(*engine);
    engine.reset();
    clock_.fix_wall(wall);
    engine = open();
    ASSERT_TRUE(engine->flush());
    wait_for_metric("varve_retention_suspended 0\n");
    EXPECT_EQ(times(*engine), acknowledged_);
    clock_.free_wall();
  }
}

}  // namespace
}  // namespace varve
