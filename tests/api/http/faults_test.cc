// Each way varve can be unwell, brought about on a real store, source or mirror: it must be named in /readyz, in
// /api/v1/status with a remedy, and in /metrics; it must end by itself where it can; and the log must not be flooded.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/http/problems.h"
#include "ingest/kafka/source.h"
#include "ingest/mirror/mirror.h"
#include "storage/base/log.h"
#include "storage/base/log_repeats.h"
#include "storage/segment/format.h"
#include "tests/storage/limited_store.h"
#include "tests/support/exposition.h"
#include "tests/support/fake_influx.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using test::Exposition;

constexpr uint64_t kMiB = 1 << 20;

class Faults : public LimitedStore {
 protected:
  void start() {
    engine_ = open();
    ASSERT_NE(engine_, nullptr);
    serve();
  }
  void serve() {
    queries_ = std::make_unique<QueryService>(*engine_, QueryOptions{}, *metrics_);
    auto server = HttpServer::start({"127.0.0.1", 0}, *metrics_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    server_->serve(
        {engine_.get(), queries_.get(), metrics_.get(),
         [this] {
           return source_ ? std::vector<SourceStatus>{source_->status()} : std::vector<SourceStatus>{};
         },
         [this] {
           return mirror_ ? std::vector<MirrorStatus>{mirror_->status()} : std::vector<MirrorStatus>{};
         }});
  }
  void TearDown() override {
    if (server_) server_->stop();
    source_.reset();
    mirror_.reset();
    server_.reset();
    queries_.reset();
    engine_.reset();
  }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + path;
  }
  int post(const std::string& lines) const {
    return test::http_post(url("/write"), lines, "text/plain").status;
  }
  Json problems() const { return Json::parse(test::http_get(url("/api/v1/status")).body).at("problems"); }
  Exposition metrics() const {
    Exposition read = test::read_exposition(test::http_get(url("/metrics")).body);
    EXPECT_EQ(read.fault, "");
    return read;
  }
  bool has(const std::string& code) const {
    const Json all = problems();
    return std::any_of(all.begin(), all.end(), [&](const Json& one) { return one.at("code") == code; });
  }
  bool eventually(const std::function<bool()>& condition) {
    return test::wait_until(condition, test::seconds(60));
  }

  // The problem is everywhere an operator may look, and says what to do.
  void expect_shown(const std::string& code, const std::string& subject, const std::string& reason) {
    ASSERT_TRUE(eventually([&] { return has(code); })) << code;
    for (const Json& one : problems()) {
      if (one.at("code") != code) continue;
      EXPECT_EQ(one.at("subject"), subject);
      EXPECT_THAT(one.at("reason").get<std::string>(), HasSubstr(reason));
      EXPECT_GT(one.at("remedy").get<std::string>().size(), 20U);
      EXPECT_THAT(one.at("since").get<std::string>(), HasSubstr("T"));
    }
    const std::string ready = test::http_get(url("/readyz")).body;
    EXPECT_THAT(ready, HasSubstr("problem " + code + ": "));
    EXPECT_EQ(metrics().value("varve_problem", {{"code", code}}), 1);
  }
  void expect_over(const std::string& code) {
    EXPECT_TRUE(eventually([&] { return !has(code); })) << code;
    EXPECT_EQ(metrics().value("varve_problem", {{"code", code}}), 0);
    EXPECT_THAT(test::http_get(url("/readyz")).body, Not(HasSubstr("problem " + code)));
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<QueryService> queries_;
  std::unique_ptr<KafkaSource> source_;  // set before serve()
  std::unique_ptr<Mirror> mirror_;
  std::unique_ptr<HttpServer> server_;
};

// Lines of the log while it stands.
class LogLines {
 public:
  LogLines() { ::testing::internal::CaptureStderr(); }
  ~LogLines() {
    if (!taken_) (void)::testing::internal::GetCapturedStderr();
  }
  std::string take() {
    taken_ = true;
    log_repeats(true);
    return ::testing::internal::GetCapturedStderr();
  }

 private:
  bool taken_ = false;
};

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_F(Faults, NothingIsWrongWithAWellStore) {
  start();
  EXPECT_EQ(post("m v=1 1\n"), 204);
  EXPECT_EQ(problems(), Json::array());
  const Exposition read = metrics();
  for (const std::string_view code : kProblemCodes) {
    EXPECT_EQ(read.value("varve_problem", {{"code", std::string(code)}}), 0) << code;
  }
}

TEST_F(Faults, AFullDiskIsShownAndEndsByItself) {
  start();
  LogLines log;
  files_.set_disk(100 * kMiB, 100'000 * kMiB);
  wait_for(*engine_, true);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(post("m v=1 1\n"), 503);
  expect_shown("disk_full", "", "100.0 MiB free");
  EXPECT_EQ(test::http_get(url("/readyz")).status, 200) << "queries work";
  EXPECT_LT(metrics().value("varve_disk_headroom_bytes"), 0);
  files_.set_disk(10'000 * kMiB, 100'000 * kMiB);
  wait_for(*engine_, false);
  expect_over("disk_full");
  EXPECT_EQ(post("m v=1 1\n"), 204);
  const std::string lines = log.take();
  EXPECT_EQ(count(lines, "read-only: "), 1U) << lines;
  EXPECT_EQ(count(lines, "over: disk_full"), 1U) << lines;
}

TEST_F(Faults, AFailedSyncIsShownAndReadinessIsGone) {
  start();
  LogLines log;
  files_.fail(FileCall::kSync, 1);
  EXPECT_EQ(post("m v=1 1\n"), 500);
  for (int i = 0; i < 100; ++i) EXPECT_NE(post("m v=1 2\n"), 204);
  expect_shown("store_failed", "", "injected failure");
  EXPECT_EQ(test::http_get(url("/readyz")).status, 503);
  EXPECT_FALSE(has("disk_full")) << "the remedy is another";
  const std::string lines = log.take();
  EXPECT_EQ(count(lines, "writes stopped until restart"), 1U) << lines;
}

TEST_F(Faults, ADamagedSegmentFoundByAQueryIsShown) {
  options_.compaction = false;  // the query shall be the first to see it
  auto engine = open();
  RowBatchBuilder rows("varve", "water");
  for (int64_t time = 0; time < 2000; ++time) {
    rows.begin_row();
    rows.field_double("v", static_cast<double>(time) * 0.37);  // values that need pages
    rows.end_row(time);
  }
  ASSERT_TRUE(engine->append_and_wait(admit(*engine, rows.finish())));
  ASSERT_TRUE(engine->flush());
  const std::string file =
      join_path(join_path(directory_.path().string(), "segments"), engine->segments().at(0).file);
  engine.reset();
  std::string bytes = files_.bytes(file);
  ASSERT_GT(bytes.size(), kSegmentHeaderBytes + 10);
  bytes[kSegmentHeaderBytes + 10] = static_cast<char>(bytes[kSegmentHeaderBytes + 10] ^ 1);
  files_.set_bytes(file, bytes);
  start();
  EXPECT_EQ(problems(), Json::array()) << "nobody has read it yet";
  LogLines log;
  for (int i = 0; i < 50; ++i) {
    EXPECT_NE(test::http_get(url("/api/v1/query?q=" + test::url_encode("SELECT * FROM water"))).status, 200);
  }
  expect_shown("damaged_segment", "", file);
  EXPECT_GE(metrics().value("varve_damaged_reads_total"), 50);
  EXPECT_LE(count(log.take(), "a read found damage"), LogRepeats::kPerWindow + 1);
  // Deleted rows take their file with them, and with it the problem.
  const std::string all = "DELETE FROM water WHERE time < now()";
  ASSERT_EQ(test::http_post(url("/api/v1/query"), all, "text/plain").status, 200);
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(engine_->flush());
    return engine_->status().segments == 0;
  }));
  expect_over("damaged_segment");
  EXPECT_GE(metrics().value("varve_damaged_reads_total"), 50);
}

TEST_F(Faults, AJumpOfTheClockIsShownAndEndsByItself) {
  start();
  clock_.move_wall(kNsPerDay);
  EXPECT_TRUE(eventually([&] {
    clock_.pass(kNsPerSecond);
    return !engine_->status().retention_suspended_reason.empty();
  }));
  expect_shown("clock_jump", "", "jumped ahead by");
  clock_.move_wall(-kNsPerDay);
  EXPECT_TRUE(eventually([&] {
    clock_.pass(kNsPerSecond);
    return engine_->status().retention_suspended_reason.empty();
  }));
  expect_over("clock_jump");
}

TEST_F(Faults, TooManySeriesColumnsAndTablesAreShownWithTheTable) {
  options_.series_per_table_max = 3;
  options_.columns_per_table_max = 20;  // room for the quarantine
  options_.tables_max = 4;              // the quarantine is one of them
  start();
  LogLines log;
  for (int i = 0; i < 100; ++i) EXPECT_NE(post("m,site=s" + std::to_string(i) + " v=1 1\n"), 500);
  expect_shown("series_limit", "varve.m", "3 series");
  std::string fields;
  for (int i = 0; i < 20; ++i) fields += (i == 0 ? "f" : ",f") + std::to_string(i) + "=1";
  EXPECT_EQ(post("wide " + fields + " 1\n"), 204);
  expect_shown("column_limit", "varve.wide", "20 columns");
  for (int i = 0; i < 4; ++i) (void)post("t" + std::to_string(i) + " v=1 1\n");
  expect_shown("table_limit", "", "4 tables");
  const Exposition read = metrics();
  EXPECT_EQ(read.value("varve_rows_refused_total", {{"reason", "series_limit"}}), 97);
  EXPECT_EQ(read.value("varve_table_series", {{"table", "m"}}), 3);
  EXPECT_LE(count(log.take(), "series_limit"), LogRepeats::kPerWindow + 1);
}

TEST_F(Faults, AnUnreachableBrokerIsShown) {
  engine_ = open();
  KafkaSourceOptions options;
  options.brokers = "127.0.0.1:" + std::to_string(test::free_port());
  auto source = KafkaSource::start(options, *engine_, *metrics_);
  ASSERT_TRUE(source) << source.error().message;
  source_ = std::move(*source);
  LogLines log;
  serve();
  expect_shown("broker_unreachable", "kafka.0", options.brokers);
  EXPECT_EQ(metrics().value("varve_ingest_up", {{"source", "kafka.0"}}), 0);
  EXPECT_EQ(test::http_get(url("/readyz")).status, 200);
  EXPECT_LE(count(log.take(), "cannot reach"), LogRepeats::kPerWindow + 1);
}

TEST_F(Faults, ADeadMirrorIsShownWithItsBacklogAndEndsByItself) {
  FakeInflux influx;  // bound, but nobody listens yet
  engine_ = open();
  MirrorOptions options;
  options.url = influx.url();
  options.timing = {
      .backoff_min_ns = kNsPerMs, .backoff_max_ns = 5 * kNsPerMs, .hold_retry_ns = 5 * kNsPerMs};
  auto mirror = Mirror::start(options, *engine_, *metrics_);
  ASSERT_TRUE(mirror) << mirror.error().message;
  mirror_ = std::move(*mirror);
  LogLines log;
  serve();
  EXPECT_EQ(post("m v=1 1\n"), 204) << "ingest goes on";
  expect_shown("mirror_unreachable", "mirror.0", "127.0.0.1");
  EXPECT_TRUE(eventually([&] { return metrics().value("varve_mirror_backlog_rows") > 0; }));
  EXPECT_EQ(metrics().value("varve_mirror_up"), 0);
  influx.start();
  expect_over("mirror_unreachable");
  EXPECT_TRUE(eventually([&] { return metrics().value("varve_mirror_backlog_rows") == 0; }));
  influx.on_write([](const FakeRequest&) { return FakeReply{.status = 401, .body = "no", .store = false}; });
  EXPECT_EQ(post("m v=1 2\n"), 204);
  expect_shown("mirror_held", "mirror.0", "401");
  const std::string lines = log.take();
  EXPECT_LE(count(lines, "nothing is lost"), LogRepeats::kPerWindow + 3) << lines;
}

}  // namespace
}  // namespace varve
