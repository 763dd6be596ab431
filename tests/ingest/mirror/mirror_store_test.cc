// The mirror over the real store: long outages, a log that went past it, backfills.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>

#include "ingest/mirror/mirror.h"
#include "tests/support/fake_influx.h"
#include "tests/support/moved_clock.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

class MirrorStore : public ::testing::Test {
 protected:
  MirrorStore() {
    mirror_options_.url = influx_.url();
    mirror_options_.clock = &clock_;
    mirror_options_.timing = {.backoff_min_ns = 2 * kNsPerMs,
                              .backoff_max_ns = 20 * kNsPerMs,
                              .hold_retry_ns = 20 * kNsPerMs,
                              .stop_grace_ns = 100 * kNsPerMs,
                              .save_every_ns = 10 * kNsPerMs};
    engine_options_.data_directory = (folder_ / "data").string();
    engine_options_.clock = &clock_;
    engine_options_.metrics = &metrics_;
    engine_options_.disk_reserve_bytes = 0;
  }
  void open() {
    auto opened = Engine::open(engine_options_);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = std::move(*opened);
  }
  void start_mirror() {
    auto started = Mirror::start(mirror_options_, *engine_, metrics_);
    ASSERT_TRUE(started) << started.error().message;
    mirror_ = std::move(*started);
  }
  // Rows at times [from, to) with v = time + `plus`, and a text that makes them large.
  void write(int64_t from, int64_t to, int64_t plus = 0, size_t text_bytes = 0,
             const std::string& table = "m") {
    RowBatchBuilder builder("varve", table);
    for (int64_t time = from; time < to; ++time) {
      builder.begin_row();
      builder.tag("site", time % 2 == 0 ? "even" : "odd");
      builder.field_double("v", static_cast<double>(time + plus));
      if (text_bytes > 0) builder.field_string("text", std::string(text_bytes, 'x'));
      builder.end_row(time);
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    const auto written = engine_->append_and_wait(engine_->admit(std::move(batches)));
    ASSERT_TRUE(written) << written.error().message;
  }
  bool drained() {
    return influx_.wait_until([&] { return mirror_->status().backlog_records == 0; });
  }
  // What the server keeps: the last v of each time.
  std::map<int64_t, double> stored() {
    std::map<int64_t, double> values;
    for (const std::string& line : influx_.lines("varve")) {
      const size_t at = line.find("v=");
      values[std::stoll(line.substr(line.rfind(' ') + 1))] = std::stod(line.substr(at + 2));
    }
    return values;
  }
  // Of table m, at times [0, rows).
  void expect_rows_in_order(int64_t rows) {
    const auto lines = influx_.lines("varve");
    ASSERT_EQ(lines.size(), static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) {
      ASSERT_EQ(lines[static_cast<size_t>(i)],
                fmt::format("m,site={0} v={1} {1}", i % 2 == 0 ? "even" : "odd", i));
    }
  }
  ResendStatus resend(uint64_t id) {
    for (const ResendStatus& one : mirror_->status().resends) {
      if (one.id == id) return one;
    }
    return {};
  }
  bool backfilled(uint64_t id) {
    return influx_.wait_until([&] { return resend(id).state == "done"; });
  }

  test::TempDir folder_;
  MovedClock clock_;
  MetricsRegistry metrics_;
  EngineOptions engine_options_;
  MirrorOptions mirror_options_;
  FakeInflux influx_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Mirror> mirror_;
};

TEST_F(MirrorStore, SixHoursWithoutTheServerLoseNothing) {
  open();
  start_mirror();
  constexpr int64_t kRecords = 200;
  constexpr int64_t kRows = 500;
  for (int64_t i = 0; i < kRecords; ++i) {
    write(i * kRows, (i + 1) * kRows);
    // The mirror has looked before time goes on, as it would have in the minutes that are left out here.
    if (i == 0) {
      ASSERT_TRUE(influx_.wait_until([&] { return mirror_->status().backlog_records == 1; }));
    }
    clock_.pass(6 * 3600 * kNsPerSecond / kRecords);
  }
  ASSERT_TRUE(influx_.wait_until([&] { return mirror_->status().backlog_rows == kRecords * kRows; }))
      << mirror_->status().backlog_rows;
  EXPECT_GE(mirror_->status().backlog_seconds, 6 * 3600 - 200);
  EXPECT_EQ(mirror_->status().rows_sent_total, 0U);
  influx_.start();
  ASSERT_TRUE(drained());
  expect_rows_in_order(kRecords * kRows);
}

TEST_F(MirrorStore, ASlowServerHoldsNobodyUpAndItsAgeIsTold) {
  const auto answers = std::make_shared<std::counting_semaphore<>>(0);
  influx_.start();
  influx_.on_write([answers](const FakeRequest&) -> std::optional<FakeReply> {
    answers->acquire();
    return std::nullopt;
  });
  mirror_options_.batch_lines = 50;
  open();
  start_mirror();
  constexpr int64_t kRecords = 20;
  constexpr int64_t kRows = 50;
  for (int64_t i = 0; i < kRecords; ++i) {
    write(i * kRows, (i + 1) * kRows);  // acknowledged, whatever the mirror does
    if (i % 4 == 0) answers->release();
    clock_.pass(5 * kNsPerSecond);
    if (i == 0) {
      ASSERT_TRUE(influx_.wait_until([&] { return mirror_->status().rows_sent_total == kRows; }));
    }
  }
  EXPECT_TRUE(influx_.wait_until([&] { return mirror_->status().backlog_seconds >= 50; }))
      << mirror_->status().backlog_seconds;
  EXPECT_LE(mirror_->status().rows_sent_total, 5U * kRows);
  answers->release(1000);
  ASSERT_TRUE(drained());
  expect_rows_in_order(kRecords * kRows);
}

class MirrorBehindTheLog : public MirrorStore {
 protected:
  MirrorBehindTheLog() {
    engine_options_.wal_file_bytes = 64 << 10;
    engine_options_.wal_bytes_max = 100 << 10;
  }
  std::map<int64_t, double> everything() {
    std::map<int64_t, double> values;
    for (int64_t time = 0; time < 120; ++time)
      values[time] = static_cast<double>(time < 60 ? time + 1000 : time);
    return values;
  }
};

TEST_F(MirrorBehindTheLog, SendsWhatItMissedFromTheStore) {
  open();
  start_mirror();
  for (int64_t i = 0; i < 12; ++i) write(10 * i, 10 * i + 10, 0, 4000);
  for (int64_t i = 0; i < 6; ++i) write(10 * i, 10 * i + 10, 1000, 4000);  // the later value counts
  ASSERT_TRUE(engine_->flush());
  influx_.start();
  // What is gone from the log is no backlog before the mirror has found it gone.
  ASSERT_TRUE(influx_.wait_until([&] { return mirror_->status().lost_records_total > 0; }));
  ASSERT_TRUE(drained());
  EXPECT_EQ(stored(), everything());
}

TEST_F(MirrorBehindTheLog, SendsWhatWasTrimmedWhileItWasStopped) {
  open();
  start_mirror();
  mirror_.reset();
  for (int64_t i = 0; i < 12; ++i) write(10 * i, 10 * i + 10, 0, 4000);
  for (int64_t i = 0; i < 6; ++i) write(10 * i, 10 * i + 10, 1000, 4000);
  engine_.reset();
  open();
  clock_.pass(61 * kNsPerSecond);  // the log waits a minute for cursors of before
  ASSERT_TRUE(engine_->flush());
  influx_.start();
  start_mirror();
  ASSERT_TRUE(drained());
  EXPECT_EQ(stored(), everything());
}

TEST_F(MirrorStore, BackfillsARangeFromSegmentsAndMemory) {
  influx_.start();
  open();
  write(0, 50'000);
  write(0, 10, 0, 0, "other");
  ASSERT_TRUE(engine_->flush());
  write(50'000, 60'000);
  start_mirror();
  ASSERT_TRUE(drained());
  const size_t before = influx_.lines("varve").size();
  const auto id = mirror_->backfill({.table = "m", .time = {1000, 58'999}});
  ASSERT_TRUE(id);
  ASSERT_TRUE(backfilled(*id));
  const auto lines = influx_.lines("varve");
  const std::set<std::string> sent(lines.begin() + static_cast<std::ptrdiff_t>(before), lines.end());
  EXPECT_EQ(lines.size() - before, 58'000U);
  EXPECT_EQ(sent.size(), 58'000U);
  EXPECT_TRUE(sent.contains("m,site=even v=1000 1000"));
  EXPECT_TRUE(sent.contains("m,site=odd v=58999 58999"));
  EXPECT_EQ(resend(*id).rows, 58'000U);
  EXPECT_GE(resend(*id).rows_total, 58'000U);
}

TEST_F(MirrorStore, NewRowsGoOnWhileABackfillRuns) {
  influx_.start();
  mirror_options_.catch_up_rows_per_second = 200'000;
  open();
  write(0, 100'000);
  ASSERT_TRUE(engine_->flush());
  start_mirror();
  ASSERT_TRUE(drained());
  const auto id = mirror_->backfill({.table = {}, .time = {}});
  ASSERT_TRUE(id);
  ASSERT_TRUE(influx_.wait_until([&] { return resend(*id).rows > 0; }));
  write(0, 1, 7);  // over a row that was or will be sent again
  ASSERT_TRUE(backfilled(*id));
  ASSERT_TRUE(drained());
  EXPECT_EQ(stored()[0], 7);
  EXPECT_EQ(stored().size(), 100'000U);
}

TEST_F(MirrorStore, RefusesBackfillsOfWhatItDoesNotSend) {
  mirror_options_.tables = {"m"};
  open();
  write(0, 1, 0, 0, "other");
  start_mirror();
  EXPECT_EQ(mirror_->backfill({.table = "other", .time = {}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(mirror_->backfill({.table = "m", .time = {}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(mirror_->backfill({.table = {}, .time = {2, 1}}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace varve
