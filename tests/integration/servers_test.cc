// The servers that the other integration tests stand on: they start, answer, come back with their data, and
// go.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/kafka_server.h"

namespace varve::testing {
namespace {

TEST(KafkaServer, AnswersOnItsPortAndComesBackAfterAStopAndAKill) {
  auto kafka = KafkaServer::start();  // returning means that it answered a metadata request
  auto bootstrap = kafka->bootstrap();
  EXPECT_TRUE(bootstrap.starts_with("127.0.0.1:")) << bootstrap;
  kafka->stop();
  kafka->restart();
  kafka->kill();
  kafka->restart();
  EXPECT_EQ(kafka->bootstrap(), bootstrap);
}

TEST(KafkaServer, SaysWhyItDidNotStart) {
  try {
    KafkaServer::start({"num.io.threads=none"});
    FAIL() << "started with a broken property";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("num.io.threads"), std::string::npos) << error.what();
  }
}

TEST(InfluxdServer, IsAwayUntilStartedAndKeepsItsDataOverARestart) {
  InfluxdServer influxd;
  EXPECT_EQ(http_get(influxd.url() + "/ping").status, 0);
  influxd.start();
  influxd.query("CREATE DATABASE varve");
  EXPECT_EQ(http_post(influxd.url() + "/write?db=varve", "water,site=a ph=7.5 1000", "text/plain").status,
            204);
  influxd.stop();
  EXPECT_EQ(http_get(influxd.url() + "/ping").status, 0);
  influxd.start();
  influxd.kill();
  influxd.start();
  auto body = influxd.query("SELECT ph, site FROM water", "varve");
  EXPECT_NE(body.find("[\"1970-01-01T00:00:00.000001Z\",7.5,\"a\"]"), std::string::npos) << body;
}

TEST(InfluxdServer, RefusesAWrongStatementByThrowing) {
  InfluxdServer influxd;
  influxd.start();
  EXPECT_THROW(influxd.query("SELEC"), std::runtime_error);
}

}  // namespace
}  // namespace varve::testing
