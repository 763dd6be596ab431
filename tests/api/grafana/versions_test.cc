// The requests each version of the plugins sends, as they come over the wire, and the exact answers.
#include "tests/api/grafana/grafana_fixture.h"

namespace varve {
namespace {

constexpr const char* kRange =
    R"("range":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-01T00:01:59.999Z","raw":{"from":"now-2m","to":"now"}},)"
    R"("rangeRaw":{"from":"now-2m","to":"now"})";

TEST_F(Grafana, AnswersTheTestButton) {
  const RawAnswer answer = get("/grafana");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Json::parse(answer.body)["status"], "ok");
  EXPECT_EQ(post("/grafana", std::string("{}")).status, 405);
}

// simple-json, and simPod 0.2: targets with a type, no payload; ad hoc filters under their old name.
TEST_F(Grafana, AnswersSimpleJson) {
  EXPECT_EQ(answer("/grafana/search", R"({"target":""})"),
            R"(["wells.deep","wells.deep.level","events","readings","readings.ph","readings.n"])");
  EXPECT_EQ(answer("/grafana/search", R"({"type":"timeseries","target":"ph"})"), R"(["readings.ph"])");
  const std::string body =
      std::string("{") + kRange +
      R"(,"panelId":1,"interval":"30s","intervalMs":30000,"maxDataPoints":550,"format":"json",)"
      R"("targets":[{"target":"readings.ph","refId":"A","type":"timeserie"},)"
      R"({"target":"readings.ph","refId":"B","hide":true,"type":"timeserie"},)"
      R"({"target":"readings","refId":"C","type":"table"}],)"
      R"("adhocFilters":[{"key":"site","operator":"=","value":"a"}],"scopedVars":{}})";
  EXPECT_EQ(
      answer("/grafana/query", body),
      R"([{"target":"ph","refId":"A","datapoints":[[7.0,1767225600000],[8.0,1767225630000],[9.0,1767225660000]]},)"
      R"({"type":"table","refId":"C","columns":[{"text":"time","type":"time"},{"text":"sensor_id","type":"string"},)"
      R"({"text":"site","type":"string"},{"text":"ph","type":"number"},{"text":"n","type":"number"},)"
      R"({"text":"ok","type":"boolean"},{"text":"note","type":"string"}],"rows":[)"
      R"([1767225660000,"s1","a",9.0,3,false,"at a"],[1767225630000,"s1","a",8.0,2,false,"at a"],)"
      R"([1767225600000,"s1","a",7.0,1,true,"at a"]]}])");
  EXPECT_EQ(
      answer("/grafana/annotations",
             std::string("{") + kRange +
                 R"(,"annotation":{"name":"Valves","datasource":"varve","enable":true,"iconColor":"red",)"
                 R"("query":"events.message"},"variables":{}})"),
      R"([{"annotation":{"name":"Valves","datasource":"varve","enable":true,"iconColor":"red","query":"events.message"},)"
      R"("time":1767225620000,"title":"","tags":["a"],"text":"valve \"open\""},)"
      R"({"annotation":{"name":"Valves","datasource":"varve","enable":true,"iconColor":"red","query":"events.message"},)"
      R"("time":1767225680000,"title":"","tags":["b"],"text":"rain"}])");
  EXPECT_EQ(
      answer("/grafana/tag-keys", ""),
      R"([{"type":"string","text":"sensor_id"},{"type":"string","text":"site"},{"type":"string","text":"well"}])");
  EXPECT_EQ(answer("/grafana/tag-values", R"({"key":"site"})"), R"([{"text":"a"},{"text":"b"}])");
}

// 0.2: `data` is an object, or blank text where nothing was typed.
TEST_F(Grafana, AnswersSimPod02) {
  const auto with_data = [&](const char* data) {
    return answer("/grafana/query", std::string("{") + kRange +
                                        R"(,"intervalMs":60000,"maxDataPoints":550,"targets":[)"
                                        R"({"data":)" +
                                        data + R"(,"target":"readings","refId":"A","type":"timeserie"}]})");
  };
  EXPECT_EQ(with_data(R"({"field":"n","aggregate":"max"})"),
            R"j([{"target":"max(n)","refId":"A","datapoints":[[10,1767225600000],[3,1767225660000]]}])j");
  EXPECT_EQ(
      with_data("\" \""),
      R"([{"target":"ph","refId":"A","datapoints":[[6.666666666666667,1767225600000],[7.5,1767225660000]]},)"
      R"({"target":"n","refId":"A","datapoints":[[4.333333333333333,1767225600000],[3.0,1767225660000]]}])");
}

// 0.3: `payload`, frames; 0.4: /variable, annotations through /query.
TEST_F(Grafana, AnswersSimPod03And04) {
  EXPECT_EQ(
      answer("/grafana/query",
             std::string("{") + kRange +
                 R"(,"intervalMs":60000,"maxDataPoints":550,"targets":[{"payload":)"
                 R"({"field":"ph","group_by":["site"],"format":"frame"},"target":"readings","refId":"A"}]})"),
      R"([{"refId":"A","name":"ph {site=a}","fields":[{"name":"time","type":"time","values":[1767225600000,1767225660000]},)"
      R"({"name":"ph","type":"number","labels":{"site":"a"},"config":{"displayNameFromDS":"ph {site=a}"},"values":[7.5,9.0]}]},)"
      R"({"refId":"A","name":"ph {site=b}","fields":[{"name":"time","type":"time","values":[1767225600000,1767225660000]},)"
      R"({"name":"ph","type":"number","labels":{"site":"b"},"config":{"displayNameFromDS":"ph {site=b}"},"values":[5.0,6.0]}]}])");
  EXPECT_EQ(answer("/grafana/variable",
                   std::string(R"({"payload":{"target":"SELECT site FROM readings WHERE $__timeFilter(time) )"
                               R"(ORDER BY site"},)") +
                       kRange + "}"),
            R"([{"__text":"a","__value":"a"},{"__text":"b","__value":"b"}])");
  EXPECT_EQ(
      answer("/grafana/query", std::string("{") + kRange +
                                   R"(,"targets":[{"refId":"Anno","target":"events","payload":)"
                                   R"({"format":"annotations","text":"message","title":"kind"}}]})"),
      R"([{"refId":"Anno","fields":[{"name":"time","type":"time","values":[1767225620000,1767225680000]},)"
      R"({"name":"timeEnd","type":"time","values":[null,null]},)"
      R"({"name":"title","type":"string","values":["valve","weather"]},)"
      R"({"name":"text","type":"string","values":["valve \"open\"","rain"]},)"
      R"({"name":"tags","type":"string","values":["a","b"]}]}])");
}

// 0.6: metrics with options; filters under their new name; the whole of Grafana's DataQueryRequest.
TEST_F(Grafana, AnswersSimPod06) {
  const Json metrics = Json::parse(answer("/grafana/metrics", R"({"metric":"","payload":""})"));
  ASSERT_EQ(metrics.size(), 4U);
  EXPECT_EQ(metrics[0]["value"], "wells.deep");
  EXPECT_EQ(metrics[2]["value"], "readings");
  EXPECT_EQ(metrics[3]["value"], "sql");
  for (const Json& metric : metrics) {
    for (const Json& option : metric["payloads"]) {
      EXPECT_THAT((std::vector<std::string>{"select", "multi-select", "input", "textarea"}),
                  ::testing::Contains(option["type"].get<std::string>()));
    }
  }
  EXPECT_EQ(Json::parse(answer("/grafana/metrics", "{}")), metrics);
  const auto options = [&](const char* name, const char* metric) {
    return answer("/grafana/metric-payload-options",
                  Json{{"metric", metric}, {"payload", {{"aggregate", "avg"}}}, {"name", name}}.dump());
  };
  EXPECT_EQ(options("group_by", "readings"),
            R"([{"label":"sensor_id","value":"sensor_id"},{"label":"site","value":"site"}])");
  EXPECT_EQ(options("field", "lab.wells.deep"), R"([{"label":"level","value":"level"}])");
  engine_.insert("lab", "events", 0, {}, {{"x", 1.0}});
  EXPECT_EQ(options("table", ""),
            R"([{"label":"lab.events","value":"lab.events"},{"label":"wells.deep","value":"wells.deep"},)"
            R"({"label":"events","value":"events"},{"label":"readings","value":"readings"}])")
      << "a name of several databases has its own before it";
  const std::string body =
      std::string(
          R"({"app":"dashboard","requestId":"Q100","timezone":"browser","panelId":2,"dashboardUID":"x",)") +
      kRange +
      R"(,"interval":"1m","intervalMs":60000,"maxDataPoints":1200,"startTime":1767225720000,)"
      R"("scopedVars":{"__interval":{"text":"1m","value":"1m"},"__interval_ms":{"text":"60000","value":60000}},)"
      R"("targets":[{"refId":"A","editorMode":"builder","datasource":{"type":"simpod-json-datasource","uid":"u"},)"
      R"("target":"readings","payload":{"field":["ph"],"aggregate":"max","group_by":["sensor_id","site"],"fill":"null"}},)"
      R"({"refId":"B","editorMode":"code","target":"sql","payload":{"sql":"SELECT time_bucket('$__interval', time) AS time, )"
      R"(count(*) AS rows FROM readings WHERE $__timeFilter(time) AND $__adhocFilters GROUP BY 1"}}],)"
      R"("filters":[{"key":"site","operator":"!=","value":"b"}]})";
  EXPECT_EQ(
      answer("/grafana/query", body),
      R"([{"target":"max(ph) {sensor_id=s1, site=a}","refId":"A","datapoints":[[8.0,1767225600000],[9.0,1767225660000]]},)"
      R"({"target":"rows","refId":"B","datapoints":[[2,1767225600000],[1,1767225660000]]}])");
}

// Infinity: flat rows over /api/v1/query.
TEST_F(Grafana, AnswersInfinity) {
  const auto ask = [&](const std::string& sql, const std::string& more) {
    const RawAnswer got = test::post(server_->port(), "/api/v1/query?format=objects" + more, sql);
    EXPECT_EQ(got.status, 200) << got.body;
    EXPECT_EQ(got.headers.at("content-type"), "application/json");
    return got.body;
  };
  EXPECT_EQ(ask("SELECT time, site, ph, n FROM readings WHERE site = 'b' ORDER BY time", ""),
            "[{\"time\":\"2026-01-01T00:00:00Z\",\"site\":\"b\",\"ph\":5.0,\"n\":10},\n"
            "{\"time\":\"2026-01-01T00:01:30Z\",\"site\":\"b\",\"ph\":6.0,\"n\":null}]\n");
  EXPECT_EQ(ask("SELECT time FROM readings WHERE site = 'b' LIMIT 1", "&time_format=ms"),
            "[{\"time\":1767225600000}]\n");
  EXPECT_EQ(ask("SELECT ph FROM readings WHERE site = 'none'", ""), "[]\n")
      << "an empty body is an error to it";
  const RawAnswer bad = test::post(server_->port(), "/api/v1/query?format=object", "SELECT 1");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(bad.body, HasSubstr("objects"));
}

}  // namespace
}  // namespace varve
