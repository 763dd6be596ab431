#include "storage/compaction/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace varve {
namespace {

constexpr int64_t kHour = 3600 * kNsPerSecond;
constexpr int64_t kLater = 20'000 * kNsPerDay;  // past everything but what a test puts there
constexpr int64_t kOld = 30 * kNsPerDay;        // age of a segment nobody waits for any more

class Segments {
 public:
  CompactionSegment& add(uint64_t bytes, int64_t time_min, int64_t time_max, Lsn last_lsn) {
    CompactionSegment segment;
    segment.id = ++last_id_;
    segment.bytes = bytes;
    segment.rows = std::max<uint64_t>(bytes / 10, 1);
    segment.time_min = time_min;
    segment.time_max = time_max;
    segment.last_lsn = last_lsn;
    segment.age_ns = kOld;
    list.push_back(segment);
    return list.back();
  }
  std::vector<CompactionSegment> list;

 private:
  uint64_t last_id_ = 0;
};

CompactionRules rules_at(int64_t now) {
  CompactionRules rules;
  rules.wall_ns = now;
  return rules;
}

CompactionRules settled() {
  CompactionRules rules = rules_at(kLater);
  rules.settle = true;
  return rules;
}

TEST(CompactionPolicy, NothingIsDueForNoSegmentsOrForOneThatIsAsItShouldBe) {
  Segments segments;
  EXPECT_FALSE(next_merge(segments.list, settled()));
  segments.add(100'000, 0, kHour, 1);
  EXPECT_FALSE(next_merge(segments.list, settled()));
}

TEST(CompactionPolicy, FewSmallFlushesOfTodayAreLeftAndATierOfThemIsMerged) {
  Segments segments;
  const int64_t minute = 60 * kNsPerSecond;
  for (int i = 0; i < static_cast<int>(kTierSegments) - 1; ++i) {
    segments.add(30'000, i * minute, (i + 1) * minute - 1, static_cast<Lsn>(i + 1));
  }
  const CompactionRules now = rules_at(kHour);
  EXPECT_FALSE(next_merge(segments.list, now));
  segments.add(30'000, 31 * minute, 32 * minute - 1, 32);
  const auto plan = next_merge(segments.list, now);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->reason, MergeReason::kTier);
  EXPECT_EQ(plan->segment_ids.size(), kTierSegments);
  EXPECT_TRUE(plan->cuts.empty());
}

TEST(CompactionPolicy, LargeFlushesAreMergedAsSoonAsTheyFillASegment) {
  Segments segments;
  for (int i = 0; i < 4; ++i) {
    segments.add(13ULL << 20, i * kHour, (i + 1) * kHour - 1, static_cast<Lsn>(i + 1));
  }
  const auto plan = next_merge(segments.list, rules_at(5 * kHour));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids.size(), 4U);
}

TEST(CompactionPolicy, LateRowsDoNotRewriteALargeSegmentAtOnceButDoInTheEnd) {
  Segments segments;
  segments.add(40ULL << 20, 0, kNsPerDay - 1, 1);
  segments.add(2'000, kHour, 2 * kHour, 2).age_ns = 2 * kQuietNs;
  CompactionRules now = rules_at(10 * kNsPerDay);
  segments.add(1'000, 10 * kNsPerDay - kHour, 10 * kNsPerDay, 3);  // the table goes on
  EXPECT_FALSE(next_merge(segments.list, now));
  segments.list[1].age_ns = kQuietNs * kPatienceMax;
  const auto plan = next_merge(segments.list, now);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids, (std::vector<uint64_t>{1, 2}));
}

TEST(CompactionPolicy, LateRowsThatNeverStopAreMergedOnceADay) {
  Segments segments;
  segments.add(40ULL << 20, 0, kNsPerDay - 1, 1);
  segments.add(20'000, kHour, 2 * kHour, 2).age_ns = kOverlapNsMax;
  segments.add(1'000, kHour, 2 * kHour, 3).age_ns = 0;  // just now
  segments.add(1'000, 10 * kNsPerDay - kHour, 10 * kNsPerDay, 4);
  const auto plan = next_merge(segments.list, rules_at(10 * kNsPerDay));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids.size(), 3U);
}

TEST(CompactionPolicy, ManyTinyDaysBecomeOneSegmentOfTheWidestWindow) {
  Segments segments;
  for (int day = 0; day < 250; ++day) {
    segments.add(3'000, day * kNsPerDay, day * kNsPerDay + 20 * kHour, 1);
  }
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->reason, MergeReason::kWindow);
  EXPECT_EQ(plan->segment_ids.size(), 250U);
}

TEST(CompactionPolicy, NoSegmentGetsWiderThanAnEighthOfTheRetention) {
  CompactionRules rules = settled();
  rules.retention_ns = 8 * 16 * kNsPerDay;
  rules.wall_ns = 100 * kNsPerDay;
  Segments segments;
  for (int day = 0; day < 100; ++day) {
    segments.add(3'000, day * kNsPerDay, day * kNsPerDay + 20 * kHour, 1);
  }
  const auto plan = next_merge(segments.list, rules);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids.size(), 16U);
  rules.retention_ns = 100 * kNsPerDay;
  EXPECT_FALSE(next_merge(segments.list, rules));
}

TEST(CompactionPolicy, ExpiredSegmentsAreNotMerged) {
  CompactionRules rules = settled();
  rules.retention_ns = 10 * kNsPerDay;
  Segments segments;
  segments.add(3'000, 0, kHour, 1);
  segments.add(3'000, 0, kHour, 2);
  segments.add(3'000, 100 * kNsPerDay, 100 * kNsPerDay + kHour, 3);
  EXPECT_FALSE(next_merge(segments.list, rules));
}

TEST(CompactionPolicy, AClockAheadMakesNothingOld) {
  Segments segments;
  segments.add(3'000, 0, kHour, 1).age_ns = 10 * kQuietNs;
  segments.add(3'000, 0, kHour, 2).age_ns = 10 * kQuietNs;
  EXPECT_FALSE(next_merge(segments.list, rules_at(kLater)));  // the newest row is of the same day
}

TEST(CompactionPolicy, APartitionLargerThanASegmentIsCutByTimeIntoEvenParts) {
  Segments segments;
  for (Lsn lsn = 1; lsn <= 5; ++lsn) segments.add(40ULL << 20, 0, kNsPerDay - 1, lsn);
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->reason, MergeReason::kOverlap);
  EXPECT_EQ(plan->segment_ids.size(), 5U);
  ASSERT_EQ(plan->cuts.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(static_cast<double>(plan->cuts[i]),
                static_cast<double>(kNsPerDay) * static_cast<double>(i + 1) / 4, static_cast<double>(kHour));
  }
}

TEST(CompactionPolicy, ALongChainOfOverlapsIsMergedPartByPart) {
  Segments segments;
  for (int i = 0; i < 60; ++i) {
    segments.add(30ULL << 20, i * 20 * 60 * kNsPerSecond, (i + 1) * 20 * 60 * kNsPerSecond + kNsPerSecond,
                 static_cast<Lsn>(i + 1));
  }
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_LE(plan->bytes, kMergeBytesMax + (60ULL << 20));
  EXPECT_EQ(plan->cuts.back(), segments.list[plan->segment_ids.size()].time_min);
}

TEST(CompactionPolicy, SmallNeighboursInALargePartitionAreGathered) {
  Segments segments;
  segments.add(45ULL << 20, 0, kHour, 1);
  segments.add(5ULL << 20, 2 * kHour, 3 * kHour, 2);
  segments.add(5ULL << 20, 4 * kHour, 5 * kHour, 3);
  segments.add(45ULL << 20, 6 * kHour, 7 * kHour, 4);
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->reason, MergeReason::kGather);
  EXPECT_EQ(plan->segment_ids, (std::vector<uint64_t>{2, 3}));
}

TEST(CompactionPolicy, AWideSegmentOverLargeDaysIsSplitAtTheirBorders) {
  Segments segments;
  for (int day = 0; day < 4; ++day) {
    segments.add(45ULL << 20, day * kNsPerDay, (day + 1) * kNsPerDay - 1, static_cast<Lsn>(day + 1));
  }
  segments.add(10'000, kHour, 4 * kNsPerDay - kHour, 9);
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids, std::vector<uint64_t>{5});
  EXPECT_EQ(plan->cuts, (std::vector<int64_t>{kNsPerDay, 2 * kNsPerDay, 3 * kNsPerDay}));
}

TEST(CompactionPolicy, SegmentsCutFromOneMergeForTheirSizeAreNotMergedAgain) {
  Segments segments;
  segments.add(9ULL << 20, 0, kHour, 7);
  segments.add(9ULL << 20, 0, kHour, 7);
  EXPECT_FALSE(next_merge(segments.list, settled()));
}

TEST(CompactionPolicy, AHastilyEncodedSegmentOfThePastIsRewrittenOnce) {
  Segments segments;
  segments.add(30ULL << 20, 0, kHour, 1).rewrite = true;
  segments.add(1'000, 10 * kNsPerDay, 10 * kNsPerDay + 1, 2).rewrite = true;
  auto plan = next_merge(segments.list, rules_at(kLater));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->reason, MergeReason::kRewrite);
  EXPECT_EQ(plan->segment_ids, std::vector<uint64_t>{1});
  segments.list[0].rewrite = false;
  EXPECT_FALSE(next_merge(segments.list, rules_at(kLater)));  // the newest day is not over
}

TEST(CompactionPolicy, ASegmentThatCannotBeReadIsLeftAndNoRowJumpsOverIt) {
  Segments segments;
  segments.add(3'000, 0, kHour, 1);
  segments.add(3'000, 0, kHour, 2).blocked = true;
  segments.add(3'000, 0, kHour, 3);
  EXPECT_FALSE(next_merge(segments.list, settled()));
  segments.list[1].last_lsn = 4;
  const auto plan = next_merge(segments.list, settled());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->segment_ids, (std::vector<uint64_t>{1, 3}));
}

TEST(CompactionPolicy, NoMergeIsLargerThanTheRoomThereIs) {
  Segments segments;
  segments.add(30'000, 0, kHour, 1);
  segments.add(30'000, 0, kHour, 2);
  CompactionRules rules = settled();
  rules.bytes_max = 59'999;
  EXPECT_FALSE(next_merge(segments.list, rules));
  rules.bytes_max = 60'000;
  EXPECT_TRUE(next_merge(segments.list, rules));
}

TEST(CompactionPolicy, TheEndsOfTimeAreTimesLikeOthers) {
  Segments segments;
  segments.add(3'000, INT64_MIN, INT64_MIN, 1);
  segments.add(3'000, INT64_MIN, INT64_MIN + 5, 2);
  segments.add(3'000, INT64_MAX - 5, INT64_MAX, 3);
  segments.add(3'000, INT64_MAX, INT64_MAX, 4);
  for (int step = 0; step < 2; ++step) {
    const auto plan = next_merge(segments.list, settled());
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->segment_ids.size(), 2U);
    const bool low = plan->segment_ids[0] == 1;
    std::erase_if(segments.list, [&](const CompactionSegment& s) { return (s.time_min < 0) == low; });
  }
  EXPECT_FALSE(next_merge(segments.list, settled()));
}

// ---- made-up tables, merged until nothing is due ----

// Rows are numbered; a segment holds [lsn, time] of each, so that order and loss can be checked.
class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {}

  struct Row {
    int64_t time;
    Lsn lsn;
  };
  struct Stored {
    CompactionSegment known;
    std::vector<Row> rows;
    int64_t born_ns = 0;
  };

  void flush(std::vector<Row> rows, int64_t partition_ns, uint64_t bytes_per_row) {
    Lsn last = 0;
    for (const Row& row : rows) last = std::max(last, row.lsn);
    std::map<int64_t, std::vector<Row>> parts;
    for (const Row& row : rows) {
      const int64_t part = row.time / partition_ns - (row.time % partition_ns < 0 ? 1 : 0);
      parts[part].push_back(row);
    }
    for (auto& [part, part_rows] : parts) {
      flushed_rows += part_rows.size();
      add(std::move(part_rows), last, bytes_per_row, true);
    }
  }

  void merge(const MergePlan& plan, uint64_t bytes_per_row) {
    std::vector<Stored> inputs;
    Lsn last = 0;
    for (const uint64_t id : plan.segment_ids) {
      const auto found =
          std::find_if(segments.begin(), segments.end(), [&](const Stored& s) { return s.known.id == id; });
      ASSERT_NE(found, segments.end());
      ASSERT_FALSE(found->known.blocked);
      EXPECT_LE(last, found->known.last_lsn);
      last = found->known.last_lsn;
      inputs.push_back(std::move(*found));
      segments.erase(found);
    }
    // Last write wins among the inputs; then rows that other segments hold must still be in the right order.
    std::map<int64_t, Row> rows;
    for (const Stored& input : inputs) {
      for (const Row& row : input.rows) {
        const auto [known, first] = rows.try_emplace(row.time, row);
        if (!first && known->second.lsn < row.lsn) known->second = row;
      }
    }
    for (const Stored& other : segments) {
      for (const Row& row : other.rows) {
        const auto found = rows.find(row.time);
        if (found == rows.end() || row.lsn == found->second.lsn) continue;
        EXPECT_EQ(row.lsn < found->second.lsn, other.known.last_lsn < last) << "a row jumped over another";
      }
    }
    EXPECT_TRUE(std::is_sorted(plan.cuts.begin(), plan.cuts.end()));
    merged_rows += rows.size();
    std::vector<Row> part;
    size_t cut = 0;
    for (const auto& [time, row] : rows) {
      while (cut < plan.cuts.size() && time >= plan.cuts[cut]) {
        if (!part.empty()) add(std::exchange(part, {}), last, bytes_per_row, false);
        ++cut;
      }
      part.push_back(row);
    }
    add(std::move(part), last, bytes_per_row, false);
    ++merges;
  }

  std::vector<CompactionSegment> known() {
    std::vector<CompactionSegment> list;
    for (Stored& segment : segments) {
      segment.known.age_ns = now_ns - segment.born_ns;
      list.push_back(segment.known);
    }
    return list;
  }

  double amplification() const {
    size_t rows = 0;
    for (const Stored& segment : segments) rows += segment.rows.size();
    return static_cast<double>(flushed_rows + merged_rows) / static_cast<double>(rows);
  }

  std::mt19937& random() { return random_; }

  std::vector<Stored> segments;
  size_t flushed_rows = 0;
  size_t merged_rows = 0;
  size_t merges = 0;
  int64_t now_ns = 0;

 private:
  void add(std::vector<Row> rows, Lsn last, uint64_t bytes_per_row, bool rewrite) {
    Stored stored;
    stored.known.id = ++last_id_;
    stored.known.rows = rows.size();
    stored.known.bytes = 1'500 + rows.size() * bytes_per_row;
    stored.known.time_min = INT64_MAX;
    stored.known.time_max = INT64_MIN;
    for (const Row& row : rows) {
      stored.known.time_min = std::min(stored.known.time_min, row.time);
      stored.known.time_max = std::max(stored.known.time_max, row.time);
    }
    stored.known.last_lsn = last;
    stored.known.rewrite = rewrite;
    stored.rows = std::move(rows);
    stored.born_ns = now_ns;
    segments.push_back(std::move(stored));
  }

  std::mt19937 random_;
  uint64_t last_id_ = 0;
};

TEST(CompactionPolicy, RandomTablesSettleInOrderWithoutOverlapAndThenNothingIsDue) {
  const unsigned first_seed = std::random_device{}();
  for (unsigned seed = first_seed; seed < first_seed + 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulation table(seed);
    auto& random = table.random();
    CompactionRules rules;
    rules.partition_ns = 1'000;
    rules.retention_ns = random() % 3 == 0 ? 1'000'000 : 0;
    const int64_t span = 1 + static_cast<int64_t>(random() % 60'000);
    const uint64_t bytes_per_row = uint64_t{1} << (random() % 21);  // up to segments of many MiB
    Lsn lsn = 0;
    for (int flush = 0; flush < 30; ++flush) {
      std::vector<Simulation::Row> rows;
      const size_t count = 1 + random() % 60;
      const int64_t width = random() % 4 == 0 ? 16'000 : 1'000;
      for (size_t i = 0; i < count; ++i) {
        rows.push_back({static_cast<int64_t>(random() % static_cast<uint64_t>(span)) - span / 2, ++lsn});
      }
      table.flush(std::move(rows), width, bytes_per_row);
      table.now_ns += static_cast<int64_t>(random() % 100) * 60 * kNsPerSecond;
      rules.wall_ns = INT64_MAX;
      for (int step = 0; step < 50; ++step) {
        const auto plan = next_merge(table.known(), rules);
        if (!plan) break;
        table.merge(*plan, bytes_per_row);
        if (HasFailure()) return;
      }
    }
    rules.settle = true;
    const size_t before = table.segments.size();
    const size_t merges = table.merges;
    while (const auto plan = next_merge(table.known(), rules)) {
      table.merge(*plan, bytes_per_row);
      if (HasFailure()) return;
      ASSERT_LT(table.merges - merges, before * 4 + 50) << "merging does not come to an end";
    }
    for (const auto& a : table.segments) {
      EXPECT_FALSE(a.known.rewrite);
      if (rules.retention_ns != 0) {
        EXPECT_LE(a.known.time_max - a.known.time_min, rules.retention_ns / kRetentionParts);
      }
      for (const auto& b : table.segments) {
        if (a.known.last_lsn == b.known.last_lsn) continue;
        EXPECT_TRUE(a.known.time_max < b.known.time_min || b.known.time_max < a.known.time_min)
            << "segments " << a.known.id << " and " << b.known.id << " overlap";
      }
    }
    if (HasFailure()) return;
  }
}

// A table that is flushed once a minute for `days`, `bytes` a flush, then left alone.
double amplification_of_minutes(int days, uint64_t bytes, size_t& segments_most, size_t& segments_last) {
  Simulation table(1);
  const int64_t minute = 60 * kNsPerSecond;
  CompactionRules rules;
  segments_most = 0;
  Lsn lsn = 0;
  for (int64_t at = 0; at < days * kNsPerDay; at += minute) {
    // The last seconds of the minute before come with this one.
    table.flush({{at - 5 * kNsPerSecond, ++lsn}, {at + minute - kNsPerSecond, ++lsn}}, kNsPerDay, bytes / 2);
    table.now_ns = rules.wall_ns = at + minute;
    while (const auto plan = next_merge(table.known(), rules)) table.merge(*plan, bytes / 2);
    segments_most = std::max(segments_most, table.segments.size());
  }
  segments_last = table.segments.size();
  return table.amplification();
}

TEST(CompactionPolicy, AStreamOfFlushesIsRewrittenAFewTimesAndStaysInFewFiles) {
  size_t most = 0;
  size_t last = 0;
  EXPECT_LE(amplification_of_minutes(2, 15ULL << 20, most, last), 3);  // a fast stream
  EXPECT_LE(amplification_of_minutes(5, 500'000, most, last), 4);
  EXPECT_LE(most, 200U);
  EXPECT_LE(amplification_of_minutes(12, 20'000, most, last), 4);
  EXPECT_LE(most, 100U);
  EXPECT_LE(amplification_of_minutes(34, 1'000, most, last), 5);  // a trickle of 2 MB a day: one window more
  EXPECT_LE(most, 100U);
  EXPECT_LE(last, 60U);
}

}  // namespace
}  // namespace varve
