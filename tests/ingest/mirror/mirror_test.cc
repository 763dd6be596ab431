#include "ingest/mirror/mirror.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "tests/support/batch_text.h"
#include "tests/support/fake_engine.h"
#include "tests/support/fake_influx.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MirrorTest : public ::testing::Test {
 protected:
  MirrorTest() {
    options.url = influx.url();
    options.timing = {.backoff_min_ns = 2 * kNsPerMs,
                      .backoff_max_ns = 20 * kNsPerMs,
                      .hold_retry_ns = 20 * kNsPerMs,
                      .stop_grace_ns = 100 * kNsPerMs,
                      .save_every_ns = kNsPerSecond};
  }

  void append(RowBatch batch) {
    std::vector<RowBatch> batches;
    batches.push_back(std::move(batch));
    ASSERT_TRUE(engine.append_and_wait(engine.admit(std::move(batches))));
  }
  // One record of `count` rows of table m, v and time counting on from the last call.
  void append_rows(size_t count, const std::string& database = "varve", const std::string& table = "m") {
    RowBatchBuilder builder(database, table);
    for (size_t i = 0; i < count; ++i) {
      ++last_;
      builder.begin_row();
      builder.field_int("v", last_);
      builder.end_row(last_);
    }
    append(builder.finish());
  }
  static std::string line(int64_t i) { return fmt::format("m v={0} {0}", i); }
  std::vector<std::string> lines_up_to(int64_t last) {
    std::vector<std::string> lines;
    for (int64_t i = 1; i <= last; ++i) lines.push_back(line(i));
    return lines;
  }

  void start_mirror() {
    auto started = Mirror::start(options, engine, metrics);
    ASSERT_TRUE(started) << started.error().message;
    mirror = std::move(*started);
  }
  bool all_saved() {
    return influx.wait_until([&] { return engine.saved("mirror.0") == engine.records().size(); });
  }
  bool has_state(const std::string& state) {
    return influx.wait_until([&] { return mirror->status().state == state; });
  }
  size_t writes() {
    const auto requests = influx.requests();
    return static_cast<size_t>(std::count_if(
        requests.begin(), requests.end(),
        [](const FakeRequest& request) { return request.path.find("write") != std::string::npos; }));
  }
  std::vector<std::string> quarantined() {  // details, then payloads
    std::vector<std::string> texts;
    for (const LogRecord& record : engine.records()) {
      for (const RowBatch& batch : record.batches) {
        if (batch.table != "varve_quarantine") continue;
        for (size_t row = 0; row < batch.rows(); ++row) {
          texts.emplace_back(batch.fields[2].data.strings[row]);
          texts.emplace_back(batch.fields[3].data.strings[row]);
        }
      }
    }
    return texts;
  }

  FakeEngine engine;
  FakeInflux influx;
  MetricsRegistry metrics;
  MirrorOptions options;
  std::unique_ptr<Mirror> mirror;
  int64_t last_ = 0;
};

TEST_F(MirrorTest, SendsEveryRowOnceInOrder) {
  influx.start();
  for (int i = 0; i < 50; ++i) append_rows(7);
  start_mirror();
  for (int i = 0; i < 50; ++i) append_rows(7);
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(700));
  EXPECT_EQ(influx.connections(), 1U);  // kept alive
  const MirrorStatus status = mirror->status();
  EXPECT_EQ(status.state, "ok");
  EXPECT_EQ(status.rows_sent_total, 700U);
  EXPECT_EQ(status.rows_refused_total, 0U);
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_rows_total{mirror=\"mirror.0\"} 700"));
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_up{mirror=\"mirror.0\"} 1"));
}

TEST_F(MirrorTest, PassesOverDeletes) {
  influx.start();
  append_rows(2);
  ASSERT_TRUE(engine.erase({"varve", "m", {}, nullptr}));
  append_rows(2);
  ASSERT_TRUE(engine.erase({"varve", "m", {}, nullptr}));
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(4));
}

TEST_F(MirrorTest, SendsRequestsOfAtMostBatchLines) {
  influx.start();
  options.batch_lines = 100;
  append_rows(1050);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(1050));
  for (const FakeRequest& request : influx.requests()) EXPECT_LE(request.lines().size(), 100U);
}

TEST_F(MirrorTest, CutsRequestsByTheirBytesToo) {
  influx.start();
  RowBatchBuilder builder("varve", "m");
  for (int i = 0; i < 20; ++i) {
    builder.begin_row();
    builder.field_string("s", std::string(1 << 20, 'x'));
    builder.end_row(i);
  }
  append(builder.finish());
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve").size(), 20U);
  for (const FakeRequest& request : influx.requests()) EXPECT_LE(request.body.size(), 8U << 20);
}

TEST_F(MirrorTest, WaitsForAServerThatIsDownAndLosesNothing) {
  for (int i = 0; i < 20; ++i) append_rows(10);
  start_mirror();
  ASSERT_TRUE(has_state("retrying"));
  append_rows(10);
  EXPECT_THAT(mirror->status().last_error, HasSubstr("onnect"));
  EXPECT_TRUE(influx.wait_until([&] { return mirror->status().backlog_records == 21; }));
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_up{mirror=\"mirror.0\"} 0"));
  influx.start();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(210));
  EXPECT_TRUE(has_state("ok"));
  EXPECT_TRUE(influx.wait_until([&] { return mirror->status().backlog_records == 0; }));
}

TEST_F(MirrorTest, HonoursRetryAfter) {
  influx.start();
  int refusals = 1;
  influx.on_write([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (refusals-- > 0) return FakeReply{.status = 503, .body = "busy", .headers = "Retry-After: 1\r\n"};
    return std::nullopt;
  });
  append_rows(3);
  const int64_t start_ns = real_clock().monotonic_ns();
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_GE(real_clock().monotonic_ns() - start_ns, kNsPerSecond);
  EXPECT_EQ(influx.lines("varve"), lines_up_to(3));
  EXPECT_THAT(mirror->status().last_error, HasSubstr("HTTP 503: busy"));
}

TEST_F(MirrorTest, HonoursRetryAfterAsADate) {
  influx.start();
  const int64_t now_s = real_clock().wall_ns() / kNsPerSecond;
  const auto at = static_cast<time_t>(now_s + 2);
  char date[64];
  tm utc{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &utc));
  bool busy = true;
  influx.on_write([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (!std::exchange(busy, false)) return std::nullopt;
    return FakeReply{.status = 429, .headers = fmt::format("Retry-After: {}\r\n", date)};
  });
  append_rows(3);
  start_mirror();
  ASSERT_TRUE(all_saved());
  // A date has whole seconds, and so has what is left until then.
  EXPECT_GE(real_clock().wall_ns() / kNsPerSecond, now_s + 1);
  EXPECT_EQ(influx.lines("varve"), lines_up_to(3));
}

TEST_F(MirrorTest, RetriesServerErrorsUntilTheyPass) {
  influx.start();
  std::vector<int> script = {500, 429, 502, 504};
  influx.on_write([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (script.empty()) return std::nullopt;
    const int status = script.back();
    script.pop_back();
    return FakeReply{.status = status, .body = "passing"};
  });
  append_rows(3);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(3));
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_errors_total{mirror=\"mirror.0\"} 4"));
}

// As InfluxDB 2: a request with a bad line is refused whole.
TEST_F(MirrorTest, FindsTheOneBadLineOfMany) {
  influx.start();
  const std::string bad = line(3456);
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    const auto lines = request.lines();
    if (std::find(lines.begin(), lines.end(), bad) == lines.end()) return std::nullopt;
    return FakeReply{.status = 400, .body = "{\"error\":\"the server's words\"}"};
  });
  append_rows(5000);
  append_rows(1000);
  start_mirror();
  ASSERT_TRUE(all_saved());
  std::vector<std::string> expected = lines_up_to(6000);
  std::erase(expected, bad);
  EXPECT_EQ(influx.lines("varve"), expected);
  EXPECT_THAT(quarantined(), ElementsAre("HTTP 400: {\"error\":\"the server's words\"}", bad + "\n"));
  EXPECT_EQ(mirror->status().rows_refused_total, 1U);
  EXPECT_EQ(mirror->status().rows_sent_total, 5999U);
  EXPECT_LE(writes(), 40U);
  for (const LogRecord& record : engine.records()) {
    for (const RowBatch& batch : record.batches) {
      if (batch.table == "varve_quarantine") {
        EXPECT_THAT(row_text(batch, 0), HasSubstr("reason=mirror_refused,source=mirror.0 "));
      }
    }
  }
}

// As InfluxDB 1: the good lines of the request are stored, the count of the others is told.
TEST_F(MirrorTest, QuarantinesAtOnceWhatIsRefusedWhole) {
  influx.start();
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    const auto lines = request.lines();
    const auto is_bad = [](const std::string& text) { return text.find("bad") == 0; };
    const auto dropped = std::count_if(lines.begin(), lines.end(), is_bad);
    if (dropped == 0) return std::nullopt;
    return FakeReply{
        .status = 400,
        .body = fmt::format(R"({{"error":"partial write: field type conflict dropped={}"}})", dropped),
        .keep = [is_bad](const std::string& text) { return !is_bad(text); }};
  });
  append_rows(1000, "varve", "bad");
  append_rows(10);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(quarantined().size(), 2000U);
  const auto lines = influx.lines("varve");
  for (int64_t i = 1001; i <= 1010; ++i) EXPECT_THAT(lines, ::testing::Contains(line(i)));
  EXPECT_LE(writes(), 30U);
}

TEST_F(MirrorTest, HalvesRequestsThatAreTooLarge) {
  influx.start();
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.lines().size() <= 300) return std::nullopt;
    return FakeReply{.status = 413, .body = "Request Entity Too Large"};
  });
  append_rows(2000);
  append_rows(2000);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(4000));
  EXPECT_THAT(quarantined(), IsEmpty());
}

TEST_F(MirrorTest, QuarantinesALineThatIsTooLargeByItself) {
  influx.start();
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    if (request.body.size() <= 1000) return std::nullopt;
    return FakeReply{.status = 413, .body = "too large"};
  });
  append_rows(1);
  RowBatchBuilder builder("varve", "m");
  builder.begin_row();
  builder.field_string("s", std::string(2000, 'x'));
  builder.end_row(5);
  append(builder.finish());
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(1));
  ASSERT_EQ(quarantined().size(), 2U);
  EXPECT_EQ(quarantined()[0], "HTTP 413: too large");
}

TEST_F(MirrorTest, HoldsWhenNotAuthorizedAndGoesOnOnceItIs) {
  influx.start();
  std::atomic<bool> authorized{false};
  options.token = "ann:s3cret";
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    EXPECT_EQ(request.headers.at("authorization"), "Basic YW5uOnMzY3JldA==");
    if (authorized) return std::nullopt;
    return FakeReply{.status = 401, .body = "{\"error\":\"authorization failed\"}"};
  });
  append_rows(5);
  start_mirror();
  ASSERT_TRUE(has_state("held"));
  EXPECT_THAT(mirror->status().last_error, HasSubstr("401"));
  EXPECT_THAT(mirror->status().last_error, Not(HasSubstr("s3cret")));
  EXPECT_EQ(engine.saved("mirror.0"), 0U);
  authorized = true;
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(5));
}

TEST_F(MirrorTest, CreatesDatabasesAtStartAndAgainWhenTheyAreGone) {
  influx.start();
  influx.require_created_databases();
  bool dropped = true;
  influx.on_write([&](const FakeRequest&) -> std::optional<FakeReply> {
    if (!std::exchange(dropped, false)) return std::nullopt;
    return FakeReply{.status = 404, .body = R"({"error":"database not found: \"copy\""})"};
  });
  options.database = "copy";
  append_rows(2);
  append_rows(1, "oth\"er db");
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("copy"), lines_up_to(2));
  EXPECT_THAT(influx.lines("oth\"er db"), ElementsAre(line(3)));
}

TEST_F(MirrorTest, SpeaksToTheGenerationItFinds) {
  influx.start();
  influx.set_version("v2.7.1");
  options.org = "my org";
  options.token = "t0ken";
  append_rows(2);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(2));
  FakeRequest request = influx.requests().back();
  EXPECT_EQ(request.path, "/api/v2/write");
  EXPECT_EQ(request.query["org"], "my org");
  EXPECT_EQ(request.query["precision"], "ns");
  EXPECT_EQ(request.headers["authorization"], "Token t0ken");

  // Upgraded under way: the old route answers 405, the version is asked for again.
  influx.set_version("3.1.0");
  append_rows(2);
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(4));
  request = influx.requests().back();
  EXPECT_EQ(request.path, "/api/v3/write_lp");
  EXPECT_EQ(request.query["precision"], "nanosecond");
  EXPECT_EQ(request.headers["authorization"], "Bearer t0ken");
}

TEST_F(MirrorTest, HoldsWhenInfluxDb2NeedsAnOrg) {
  influx.start();
  influx.set_version("v2.7.1");
  append_rows(2);
  start_mirror();
  ASSERT_TRUE(has_state("held"));
  EXPECT_THAT(mirror->status().last_error, HasSubstr("needs org"));
}

TEST_F(MirrorTest, MakesTheBucketThatInfluxDb2Misses) {
  influx.start();
  influx.set_version("v2.7.1");
  influx.require_created_databases();
  options.org = "my org";
  append_rows(2);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(2));
}

TEST_F(MirrorTest, MakesTheDatabaseOfInfluxDb3) {
  influx.start();
  influx.set_version("3.1.0");
  influx.require_created_databases();
  append_rows(2);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(2));
}

TEST_F(MirrorTest, SendsIntegersAsIntegersWhenTold) {
  influx.start();
  options.integers = "int";
  append_rows(1);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_THAT(influx.lines("varve"), ElementsAre("m v=1i 1"));
}

TEST_F(MirrorTest, CountsIntegersThatNoFloatIsEqualTo) {
  influx.start();
  RowBatchBuilder builder("varve", "m");
  int64_t time = 0;
  for (const int64_t value : {INT64_MAX, INT64_MIN, int64_t{1} << 53, (int64_t{1} << 53) + 1}) {
    builder.begin_row();
    builder.field_int("v", value);
    builder.end_row(++time);
  }
  append(builder.finish());
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_rounded_values_total{mirror=\"mirror.0\"} 2\n"));
}

TEST_F(MirrorTest, KeepsToItsRowsPerSecond) {
  influx.start();
  options.batch_lines = 100;
  options.catch_up_rows_per_second = 1000;
  append_rows(600);
  const int64_t start_ns = real_clock().monotonic_ns();
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_GE(real_clock().monotonic_ns() - start_ns, kNsPerSecond / 2);
  EXPECT_EQ(influx.lines("varve"), lines_up_to(600));
}

TEST_F(MirrorTest, HoldsOnRedirectsAndNeverFollowsThem) {
  influx.start();
  influx.on_write([&](const FakeRequest&) -> std::optional<FakeReply> {
    return FakeReply{.status = 302, .headers = fmt::format("Location: {}/elsewhere\r\n", influx.url())};
  });
  append_rows(1);
  start_mirror();
  ASSERT_TRUE(has_state("held"));
  for (const FakeRequest& request : influx.requests()) EXPECT_NE(request.path, "/elsewhere");
}

TEST_F(MirrorTest, SendsOnlyTheTablesNamedAndNeverVarvesOwn) {
  influx.start();
  options.tables = {"m"};
  append_rows(1);
  append_rows(1, "varve", "other");
  append_rows(1, "varve", "varve_quarantine");
  append_rows(1);
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_THAT(influx.lines("varve"), ElementsAre(line(1), line(4)));
  options.tables = {"*"};
  options.name = "mirror.1";
  options.database = "all";
  start_mirror();
  ASSERT_TRUE(influx.wait_until([&] { return engine.saved("mirror.1") == 4; }));
  EXPECT_EQ(influx.lines("all").size(), 3U);
}

TEST_F(MirrorTest, CountsRowsThatLineProtocolCannotSay) {
  influx.start();
  RowBatchBuilder builder("varve", "m");
  for (int i = 0; i < 3; ++i) {
    builder.begin_row();
    builder.field_double("v", i == 1 ? std::nan("") : 1.5);
    if (i == 2) builder.field_double("w", std::nan(""));
    builder.end_row(i);
  }
  append(builder.finish());
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_THAT(influx.lines("varve"), ElementsAre("m v=1.5 0", "m v=1.5 2"));
  EXPECT_EQ(mirror->status().rows_refused_total, 1U);
  EXPECT_THAT(metrics.render(), HasSubstr("varve_mirror_skipped_values_total{mirror=\"mirror.0\"} 2"));
}

TEST_F(MirrorTest, StopsInTimeWhenTheServerHangsAndLosesNothing) {
  influx.start();
  influx.hang();
  append_rows(5);
  start_mirror();
  ASSERT_TRUE(influx.wait_until([&] { return !influx.requests().empty(); }));
  const int64_t start_ns = real_clock().monotonic_ns();
  mirror.reset();
  EXPECT_LT(real_clock().monotonic_ns() - start_ns, 5 * kNsPerSecond);
  EXPECT_EQ(engine.saved("mirror.0"), 0U);
  influx.resume();
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(5));
}

TEST_F(MirrorTest, StopsInTimeWhileItWaits) {
  options.timing.backoff_min_ns = options.timing.backoff_max_ns = 3600 * kNsPerSecond;
  append_rows(5);
  start_mirror();
  ASSERT_TRUE(has_state("retrying"));
  mirror.reset();  // an hour would pass the test's own limit
}

TEST_F(MirrorTest, GoesOnFromItsPositionAfterARestart) {
  influx.start();
  append_rows(100);
  start_mirror();
  ASSERT_TRUE(all_saved());
  append_rows(100);
  mirror.reset();  // with or without the second record sent: the position says which
  start_mirror();
  append_rows(100);
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve"), lines_up_to(300));
}

// What a kill between the server's 2xx and save() leaves: rows sent, position old.
TEST_F(MirrorTest, SendsAgainWhatWasNotSavedAfterAKill) {
  influx.start();
  options.batch_lines = 100;
  for (int i = 0; i < 10; ++i) append_rows(50);
  engine.fail_next_saves(1'000'000, unavailable("killed"));
  start_mirror();
  ASSERT_TRUE(influx.wait_until([&] { return influx.lines("varve").size() == 500; }));
  EXPECT_TRUE(influx.wait_until(
      [&] { return mirror->status().last_error.find("cannot save the position: killed") == 0; }));
  mirror.reset();
  EXPECT_EQ(engine.saved("mirror.0"), 0U);
  engine.fail_next_saves(0, unavailable(""));
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_EQ(influx.lines("varve").size(), 1000U);  // nothing was saved at all: everything twice, in order
  auto second = influx.lines("varve");
  second.erase(second.begin(), second.begin() + 500);
  EXPECT_EQ(second, lines_up_to(500));
}

TEST_F(MirrorTest, SavesAfterEveryBatchOfLines) {
  influx.start();
  options.batch_lines = 100;
  options.timing.save_every_ns = 3600 * kNsPerSecond;
  for (int i = 0; i < 10; ++i) append_rows(50);
  // At each write, all but the batch before it is saved.
  std::atomic<size_t> unsaved_max{0};
  influx.on_write([&](const FakeRequest& request) -> std::optional<FakeReply> {
    const auto first = static_cast<size_t>(std::stoul(request.lines().front().substr(4)));
    unsaved_max = std::max<size_t>(unsaved_max, first - 1 - 50 * engine.saved("mirror.0"));
    return std::nullopt;
  });
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_LE(unsaved_max, 100U);
}

TEST_F(MirrorTest, WaitsUntilRefusedRowsAreSafelyInQuarantine) {
  influx.start();
  influx.on_write(
      [](const FakeRequest&) -> std::optional<FakeReply> { return FakeReply{.status = 400, .body = "no"}; });
  append_rows(1);
  engine.fail_next_appends(3, unavailable("memory is full"));
  start_mirror();
  ASSERT_TRUE(all_saved());
  EXPECT_THAT(quarantined(), ElementsAre("HTTP 400: no", line(1) + "\n"));
}

TEST_F(MirrorTest, RefusesOptionsItCannotUse) {
  const auto refused = [&](auto change) {
    MirrorOptions wrong = options;
    change(wrong);
    const auto started = Mirror::start(wrong, engine, metrics);
    return started ? std::string("started") : started.error().message;
  };
  EXPECT_THAT(refused([](MirrorOptions& o) { o.url = "ftp://127.0.0.1/"; }),
              HasSubstr("neither http nor https"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.url = "file:///etc/passwd"; }),
              HasSubstr("neither http nor https"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.url = "127.0.0.1:8086"; }), HasSubstr("mirror url"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.url = ""; }), HasSubstr("mirror url"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.url = "http://h/?q=1"; }), HasSubstr("query"));
  const std::string with_password = refused([](MirrorOptions& o) { o.url = "http://ann:s3cret@h/"; });
  EXPECT_THAT(with_password, HasSubstr("token_env"));
  EXPECT_THAT(with_password, Not(HasSubstr("s3cret")));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.token = "a\r\nX: y"; }), HasSubstr("token"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.version = "4"; }), HasSubstr("version"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.version = "2"; }), HasSubstr("org"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.database = ""; }), HasSubstr("database"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.batch_lines = 0; }), HasSubstr("batch_lines"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.tables = {}; }), HasSubstr("tables"));
  EXPECT_THAT(refused([](MirrorOptions& o) { o.tables = {"varve_quarantine"}; }),
              HasSubstr("varve_quarantine"));
}

}  // namespace
}  // namespace varve
