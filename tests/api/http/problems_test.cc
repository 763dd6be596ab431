#include "api/http/problems.h"

#include "api/http/process_figures.h"
#include "api/http/status_metrics.h"
#include "tests/api/http/http_fixture.h"
#include "tests/support/exposition.h"

namespace varve {
namespace {

std::vector<std::string> codes(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const Problem& problem : problems) all.emplace_back(problem.code);
  return all;
}

TEST(Problems, EachHasAKnownCodeAReasonAndARemedyWorstFirst) {
  EngineStatus store;
  store.failed = true;
  store.read_only_reason = "fdatasync: Input/output error";
  store.retention_suspended_reason = "the wall clock jumped";
  store.compaction.damaged_segments = 1;
  store.compaction.problem = "a merge failed";
  store.limits = {{"series_limit", "varve", "m", 3},
                  {"column_limit", "varve", "m", 4},
                  {"tag_limit", "varve", "n", 256},
                  {"table_limit", "", "", 5}};
  SourceStatus source;
  source.name = "kafka.0";
  source.state = "running";
  source.detail = "offset 7 is gone";
  source.broker_unreachable = true;
  source.partitions.resize(2);
  source.partitions[1].halted = "offset 7 is gone";
  MirrorStatus retrying, held;
  retrying.name = "mirror.0";
  retrying.state = "retrying";
  retrying.last_error = "refused";
  held.name = "mirror.1";
  held.state = "held";
  held.last_error = "401";
  const auto found = find_problems(store, {source}, {held, retrying});
  EXPECT_THAT(codes(found),
              ::testing::ElementsAre("store_failed", "damaged_segment", "clock_jump", "series_limit",
                                     "column_limit", "column_limit", "table_limit", "broker_unreachable",
                                     "source_halted", "mirror_unreachable", "mirror_held"));
  for (const Problem& problem : found) {
    EXPECT_FALSE(problem.reason.empty()) << problem.code;
    EXPECT_FALSE(problem.remedy.empty()) << problem.code;
  }
  EXPECT_THAT(found[5].remedy, HasSubstr("the tag a field"));
  EXPECT_THAT(found[8].reason, HasSubstr("1 of 2 partitions are halted: offset 7 is gone"));
}

TEST(Problems, AreBoundedHoweverManyPartsAreUnwell) {
  std::vector<SourceStatus> sources(1000);
  for (SourceStatus& source : sources) source.state = "halted";
  EXPECT_EQ(find_problems({}, sources, {}).size(), kProblemsMax);
}

TEST_F(Http, AProblemKeepsItsBeginningWhileItLasts) {
  EXPECT_EQ(json_of(get(port(), "/api/v1/status"))["problems"], Json::array());
  MirrorStatus mirror;
  mirror.name = "mirror.0";
  mirror.state = "retrying";
  mirror.last_error = "first";
  EngineStatus full;
  full.read_only_reason = "no room";
  engine_.say(full);
  const Json first = json_of(get(port(), "/api/v1/status"))["problems"];
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0]["code"], "disk_full");
  EXPECT_EQ(first[0]["reason"], "no room");
  full.read_only_reason = "still no room";
  engine_.say(full);
  const Json second = json_of(get(port(), "/api/v1/status"))["problems"];
  EXPECT_EQ(second[0]["since"], first[0]["since"]);
  EXPECT_EQ(second[0]["reason"], "still no room");
  engine_.say({});
  EXPECT_EQ(json_of(get(port(), "/api/v1/status"))["problems"], Json::array());
}

TEST_F(Http, MetricsAreWellFormedAndOfTheProcess) {
  (void)get(port(), "/api/v1/status");
  const test::Exposition read = test::read_exposition(get(port(), "/metrics").body);
  EXPECT_EQ(read.fault, "");
  EXPECT_EQ(read.value("varve_build_info", {{"version", VARVE_VERSION}}), 1);
  EXPECT_GT(read.value("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(read.value("process_virtual_memory_bytes"), read.value("process_resident_memory_bytes"));
  EXPECT_GT(read.value("process_open_fds"), 3);
  EXPECT_GE(read.value("process_max_fds"), read.value("process_open_fds"));
  EXPECT_GE(read.value("process_cpu_seconds_total"), 0);
  EXPECT_GE(read.value("process_threads"), 2);
  const double started = read.value("process_start_time_seconds");
  const double now = static_cast<double>(real_clock().wall_ns()) / kNsPerSecond;
  EXPECT_LT(started, now + 2);
  EXPECT_GT(started, now - 86'400) << "this test does not run for a day";
  EXPECT_EQ(read.value("varve_http_request_seconds_count", {{"family", "status"}}), 1);
}

RowBatch one_row(const std::string& table, int64_t time) {
  RowBatchBuilder builder("varve", table);
  builder.begin_row();
  builder.field_double("v", 1);
  builder.end_row(time);
  return builder.finish();
}

TEST_F(Http, TablesBeyondTheLimitOfLabelsAreTogether) {
  const int64_t now = real_clock().wall_ns();
  std::vector<RowBatch> batches;
  for (size_t i = 0; i < kTableLabelsMax + 50; ++i) {
    batches.push_back(one_row("t" + std::to_string(1000 + i), now - 100 * kNsPerSecond));
  }
  ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))));
  const test::Exposition read = test::read_exposition(get(port(), "/metrics").body);
  EXPECT_EQ(read.fault, "");
  EXPECT_EQ(read.families.at("varve_table_rows").samples.size(), kTableLabelsMax + 1);
  EXPECT_EQ(read.value("varve_table_rows", {{"table", "other"}}), 50);
  EXPECT_EQ(read.value("varve_tables"), static_cast<double>(kTableLabelsMax + 50));
  EXPECT_EQ(read.families.at("varve_table_freshness_seconds").samples.size(), kTableLabelsMax + 1);
  // A name once labelled keeps its label; a new one does not push it out.
  batches.clear();
  batches.push_back(one_row("a_new_one", now));
  ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))));
  const test::Exposition again = test::read_exposition(get(port(), "/metrics").body);
  EXPECT_TRUE(again.has("varve_table_rows", {{"table", "t1000"}}));
  EXPECT_FALSE(again.has("varve_table_rows", {{"table", "a_new_one"}}));
  EXPECT_EQ(again.value("varve_table_rows", {{"table", "other"}}), 51);
}

TEST_F(Http, SourcesAreSummedOverTheirPartitions) {
  SourceStatus source;
  source.name = "kafka.0";
  source.state = "running";
  source.partitions.resize(3);
  source.partitions[0].lag = 10;
  source.partitions[0].lag_seconds = 1.5;
  source.partitions[1].lag = 5;
  source.partitions[1].lag_seconds = 4;
  sources_ = std::vector{source};
  test::Exposition read = test::read_exposition(get(port(), "/metrics").body);
  EXPECT_EQ(read.fault, "");
  EXPECT_EQ(read.value("varve_ingest_lag_messages", {{"source", "kafka.0"}}), 15);
  EXPECT_EQ(read.value("varve_ingest_lag_seconds"), 4);
  EXPECT_EQ(read.value("varve_ingest_up"), 1);
}

// The reader of these tests must see what a careless writer gets wrong.
TEST(ExpositionReader, FindsEachFault) {
  const std::string head = "# HELP a_total A.\n# TYPE a_total counter\n";
  EXPECT_EQ(test::read_exposition(head + "a_total{x=\"1\"} 1\na_total{x=\"2\"} 2\n").fault, "");
  const std::string histogram = "# HELP h H.\n# TYPE h histogram\n";
  const std::string good = "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
  EXPECT_EQ(test::read_exposition(histogram + good).fault, "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {head + "a_total 1", "does not end"},
      {"a_total 1\n", "outside of its family"},
      {"# TYPE a_total counter\na_total 1\n", "out of place"},
      {head + "a_total 1\na_total 1\n", "series twice"},
      {head + "a_total 1\n# HELP b B.\n# TYPE b gauge\nb 1\na_total{x=\"1\"} 1\n", "outside of its family"},
      {head + "a_total 1\n" + head + "a_total{x=\"1\"} 1\n", "two pieces"},
      {head + "a_total{x=\"a\\q\"} 1\n", "bad labels"},
      {head + "a_total{x=\"a\n\"} 1\n", "bad labels"},
      {head + "a_total one\n", "bad value"},
      {"# HELP a A.\n# TYPE a counter\na 1\n", "end in _total"},
      {histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n", "not cumulative"},
      {histogram + "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n", "do not ascend"},
      {histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n", "not the count"},
      {histogram + "h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n", "not the count"},
      {histogram + "h_bucket{le=\"+Inf\"} 1\nh_count 1\n", "without +Inf, _sum or _count"},
  };
  for (const auto& [text, fault] : cases)
    EXPECT_THAT(test::read_exposition(text).fault, HasSubstr(fault)) << text;
}

}  // namespace
}  // namespace varve
