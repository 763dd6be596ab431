#include "api/cli/status_tables.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(StatusTables, HaveARowForEachPartitionAndForASourceWithout) {
  SourceStatus with;
  with.name = "kafka.0";
  with.kind = "kafka";
  with.state = "running";
  with.messages_total = 9;
  with.rows_total = 8;
  with.rejected_total = 3;
  with.rejected_by_reason = {{"bad_time", 2}, {"no_time", 1}};
  with.messages_per_second = 4.5;
  with.rows_per_second = 4;
  with.filtered_total = 5;
  with.deduped_total = 6;
  with.enrich_misses_total = 7;
  PartitionStatus known;
  known.topic = "readings";
  known.partition = 0;
  known.next_offset = 42;
  known.high_watermark = 50;
  known.lag = 8;
  known.lag_seconds = 1.5;
  known.last_event_time_ns = 1000;
  PartitionStatus unknown;
  unknown.topic = "readings";
  unknown.partition = 1;
  with.partitions = {known, unknown};
  SourceStatus without;
  without.name = "kafka.1";
  without.state = "connecting";
  const SystemTable table = ingest_table([=] { return std::vector<SourceStatus>{with, without}; });
  const auto rows = table.rows();
  ASSERT_EQ(rows.size(), 3U);
  for (const auto& row : rows) ASSERT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(rows[0],
            (std::vector<Value>{"kafka.0",     "kafka",     "running",   "",         "readings",
                                int64_t{0},    int64_t{42}, int64_t{50}, int64_t{8}, 1.5,
                                int64_t{1000}, int64_t{9},  int64_t{8},  int64_t{3}, "bad_time=2 no_time=1",
                                4.5,           4.0,         int64_t{5},  int64_t{6}, int64_t{7}}));
  EXPECT_EQ(rows[1][8], Value{});
  EXPECT_EQ(rows[1][9], Value{});
  EXPECT_EQ(rows[2][0], Value("kafka.1"));
  EXPECT_EQ(rows[2][4], Value{});
  EXPECT_EQ(rows[2][10], Value{});
  EXPECT_EQ(rows[2][11], Value(int64_t{0}));
  EXPECT_EQ(rows[2][14], Value(""));
}

TEST(StatusTables, HaveARowForEachMirror) {
  MirrorStatus mirror;
  mirror.name = "mirror.0";
  mirror.url = "http://127.0.0.1:8086";
  mirror.state = "retrying";
  mirror.last_error = "refused";
  mirror.backlog_bytes = 7;
  const SystemTable table = mirror_table([=] { return std::vector<MirrorStatus>{mirror}; });
  const auto rows = table.rows();
  ASSERT_EQ(rows.size(), 1U);
  ASSERT_EQ(rows[0].size(), table.columns.size());
  EXPECT_EQ(rows[0][2], Value("retrying"));
  EXPECT_EQ(rows[0][8], Value(int64_t{7}));
}

}  // namespace
}  // namespace varve
