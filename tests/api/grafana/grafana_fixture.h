// A server on a free port over rows in memory, with the real queries, for the requests Grafana sends.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/http/server.h"
#include "storage/base/timestamp.h"
#include "tests/api/http/raw_client.h"
#include "tests/support/memory_engine.h"

namespace varve {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using test::RawAnswer;

constexpr std::string_view kJsonType = "Content-Type: application/json\r\n";

// 2026-01-01T00:00:00Z is 1767225600000 ms.
class Grafana : public ::testing::Test {
 protected:
  Grafana() {
    const auto row = [&](const char* time, const char* sensor, const char* site, double ph, Value n) {
      engine_.insert(kDefaultDatabase, "readings", parse_timestamp(time).value(),
                     {{"sensor_id", sensor}, {"site", site}},
                     {{"ph", ph}, {"n", std::move(n)}, {"ok", ph < 8}, {"note", std::string("at ") + site}});
    };
    row("2026-01-01T00:00:00Z", "s1", "a", 7, int64_t{1});
    row("2026-01-01T00:00:30Z", "s1", "a", 8, int64_t{2});
    row("2026-01-01T00:01:00Z", "s1", "a", 9, int64_t{3});
    row("2026-01-01T00:00:00Z", "s2", "b", 5, int64_t{10});
    row("2026-01-01T00:01:30Z", "s2", "b", 6, Value{});
    engine_.insert("lab", "wells.deep", parse_timestamp("2026-01-01T00:00:10Z").value(),
                   {{"well", "w1"}, {"site", "a"}}, {{"level", 1.5}});
    engine_.insert(kDefaultDatabase, "events", parse_timestamp("2026-01-01T00:00:20Z").value(),
                   {{"site", "a"}},
                   {{"message", std::string("valve \"open\"")}, {"kind", std::string("valve")}});
    engine_.insert(kDefaultDatabase, "events", parse_timestamp("2026-01-01T00:01:20Z").value(),
                   {{"site", "b"}}, {{"message", std::string("rain")}, {"kind", std::string("weather")}});
    auto started = HttpServer::start({"127.0.0.1", 0}, metrics_);
    EXPECT_TRUE(started.has_value());
    server_ = std::move(*started);
    server_->serve({&engine_, &queries_, &metrics_, [] { return std::vector<SourceStatus>(); },
                    [] { return std::vector<MirrorStatus>(); }});
  }

  RawAnswer post(const std::string& path, const std::string& body) const {
    return test::post(server_->port(), path, body, std::string(kJsonType));
  }
  RawAnswer post(const std::string& path, const Json& body) const { return post(path, body.dump()); }
  RawAnswer get(const std::string& target) const { return test::get(server_->port(), target); }
  // The body of an answer that went well, without its line end.
  std::string answer(const std::string& path, const std::string& body) const {
    const RawAnswer got = post(path, body);
    EXPECT_EQ(got.status, 200) << got.body;
    EXPECT_EQ(got.headers.at("content-type"), "application/json");
    EXPECT_EQ(got.body.back(), '\n');
    return got.body.substr(0, got.body.size() - 1);
  }
  // A /query over the two minutes of rows, buckets of 30 s.
  std::string query(const Json& target, const Json& more = Json::object()) const {
    return answer("/grafana/query", request(target, more).dump());
  }
  static Json request(Json target, const Json& more = Json::object()) {
    if (!target.contains("refId")) target["refId"] = "A";
    Json body = {{"range", {{"from", "2026-01-01T00:00:00.000Z"}, {"to", "2026-01-01T00:01:59.999Z"}}},
                 {"intervalMs", 30000},
                 {"maxDataPoints", 500},
                 {"targets", Json::array({target})}};
    body.update(more);
    return body;
  }
  // The message of a refusal with this status.
  std::string refusal(const std::string& path, const std::string& body, int status) const {
    const RawAnswer got = post(path, body);
    EXPECT_EQ(got.status, status) << got.body;
    const Json json = Json::parse(got.body);
    EXPECT_FALSE(json["code"].get<std::string>().empty());
    return json["message"].get<std::string>();
  }

  MetricsRegistry metrics_;
  MemoryEngine engine_;
  QueryService queries_{engine_, {}, metrics_};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace varve
