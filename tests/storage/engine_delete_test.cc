// Deletes through the whole store, against a map.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using Rows = std::map<std::string, std::map<int64_t, int64_t>>;  // site -> time -> v

class DeleteTest : public testing::Test {
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

  static Result<Lsn> write(Engine& engine, const Rows& rows) {
    RowBatchBuilder builder("varve", "water");
    for (const auto& [site, times] : rows) {
      for (const auto& [time, value] : times) {
        builder.begin_row();
        builder.tag("site", site);
        builder.field_int("v", value);
        builder.end_row(time);
      }
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    return engine.append_and_wait(engine.admit(std::move(batches)));
  }

  // Of these sites, or of all.
  static Result<DeleteOutcome> erase(Engine& engine, TimeRange time, std::vector<std::string> sites = {}) {
    DeleteRequest request{"varve", "water", time, nullptr};
    if (!sites.empty()) {
      request.series_filter = [sites](const SeriesTags& tags) -> Result<bool> {
        return std::find(sites.begin(), sites.end(), tags.value("site")) != sites.end();
      };
    }
    return engine.erase(std::move(request));
  }

  static Rows read(const Engine& engine, TimeRange range = {}) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = {"v"};
    request.time = range;
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan);
    Rows rows;
    if (!scan) return rows;
    ScanBlock block;
    while (true) {
      auto more = (*scan)->next(block);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) return rows;
      const std::string site((*scan)->tags(block.series).value("site"));
      for (size_t row = 0; row < block.rows; ++row) {
        const bool fresh = rows[site].emplace(block.times[row], block.columns[0].ints[row]).second;
        EXPECT_TRUE(fresh) << "a row came twice";
      }
    }
  }

  static std::pair<uint64_t, int64_t> count_and_sum(const Engine& engine) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = {"v"};
    request.may_use_statistics = true;
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan);
    std::pair<uint64_t, int64_t> found{0, 0};
    ScanBlock block;
    while (*(*scan)->next(block)) {
      found.first += block.rows;
      if (block.from_statistics) found.second += block.statistics[0].sum_int;
      for (size_t row = 0; !block.from_statistics && row < block.rows; ++row) {
        found.second += block.columns[0].ints[row];
      }
    }
    return found;
  }

  // The files of a folder of the store.
  size_t files(const char* folder) const {
    const auto names = real_file_system().list((directory_ / folder).string());
    return names ? names->size() : 0;
  }

  // Polls until `done`, at most 30 s.
  template <class Condition>
  static bool eventually(Condition done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  test::TempDir directory_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
};

TEST_F(DeleteTest, RowsOfARangeGoFromMemtableSegmentsAndAfterReopening) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"a", {{1, 10}, {2, 20}, {3, 30}}}, {"b", {{2, 21}}}}));
  const auto done = erase(*engine, {2, 2}, {"a"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->series, 1U);
  EXPECT_GT(done->lsn, 0U);
  Rows left{{"a", {{1, 10}, {3, 30}}}, {"b", {{2, 21}}}};
  EXPECT_EQ(read(*engine), left);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine), left);
  ASSERT_TRUE(erase(*engine, {3, INT64_MAX}));  // from a segment now
  left["a"].erase(3);
  EXPECT_EQ(read(*engine), left);
  ASSERT_TRUE(engine->flush());
  EXPECT_EQ(files("tombstones"), 1U);
  EXPECT_EQ(read(*engine), left);
  engine.reset();
  engine = open();
  EXPECT_EQ(engine->status().tombstones, 1U);
  EXPECT_EQ(read(*engine), left);
}

TEST_F(DeleteTest, RowsWrittenAgainAfterTheDeleteAreSeen) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"a", {{1, 10}, {2, 20}}}}));
  ASSERT_TRUE(engine->flush());
  ASSERT_TRUE(erase(*engine, {}));
  EXPECT_EQ(read(*engine), Rows());
  ASSERT_TRUE(write(*engine, {{"a", {{1, 11}}}}));
  const Rows left{{"a", {{1, 11}}}};
  EXPECT_EQ(read(*engine), left);
  ASSERT_TRUE(engine->flush());
  EXPECT_EQ(read(*engine), left);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine), left);
}

TEST_F(DeleteTest, WhatIsDeletedWholeIsDroppedAtOnceAndTheTableStays) {
  auto engine = open();
  for (int day = 0; day < 5; ++day) ASSERT_TRUE(write(*engine, {{"a", {{day * kNsPerDay, day}}}}));
  ASSERT_TRUE(engine->flush());
  ASSERT_EQ(files("segments"), 5U);
  ASSERT_TRUE(erase(*engine, {kNsPerDay, 2 * kNsPerDay - 1}));
  EXPECT_TRUE(eventually([&] { return files("segments") == 4 && engine->status().tombstones == 0; }));
  EXPECT_EQ(files("tombstones"), 0U);
  EXPECT_EQ(read(*engine)["a"].size(), 4U);
  ASSERT_TRUE(erase(*engine, {}, {"a"}));  // by series, but all there are
  EXPECT_TRUE(eventually([&] { return files("segments") == 0 && engine->status().tombstones == 0; }));
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine), Rows());
  const auto info = engine->describe("varve", "water");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->rows, 0U);
  ASSERT_EQ(info->columns.size(), 3U);
  EXPECT_EQ(info->columns[2].name, "v");
}

TEST_F(DeleteTest, ATombstoneGoesWithTheLastSegmentItHidesRowsOf) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"a", {{1, 1}, {2, 2}, {3, 3}}}}));
  ASSERT_TRUE(engine->flush());
  ASSERT_TRUE(erase(*engine, {1, 1}));
  ASSERT_TRUE(engine->flush());
  EXPECT_EQ(files("tombstones"), 1U);
  ASSERT_TRUE(erase(*engine, {2, 3}));  // the two together cover the segment
  ASSERT_TRUE(engine->flush());
  EXPECT_EQ(files("segments"), 0U);
  EXPECT_EQ(files("tombstones"), 0U);
  EXPECT_EQ(engine->status().tombstones, 0U);
}

TEST_F(DeleteTest, NothingMatchedMakesNoRecord) {
  auto engine = open();
  EXPECT_EQ(erase(*engine, {}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write(*engine, {{"a", {{1, 1}}}}));
  const Lsn before = engine->status().last_lsn;
  for (const auto& outcome : {erase(*engine, {}, {"z"}), erase(*engine, {2, 1})}) {
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->lsn, 0U);
    EXPECT_EQ(outcome->series, 0U);
  }
  DeleteRequest failing{"varve", "water", {}, [](const SeriesTags&) -> Result<bool> {
                          return invalid_argument("the filter failed");
                        }};
  EXPECT_EQ(engine->erase(failing).error().message, "the filter failed");
  EXPECT_EQ(engine->status().last_lsn, before);
  EXPECT_EQ(read(*engine)["a"].size(), 1U);
  ASSERT_TRUE(erase(*engine, {5, 9}));  // the series is there, rows are not: nothing waits for it
  EXPECT_EQ(engine->status().tombstones, 0U);
}

TEST_F(DeleteTest, TheEndsOfTimeAreDeletedExactly) {
  auto engine = open();
  const Rows all{{"a", {{INT64_MIN, 1}, {INT64_MIN + 1, 2}, {0, 3}, {INT64_MAX - 1, 4}, {INT64_MAX, 5}}}};
  for (const bool flushed : {false, true}) {
    ASSERT_TRUE(write(*engine, all));
    if (flushed) {
      ASSERT_TRUE(engine->flush());
    }
    Rows left = all;
    const auto expect_without = [&](TimeRange range) {
      ASSERT_TRUE(erase(*engine, range));
      auto& times = left["a"];
      times.erase(times.lower_bound(range.min), times.upper_bound(range.max));
      EXPECT_EQ(read(*engine), left) << range.min << " " << range.max;
    };
    expect_without({INT64_MAX, INT64_MAX});
    expect_without({INT64_MIN, INT64_MIN});
    expect_without({INT64_MIN + 2, -1});
    expect_without({INT64_MIN, INT64_MIN + 1});
    expect_without({1, INT64_MAX});
    left.clear();
    ASSERT_TRUE(erase(*engine, {}));
    EXPECT_EQ(read(*engine), left);
  }
}

TEST_F(DeleteTest, TableInfoLeavesOutWhatIsDeletedWhole) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"a", {{0, 1}}}}));
  ASSERT_TRUE(engine->flush());
  ASSERT_TRUE(write(*engine, {{"a", {{5 * kNsPerDay, 1}}}}));
  ASSERT_TRUE(erase(*engine, {INT64_MIN, kNsPerDay}));
  EXPECT_EQ(engine->describe("varve", "water")->time_min, 5 * kNsPerDay);
  EXPECT_EQ(engine->describe("varve", "water")->rows, 1U);
  ASSERT_TRUE(erase(*engine, {}));
  EXPECT_EQ(engine->describe("varve", "water")->rows, 0U);
  EXPECT_EQ(engine->describe("varve", "water")->time_max, 0);
}

TEST_F(DeleteTest, TooManyDeletesAreRefusedUntilSomeAreSettled) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"a", {{-1, 1}}}}));
  Rows rows;
  for (int64_t t = 0; t < 2000; ++t) rows["a"][t] = t;
  ASSERT_TRUE(write(*engine, rows));
  constexpr int64_t kLimit = 1000;  // kTombstonesPerTableMax
  for (int64_t t = 0; t < kLimit; ++t) ASSERT_TRUE(erase(*engine, {t, t}));
  EXPECT_EQ(engine->status().tombstones, 1000U);
  const auto refused = erase(*engine, {kLimit, kLimit});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("1000 deletes"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(engine->flush());  // no segment needs them
  EXPECT_EQ(engine->status().tombstones, 0U);
  ASSERT_TRUE(erase(*engine, {kLimit, kLimit}));
  EXPECT_EQ(read(*engine)["a"].size(), 1000U);
}

TEST_F(DeleteTest, StatisticsCountOnlyWhatIsLeft) {
  auto engine = open();
  Rows rows;
  for (int64_t t = 0; t < 10'000; ++t) rows["a"][t] = t % 97;
  ASSERT_TRUE(write(*engine, rows));
  ASSERT_TRUE(engine->flush());
  for (const TimeRange range : {TimeRange{100, 200}, TimeRange{150, 5000}, TimeRange{9999, INT64_MAX}}) {
    ASSERT_TRUE(erase(*engine, range));
    auto& times = rows["a"];
    times.erase(times.lower_bound(range.min), times.upper_bound(range.max));
    int64_t sum = 0;
    for (const auto& [time, value] : times) sum += value;
    EXPECT_EQ(count_and_sum(*engine), std::pair(uint64_t{times.size()}, sum));
    EXPECT_EQ(read(*engine), rows);
  }
}

TEST_F(DeleteTest, RandomWritesDeletesFlushesAndReopeningsAgreeWithAMap) {
  options_.partition_ns = 500;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::filesystem::remove_all(directory_.path());
    std::mt19937_64 random(seed);
    const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
    Rows model;
    auto engine = open();
    ASSERT_TRUE(write(*engine, {{"s0", {{0, 0}}}}));
    model["s0"][0] = 0;
    for (int step = 0; step < 150; ++step) {
      const auto action = below(10);
      if (action < 5) {
        Rows rows;
        for (int64_t i = below(200); i >= 0; --i)
          rows["s" + std::to_string(below(5))][below(4000) - 2000] = below(1000);
        ASSERT_TRUE(write(*engine, rows));
        for (const auto& [site, times] : rows) {
          for (const auto& [time, value] : times) model[site][time] = value;
        }
      } else if (action < 8) {
        const int64_t from = below(4400) - 2200;
        const TimeRange range{below(8) == 0 ? INT64_MIN : from,
                              below(8) == 0 ? INT64_MAX : from + below(1500)};
        std::vector<std::string> sites;
        for (int64_t i = below(3); i > 0; --i) sites.push_back("s" + std::to_string(below(5)));
        ASSERT_TRUE(erase(*engine, range, sites));
        for (auto& [site, times] : model) {
          if (!sites.empty() && std::find(sites.begin(), sites.end(), site) == sites.end()) continue;
          times.erase(times.lower_bound(range.min), times.upper_bound(range.max));
        }
        std::erase_if(model, [](const auto& entry) { return entry.second.empty(); });
      } else if (action == 8) {
        ASSERT_TRUE(engine->flush());
      } else if (below(3) == 0) {
        engine.reset();
        engine = open();
        ASSERT_NE(engine, nullptr);
      }
      ASSERT_EQ(read(*engine), model) << "step " << step;
      if (step % 10 != 0) continue;
      uint64_t rows = 0;
      int64_t sum = 0;
      for (const auto& [site, times] : model) {
        for (const auto& [time, value] : times) {
          ++rows;
          sum += value;
        }
      }
      ASSERT_EQ(count_and_sum(*engine), std::pair(rows, sum)) << "step " << step;
    }
  }
}

TEST_F(DeleteTest, RacingWritersFlushesAndReadersSeeEachDeleteWhole) {
  options_.flush_rows = 500;
  auto engine = open();
  ASSERT_TRUE(write(*engine, {{"keep", {{0, 0}}}}));
  constexpr int kRounds = 60;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) read(*engine);
  });
  std::vector<std::thread> writers;
  for (const std::string site : {"a", "b", "c"}) {
    writers.emplace_back([&, site] {
      for (int64_t round = 0; round < kRounds; ++round) {
        Rows rows;
        for (int64_t t = 0; t < 50; ++t) rows[site][t] = round;
        EXPECT_TRUE(write(*engine, rows));
        // Of what was acknowledged, a delete leaves nothing but what the same thread writes next.
        EXPECT_TRUE(erase(*engine, {0, 39}, {site}));
        const Rows left = read(*engine);
        const auto found = left.find(site);
        EXPECT_TRUE(found != left.end() && found->second.size() == 10) << site << " round " << round;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  reader.join();
  Rows expected{{"keep", {{0, 0}}}};
  for (const std::string site : {"a", "b", "c"}) {
    for (int64_t t = 40; t < 50; ++t) expected[site][t] = kRounds - 1;
  }
  EXPECT_EQ(read(*engine), expected);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine), expected);
}

}  // namespace
}  // namespace varve
