// GET and POST /query as Influx clients use it: parameters, headers and statuses. What statements answer is
// service_test.cc's.
#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

constexpr std::string_view kForm = "Content-Type: application/x-www-form-urlencoded\r\n";
constexpr std::string_view kDatabases =
    R"({"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["varve"]]}]}]})"
    "\n";

RawAnswer post_form(uint16_t port, const std::string& target, const std::string& form) {
  return post(port, target, form, std::string(kForm));
}

TEST_F(Http, AnswersInfluxqlByGetAndPost) {
  const RawAnswer answer = get(port(), "/query?q=SHOW+DATABASES&db=d&rp=&epoch=&params=%7B%7D&u=x&p=y");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kDatabases);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.headers.at("x-influxdb-version").substr(0, 4), "1.8.");
  EXPECT_TRUE(answer.headers.contains("x-influxdb-build"));
  EXPECT_EQ(answer.headers.at("request-id").size(), 36U);
  EXPECT_EQ(answer.headers.at("request-id"), answer.headers.at("x-request-id"));
  EXPECT_EQ(post_form(port(), "/query?q=nonsense", "q=SHOW%20DATABASES%3b&db=d").body, kDatabases)
      << "the form wins over the URL";
  EXPECT_EQ(post(port(), "/query?q=SHOW+DATABASES", "ignored", "Content-Type: text/plain\r\n").body,
            kDatabases);
  EXPECT_EQ(get(port(), "/query?q=SHOW+DATABASES", "X-Request-Id: mine\r\n").headers.at("x-request-id"),
            "mine");
}

TEST_F(Http, TellsWhatIsWrongWithAnInfluxqlRequest) {
  const auto error = [&](const std::string& target, const std::string& headers = "") {
    const RawAnswer answer = get(port(), target, headers);
    EXPECT_EQ(answer.status, 400);
    return answer.body;
  };
  EXPECT_EQ(error("/query"), "{\"error\":\"missing required parameter \\\"q\\\"\"}\n");
  EXPECT_EQ(error("/query?q=+%0a"), "{\"error\":\"missing required parameter \\\"q\\\"\"}\n");
  const std::string message =
      "error parsing query: found \\u003c, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, "
      "REVOKE, ALTER, "
      "SET, KILL at line 1, char 1";
  EXPECT_EQ(error("/query?q=%3C"), "{\"error\":\"" + message + "\"}\n");
  EXPECT_EQ(error("/query?q=%3C&pretty=true"), "{\n    \"error\": \"" + message + "\"\n}\n");
  EXPECT_EQ(error("/query?q=SELECT+%22a,", "Accept: text/csv\r\n"),
            "error\n\"error parsing query: found a,, expected identifier, string, number, bool at line 1, "
            "char 7\"\n");
  EXPECT_EQ(get(port(), "/query?q=SELECT+x").headers.at("x-influxdb-error"),
            "error parsing query: found EOF, expected FROM at line 1, char 10");
  EXPECT_THAT(error("/query?q=SHOW+DATABASES&params=%7B"), HasSubstr("error parsing query parameters"));
  EXPECT_THAT(error("/query?q=SHOW+DATABASES&params=%5B1%5D"), HasSubstr("error parsing query parameters"));
  EXPECT_THAT(error("/query?q=SHOW+DATABASES&params=" + std::string(2000, '[')),
              HasSubstr("error parsing query parameters"));
  EXPECT_EQ(ask(port(), "PUT /query HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status, 405);
  const RawAnswer multipart =
      post(port(), "/query", "--b\r\n\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b\r\n");
  EXPECT_EQ(multipart.status, 415);
  EXPECT_THAT(multipart.body, HasSubstr("multipart"));
}

TEST_F(Http, ReplacesParametersOfInfluxql) {
  const auto answer = [&](const std::string& q, const std::string& params) {
    return post_form(port(), "/query", "db=d&q=" + q + "&params=" + params).body;
  };
  // LIMIT and KILL QUERY show which token a parameter became.
  EXPECT_EQ(answer("SHOW+DATABASES;SHOW+MEASUREMENTS+LIMIT+$n", R"({"n":5})").substr(0, 11),
            R"({"results":)");
  EXPECT_THAT(answer("SHOW+MEASUREMENTS+LIMIT+$n", R"({"n":"5"})"), HasSubstr("found 5, expected integer"));
  EXPECT_THAT(answer("SHOW+MEASUREMENTS+LIMIT+$n", R"({"n":{"integer":7}})"),
              HasSubstr(R"({"statement_id":0})"));
  EXPECT_THAT(answer("SHOW+MEASUREMENTS+ON+$d", R"({"d":{"identifier":"x"}})"),
              HasSubstr(R"({"statement_id":0})"));
  EXPECT_THAT(answer("SHOW+TAG+KEYS+WHERE+a+%3D~+$r", R"({"r":{"regex":"^x"}})"),
              HasSubstr("database not found: d"));
  const std::string condition = "SHOW+TAG+KEYS+WHERE+a+%3D+$v";
  for (const char* good :
       {R"({"v":"x"})", R"({"v":true})", R"({"v":1.5})", R"({"v":-3})", R"({"v":{"float":2}})",
        R"({"v":{"duration":"1h"}})", R"({"v":{"duration":5}})", R"({"v":{"string":"x"}})"}) {
    EXPECT_THAT(answer(condition, good), HasSubstr("database not found: d")) << good;
  }
  for (const char* bad :
       {R"({"v":null})", R"({"v":[1]})", R"({"v":{}})", R"({"v":{"integer":1.5}})", R"({"v":{"float":"1"}})",
        R"({"v":{"duration":true}})", R"({"v":{"regex":1}})", R"({"v":{"identifier":1}})",
        R"({"v":{"string":1}})", R"({"v":{"what":1}})", R"({"w":1})"}) {
    EXPECT_THAT(answer(condition, bad), HasSubstr("error parsing query: missing parameter: ")) << bad;
  }
}

TEST_F(Http, WritesInfluxqlInTheFormatAskedFor) {
  EXPECT_THAT(get(port(), "/query?q=SHOW+DATABASES&pretty=true").body, HasSubstr("{\n    \"results\": ["));
  for (const char* accept : {"application/csv", "text/csv; charset=utf-8"}) {
    const RawAnswer csv = get(port(), "/query?q=SHOW+DATABASES", "Accept: " + std::string(accept) + "\r\n");
    EXPECT_EQ(csv.headers.at("content-type"), "text/csv");
    EXPECT_EQ(csv.body, "name,tags,name\ndatabases,,varve\n");
  }
  EXPECT_EQ(get(port(), "/query?q=SHOW+DATABASES&chunked=true&chunk_size=x").body, kDatabases);
  const RawAnswer chunked =
      post_form(port(), "/query?chunked=true&chunk_size=1", "q=CREATE DATABASE other;SHOW DATABASES");
  EXPECT_THAT(chunked.body, HasSubstr(R"("values":[["other"]],"partial":true}],"partial":true}]})"
                                      "\n"));
}

TEST_F(Http, ReadsOnlyByGet) {
  EXPECT_THAT(get(port(), "/query?db=d&q=DROP+DATABASE+d").body, HasSubstr("send it in a POST request"));
  EXPECT_EQ(post_form(port(), "/query?db=d", "q=DROP+DATABASE+d").body,
            "{\"results\":[{\"statement_id\":0}]}\n");
}

TEST_F(Http, TellsInfluxClientsThatItIsBusy) {
  test::query_script().work_error =
      QueryError{QueryErrorKind::kBusy, "busy", "16 queries are running", {}, {}};
  const RawAnswer answer = get(port(), "/query?q=SHOW+DATABASES");
  test::query_script().work_error.reset();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  EXPECT_EQ(answer.body, "{\"error\":\"16 queries are running\"}\n");
}

TEST_F(Http, AnswersPing) {
  EXPECT_EQ(get(port(), "/ping").status, 204);
  EXPECT_EQ(get(port(), "/ping?verbose=0").status, 204);
  const RawAnswer verbose = get(port(), "/ping?verbose=true");
  EXPECT_EQ(verbose.status, 200);
  EXPECT_EQ(verbose.body, "{\"version\":\"1.8.10\"}\n");
  EXPECT_EQ(json_of(get(port(), "/health"))["status"], "pass");
}

}  // namespace
}  // namespace varve
