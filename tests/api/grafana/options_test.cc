// Panels without SQL against the SQL a person would write, and how series are named.
#include <fmt/format.h>

#include "tests/api/grafana/grafana_fixture.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

constexpr const char* kInRange =
    " FROM readings WHERE time >= '2026-01-01T00:00:00Z' AND time <= '2026-01-01T00:01:59.999Z' ";

class GrafanaOptions : public Grafana {
 protected:
  Json of(const Json& payload, const Json& more = Json::object()) const {
    return Json::parse(query({{"target", "readings"}, {"payload", payload}}, more));
  }
  Json rows_of(Json payload, const Json& more = Json::object()) const {
    payload["format"] = "table";
    const Json answer = of(payload, more);
    return answer.at(0).at("rows");
  }
  // What the SQL gives by /api/v1/query, times in ms.
  Json rows_by_sql(const std::string& select, const std::string& rest) const {
    const RawAnswer got =
        test::post(server_->port(), "/api/v1/query?time_format=ms", "SELECT " + select + kInRange + rest);
    EXPECT_EQ(got.status, 200) << got.body;
    return Json::parse(got.body).at("rows");
  }
};

TEST_F(GrafanaOptions, AreTheSqlOnesWouldWrite) {
  const std::pair<const char*, const char*> aggregates[] = {{"avg", "avg(ph)"},
                                                            {"mean", "avg(ph)"},
                                                            {"min", "min(ph)"},
                                                            {"max", "max(ph)"},
                                                            {"sum", "sum(ph)"},
                                                            {"count", "count(ph)"},
                                                            {"first", "first(ph)"},
                                                            {"last", "last(ph)"},
                                                            {"median", "median(ph)"},
                                                            {"p90", "percentile(ph, 90)"},
                                                            {"p95", "percentile(ph, 95)"},
                                                            {"p99", "percentile(ph, 99)"},
                                                            {"stddev", "stddev(ph)"},
                                                            {"spread", "spread(ph)"},
                                                            {"rate", "rate(ph)"},
                                                            {"increase", "increase(ph)"},
                                                            {"delta", "delta(ph)"}};
  for (const auto& [aggregate, sql] : aggregates) {
    SCOPED_TRACE(aggregate);
    const Json payload = {
        {"field", "ph"}, {"aggregate", aggregate}, {"interval", "1m"}, {"group_by", {"site"}}};
    EXPECT_EQ(rows_of(payload), rows_by_sql(fmt::format("time_bucket('1m', time) AS t, site, {}", sql),
                                            "GROUP BY t, site ORDER BY t, site"));
    Json whole = payload;
    whole.erase("interval");
    EXPECT_EQ(rows_of(whole), rows_by_sql(fmt::format("site, {}", sql), "GROUP BY site ORDER BY site"));
  }
  for (const auto& [fill, sql] :
       {std::pair("null", "null"), {"prev", "prev"}, {"linear", "linear"}, {"-1.5", "-1.5"}}) {
    SCOPED_TRACE(fill);
    EXPECT_EQ(rows_of({{"field", "ph"}, {"interval", "auto"}, {"group_by", "site"}, {"fill", fill}}),
              rows_by_sql("time_bucket('30s', time) AS t, site, avg(ph)",
                          fmt::format("GROUP BY t, site FILL({}) ORDER BY t, site", sql)));
  }
  EXPECT_EQ(rows_of({{"interval", "1m"}, {"aggregate", "count"}}),
            rows_by_sql("time_bucket('1m', time) AS t, count(*)", "GROUP BY t ORDER BY t"));
  EXPECT_EQ(rows_of({{"interval", "1m"}}),
            rows_by_sql("time_bucket('1m', time) AS t, avg(ph), avg(n)", "GROUP BY t ORDER BY t"));
  EXPECT_EQ(rows_of({{"interval", "30s"}, {"field", "n"}, {"aggregate", "sum"}, {"limit", "2"}}),
            rows_by_sql("time_bucket('30s', time) AS t, sum(n)", "GROUP BY t ORDER BY t DESC LIMIT 2"))
      << "limit keeps the newest rows";
  EXPECT_EQ(rows_of({{"aggregate", "none"}, {"field", {"ph", "note"}}, {"limit", 2}}),
            rows_by_sql("time, sensor_id, site, ph, note", "ORDER BY time DESC LIMIT 2"));
  EXPECT_EQ(rows_of({{"aggregate", "none"}, {"field", "[\"ph\",\"ok\"]"}, {"group_by", "{site}"}}),
            rows_by_sql("time, site, ph, ok", "ORDER BY time DESC"));
}

TEST_F(GrafanaOptions, AdHocFiltersAreConditions) {
  const auto rows = [&](const char* key, const char* op, const char* value, const char* list = "filters") {
    return rows_of({{"aggregate", "none"}, {"field", "ph"}},
                   {{list, Json::array({{{"key", key}, {"operator", op}, {"value", value}}})}});
  };
  const auto by_sql = [&](const std::string& condition) {
    return rows_by_sql("time, sensor_id, site, ph", "AND " + condition + " ORDER BY time DESC");
  };
  EXPECT_EQ(rows("site", "=", "a"), by_sql("site = 'a'"));
  EXPECT_EQ(rows("site", "=", "a", "adhocFilters"), by_sql("site = 'a'"));
  EXPECT_EQ(rows("site", "!=", "a"), by_sql("site <> 'a'"));
  EXPECT_EQ(rows("sensor_id", "=~", "^s[23]$"), by_sql("sensor_id ~ '^s[23]$'"));
  EXPECT_EQ(rows("sensor_id", "=~", "/^s[23]$/"), by_sql("sensor_id = 's2'"));
  EXPECT_EQ(rows("sensor_id", "!~", "2"), by_sql("sensor_id = 's1'"));
  EXPECT_EQ(rows("ph", ">", "7.5"), by_sql("ph > 7.5"));
  EXPECT_EQ(rows("ph", "<", "6"), by_sql("ph < 6"));
  EXPECT_EQ(rows("n", "=", "3"), by_sql("n = 3"));
  EXPECT_EQ(rows("n", "!=", "3"), by_sql("(n <> 3 OR n IS NULL)")) << "no value is another value";
  EXPECT_EQ(rows("ok", "=", "true"), by_sql("ok"));
  EXPECT_EQ(rows("note", "=", "at b"), by_sql("note = 'at b'"));
  EXPECT_EQ(rows("time", ">", "1767225629999"), by_sql("time >= '2026-01-01T00:00:30Z'"));
  EXPECT_EQ(rows("nothing", "=", "a"), Json::array()) << "a column the table lacks is empty";
  EXPECT_EQ(rows("nothing", "!=", "a").size(), 5U);
  EXPECT_EQ(rows("site", "=", "a' OR '1'='1"), Json::array());
  const Json several = {{"key", "site"}, {"operator", "=|"}, {"values", {"a", "x"}}};
  EXPECT_EQ(rows_of({{"aggregate", "none"}, {"field", "ph"}, {"filters", Json::array({several})}}),
            by_sql("site IN ('a', 'x')"));
  EXPECT_EQ(
      rows_of({{"aggregate", "none"}, {"field", "ph"}},
              {{"filters", Json::array({several, {{"key", "ph"}, {"operator", ">"}, {"value", "8"}}})}}),
      by_sql("site = 'a' AND ph > 8"));
}

TEST_F(GrafanaOptions, NamesOfClientsStayNames) {
  engine_.insert(kDefaultDatabase, "odd", parse_timestamp("2026-01-01T00:00:10Z").value(), {{"a\"b", "x"}},
                 {{"v\" FROM readings --", 2.0}});
  const std::string answer = query(
      {{"target", "odd"}, {"payload", {{"group_by", {"a\"b"}}, {"format", "table"}, {"interval", "1m"}}}});
  EXPECT_EQ(
      answer,
      R"([{"type":"table","refId":"A","columns":[{"text":"time","type":"time"},{"text":"a\"b","type":"string"},)"
      R"({"text":"v\" FROM readings --","type":"number"}],"rows":[[1767225600000,"x",2.0]]}])");
}

TEST_F(GrafanaOptions, SeriesAreNamedForPeople) {
  const auto names = [&](const Json& payload, const char* target = "readings") {
    std::vector<std::string> list;
    for (const Json& series : Json::parse(query({{"target", target}, {"payload", payload}})))
      list.push_back(series["target"]);
    return list;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({}), (Names{"ph", "n"}));
  EXPECT_EQ(names({{"group_by", "site"}}), (Names{"ph {site=a}", "n {site=a}", "ph {site=b}", "n {site=b}"}));
  EXPECT_EQ(names({{"group_by", {"site", "sensor_id"}}, {"aggregate", "max"}}, "readings.ph"),
            (Names{"max(ph) {site=a, sensor_id=s1}", "max(ph) {site=b, sensor_id=s2}"}));
  EXPECT_EQ(
      names({{"group_by", "site"}, {"alias", "{{table}} {{ field }} {{aggregate}} at {{site}} {{what}}"}},
            "readings.ph"),
      (Names{"readings ph avg at a {{what}}", "readings ph avg at b {{what}}"}));
  EXPECT_EQ(names({{"aggregate", "none"}}, "readings.ph"),
            (Names{"ph {sensor_id=s1, site=a}", "ph {sensor_id=s2, site=b}"}));
  EXPECT_EQ(names({}, "lab.wells.deep.level"), (Names{"level"}));
  EXPECT_EQ(names({}, "lab\\.wells\\.deep"), (Names{"level"})) << "a variable's value comes escaped";
}

TEST_F(GrafanaOptions, FreeSqlTakesTheFormThatItsColumnsSuggest) {
  const auto of_sql = [&](const char* sql, Json more = Json::object()) {
    Json payload = {{"sql", sql}};
    payload.update(more);
    return query({{"target", "sql"}, {"payload", payload}});
  };
  EXPECT_EQ(
      of_sql("SELECT time, site, ph FROM readings WHERE site = 'b' ORDER BY ph DESC"),
      R"([{"target":"ph {site=b}","refId":"A","datapoints":[[5.0,1767225600000],[6.0,1767225690000]]}])");
  EXPECT_EQ(
      of_sql("SELECT site, count(*) AS n FROM readings GROUP BY site ORDER BY site"),
      R"([{"type":"table","refId":"A","columns":[{"text":"site","type":"string"},{"text":"n","type":"number"}],)"
      R"("rows":[["a",3],["b",2]]}])");
  EXPECT_EQ(
      of_sql("SELECT site, count(*) AS n FROM readings GROUP BY site ORDER BY site", {{"format", "frame"}}),
      R"([{"refId":"A","fields":[{"name":"site","type":"string","values":["a","b"]},{"name":"n","type":"number","values":[3,2]}]}])");
  EXPECT_EQ(of_sql("SELECT time, ok FROM readings WHERE site = 'b'"),
            R"([{"target":"ok","refId":"A","datapoints":[[1,1767225600000],[1,1767225690000]]}])");
  EXPECT_EQ(of_sql("SELECT time, ph FROM readings WHERE site = 'none'"), "[]");
  EXPECT_EQ(query({{"target", "SELECT 1 AS one"}}),
            R"([{"type":"table","refId":"A","columns":[{"text":"one","type":"number"}],"rows":[[1]]}])");
  // What SQLite runs, too.
  EXPECT_EQ(
      of_sql(
          "WITH r AS (SELECT site, ph FROM readings WHERE $__timeFilter(time)) SELECT max(ph) AS top FROM r",
          {{"format", "table"}}),
      R"([{"type":"table","refId":"A","columns":[{"text":"top","type":"number"}],"rows":[[9.0]]}])");
}

TEST_F(GrafanaOptions, MacrosMeanThePanelsRange) {
  const auto cell = [&](const std::string& sql, const Json& more = Json::object()) {
    return Json::parse(query({{"target", sql}, {"type", "table"}}, more)).at(0).at("rows").at(0).at(0);
  };
  const Json late = {{"range", {{"from", "2026-01-01T00:00:30Z"}, {"to", "2026-01-01T00:01:00Z"}}}};
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE $__timeFilter(time)", late), 2);
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE $__timeFilter", late), 2);
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE time >= $from AND time <= $to", late), 2);
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE time > $__timeFrom() AND time <= $__timeTo()", late),
            1);
  EXPECT_EQ(cell("SELECT $__from", late), 1767225630000);
  EXPECT_EQ(cell("SELECT $__interval_ms"), 30000);
  EXPECT_EQ(cell("SELECT $__interval"), "30s");
  EXPECT_EQ(cell("SELECT '$__interval'"), "30s");
  EXPECT_EQ(cell("SELECT '$__intervals'"), "$__intervals");
  EXPECT_EQ(cell("SELECT $__timeGroup(time, $__interval) FROM readings LIMIT 1"), 1767225600000);
  EXPECT_EQ(cell("SELECT $__timeGroup(time, 30s) FROM readings LIMIT 1"), 1767225600000);
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE $__adhocFilters"), 5);
  const Json filters = {{"filters", Json::array({{{"key", "n"}, {"operator", ">"}, {"value", "2"}}})}};
  EXPECT_EQ(cell("SELECT count(*) FROM readings WHERE $__adhocFilters() -- $__x", filters), 2);
  EXPECT_EQ(
      query({{"target",
              "SELECT time, avg(ph) AS ph FROM readings WHERE $__timeFilter(time) SAMPLE BY $__interval"}},
            late),
      R"([{"target":"ph","refId":"A","datapoints":[[8.0,1767225630000],[9.0,1767225660000]]}])");
}

TEST_F(GrafanaOptions, VariablesListWhatThereIs) {
  const auto values = [&](const Json& payload, const Json& more = Json::object()) {
    Json body = {{"payload", payload}};
    body.update(more);
    std::string list;
    for (const Json& one : Json::parse(answer("/grafana/variable", body.dump()))) {
      list += one["__text"].get<std::string>() + "=" + one["__value"].get<std::string>() + ";";
    }
    return list;
  };
  const auto text = [&](const char* target) { return values({{"target", target}}); };
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("tables()"), "wells.deep=wells.deep;events=events;readings=readings;");
  EXPECT_EQ(text("fields(lab.wells.deep)"), "level=level;");
  EXPECT_EQ(text("tag_keys(readings)"), "sensor_id=sensor_id;site=site;");
  EXPECT_EQ(text("tag_values(readings, site)"), "a=a;b=b;");
  EXPECT_EQ(text(R"({"type":"tag_values","table":"readings","tag":"sensor_id"})"), "s1=s1;s2=s2;");
  EXPECT_EQ(values({{"type", "tag_values"}, {"table", "readings"}, {"tag", "site"}}), "a=a;b=b;");
  EXPECT_EQ(values({{"sql", "SELECT DISTINCT n FROM readings WHERE n < 5 ORDER BY n"}}), "1=1;2=2;3=3;");
  EXPECT_EQ(values("SELECT sensor_id AS __value, site AS __text FROM readings ORDER BY 1"), "a=s1;b=s2;");
  const Json at_b = {{"filters", Json::array({{{"key", "site"}, {"operator", "="}, {"value", "b"}}})}};
  EXPECT_EQ(values({{"target", "tag_values(readings, sensor_id)"}}, at_b), "s2=s2;");
  EXPECT_EQ(answer("/grafana/search", R"j({"target":"tag_values(readings, site)"})j"), R"(["a","b"])");
  EXPECT_EQ(
      answer("/grafana/search", R"({"target":"SELECT site AS __text, sensor_id AS __value FROM readings"})"),
      R"([{"text":"a","value":"s1"},{"text":"b","value":"s2"}])");
  EXPECT_EQ(
      answer(
          "/grafana/tag-values",
          R"({"key":"sensor_id","filters":[{"key":"site","operator":"=","value":"a"},{"key":"sensor_id","operator":"=","value":"s2"}]})"),
      R"([{"text":"s1"}])");
}

TEST_F(GrafanaOptions, AnnotationsComeFromAnyTable) {
  const auto events = [&](const std::string& written) {
    const Json body = {{"range", {{"from", "2026-01-01T00:00:00Z"}, {"to", "2026-01-01T00:10:00Z"}}},
                       {"annotation", {{"name", "x"}, {"query", written}}}};
    std::string list;
    for (const Json& event : Json::parse(answer("/grafana/annotations", body.dump()))) {
      list += fmt::format("{}/{}/{}/{}", event["time"].get<int64_t>() - 1767225600000,
                          event["title"].get<std::string>(), event["text"].get<std::string>(),
                          event["tags"].dump());
      if (event.contains("timeEnd"))
        list += fmt::format("/{}", event["timeEnd"].get<int64_t>() - 1767225600000);
      list += ";";
    }
    return list;
  };
  EXPECT_EQ(events(R"({"table":"events","text":"message","title":"kind","tags":["kind","site"],"limit":1})"),
            R"(80000/weather/rain/["b"];)");
  EXPECT_EQ(events("SELECT time, time + INTERVAL '10s' AS time_end, message AS text, 'x, y' AS tags FROM "
                   "events WHERE $__timeFilter(time) LIMIT 1"),
            R"(20000//valve "open"/["x","y"]/30000;)");
  EXPECT_EQ(events("SELECT time AS at, message, site FROM events WHERE site = 'b'"), R"(80000//rain/["b"];)");
  EXPECT_EQ(events("readings.ph").substr(0, 16), R"(0//7.0/["s1","a")");
}

}  // namespace
}  // namespace varve
