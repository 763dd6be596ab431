#include "api/http/server.h"

#include <condition_variable>

#include "api/query/budget.h"
#include "tests/api/http/http_fixture.h"
#include "web/assets.h"

namespace varve {
namespace {

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
  EXPECT_FALSE(seen.may_change) << "a link must not delete";
  EXPECT_EQ(seen.parameters.at("i"), Value(int64_t{7}));
  EXPECT_EQ(seen.parameters.at("d"), Value(1.5));
  EXPECT_EQ(seen.parameters.at("b"), Value(true));
  EXPECT_EQ(seen.parameters.at("s"), Value(std::string("abc")));
  EXPECT_EQ(seen.parameters.at("q"), Value(std::string("7")));
  EXPECT_EQ(seen.limit, UINT64_MAX);
  EXPECT_EQ(get(port(), "/api/v1/query?q=SELECT+a&limit=12").status, 200);
  EXPECT_EQ(seen.limit, 12U);

  const std::string json = "Content-Type: application/json; charset=utf-8\r\n";
  EXPECT_EQ(
      post(
          port(), "/api/v1/query",
          R"({"sql":"SELECT b","params":{"i":-1,"d":2.0,"n":null,"s":"x","b":false},"format":"csv","time_format":"ms","limit":9})",
          json)
          .status,
      200);
  EXPECT_EQ(seen.sql, "SELECT b");
  EXPECT_TRUE(seen.may_change);
  EXPECT_EQ(seen.parameters.at("i"), Value(int64_t{-1}));
  EXPECT_EQ(seen.parameters.at("d"), Value(2.0));
  EXPECT_EQ(seen.parameters.at("n"), Value());
  EXPECT_EQ(seen.limit, 9U);

  EXPECT_EQ(post(port(), "/api/v1/query?format=csv", "SELECT c").status, 200);
  EXPECT_EQ(seen.sql, "SELECT c");
  EXPECT_TRUE(seen.may_change);
  // curl -d says it is a form; it still is the bare SQL, over the library's form limit too.
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  const std::string wide = "SELECT d --" + std::string(20'000, '-');
  EXPECT_EQ(post(port(), "/api/v1/query", wide, form).status, 200);
  EXPECT_EQ(seen.sql, wide);
  EXPECT_EQ(post(port(), "/api/v1/query", R"({"sql":"SELECT e"})", form).status, 200);
  EXPECT_EQ(seen.sql, "SELECT e");
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
      {get(port(), "/api/v1/query?q=x&limit=0"), "limit must be"},
      {get(port(), "/api/v1/query?q=x&limit=1.5"), "limit must be"},
      {post(port(), "/api/v1/query", R"({"sql":"x","limit":0})", json), "limit must be"},
      {post(port(), "/api/v1/query", R"({"sql":"x","limit":"2"})", json), "limit must be"},
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
  const std::pair<const char*, const char*> endings[] = {
      {"csv", "\r\nerror: damaged block\r\n"},
      {"json", R"("]],"error":{"code":"corruption","message":"damaged block"}})"
               "\n"},
      {"ndjson", "\n{\"error\":{\"code\":\"corruption\",\"message\":\"damaged block\"}}\n"},
      {"objects", ",\n{\"error\":{\"code\":\"corruption\",\"message\":\"damaged block\"}}]\n"},
      {"table", "x\nerror: damaged block\n"}};
  for (const auto& [format, ending] : endings) {
    const RawAnswer answer = get(port(), std::string("/api/v1/query?q=x&format=") + format);
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.complete) << format;
    EXPECT_TRUE(answer.body.ends_with(ending)) << answer.body.substr(answer.body.size() - 100);
  }
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

// A query that computes until its budget says stop, as a long aggregate does; `rows` go out before.
std::function<QueryResult<QueryStats>(const QueryRequest&, ResultSink&)> endless_after(
    uint64_t rows, std::atomic<bool>& stopped) {
  return [rows, &stopped](const QueryRequest& request, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, rows);
    QueryOptions patient;
    patient.timeout_ns = 600 * kNsPerSecond;  // longer than we wait
    QueryBudget budget(patient, real_clock(), request.stop);
    budget.watch_reader(request.reader_gone);
    stopped = eventually([&] { return !budget.check(); });
    return tl::make_unexpected(QueryError{QueryErrorKind::kCancelled, "cancelled", "stopped", {}, {}});
  };
}

TEST_F(Http, AClientThatGoesAwayStopsAQueryThatHasNoRowsYet) {
  std::atomic<bool> stopped{false};
  test::query_script().run = endless_after(0, stopped);
  {
    RawClient client(port());
    client.send("POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nSELECT 1");
    EXPECT_TRUE(eventually([] { return test::query_script().running == 1; }));
  }
  EXPECT_TRUE(eventually([] { return test::query_script().running == 0; }));
  EXPECT_TRUE(stopped);
}

TEST_F(Http, AClientThatGoesAwayBetweenPiecesStopsTheQuery) {
  std::atomic<bool> stopped{false};
  test::query_script().run = endless_after(4000, stopped);  // 400 KB: the answer has begun
  {
    RawClient client(port());
    client.send("GET /api/v1/query?q=x&format=csv HTTP/1.1\r\nHost: h\r\n\r\n");
    size_t received = 0;
    while (received < 300'000) received += client.receive().size();
  }
  EXPECT_TRUE(eventually([] { return test::query_script().running == 0; }));
  EXPECT_TRUE(stopped);
}

TEST_F(Http, TellsTheQueryWhoAsks) {
  QueryRequest seen;
  test::query_script().run = [&](const QueryRequest& request, ResultSink& sink) -> QueryResult<QueryStats> {
    seen = request;
    test::write_rows(sink, 1);
    return QueryStats{};
  };
  EXPECT_EQ(get(port(), "/api/v1/query?q=x").status, 200);
  EXPECT_EQ(seen.client, "127.0.0.1");
}

// The reader holds its connection open and takes nothing; the switch must be seen behind the full pipe.
TEST_F(Http, ACancelledQueryDoesNotWaitForAStalledReader) {
  StopSwitch stop;
  std::atomic<bool> ended{false};
  test::query_script().run = [&](const QueryRequest& request, ResultSink& sink) -> QueryResult<QueryStats> {
    stop = request.stop;
    ++test::query_script().running;  // `stop` is set
    test::write_rows(sink, UINT64_MAX);
    --test::query_script().running;
    ended = true;
    return QueryStats{};
  };
  RawClient client(port());
  client.send("GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([] { return test::query_script().running == 2; }));
  EXPECT_FALSE(client.receive().empty());
  *stop = true;
  EXPECT_TRUE(eventually([&] { return ended.load(); }));
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
  test::query_script().list = {{7, "SELECT 1", 1.5, "10.0.0.7", false, 12, 345},
                               {9, "SELECT 2", 0.5, "10.0.0.7", true, 0, 0}};
  const Json json = json_of(get(port(), "/api/v1/queries"));
  const Json expected = Json::parse(R"([
    {"id":7,"sql":"SELECT 1","client":"10.0.0.7","state":"running","elapsed_ms":1.5,"rows_scanned":12,"memory_bytes":345,
     "request_id":""},
    {"id":9,"sql":"SELECT 2","client":"10.0.0.7","state":"waiting","elapsed_ms":0.5,"rows_scanned":0,"memory_bytes":0,
     "request_id":""}])");
  EXPECT_EQ(json["queries"], expected);
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
  EXPECT_THAT(metrics.body, HasSubstr("process_resident_memory_bytes"));
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

TEST_F(Http, SaysWhetherTheStoreTakesWritesAndWhatAnAcknowledgementMeans) {
  EXPECT_EQ(get(port(), "/readyz").body, "ready\ndurability: group: acknowledged = on disk\n");
  EngineStatus full;
  full.read_only_reason = "the disk has 1 MiB free";
  full.retention_suspended_reason = "the wall clock jumped";
  full.disk_free_bytes = 1 << 20;
  full.wal_sync = WalSync::kRelaxed;
  engine_.say(full);
  const RawAnswer passing = get(port(), "/readyz");
  EXPECT_EQ(passing.status, 200) << "queries work";
  EXPECT_THAT(passing.body, HasSubstr("read-only: the disk has 1 MiB free\n"));
  EXPECT_THAT(passing.body, HasSubstr("durability: relaxed: a power cut takes up to the last second"));
  Json json = json_of(get(port(), "/api/v1/status"));
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["failed"], false);
  EXPECT_EQ(json["read_only_reason"], "the disk has 1 MiB free");
  EXPECT_EQ(json["retention_suspended_reason"], "the wall clock jumped");
  EXPECT_EQ(json["disk_free_bytes"], 1 << 20);
  EXPECT_THAT(json["durability"].get<std::string>(), HasSubstr("relaxed"));

  EngineStatus failed;
  failed.failed = true;
  failed.read_only_reason = "fdatasync: Input/output error";
  failed.wal_sync = WalSync::kEach;
  engine_.say(failed);
  const RawAnswer over = get(port(), "/readyz");
  EXPECT_EQ(over.status, 503);
  EXPECT_THAT(over.body, HasSubstr("failed\nread-only: fdatasync: Input/output error\ndurability: each"));
  json = json_of(get(port(), "/api/v1/status"));
  EXPECT_EQ(json["ready"], false);
  EXPECT_EQ(json["failed"], true);
}

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
  source.rejected_by_reason = {{"no_time", 3}};
  source.messages_per_second = 2.5;
  source.rows_per_second = 5;
  source.partitions = {{"readings", 1, 10, 15, 5, 1.5, 1'735'689'600'000'000'000, {}},
                       {"readings", 2, 0, {}, {}, {}, {}, {}}};
  sources_ = std::vector{source};
  MirrorStatus mirror;
  mirror.name = "mirror.0";
  mirror.backlog_bytes = 9;
  mirrors_ = std::vector{mirror};
  const Json json = json_of(get(port(), "/api/v1/status"));
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["store_id"], "fake");
  EXPECT_EQ(json["ingest"]["rejected_total"], 3);
  const Json partitions = json["ingest"]["sources"][0]["partitions"];
  const Json one = json["ingest"]["sources"][0];
  EXPECT_EQ(one["rejected_by_reason"], Json({{"no_time", 3}}));
  EXPECT_EQ(one["messages_per_second"], 2.5);
  EXPECT_EQ(one["rows_per_second"], 5);
  EXPECT_EQ(partitions[0]["lag"], 5);
  EXPECT_EQ(partitions[0]["lag_seconds"], 1.5);
  EXPECT_TRUE(partitions[1]["lag_seconds"].is_null());
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

}  // namespace
}  // namespace varve
