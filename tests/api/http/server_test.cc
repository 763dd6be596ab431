#include "api/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "ingest/decode/line_protocol.h"
#include "tests/api/http/raw_client.h"
#include "tests/api/http/scripted_queries.h"
#include "tests/support/fake_engine.h"
#include "web/assets.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using test::ask;
using test::get;
using test::post;
using test::RawAnswer;
using test::RawClient;

// Waits for a condition other threads bring about.
bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in(text);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string chunked(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::string_view part = body.substr(0, 4000);
    char size[16];
    (void)std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    out += size;
    out += part;
    out += "\r\n";
    body.remove_prefix(part.size());
  }
  return out + "0\r\n\r\n";
}

class Http : public ::testing::Test {
 protected:
  Http() {
    test::QueryScript& script = test::query_script();
    script.run = nullptr;
    script.cancelled = false;
    script.list.clear();
    auto started = HttpServer::start({"127.0.0.1", 0}, metrics_);
    EXPECT_TRUE(started.has_value());
    server_ = std::move(*started);
    server_->serve(
        {&engine_, &queries_, &metrics_, [this] { return sources_; }, [this] { return mirrors_; }});
  }
  uint16_t port() const { return server_->port(); }

  MetricsRegistry metrics_;
  FakeEngine engine_;
  QueryService queries_{engine_, {}, metrics_};
  std::vector<SourceStatus> sources_;
  std::vector<MirrorStatus> mirrors_;
  std::unique_ptr<HttpServer> server_;
};

Json json_of(const RawAnswer& answer) {
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  return Json::parse(answer.body);
}

// ---- queries ----

TEST_F(Http, AnswersAQueryByGet) {
  const RawAnswer answer = get(port(), "/api/v1/query?q=SELECT%201");
  EXPECT_EQ(answer.status, 200);
  const Json json = json_of(answer);
  EXPECT_EQ(json["row_count"], 1);
  EXPECT_EQ(json["columns"][0]["name"], "x");
  EXPECT_EQ(json["rows"].size(), 1u);
  EXPECT_TRUE(json["stats"].contains("elapsed_ms"));
}

TEST_F(Http, PassesStatementAndParametersOfEveryForm) {
  QueryRequest seen;
  test::query_script().run = [&](const QueryRequest& request, ResultSink& sink) -> QueryResult<QueryStats> {
    seen = request;
    test::write_rows(sink, 1);
    return QueryStats{};
  };
  EXPECT_EQ(get(port(), "/api/v1/query?q=SELECT+a&%24i=7&%24d=1.5&%24b=true&%24s=abc&%24q=%227%22").status,
            200);
  EXPECT_EQ(seen.sql, "SELECT a");
  EXPECT_EQ(seen.parameters.at("i"), Value(int64_t{7}));
  EXPECT_EQ(seen.parameters.at("d"), Value(1.5));
  EXPECT_EQ(seen.parameters.at("b"), Value(true));
  EXPECT_EQ(seen.parameters.at("s"), Value(std::string("abc")));
  EXPECT_EQ(seen.parameters.at("q"), Value(std::string("7")));

  const std::string json = "Content-Type: application/json; charset=utf-8\r\n";
  EXPECT_EQ(
      post(
          port(), "/api/v1/query",
          R"({"sql":"SELECT b","params":{"i":-1,"d":2.0,"n":null,"s":"x","b":false},"format":"csv","time_format":"ms"})",
          json)
          .status,
      200);
  EXPECT_EQ(seen.sql, "SELECT b");
  EXPECT_EQ(seen.parameters.at("i"), Value(int64_t{-1}));
  EXPECT_EQ(seen.parameters.at("d"), Value(2.0));
  EXPECT_EQ(seen.parameters.at("n"), Value());

  EXPECT_EQ(post(port(), "/api/v1/query?format=csv", "SELECT c").status, 200);
  EXPECT_EQ(seen.sql, "SELECT c");
  // curl -d says it is a form; it still is the bare SQL, over the library's form limit too.
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  const std::string wide = "SELECT d --" + std::string(20'000, '-');
  EXPECT_EQ(post(port(), "/api/v1/query", wide, form).status, 200);
  EXPECT_EQ(seen.sql, wide);
}

TEST_F(Http, WritesEachFormatWithItsType) {
  EXPECT_THAT(get(port(), "/api/v1/query?q=x&format=csv").headers.at("content-type"), HasSubstr("text/csv"));
  EXPECT_THAT(get(port(), "/api/v1/query?q=x&format=ndjson").headers.at("content-type"), HasSubstr("ndjson"));
  EXPECT_THAT(get(port(), "/api/v1/query?q=x&format=table").headers.at("content-type"),
              HasSubstr("text/plain"));
}

TEST_F(Http, RefusesRequestsThatAreNoQuery) {
  const std::string json = "Content-Type: application/json\r\n";
  struct Case {
    RawAnswer answer;
    const char* message;
  };
  const Case cases[] = {
      {get(port(), "/api/v1/query"), "no SQL was given"},
      {post(port(), "/api/v1/query", " \n"), "no SQL was given"},
      {get(port(), "/api/v1/query?q=x&format=xml"), "unknown format"},
      {get(port(), "/api/v1/query?q=x&time_format=days"), "unknown time_format"},
      {post(port(), "/api/v1/query", "SELECT 1", json), "the body is not JSON"},
      {post(port(), "/api/v1/query", "[1]", json), "must be an object"},
      {post(port(), "/api/v1/query", R"({"sql":1})", json), "sql must be a string"},
      {post(port(), "/api/v1/query", R"({"query":"x"})", json), "unknown key query"},
      {post(port(), "/api/v1/query", R"({"sql":"x","params":[]})", json), "params must be an object"},
      {post(port(), "/api/v1/query", R"({"sql":"x","params":{"a":[]}})", json), "parameter $a must be"},
      {post(port(), "/api/v1/query", R"({"sql":"x","params":{"a":18446744073709551615}})", json),
       "parameter $a"},
      {post(port(), "/api/v1/query", std::string(100'000, '['), json), "nested too deeply"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(one.answer.status, 400) << one.message;
    EXPECT_EQ(json_of(one.answer)["error"]["code"], "bad_request");
    EXPECT_THAT(json_of(one.answer)["error"]["message"].get<std::string>(), HasSubstr(one.message));
  }
}

TEST_F(Http, MapsEachKindOfQueryErrorToItsStatus) {
  const std::pair<QueryErrorKind, int> kinds[] = {
      {QueryErrorKind::kInvalid, 400}, {QueryErrorKind::kNotFound, 404},  {QueryErrorKind::kLimit, 422},
      {QueryErrorKind::kTimeout, 408}, {QueryErrorKind::kCancelled, 499}, {QueryErrorKind::kBusy, 503},
      {QueryErrorKind::kInternal, 500}};
  for (const auto& [kind, status] : kinds) {
    test::query_script().run = [kind = kind](const QueryRequest&, ResultSink&) -> QueryResult<QueryStats> {
      return tl::make_unexpected(QueryError{kind, "some_code", "a \"quoted\"\nmessage", 14, "a hint"});
    };
    const RawAnswer answer = get(port(), "/api/v1/query?q=x");
    EXPECT_EQ(answer.status, status);
    const Json error = json_of(answer)["error"];
    EXPECT_EQ(error["code"], "some_code");
    EXPECT_EQ(error["message"], "a \"quoted\"\nmessage");
    EXPECT_EQ(error["position"], 14);
    EXPECT_EQ(error["hint"], "a hint");
    EXPECT_EQ(answer.headers.contains("retry-after"), status == 503);
  }
}

TEST_F(Http, AnErrorAfterFewRowsStillGetsItsStatus) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, 100);
    return tl::make_unexpected(QueryError{QueryErrorKind::kLimit, "row_limit", "too many rows", {}, {}});
  };
  const RawAnswer answer = get(port(), "/api/v1/query?q=x");
  EXPECT_EQ(answer.status, 422);
  EXPECT_FALSE(json_of(answer)["error"].contains("position"));
}

TEST_F(Http, AnErrorAfterTheFirstBytesCutsTheAnswerShort) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, 20'000);
    return tl::make_unexpected(QueryError{QueryErrorKind::kInternal, "corruption", "damaged block", {}, {}});
  };
  const RawAnswer answer = get(port(), "/api/v1/query?q=x&format=csv");
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.complete);
}

TEST_F(Http, ABigAnswerIsStreamedWhole) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    QueryStats stats;
    stats.row_count = test::write_rows(sink, 50'000);
    return stats;
  };
  const RawAnswer answer = get(port(), "/api/v1/query?q=x");
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(Json::parse(answer.body)["rows"].size(), 50'000u);
}

TEST_F(Http, AClientThatGoesAwayStopsItsQuery) {
  std::atomic<uint64_t> written{0};
  test::query_script().run = [&](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    written = test::write_rows(sink, 100'000'000);  // 10 GB: it ends because it is stopped
    return QueryStats{};
  };
  {
    RawClient client(port());
    client.send("GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_FALSE(client.receive().empty());
  }
  EXPECT_TRUE(eventually([] { return test::query_script().running == 0; }));
  EXPECT_LT(written, 100'000'000u);
}

TEST_F(Http, StoppingTheServerEndsEndlessAnswers) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, UINT64_MAX);
    return QueryStats{};
  };
  RawClient client(port());
  client.send("GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(client.receive().empty());
  server_->stop();
  EXPECT_EQ(test::query_script().running, 0);
}

TEST_F(Http, ListsAndCancelsQueries) {
  test::query_script().list = {{7, "SELECT 1", 1.5}};
  const Json json = json_of(get(port(), "/api/v1/queries"));
  EXPECT_EQ(json["queries"][0]["id"], 7);
  EXPECT_EQ(json["queries"][0]["sql"], "SELECT 1");
  const auto remove = [&](const std::string& id) {
    return ask(port(), "DELETE /api/v1/queries/" + id + " HTTP/1.1\r\nHost: h\r\n\r\n");
  };
  EXPECT_EQ(remove("x").status, 400);
  EXPECT_EQ(remove("8").status, 404);
  EXPECT_EQ(remove("7").status, 200);
  EXPECT_TRUE(test::query_script().cancelled);
}

// ---- health while others are slow ----

TEST_F(Http, SlowClientsDoNotBlockHealth) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, UINT64_MAX);
    return QueryStats{};
  };
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) {  // half send an unfinished request, half never read their answer
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send(i % 2 == 0 ? "GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /heal");
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(get(port(), "/healthz").status, 200);
}

TEST_F(Http, AnswersHealthMetricsAndPing) {
  EXPECT_EQ(get(port(), "/healthz").status, 200);
  EXPECT_EQ(get(port(), "/readyz").status, 200);
  const RawAnswer metrics = get(port(), "/metrics");
  EXPECT_EQ(metrics.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics.body, HasSubstr("varve_http_requests_total{family=\"health\",status=\"200\"} 2"));
  EXPECT_THAT(metrics.body, HasSubstr("# TYPE varve_http_request_seconds histogram"));
  EXPECT_THAT(metrics.body, HasSubstr("varve_resident_memory_bytes"));
  const RawAnswer ping = get(port(), "/ping");
  EXPECT_EQ(ping.status, 204);
  EXPECT_THAT(ping.headers.at("x-influxdb-version"), HasSubstr("1.8"));
  EXPECT_EQ(ask(port(), "HEAD /ping HTTP/1.1\r\nHost: h\r\n\r\n").status, 204);
  EXPECT_EQ(json_of(get(port(), "/health"))["status"], "pass");
}

TEST(HttpStart, BeforeServeOnlyHealthAnswers) {
  MetricsRegistry metrics;
  auto server = HttpServer::start({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(get((*server)->port(), "/healthz").status, 200);
  for (const char* path : {"/readyz", "/api/v1/status", "/"}) {
    const RawAnswer answer = get((*server)->port(), path);
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_TRUE(answer.headers.contains("retry-after"));
  }
}

TEST(HttpStart, ASecondServerOnThePortFailsAndNamesIt) {
  MetricsRegistry metrics;
  auto first = HttpServer::start({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(first.has_value());
  const auto second = HttpServer::start({"127.0.0.1", (*first)->port()}, metrics);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message,
              HasSubstr("address 127.0.0.1:" + std::to_string((*first)->port()) + " is in use"));
}

TEST(HttpStart, AnAddressOfAnotherMachineFails) {
  MetricsRegistry metrics;
  const auto server = HttpServer::start({"192.0.2.1", 8484}, metrics);
  ASSERT_FALSE(server.has_value());
  EXPECT_THAT(server.error().message, HasSubstr("cannot listen on 192.0.2.1:8484: "));
}

// ---- tables and status ----

RowBatch batch_of(const std::string& database, const std::string& table) {
  RowBatchBuilder builder(database, table);
  builder.begin_row();
  EXPECT_EQ(builder.field_double("v", 1), RowBatchBuilder::Add::kOk);
  builder.end_row(1'735'689'600'000'000'000);
  return builder.finish();
}

TEST_F(Http, ListsTablesAndFindsOneByName) {
  std::vector<RowBatch> batches;
  for (const auto& [database, table] : std::vector<std::pair<std::string, std::string>>{
           {"varve", "water"}, {"other", "water"}, {"other", "only"}, {"a", "twice"}, {"b", "twice"}}) {
    batches.push_back(batch_of(database, table));
  }
  ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))).has_value());

  const Json list = json_of(get(port(), "/api/v1/tables"))["tables"];
  EXPECT_EQ(list.size(), 5u);
  EXPECT_TRUE(list[0].contains("time_min"));
  EXPECT_TRUE(list[0].contains("retention"));
  const auto database_of = [&](const std::string& name) {
    return json_of(get(port(), "/api/v1/tables/" + name)).value("database", "none");
  };
  EXPECT_EQ(database_of("water"), "varve");
  EXPECT_EQ(database_of("other.water"), "other");
  EXPECT_EQ(database_of("only"), "other");
  const RawAnswer unknown = get(port(), "/api/v1/tables/watre");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json_of(unknown)["error"]["hint"], "did you mean water?");
  const RawAnswer twice = get(port(), "/api/v1/tables/twice");
  EXPECT_EQ(twice.status, 400);
  EXPECT_THAT(twice.body, HasSubstr("a.twice b.twice"));
}

TEST_F(Http, StatusTellsEverythingThePageNeeds) {
  SourceStatus source;
  source.name = "kafka.0";
  source.kind = "kafka";
  source.state = "running";
  source.rejected_total = 3;
  source.partitions = {{"readings", 1, 10, 15, 5, 1'735'689'600'000'000'000}, {"readings", 2, 0, {}, {}, {}}};
  sources_ = {source};
  MirrorStatus mirror;
  mirror.name = "mirror.0";
  mirror.backlog_bytes = 9;
  mirrors_ = {mirror};
  const Json json = json_of(get(port(), "/api/v1/status"));
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["store_id"], "fake");
  EXPECT_EQ(json["ingest"]["rejected_total"], 3);
  const Json partitions = json["ingest"]["sources"][0]["partitions"];
  EXPECT_EQ(partitions[0]["lag"], 5);
  EXPECT_EQ(partitions[0]["last_event_time"], "2025-01-01T00:00:00Z");
  EXPECT_TRUE(partitions[1]["lag"].is_null());
  EXPECT_EQ(json["mirrors"][0]["backlog_bytes"], 9);
  for (const char* key : {"version", "uptime_seconds", "wal", "segments", "memtable", "quarantine"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
}

// ---- routing ----

TEST_F(Http, UnknownPathsAndMethodsSayWhatThereIs) {
  const RawAnswer path = get(port(), "/api/v1/querry");
  EXPECT_EQ(path.status, 404);
  EXPECT_EQ(json_of(path)["error"]["hint"], "did you mean /api/v1/query?");
  const RawAnswer method = ask(port(), "PUT /api/v1/query HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "GET, HEAD, POST");
  EXPECT_EQ(post(port(), "/nothing/here", "x").status, 404);
  EXPECT_EQ(post(port(), "/" + std::string(4000, 'a'), "x").status, 404);
  EXPECT_EQ(post(port(), "/a%0ab", "x").status, 404);
}

TEST_F(Http, ServesThePageFromTheBinary) {
  const RawAnswer page = get(port(), "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.headers.at("content-type"), HasSubstr("text/html"));
  EXPECT_EQ(page.headers.at("content-encoding"), "gzip");
  EXPECT_THAT(page.headers.at("content-security-policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(page.body, web_assets()[0].path == "/" ? std::string(web_assets()[0].gzip_bytes) : page.body);
  const RawAnswer again = get(port(), "/", "If-None-Match: " + page.headers.at("etag") + "\r\n");
  EXPECT_EQ(again.status, 304);
  for (const char* path :
       {"/../etc/passwd", "/%2e%2e/etc/passwd", "/assets/../../etc/passwd", "/index.html%00.js"}) {
    EXPECT_EQ(get(port(), path).status, 404) << path;
  }
}

// ---- what a request must not be ----

TEST_F(Http, RefusesRangesRepeatedLengthsAndForeignOrigins) {
  EXPECT_EQ(get(port(), "/", "Range: bytes=0-1\r\n").status, 416);
  EXPECT_EQ(
      ask(port(), "POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n").status,
      400);
  EXPECT_EQ(post(port(), "/write", "", "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(post(port(), "/write", "", "Origin: http://h\r\n").status, 204);
  EXPECT_EQ(post(port(), "/write", "", "Origin: null\r\n").status, 403);
}

TEST_F(Http, BoundsHeaderLines) {
  RawClient client(port());
  client.send("GET /healthz HTTP/1.1\r\nX: " + std::string(1 << 20, 'a'));
  const RawAnswer answer = client.answer();
  EXPECT_THAT(answer.status, ::testing::AnyOf(0, 400, 414, 431));  // 0: closed without an answer
  EXPECT_EQ(get(port(), "/healthz").status, 200);
}

TEST_F(Http, DoesNotRepeatInputInHeaders) {
  const RawAnswer answer = get(port(), "/api/v1/tables/a%0d%0aX-Evil:%201");
  EXPECT_EQ(answer.status, 404);
  EXPECT_FALSE(answer.headers.contains("x-evil"));
}

TEST_F(Http, KeepsAConnectionForSeveralRequests) {
  RawClient client(port());
  for (int i = 0; i < 5; ++i) {
    client.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(client.answer().status, 200);
  }
}

// ---- writes ----

std::string write_error(const RawAnswer& answer) {
  return json_of(answer)["error"].get<std::string>();
}

TEST_F(Http, WritesLineProtocolAndAnswersWhenDurable) {
  const RawAnswer answer =
      post(port(), "/write?db=plant&precision=s", "m,site=a v=1 1735689600\nm,site=b v=2i 1735689600\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_TRUE(answer.body.empty());
  EXPECT_TRUE(answer.headers.contains("x-influxdb-version"));
  const auto records = engine_.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].batches[0].database, "plant");
  EXPECT_EQ(records[0].batches[0].times[0], 1'735'689'600'000'000'000);
  EXPECT_EQ(engine_.rows("m"), 2u);
}

TEST_F(Http, WritesToTheDefaultDatabaseWithoutOne) {
  EXPECT_EQ(post(port(), "/write", "m v=1 1").status, 204);
  EXPECT_EQ(post(port(), "/write?db=&rp=&precision=", "m v=1 2").status, 204);
  for (const LogRecord& record : engine_.records()) EXPECT_EQ(record.batches[0].database, kDefaultDatabase);
}

TEST_F(Http, AnEmptyWriteIsFine) {
  EXPECT_EQ(post(port(), "/write", "").status, 204);
  EXPECT_EQ(post(port(), "/write", "\n# only a comment\n").status, 204);
  EXPECT_EQ(engine_.appends(), 0u);
}

TEST_F(Http, ReadsGzipChunkedAndFormTypedBodies) {
  std::string lines;
  for (int i = 1; i <= 1000; ++i) lines += "m v=1 " + std::to_string(i) + "\n";
  EXPECT_EQ(post(port(), "/write", gzip(lines), "Content-Encoding: gzip\r\n").status, 204);
  EXPECT_EQ(
      ask(port(), "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(lines))
          .status,
      204);
  EXPECT_EQ(ask(port(),
                "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                "Content-Encoding: gzip\r\n\r\n" +
                    chunked(gzip(lines)))
                .status,
            204);
  // curl --data-binary says so, and the library would cut such a body at 8 KiB.
  EXPECT_EQ(post(port(), "/write", lines, "Content-Type: application/x-www-form-urlencoded\r\n").status, 204);
  EXPECT_EQ(engine_.rows("m"), 4000u);
}

TEST_F(Http, KeepsGoodLinesAndNamesBadOnes) {
  const RawAnswer answer = post(port(), "/write?db=d", "m v=1 1\nm v= 2\nm v=3 3\nnonsense\n");
  EXPECT_EQ(answer.status, 400);
  const std::string error = write_error(answer);
  EXPECT_THAT(error, HasSubstr("partial write: unable to parse 'm v= 2': "));
  EXPECT_THAT(error, HasSubstr("unable to parse 'nonsense': "));
  EXPECT_THAT(error, HasSubstr("dropped=0 for database: d"));
  EXPECT_EQ(engine_.rows("m"), 2u);
  EXPECT_EQ(engine_.rows("varve_quarantine"), 2u);
  EXPECT_EQ(engine_.records().size(), 1u);  // good and refused lines become durable together
  EXPECT_EQ(json_of(get(port(), "/api/v1/status"))["ingest"]["rejected_total"], 2);
}

TEST_F(Http, NamesRowsTheStoreRefusesAndKeepsTheRest) {
  engine_.refuse_rows([](const RowBatch& batch,
                         size_t row) -> std::optional<std::pair<std::string, std::string>> {
    if (batch.table != "m" || batch.times[row] != 2) return std::nullopt;
    return std::pair<std::string, std::string>("type_conflict", "field v is a double, this row has a string");
  });
  const RawAnswer answer = post(port(), "/write?db=d", "m v=1 1\nm v=2 2\nm v=3 3\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(write_error(answer), HasSubstr("partial write: "));
  EXPECT_THAT(write_error(answer), HasSubstr("field v is a double"));
  EXPECT_THAT(write_error(answer), HasSubstr("dropped=1 for database: d"));
  EXPECT_EQ(engine_.rows("m"), 2u);
  bool quarantined = false;
  for (const LogRecord& record : engine_.records()) {
    for (const RowBatch& batch : record.batches) {
      if (batch.table != "varve_quarantine") continue;
      for (const FieldColumn& field : batch.fields) {
        quarantined =
            quarantined || (field.name == "payload" && field.data.value(0) == Value(std::string("m v=2 2")));
      }
    }
  }
  EXPECT_TRUE(quarantined);
}

TEST_F(Http, ManyBadLinesDoNotMakeAnEndlessAnswer) {
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "bad\n";
  const RawAnswer answer = post(port(), "/write", lines);
  EXPECT_EQ(answer.status, 400);
  EXPECT_LT(answer.body.size(), 64u << 10);
  EXPECT_THAT(write_error(answer), HasSubstr("more lines"));
  EXPECT_THAT(write_error(answer), HasSubstr("and 4980 more lines"));
  EXPECT_EQ(engine_.rows("varve_quarantine"), kLineRejectsMax);
}

TEST_F(Http, RefusesAnUnknownPrecision) {
  const RawAnswer answer = post(port(), "/write?precision=days", "m v=1 1");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(write_error(answer), HasSubstr("precision"));
  EXPECT_EQ(engine_.appends(), 0u);
}

TEST_F(Http, OverloadIs503WithRetryAfterAndNothingTaken) {
  engine_.fail_next_appends(1, unavailable("the memtable is full"));
  const RawAnswer refused = post(port(), "/write", "m v=1 1\nbad\n");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  // Telegraf drops data when a 5xx says "partial write" or "unable to parse".
  EXPECT_THAT(refused.body, Not(HasSubstr("partial write")));
  EXPECT_THAT(refused.body, Not(HasSubstr("unable to parse")));
  EXPECT_EQ(engine_.records().size(), 0u);
  engine_.fail_next_syncs(1, {ErrorCode::kIo, "fdatasync: Input/output error"});
  EXPECT_EQ(post(port(), "/write", "m v=1 1").status, 500);
}

TEST_F(Http, BodiesOverTheLimitGet413) {
  const std::string big(25'000'001, '#');
  RawClient plain(port());
  plain.send("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 25000001\r\n\r\n");
  EXPECT_EQ(plain.answer().status, 413);
  EXPECT_EQ(post(port(), "/write", gzip(big), "Content-Encoding: gzip\r\n").status, 413);
  RawClient chunks(port());
  chunks.send("POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string piece = chunked(std::string(4000, '#'));
  const std::string chunk = piece.substr(0, piece.size() - 5);  // without the last, empty one
  for (int i = 0; i < 7000 && chunks.send(chunk); ++i) {
  }
  EXPECT_THAT(chunks.answer().status, ::testing::AnyOf(413, 0));  // 0: the close overtook the answer
  EXPECT_EQ(engine_.appends(), 0u);
  EXPECT_EQ(get(port(), "/healthz").status, 200);
}

TEST_F(Http, BrokenBodiesAreRefusedWhole) {
  EXPECT_EQ(post(port(), "/write", "this is no gzip", "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(post(port(), "/write", "m v=1 1", "Content-Encoding: zstd\r\n").status, 415);
  EXPECT_EQ(post(port(), "/write", "x", "Content-Type: multipart/form-data; boundary=b\r\n").status, 415);
  {
    RawClient early(port());
    early.send("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nm v=1 1\n");
  }
  EXPECT_EQ(get(port(), "/healthz").status, 200);
  EXPECT_EQ(engine_.appends(), 0u);
}

}  // namespace
}  // namespace varve
