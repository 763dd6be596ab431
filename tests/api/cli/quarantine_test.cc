// Refused messages, end to end: in quarantine, in a dead-letter topic, and decoded again after the fix.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/quarantine.h"
#include "storage/engine.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;

constexpr seconds kPatience{90};

class QuarantineCommand : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::unique_ptr<Process> serve(const std::string& more) {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n"
                        << more;
    auto process = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", path});
    EXPECT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << process->log_tail();
    return process;
  }
  std::string csv(const std::string& sql) const {
    return run({VARVE_BINARY, "query", sql, "--url", url(), "--format", "csv"}, kPatience).out;
  }
  Finished quarantine(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {VARVE_BINARY, "quarantine"});
    arguments.insert(arguments.end(), {"--url", url()});
    return run(arguments, kPatience);
  }

  TempDir folder_;
  uint16_t port_ = free_port();
};

TEST_F(QuarantineCommand, RefusedMessagesAreDeadLettersAndAreTakenInAfterTheFix) {
  const auto broker = EmbeddedBroker::start();
  ASSERT_TRUE(broker.has_value()) << broker.error().message;
  ASSERT_TRUE((*broker)->create_topic("readings", 1).has_value());
  ASSERT_TRUE((*broker)->create_topic("dead", 1).has_value());
  const auto config = [&](const std::string& time) {
    const std::string brokers = "brokers = \"" + (*broker)->bootstrap() + "\"\n";
    return "[[kafka]]\n" + brokers +
           "topics = [\"readings\"]\ntable = \"water\"\ntags = [\"sensor_id\"]\ntime = \"" + time +
           "\"\ndead_letter_topic = \"dead\"\n[[kafka]]\n" + brokers +
           "group = \"dead\"\ntopics = [\"dead\"]\ntable = \"dead\"\ntime = \"$timestamp\"\ntags = "
           "[\"sensor_id\"]\n"
           "fields = [\"reason=$header.varve.reason\", \"at=$header.varve.offset\", \"device=$key\"]\n";
  };
  const std::string fixable = R"({"sensor_id":"s1","ts":"2025-07-01T00:00:00Z","v":1.5})";
  const std::string hopeless = R"({"sensor_id":"s2","v":2.5})";
  send((*broker)->bootstrap(), "readings", {fixable, hopeless});
  {
    const auto server = serve(config("not_there"));
    EXPECT_TRUE(wait_until(
        [&] {
          return csv("SELECT sensor_id, reason, at FROM dead ORDER BY sensor_id").find("s2,no_time,1") !=
                 std::string::npos;
        },
        kPatience))
        << csv("SELECT * FROM dead") << server->log_tail();
    EXPECT_THAT(csv("SELECT sensor_id, reason, at FROM dead"), HasSubstr("s1,no_time,0"));
    EXPECT_THAT(quarantine({"list"}).out, HasSubstr("no_time"));
    EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
  }
  const auto server = serve(config("ts"));
  const Finished other = quarantine({"retry", "--where", "topic = 'another'"});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.out, HasSubstr("0 selected"));
  const Finished retried = quarantine({"retry", "--where", "topic = 'readings' -- all"});
  EXPECT_EQ(retried.exit_code, 0) << retried.err;
  EXPECT_THAT(retried.out, HasSubstr("2 selected: 1 stored again as 1 rows"));
  EXPECT_THAT(retried.out, HasSubstr("refused again: 1 no_time"));
  EXPECT_THAT(csv("SELECT sensor_id, v FROM water"), HasSubstr("s1,1.5"));
  EXPECT_THAT(csv("SELECT count(*) FROM varve_quarantine WHERE retried = false"), HasSubstr("\n1"));
  EXPECT_THAT(quarantine({"retry"}).out, HasSubstr("1 selected: 0 stored"));
  const Finished exported = quarantine({"export"});
  EXPECT_THAT(exported.out, HasSubstr("s2"));
  EXPECT_EQ(exported.out.find("s1"), std::string::npos) << exported.out;
  const Finished wrong = quarantine({"retry", "--where", "topic = 'a' LIMIT 1"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("one condition"));
  EXPECT_TRUE(wait_until(
      [&] { return http_get(url() + "/metrics").body.find("varve_kafka_lag_seconds{") != std::string::npos; },
      kPatience));
}

TEST_F(QuarantineCommand, SaysThatNothingWasRefused) {
  const auto server = serve("");
  for (const char* verb : {"list", "retry"}) {
    const Finished done = quarantine({verb});
    EXPECT_EQ(done.exit_code, 0) << verb;
    EXPECT_EQ(done.out, "nothing was refused: the quarantine is empty\n") << verb;
    EXPECT_EQ(done.err, "") << verb;
  }
  const Finished exported = quarantine({"export"});
  EXPECT_EQ(exported.exit_code, 0);
  EXPECT_EQ(exported.out, "");
  EXPECT_THAT(exported.err, HasSubstr("nothing was refused"));
  const std::string retry = url() + "/api/v1/quarantine/retry";
  EXPECT_THAT(http_post(retry, "{}", "application/json").body, HasSubstr("\"selected\":0"));
}

TEST_F(QuarantineCommand, RefusesRowsOfBeforeThereWasARetry) {
  {
    MetricsRegistry metrics;
    EngineOptions options;
    options.data_directory = (folder_ / "data").string();
    options.metrics = &metrics;
    auto engine = Engine::open(options);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    RowBatchBuilder rows{std::string(kDefaultDatabase), std::string(kQuarantineTable)};
    rows.begin_row();
    rows.tag("source", "kafka.0");
    rows.field_string("payload", "{}");
    rows.end_row(1000);
    std::vector<RowBatch> batches;
    batches.push_back(rows.finish());
    ASSERT_TRUE((*engine)->append_and_wait((*engine)->admit(std::move(batches))).has_value());
  }
  const auto server = serve("");
  for (const char* verb : {"list", "retry", "export"}) {
    const Finished done = quarantine({verb});
    EXPECT_EQ(done.exit_code, 1) << verb;
    EXPECT_EQ(done.out, "") << verb;
    EXPECT_THAT(done.err, HasSubstr("read them with SELECT * FROM varve_quarantine")) << verb;
  }
  const auto answer = http_post(url() + "/api/v1/quarantine/retry", "{}", "application/json");
  EXPECT_EQ(answer.status, 501);
  EXPECT_THAT(answer.body, HasSubstr("read them with"));
}

TEST_F(QuarantineCommand, TakesRefusedLinesInOnceTheyFit) {
  const auto write = [&](const std::string& lines) {
    return http_post(url() + "/write?db=lake&precision=s", lines, "text/plain").status;
  };
  {
    const auto server = serve("series_per_table = 2\n");
    EXPECT_EQ(write("water,site=a ph=7.5 1735689600\nwater,site=c ph=8 1735689600"), 204);
    EXPECT_EQ(write("water,site=b ph=7.25 1735689601\nwater,site=a ph= 1735689602"), 400);
    EXPECT_THAT(quarantine({"list"}).out, HasSubstr("series_limit"));
    EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
  }
  const auto server = serve("");
  const Finished retried = quarantine({"retry"});
  EXPECT_THAT(retried.out, HasSubstr("2 selected: 1 stored again as 1 rows")) << retried.err;
  EXPECT_EQ(csv("SELECT site, ph, time FROM lake.water WHERE site = 'b'"),
            "site,ph,time\r\nb,7.25,2025-01-01T00:00:01Z\r\n");
  EXPECT_EQ(quarantine({"list"}).out.find("series_limit"), std::string::npos);
}

}  // namespace
}  // namespace varve::test
