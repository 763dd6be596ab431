// The routes by which an operator steers sources and mirrors: what reaches them, and what is refused before.
#include <optional>

#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

class OperatorRoutes : public ::testing::Test {
 protected:
  OperatorRoutes() {
    server_ = std::move(*HttpServer::start({"127.0.0.1", 0}, metrics_));
    HttpServices services{&engine_, &queries_, &metrics_, [] { return std::vector<SourceStatus>(); },
                          [] { return std::vector<MirrorStatus>(); }};
    services.resume = [this](const std::string& source, const ResumeRequest& request) {
      source_ = source;
      resume_ = request;
      return moved();
    };
    services.rewind = [this](const std::string& source, const RewindRequest& request) {
      source_ = source;
      rewind_ = request;
      return moved();
    };
    services.backfill = [this](const std::string& mirror,
                               const BackfillRequest& request) -> Result<BackfillIds> {
      source_ = mirror;
      backfill_ = request;
      if (failure_) return *failure_;
      return BackfillIds{{"mirror.0", 7}, {"mirror.1", 8}};
    };
    server_->serve(std::move(services));
  }
  Result<std::vector<MovedPartition>> moved() const {
    if (failure_) return *failure_;
    return std::vector<MovedPartition>{{"readings", 3, 100, 40}};
  }
  RawAnswer send(const std::string& path, const std::string& body,
                 const std::string& type = "application/json") {
    return ask(server_->port(), "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Type: " + type +
                                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  // The refusal of a request that must not reach a source.
  std::string refused(const std::string& path, const std::string& body) {
    resume_.reset();
    rewind_.reset();
    backfill_.reset();
    const RawAnswer answer = send(path, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_FALSE(resume_ || rewind_ || backfill_) << body;
    return json_of(answer)["error"]["message"];
  }

  MetricsRegistry metrics_;
  FakeEngine engine_;
  QueryService queries_{engine_, {}, metrics_};
  std::string source_;
  std::optional<ResumeRequest> resume_;
  std::optional<RewindRequest> rewind_;
  std::optional<BackfillRequest> backfill_;
  std::optional<Error> failure_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(OperatorRoutes, ResumeTakesAPlaceAndSaysWhereItGoesOn) {
  const RawAnswer answer =
      send("/api/v1/ingest/resume", R"({"source":"kafka.1","topic":"readings","partition":3,"from":40})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json_of(answer),
            Json::parse(R"({"moved":[{"topic":"readings","partition":3,"from":100,"to":40}]})"));
  EXPECT_EQ(source_, "kafka.1");
  EXPECT_EQ(resume_->topic, "readings");
  EXPECT_EQ(resume_->partition, 3);
  EXPECT_EQ(resume_->from, ResumeRequest::From::kOffset);
  EXPECT_EQ(resume_->offset, 40);
  using enum ResumeRequest::From;
  for (const auto& [word, from] : std::map<std::string, ResumeRequest::From>{
           {"skip", kSkip}, {"earliest", kEarliest}, {"latest", kLatest}}) {
    EXPECT_EQ(send("/api/v1/ingest/resume", R"({"topic":"t","partition":0,"from":")" + word + "\"}").status,
              200);
    EXPECT_EQ(resume_->from, from);
    EXPECT_EQ(source_, "");
  }
}

TEST_F(OperatorRoutes, ResumeRefusesWhatItDoesNotUnderstand) {
  const std::string path = "/api/v1/ingest/resume";
  EXPECT_EQ(refused(path, "{"), "the body is not a JSON object");
  EXPECT_EQ(refused(path, "[]"), "the body is not a JSON object");
  EXPECT_EQ(refused(path, R"({"topik":"t"})"), "unknown key topik");
  EXPECT_EQ(refused(path, R"({"partition":0,"from":"skip"})"), "topic is missing");
  EXPECT_EQ(refused(path, R"({"topic":1,"partition":0,"from":"skip"})"), "topic must be a string");
  for (const char* partition : {"-1", "1.5", "\"0\"", "2147483648", "null"}) {
    EXPECT_EQ(refused(path, std::string(R"({"topic":"t","from":"skip","partition":)") + partition + "}"),
              "partition must be a number from 0");
  }
  for (const char* from : {"\"here\"", "-5", "1.5", "null", "9223372036854775808"}) {
    EXPECT_THAT(refused(path, std::string(R"({"topic":"t","partition":0,"from":)") + from + "}"),
                HasSubstr("from must be"));
  }
  EXPECT_EQ(refused(path, R"({"topic":"t","partition":0,"from":"skip","source":1})"),
            "source must be a string");
  EXPECT_EQ(send(path, R"({"topic":"t","partition":0,"from":"skip"})", "text/plain").status, 400);
  EXPECT_EQ(get(server_->port(), path).status, 405);
}

TEST_F(OperatorRoutes, RewindTakesATimeAndATopic) {
  const RawAnswer answer =
      send("/api/v1/ingest/rewind", R"({"time":"2026-01-01T00:00:00Z","topic":"readings"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(rewind_->time_ns, 1'767'225'600 * kNsPerSecond);
  EXPECT_EQ(rewind_->topic, "readings");
  EXPECT_EQ(json_of(answer)["moved"][0]["to"], 40);
  EXPECT_EQ(refused("/api/v1/ingest/rewind", R"({"topic":"readings"})"), "time \"\" is none");
  EXPECT_EQ(refused("/api/v1/ingest/rewind", R"({"time":"soon"})"), "time \"soon\" is none");
  EXPECT_EQ(refused("/api/v1/ingest/rewind", R"({"time":5})"), "time must be a string");
  EXPECT_EQ(refused("/api/v1/ingest/rewind", R"({"time":"2026-01-01T00:00:00Z","partition":1})"),
            "unknown key partition");
}

TEST_F(OperatorRoutes, WhatASourceAnswersBecomesAStatus) {
  const std::string body = R"({"time":"2026-01-01T00:00:00Z"})";
  for (const auto& [error, status] :
       std::vector<std::pair<Error, int>>{{not_found("no source kafka.9; this server has kafka.0"), 404},
                                          {invalid_argument("it is not halted"), 400},
                                          {unavailable("the broker does not answer"), 503}}) {
    failure_ = error;
    const RawAnswer answer = send("/api/v1/ingest/rewind", body);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(json_of(answer)["error"]["message"], error.message);
  }
}

TEST_F(OperatorRoutes, BackfillTakesARangeAndAnswersIds) {
  const RawAnswer answer =
      send("/api/v1/mirror/backfill",
           R"({"mirror":"mirror.1","table":"m","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"})");
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_EQ(json_of(answer),
            Json::parse(R"({"backfills":[{"mirror":"mirror.0","id":7},{"mirror":"mirror.1","id":8}]})"));
  EXPECT_EQ(source_, "mirror.1");
  EXPECT_EQ(backfill_->table, "m");
  EXPECT_EQ(backfill_->time.min, 1'767'225'600 * kNsPerSecond);
  EXPECT_EQ(backfill_->time.max, 1'767'312'000 * kNsPerSecond - 1);
  EXPECT_EQ(send("/api/v1/mirror/backfill", "{}").status, 202) << "all of everything";
}

TEST_F(OperatorRoutes, BackfillRefusesWhatItDoesNotUnderstand) {
  const std::string path = "/api/v1/mirror/backfill";
  EXPECT_EQ(refused(path, "{"), "the body must be a JSON object");
  EXPECT_EQ(refused(path, "7"), "the body must be a JSON object");
  EXPECT_EQ(refused(path, R"({"form":"2026-01-01T00:00:00Z"})"), "unknown key form");
  EXPECT_EQ(refused(path, R"({"from":1})"), "from must be a string");
  EXPECT_THAT(refused(path, R"({"from":"soon"})"), HasSubstr("from: "));
  EXPECT_EQ(refused(path, R"({"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"})"),
            "from must be before to");
  EXPECT_EQ(send(path, "{}", "text/plain").status, 400) << "a form of a foreign page cannot send JSON";
  failure_ = not_found("there is no mirror 'mirror.9'; the first is mirror.0");
  const RawAnswer unknown = send(path, R"({"mirror":"mirror.9"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json_of(unknown)["error"]["message"], failure_->message);
}

TEST_F(Http, WithoutMirrorsThereIsNoBackfill) {
  const RawAnswer answer = ask(port(),
                               "POST /api/v1/mirror/backfill HTTP/1.1\r\nHost: h\r\nContent-Type: "
                               "application/json\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(answer.status, 404);
}

}  // namespace
}  // namespace varve
