// What Grafana's built-in InfluxDB datasource (InfluxQL) sends, over HTTP with the real queries: its test button, the
// lists of its editor, the statements its builder makes, and what its parser needs of the answers.
#include "tests/api/grafana/grafana_fixture.h"

namespace varve {
namespace {

std::string url_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (isalnum(static_cast<unsigned char>(c)) != 0) {
      out += c;
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

class GrafanaInflux : public Grafana {
 protected:
  // As the Grafana backend asks, by GET and by POST; both must answer alike.
  std::string ask(const std::string& statement) const {
    const std::string q = "q=" + url_encoded(statement);
    const RawAnswer by_get = get("/query?db=varve&epoch=ms&" + q);
    const RawAnswer by_post =
        test::post(server_->port(), "/query?db=varve&epoch=ms", q,
                   "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic dTpw\r\n");
    EXPECT_EQ(by_get.status, 200) << statement << by_get.body;
    EXPECT_EQ(by_get.body, by_post.body);
    EXPECT_EQ(by_get.headers.at("content-type"), "application/json");
    const Json json = Json::parse(by_get.body);
    EXPECT_FALSE(json["results"].empty()) << "its parser reads results[0] unchecked";
    return by_get.body.substr(0, by_get.body.size() - 1);
  }
  // What the one result holds beside its id.
  std::string series(const std::string& statement) const {
    const std::string body = ask(statement);
    const std::string begin = R"({"results":[{"statement_id":0)";
    EXPECT_EQ(body.substr(0, begin.size()), begin);
    return body.substr(begin.size(), body.size() - begin.size() - 3);
  }
};

TEST_F(GrafanaInflux, TestButtonAndEditorListsAreAnswered) {
  EXPECT_EQ(series("SHOW measurements"),
            R"(,"series":[{"name":"measurements","columns":["name"],"values":[["events"],["readings"]]}])");
  EXPECT_EQ(
      series("SHOW RETENTION POLICIES on \"varve\""),
      R"(,"series":[{"columns":["name","duration","shardGroupDuration","replicaN","default"],"values":[["autogen","0s","168h0m0s",1,true]]}])");
  EXPECT_EQ(series("SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)READ/ LIMIT 100"),
            R"(,"series":[{"name":"measurements","columns":["name"],"values":[["readings"]]}])");
  EXPECT_EQ(series("SHOW MEASUREMENTS WHERE \"sensor_id\" = 's1' LIMIT 100"),
            R"(,"series":[{"name":"measurements","columns":["name"],"values":[["readings"]]}])");
  EXPECT_EQ(
      series("SHOW FIELD KEYS FROM \"autogen\".\"readings\""),
      R"(,"series":[{"name":"readings","columns":["fieldKey","fieldType"],"values":[["n","integer"],["note","string"],["ok","boolean"],["ph","float"]]}])");
  EXPECT_EQ(series("SHOW TAG KEYS FROM \"readings\" WHERE time > now() - 87600h"),
            R"(,"series":[{"name":"readings","columns":["tagKey"],"values":[["sensor_id"],["site"]]}])");
  EXPECT_EQ(series("SHOW TAG VALUES FROM \"readings\" WITH KEY = \"site\" WHERE \"sensor_id\"::tag = 's1' "
                   "AND \"site\"::tag != 'x'"),
            R"(,"series":[{"name":"readings","columns":["key","value"],"values":[["site","a"]]}])");
  EXPECT_EQ(series("SHOW SERIES CARDINALITY"),
            R"(,"series":[{"columns":["cardinality estimation"],"values":[[4]]}])");
}

TEST_F(GrafanaInflux, BuilderStatementsAreAnswered) {
  const std::string in_range = "time >= 1767225600000ms and time <= 1767225719999ms";
  EXPECT_EQ(
      series(
          R"(SELECT mean("ph") / 100 AS "x", last("n") FROM "autogen"."readings" WHERE ("site"::tag =~ /^(a|b)$/ AND "site"::tag != 'x') AND )" +
          in_range +
          R"( GROUP BY time(1m), "site"::tag fill(null) ORDER BY time ASC limit 10 slimit 5 tz('Europe/Paris'))"),
      R"(,"series":[{"name":"readings","tags":{"site":"a"},"columns":["time","x","last"],"values":[[1767225600000,0.075,2],[1767225660000,0.09,3]]},)"
      R"({"name":"readings","tags":{"site":"b"},"columns":["time","x","last"],"values":[[1767225600000,0.05,10],[1767225660000,0.06,null]]}])");
  EXPECT_EQ(
      series(R"(SELECT mean("ph") FROM "readings" WHERE "site"::tag = 'b' AND )" + in_range +
             " GROUP BY time(30s) fill(previous)"),
      R"(,"series":[{"name":"readings","columns":["time","mean"],"values":[[1767225600000,5],[1767225630000,5],[1767225660000,5],[1767225690000,6]]}])");
  EXPECT_EQ(
      series(R"(SELECT count("ph") FROM /^read/ WHERE "site"::tag = 'b' AND )" + in_range +
             " GROUP BY time(1m)"),
      R"(,"series":[{"name":"readings","columns":["time","count"],"values":[[1767225600000,1],[1767225660000,1]]}])");
  EXPECT_EQ(
      series(R"(SELECT "ph" FROM "readings" WHERE ("ok"::field = true AND "n"::field > 5) AND )" + in_range),
      R"(,"series":[{"name":"readings","columns":["time","ph"],"values":[[1767225600000,5]]}])");
  EXPECT_EQ(
      series(R"(SELECT non_negative_derivative(max("n"), 30s) FROM "readings" WHERE "site"::tag = 'a' AND )" +
             in_range + " GROUP BY time(30s) fill(none)"),
      R"(,"series":[{"name":"readings","columns":["time","non_negative_derivative"],"values":[[1767225630000,1],[1767225660000,1]]}])");
}

TEST_F(GrafanaInflux, NoDataAndErrorsComeAsItsParserReadsThem) {
  EXPECT_EQ(
      ask(R"(SELECT mean("ph") FROM "nothing" WHERE time >= 1767225600000ms and time <= 1767225719999ms GROUP BY time(1m) fill(null))"),
      R"({"results":[{"statement_id":0}]})");
  const std::string body = ask(R"(SELECT mean("ph"), "n" FROM "readings" GROUP BY time(1m))");
  EXPECT_THAT(body, HasSubstr(R"({"results":[{"statement_id":0,"error":")"));
  const RawAnswer bad = get("/query?db=varve&epoch=ms&q=SELEC");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(Json::parse(bad.body)["error"].get<std::string>(), HasSubstr("error parsing query: "));
}

}  // namespace
}  // namespace varve
