// What Grafana is told when a request cannot be answered: a status, and JSON with a `message` to show.
#include <fmt/format.h>

#include "api/grafana/request.h"
#include "api/grafana/series.h"
#include "tests/api/grafana/grafana_fixture.h"

namespace varve {
namespace {

class GrafanaRefusals : public Grafana {
 protected:
  std::string of_query(const Json& target, int status, const Json& more = Json::object()) const {
    return refusal("/grafana/query", request(target, more).dump(), status);
  }
  std::string of_payload(const Json& payload, int status = 400) const {
    return of_query({{"target", "readings"}, {"payload", payload}}, status);
  }
};

TEST_F(GrafanaRefusals, NameTheQueryThatFailed) {
  EXPECT_EQ(of_query({{"target", "readigns"}, {"refId", "B"}}, 404),
            "B: no such table: readigns (did you mean `readings`?)");
  EXPECT_EQ(of_query({{"target", "readings.phh"}}, 400),
            "A: table `readings` has no column `phh` (did you mean `ph`?)");
  EXPECT_THAT(of_payload({{"field", "phh"}}), HasSubstr("A: table `readings` has no column `phh`"));
  EXPECT_THAT(of_query({{"target", "SELECT FROM"}}, 400), HasSubstr("A: expected"));
  EXPECT_THAT(of_query({{"target", "sql"}, {"payload", {{"sql", "DELETE FROM readings WHERE true"}}}}, 400),
              HasSubstr("changes data"));
  EXPECT_EQ(engine_.tables()[2].rows, 5U);
  // A good query before it does not hide it.
  Json body = request({{"target", "readings.ph"}});
  body["targets"].push_back({{"target", "nothing"}, {"refId", "Z"}});
  EXPECT_THAT(refusal("/grafana/query", body.dump(), 404), HasSubstr("Z: no such table"));
}

TEST_F(GrafanaRefusals, SayWhatAnOptionTakes) {
  EXPECT_EQ(of_payload({{"agregate", "avg"}}),
            "A: the payload has an unknown key agregate (did you mean aggregate?)");
  EXPECT_THAT(of_payload({{"zzzzzz", 1}}), HasSubstr("the keys are sql, table, field"));
  EXPECT_EQ(of_payload({{"aggregate", "maximum"}}).substr(0, 47),
            "A: unknown aggregate maximum (one of none, avg,");
  EXPECT_EQ(of_payload({{"aggregate", "av"}}), "A: unknown aggregate av (did you mean avg?)");
  EXPECT_THAT(of_payload({{"interval", "soon"}}), HasSubstr("soon"));
  EXPECT_THAT(of_payload({{"interval", "none"}}), HasSubstr("a time series needs an interval"));
  EXPECT_THAT(of_payload({{"fill", "zero"}}), HasSubstr("unknown fill"));
  EXPECT_THAT(of_payload({{"fill", "inf"}}), HasSubstr("unknown fill"));
  EXPECT_THAT(of_payload({{"format", "pie"}}), HasSubstr("one of time_series, table, frame, annotations"));
  for (const Json& limit : {Json(0), Json(-1), Json("many"), Json(1.5)}) {
    EXPECT_THAT(of_payload({{"limit", limit}}), HasSubstr("limit must be a whole number above 0")) << limit;
  }
  EXPECT_THAT(of_payload({{"field", {{"a", 1}}}}), HasSubstr("field must be text"));
  EXPECT_THAT(of_payload(Json::array({1})), HasSubstr("a payload must be a JSON object"));
  EXPECT_THAT(of_payload("{oops"), HasSubstr("this is not JSON"));
  EXPECT_THAT(of_payload({{"field", "note"}, {"aggregate", "last"}}),
              HasSubstr("is text, and a time series has numbers"));
  EXPECT_THAT(of_payload({{"field", "note"}}), HasSubstr("avg"));
  EXPECT_THAT(of_query({{"target", "events"}}, 400), HasSubstr("has no field of numbers"));
  EXPECT_THAT(of_query({{"target", "sql"},
                        {"payload", {{"sql", "SELECT site FROM readings"}, {"format", "time_series"}}}},
                       400),
              HasSubstr("a time series needs a column of times"));
  EXPECT_THAT(of_query({{"target", "sql"},
                        {"payload", {{"sql", "SELECT site FROM readings"}, {"format", "annotations"}}}},
                       400),
              HasSubstr("annotations need a column of times"));
}

TEST_F(GrafanaRefusals, SayWhatARequestMustHave) {
  const auto bad = [&](const std::string& body, const char* path = "/grafana/query") {
    return refusal(path, body, 400);
  };
  EXPECT_EQ(bad("{"), "this is not JSON");
  EXPECT_EQ(bad("[]"), "the body must be a JSON object");
  EXPECT_THAT(bad(R"({"targets":{}})"), HasSubstr("targets must be an array"));
  EXPECT_THAT(bad(R"({"targets":[1]})"), HasSubstr("targets must be objects"));
  EXPECT_THAT(bad(R"({"range":{"from":"2026-01-01"}})"), HasSubstr("range must have from and to"));
  EXPECT_THAT(bad(R"({"range":{"from":"now-1h","to":"now"}})"), HasSubstr("range.from is not a time"));
  EXPECT_THAT(bad(R"({"range":{"from":"2026-01-02","to":"2026-01-01"}})"), HasSubstr("after"));
  EXPECT_THAT(bad(R"({"maxDataPoints":-1})"), HasSubstr("maxDataPoints must be a number"));
  EXPECT_THAT(bad(R"({"targets":[{"target":"readings","refId":"A"}]})"), HasSubstr("needs a range of time"));
  EXPECT_THAT(bad(R"({"targets":[{"target":"SELECT $__interval","refId":"A"}]})"),
              HasSubstr("needs a range of time"));
  EXPECT_THAT(bad(R"({"filters":[{"operator":"=","value":"a"}]})"), HasSubstr("with a key"));
  EXPECT_THAT(bad(R"({"filters":[{"key":"site","operator":"~","value":"a"}]})"), HasSubstr("one of = !="));
  const auto filtered = [&](const char* key, const char* op, const char* value) {
    return of_query({{"target", "readings"}}, 400,
                    {{"filters", Json::array({{{"key", key}, {"operator", op}, {"value", value}}})}});
  };
  EXPECT_THAT(filtered("ph", "=", "high"), HasSubstr("the filter on ph needs a number"));
  EXPECT_THAT(filtered("ok", "=", "maybe"), HasSubstr("needs true or false"));
  EXPECT_THAT(filtered("time", ">", "soon"), HasSubstr("needs a time"));
  EXPECT_THAT(filtered("ph", "=~", "7"), HasSubstr("needs text for a regular expression"));
  EXPECT_THAT(bad("{}", "/grafana/tag-values"), HasSubstr("names no key"));
  EXPECT_THAT(bad("{}", "/grafana/annotations"), HasSubstr("has no annotation"));
  EXPECT_THAT(bad(R"({"annotation":{"query":" "}})", "/grafana/annotations"), HasSubstr("has no query"));
  EXPECT_THAT(bad(R"({"payload":{"target":"systems"}})", "/grafana/variable"),
              HasSubstr("tag_values(TABLE, KEY)"));
  EXPECT_THAT(bad(R"j({"payload":{"target":"tag_values(readings)"}})j", "/grafana/variable"),
              HasSubstr("takes 2 names"));
  EXPECT_THAT(bad(R"({"payload":{"type":"fields"}})", "/grafana/variable"), HasSubstr("fields needs table"));
  EXPECT_THAT(bad(R"({"payload":[1]})", "/grafana/variable"), HasSubstr("must be text or an object"));
  EXPECT_THAT(bad(R"({"metric":"readings","name":"colour"})", "/grafana/metric-payload-options"),
              HasSubstr("colour"));
  EXPECT_THAT(refusal("/grafana/metric-payload-options", R"({"metric":"nothing","name":"field"})", 404),
              HasSubstr("nothing"));
  EXPECT_EQ(answer("/grafana/query", "{}"), "[]");
  EXPECT_EQ(answer("/grafana/query", R"({"targets":[{"refId":"A"},{"refId":"B","target":""}]})"), "[]");
}

TEST_F(GrafanaRefusals, HoldToTheirLimits) {
  const std::string deep(grafana::kJsonDepthMax + 1, '[');
  EXPECT_THAT(refusal("/grafana/query", R"({"targets":)" + deep, 400), HasSubstr("nested too deeply"));
  EXPECT_THAT(of_payload({{"field", std::string(5000, '[')}}), HasSubstr("no column"));
  EXPECT_THAT(refusal("/grafana/query", "{\"x\":\"" + std::string(grafana::kBodyBytesMax, 'x') + "\"}", 413),
              HasSubstr("the most is"));
  Json body = request({{"target", "readings"}});
  for (size_t i = 0; i < grafana::kTargetsMax; ++i) body["targets"].push_back({{"target", "readings"}});
  EXPECT_THAT(refusal("/grafana/query", body.dump(), 422),
              HasSubstr("the panel has 51 queries, the most is 50"));
  EXPECT_THAT(of_query({{"target", std::string(5000, '.')}}, 400), HasSubstr("a target of 5000 bytes"));
  EXPECT_THAT(of_query({{"target", std::string(900, '.')}}, 404), HasSubstr("no such table"));
  Json filters = Json::array();
  for (size_t i = 0; i <= grafana::kFiltersMax; ++i)
    filters.push_back({{"key", "site"}, {"operator", "="}, {"value", "a"}});
  EXPECT_THAT(of_query({{"target", "readings"}}, 422, {{"filters", filters}}), HasSubstr("101 filters"));
  EXPECT_THAT(of_payload({{"field", std::vector<std::string>(grafana::kListItemsMax + 1, "ph")}}, 422),
              HasSubstr("more than 256"));
  for (size_t i = 0; i <= grafana::kSeriesMax; ++i) {
    engine_.insert(kDefaultDatabase, "many", parse_timestamp("2026-01-01T00:00:01Z").value(),
                   {{"host", fmt::format("h{}", i)}}, {{"load", 1.0}});
  }
  EXPECT_EQ(Json::parse(query({{"target", "many"}})).size(), 1U);
  EXPECT_THAT(of_query({{"target", "many"}, {"payload", {{"group_by", "host"}}}}, 422),
              HasSubstr("more than 1000 series"));
}

TEST_F(GrafanaRefusals, TellTheLimitsOfQueries) {
  MemoryEngine engine;
  MetricsRegistry metrics;
  QueryOptions options;
  options.max_rows = 2;
  QueryService queries(engine, options, metrics);
  for (int i = 0; i < 5; ++i) engine.insert(kDefaultDatabase, "t", i * kNsPerSecond, {}, {{"v", 1.0}});
  auto server = HttpServer::start({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(server);
  (*server)->serve({&engine, &queries, &metrics, [] { return std::vector<SourceStatus>(); },
                    [] { return std::vector<MirrorStatus>(); }});
  const RawAnswer got =
      test::post((*server)->port(), "/grafana/query",
                 R"({"targets":[{"target":"SELECT time, v FROM t","refId":"A"}]})", std::string(kJsonType));
  EXPECT_EQ(got.status, 422);
  EXPECT_THAT(Json::parse(got.body)["message"].get<std::string>(), HasSubstr("query.max_rows"));
  EXPECT_EQ(Json::parse(got.body)["code"], "row_limit");
}

TEST_F(GrafanaRefusals, AnErrorAfterTheFirstBytesCutsTheAnswerShort) {
  MemoryEngine engine;
  MetricsRegistry metrics;
  QueryOptions options;
  options.max_rows = 60'000;
  QueryService queries(engine, options, metrics);
  for (int i = 0; i < 70'000; ++i) {
    engine.insert(kDefaultDatabase, "t", i * kNsPerSecond, {},
                  {{"note", std::string("some text of a reading")}});
  }
  auto server = HttpServer::start({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(server);
  (*server)->serve({&engine, &queries, &metrics, [] { return std::vector<SourceStatus>(); },
                    [] { return std::vector<MirrorStatus>(); }});
  const auto ask = [&](int rows) {
    const Json body = {
        {"targets", Json::array({{{"target", fmt::format("SELECT time, note FROM t LIMIT {}", rows)},
                                  {"type", "table"}}})}};
    return test::post((*server)->port(), "/grafana/query", body.dump(), std::string(kJsonType));
  };
  const RawAnswer whole = ask(60'000);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(Json::parse(whole.body)[0]["rows"].size(), 60'000U);
  const RawAnswer cut = ask(65'000);
  EXPECT_EQ(cut.status, 200);
  EXPECT_FALSE(cut.complete);
}

}  // namespace
}  // namespace varve
