#include "api/http/front.h"

#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

HttpPolicy cors(const std::string& origin) {
  HttpPolicy policy;
  policy.access_log = AccessLog::kOff;
  policy.cors_origins = {origin};
  return policy;
}

TEST_F(Http, GivesEveryAnswerAnId) {
  const std::string fresh = get(port(), "/api/v1/tables").headers.at("x-request-id");
  EXPECT_EQ(fresh.size(), 36U);
  EXPECT_NE(get(port(), "/nowhere").headers.at("x-request-id"), fresh);
  EXPECT_EQ(get(port(), "/api/v1/tables", "X-Request-Id: my.id_7-A\r\n").headers.at("x-request-id"),
            "my.id_7-A");
  EXPECT_EQ(get(port(), "/api/v1/query?q=x", "X-Request-Id: abc\r\n").headers.at("x-request-id"), "abc");
  for (const std::string& bad :
       {std::string("a b"), std::string("a\tb"), std::string("<script>"), std::string("%0d%0aX: 1"),
        std::string(kRequestIdBytesMax + 1, 'a'), std::string("\xc3\xa9")}) {
    EXPECT_EQ(
        get(port(), "/api/v1/tables", "X-Request-Id: " + bad + "\r\n").headers.at("x-request-id").size(), 36U)
        << bad;
  }
}

TEST_F(Http, TakesDoubledSlashesWhereClientsMakeThem) {
  for (const char* target : {"/grafana", "/grafana/", "/grafana//", "//grafana/", "//ping", "///healthz"}) {
    EXPECT_THAT(get(port(), target).status, ::testing::AnyOf(200, 204)) << target;
  }
  for (const char* target :
       {"/grafana//metrics", "/grafana///search", "//grafana//tag-keys", "/grafana/metrics/"}) {
    EXPECT_EQ(post(port(), target, "{}", "Content-Type: application/json\r\n").status, 200) << target;
  }
  EXPECT_EQ(post(port(), "//write?db=d", "m v=1 1\n").status, 204);
  EXPECT_EQ(get(port(), "//").status, 200) << "the page";
  for (const char* target : {"*", "x", ""}) EXPECT_GE(get(port(), target).status, 400) << target;
  for (const char* target : {"/api//v1/tables", "/api/v1/tables//x", "/healthz/", "/grafana//nowhere"}) {
    EXPECT_EQ(get(port(), target).status, 404) << target;
  }
}

TEST_F(Http, HandsTheIdToTheQuery) {
  std::string seen;
  test::query_script().run = [&](const QueryRequest& request, ResultSink& sink) -> QueryResult<QueryStats> {
    seen = request.request_id;
    test::write_rows(sink, 1);
    return QueryStats{};
  };
  const RawAnswer answer = get(port(), "/api/v1/query?q=x", "X-Request-Id: abc\r\n");
  EXPECT_EQ(seen, "abc");
}

TEST_F(Http, CompressesOnlyWhenAskedAlsoStreams) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, 50'000);
    return QueryStats{};
  };
  const RawAnswer plain = get(port(), "/api/v1/query?q=x&format=csv", "Accept-Encoding: br, zstd\r\n");
  EXPECT_FALSE(plain.headers.contains("content-encoding"));
  const RawAnswer packed = get(port(), "/api/v1/query?q=x&format=csv", "Accept-Encoding: br, gzip\r\n");
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(packed.headers.at("transfer-encoding"), "chunked");
  EXPECT_TRUE(packed.complete);
  EXPECT_LT(packed.body.size(), plain.body.size() / 3);
  EXPECT_EQ(packed.body.substr(0, 2), "\x1f\x8b");
}

TEST_F(Http, LetsNoOtherOriginInUnlessItIsNamed) {
  const std::string origin = "Origin: https://dash.example\r\n";
  const std::string preflight = "OPTIONS /api/v1/query HTTP/1.1\r\nHost: h\r\n" + origin +
                                "Access-Control-Request-Method: POST\r\n\r\n";
  EXPECT_FALSE(get(port(), "/api/v1/tables", origin).headers.contains("access-control-allow-origin"));
  EXPECT_EQ(ask(port(), preflight).status, 403);
  EXPECT_EQ(post(port(), "/api/v1/query", "SELECT 1", origin).status, 403);

  server_->set_policy(cors("https://dash.example"));
  const RawAnswer asked = ask(port(), preflight);
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.headers.at("access-control-allow-origin"), "https://dash.example");
  EXPECT_THAT(asked.headers.at("access-control-allow-methods"), HasSubstr("POST"));
  EXPECT_THAT(asked.headers.at("access-control-allow-headers"), HasSubstr("Authorization"));
  EXPECT_FALSE(asked.headers.contains("access-control-allow-credentials"));
  const RawAnswer answer = post(port(), "/api/v1/query", "SELECT 1", origin);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://dash.example");

  for (const char* other :
       {"https://dash.example.evil", "http://dash.example", "null", "https://dash.example:1"}) {
    const std::string line = std::string("Origin: ") + other + "\r\n";
    EXPECT_EQ(post(port(), "/api/v1/query", "SELECT 1", line).status, 403) << other;
    EXPECT_FALSE(get(port(), "/api/v1/tables", line).headers.contains("access-control-allow-origin"))
        << other;
  }
}

class AccessLines : public Http {
 protected:
  void SetUp() override { ::testing::internal::CaptureStderr(); }
  std::string lines(AccessLog wanted) {
    HttpPolicy policy;
    policy.access_log = wanted;
    server_->set_policy(policy);
    get(port(), "/api/v1/tables", "X-Request-Id: one\r\n");
    get(port(), "/not%0ahere?q=secret", "X-Request-Id: two\r\n");
    get(port(), "/" + std::string(400, 'x'), "X-Request-Id: three\r\n");
    ask(port(), "BROKEN\r\n\r\n");
    server_->stop();  // every answer's line is written
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(AccessLines, OfErrorsByDefault) {
  const std::string log = lines(HttpPolicy{}.access_log);
  EXPECT_THAT(log, Not(HasSubstr("/api/v1/tables 200")));
  EXPECT_THAT(log, HasSubstr("127.0.0.1 two\n"));
  EXPECT_THAT(log, HasSubstr(" 404 "));
  EXPECT_THAT(log, Not(HasSubstr("secret")));
  EXPECT_THAT(log, Not(HasSubstr("not\nhere"))) << "control bytes are escaped";
  EXPECT_THAT(log, HasSubstr("xxx... 404"));
  EXPECT_THAT(log, HasSubstr("BROKEN  400 "));
}

TEST_F(AccessLines, OfEverythingWhenAsked) {
  EXPECT_THAT(lines(AccessLog::kAll), HasSubstr("GET /api/v1/tables 200 "));
}

TEST_F(AccessLines, OfNothingWhenOff) {
  EXPECT_THAT(lines(AccessLog::kOff), Not(HasSubstr("127.0.0.1 ")));
}

TEST_F(Http, CountsAnswersUntilTheyAreFinished) {
  test::query_script().run = [](const QueryRequest&, ResultSink& sink) -> QueryResult<QueryStats> {
    test::write_rows(sink, 1'000'000);
    return QueryStats{};
  };
  RawClient slow(port());
  slow.send("GET /api/v1/query?q=x HTTP/1.1\r\nHost: h\r\n\r\n");
  slow.receive(1);
  EXPECT_EQ(server_->in_flight(), 1U);
  slow.close();
  EXPECT_TRUE(eventually([&] { return server_->in_flight() == 0; }));
}

TEST_F(Http, AnswersProbesAndMetricsWhileItDrains) {
  RawClient kept(port());
  kept.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(kept.answer().status, 200);
  server_->begin_drain();
  kept.send("GET /api/v1/tables HTTP/1.1\r\nHost: h\r\n\r\n");
  const RawAnswer refused = kept.answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("connection"), "close");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_EQ(json_of(refused)["error"]["code"], "draining");
  EXPECT_EQ(get(port(), "/healthz").status, 200);
  EXPECT_EQ(get(port(), "/metrics").status, 200);
  const RawAnswer ready = get(port(), "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "draining\n");
}

}  // namespace
}  // namespace varve
