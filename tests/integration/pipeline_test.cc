// The main job against the real systems: CSV -> `varve produce` -> Apache Kafka -> `varve serve` -> SQL, and on to a
// real InfluxDB. varve is killed without warning on the way; InfluxDB is away at first.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/kafka_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

constexpr int kSensors = 50;

std::string sensor_name(int sensor) {
  return "s" + std::to_string(sensor);
}

// `rows` readings of kSensors sensors, one a second each, with values that follow from the row's number.
void write_csv(const std::filesystem::path& path, int rows) {
  std::ofstream out(path);
  out << "Sensor ID,Measurement Time,Water Temperature,Reading Number\n";
  for (int i = 0; i < rows; ++i) {
    const int second = i / kSensors;
    char time[32];
    std::snprintf(time, sizeof time, "2025-07-%02d %02d:%02d:%02d", 1 + second / 86400, second / 3600 % 24,
                  second / 60 % 60, second % 60);
    out << sensor_name(i % kSensors) << ',' << time << ',' << 15 + (i % 100) / 10.0 << ',' << i << '\n';
  }
}

class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kafka_ = KafkaServer::start();
    port_ = free_port();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  void write_config(const std::string& more = "") {
    std::ofstream out(folder_ / "varve.toml");
    out << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n"
        << "[storage]\ndata = \"" << (folder_ / "data").string() << "\"\nflush_rows = 20_000\n"
        << "[[kafka]]\nbrokers = \"" << kafka_->bootstrap() << "\"\ntopics = [\"readings\"]\n"
        << "table = \"water\"\ntime = \"ts\"\ntags = [\"sensor_id\"]\n"
        << more;
  }

  void start_varve() {
    varve_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(60)))
        << varve_->log_tail();
  }

  // The cells of a one-column answer, as text.
  std::vector<std::string> column(const std::string& sql) {
    const HttpAnswer answer = http_get(url() + "/api/v1/query?format=csv&q=" + url_encode(sql));
    std::vector<std::string> cells;
    if (answer.status != 200) return cells;
    std::istringstream lines(answer.body);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      cells.push_back(line);
    }
    return cells;
  }

  int64_t number(const std::string& sql) {
    const auto cells = column(sql);
    return cells.empty() || cells[0].empty() ? -1 : std::stoll(cells[0]);
  }

  Finished produce(const std::filesystem::path& csv) {
    return run({VARVE_BINARY, "produce", "--brokers", kafka_->bootstrap(), "--topic", "readings", "--csv",
                csv.string(), "--time-column", "Measurement Time", "--time-format", "%Y-%m-%d %H:%M:%S",
                "--key-column", "Sensor ID"},
               seconds(120));
  }

  std::unique_ptr<KafkaServer> kafka_;
  TempDir folder_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> varve_;
};

TEST_F(PipelineTest, EveryReadingIsThereExactlyOnceAfterThreeKills) {
  constexpr int kRows = 100'000;
  write_csv(folder_ / "readings.csv", kRows);
  write_config();
  start_varve();
  Process producer({VARVE_BINARY, "produce", "--brokers", kafka_->bootstrap(), "--topic", "readings", "--csv",
                    (folder_ / "readings.csv").string(), "--time-column", "Measurement Time", "--time-format",
                    "%Y-%m-%d %H:%M:%S", "--key-column", "Sensor ID", "--rate", "10000"});
  for (const int64_t seen : {15'000, 40'000, 70'000}) {
    ASSERT_TRUE(wait_until([&] { return number("SELECT count(*) FROM water") >= seen; }, seconds(60)))
        << varve_->log_tail();
    varve_->kill();
    start_varve();
  }
  const auto produced = producer.wait(seconds(60));
  ASSERT_EQ(produced, 0) << producer.log_tail();
  ASSERT_TRUE(wait_until([&] { return number("SELECT count(*) FROM water") >= kRows; }, seconds(60)))
      << number("SELECT count(*) FROM water") << " rows\n"
      << varve_->log_tail();
  EXPECT_EQ(number("SELECT count(*) FROM water"), kRows);
  EXPECT_EQ(number("SELECT count(reading_number) FROM water"), kRows);
  EXPECT_EQ(number("SELECT min(reading_number) FROM water"), 0);
  EXPECT_EQ(number("SELECT max(reading_number) FROM water"), kRows - 1);
  EXPECT_EQ(number("SELECT sum(reading_number) FROM water"), int64_t{kRows} * (kRows - 1) / 2);
  const auto numbers = column("SELECT reading_number FROM water LIMIT 200000");
  EXPECT_EQ(std::set<std::string>(numbers.begin(), numbers.end()).size(), static_cast<size_t>(kRows));
  EXPECT_EQ(number("SELECT count(*) FROM water WHERE sensor_id = 's7'"), kRows / kSensors);
  varve_->signal(SIGTERM);
  EXPECT_EQ(varve_->wait(seconds(10)), 0) << varve_->log_tail();
}

TEST_F(PipelineTest, InfluxThatIsDownAtFirstEndsWithTheSameRows) {
  constexpr int kRows = 20'000;
  InfluxdServer influxd;
  write_csv(folder_ / "readings.csv", kRows);
  write_config("[[mirror]]\nurl = \"" + influxd.url() + "\"\nversion = \"1\"\ndatabase = \"mirror\"\n");
  start_varve();
  const Finished produced = produce(folder_ / "readings.csv");
  ASSERT_EQ(produced.exit_code, 0) << produced.err;
  // Ingest and queries do not wait for the mirror.
  ASSERT_TRUE(wait_until([&] { return number("SELECT count(*) FROM water") == kRows; }, seconds(60)))
      << varve_->log_tail();
  EXPECT_NE(http_get(url() + "/api/v1/status").body.find("\"retrying\""), std::string::npos);
  varve_->kill();  // with everything still to be sent
  influxd.start();
  start_varve();
  const auto mirrored = [&](const std::string& select) {
    try {
      return influxd.query("SELECT " + select + " FROM water", "mirror");
    } catch (const std::runtime_error&) {
      return std::string();  // the database is not there yet
    }
  };
  const std::string all = "," + std::to_string(kRows) + "]";
  EXPECT_TRUE(wait_until([&] { return mirrored("count(reading_number)").find(all) != std::string::npos; },
                         seconds(60)))
      << mirrored("count(reading_number)") << varve_->log_tail();
  const std::string sum = "," + std::to_string(int64_t{kRows} * (kRows - 1) / 2) + "]";
  EXPECT_NE(mirrored("sum(reading_number)").find(sum), std::string::npos) << mirrored("sum(reading_number)");
  EXPECT_EQ(column("SELECT sum(water_temperature) FROM water WHERE sensor_id = 's3'").size(), 1U);
}

TEST_F(PipelineTest, BrokenMessagesAreQuarantinedAndThePartitionMovesOn) {
  write_config();
  start_varve();
  std::ofstream(folder_ / "bad.csv") << "Sensor ID,Measurement Time,Water Temperature\n"
                                        "s1,2025-07-01 00:00:00,20\n"
                                        "s1,not a time,21\n"
                                        "s1,2025-07-01 00:00:01,warm\n"
                                        "s1,2025-07-01 00:00:02,22\n";
  const Finished produced = produce(folder_ / "bad.csv");
  ASSERT_EQ(produced.exit_code, 0) << produced.err;
  ASSERT_TRUE(wait_until([&] { return number("SELECT count(*) FROM water") == 2; }, seconds(60)))
      << varve_->log_tail();
  ASSERT_TRUE(wait_until([&] { return number("SELECT count(*) FROM varve_quarantine") == 2; }, seconds(20)));
  const auto reasons = column("SELECT reason FROM varve_quarantine ORDER BY \"offset\"");
  EXPECT_EQ(reasons, (std::vector<std::string>{"bad_time", "type_conflict"}));
  const auto payloads = column("SELECT payload FROM varve_quarantine WHERE reason = 'bad_time'");
  ASSERT_EQ(payloads.size(), 1U);
  EXPECT_NE(payloads[0].find("not a time"), std::string::npos);
  EXPECT_EQ(
      number("SELECT \"offset\" FROM varve_quarantine WHERE topic = 'readings' AND reason = 'bad_time'"), 1);
}

TEST_F(PipelineTest, AnUnreachableBrokerIsAStateAndQueriesAreServedMeanwhile) {
  write_config();
  kafka_->stop();
  start_varve();
  EXPECT_EQ(number("SELECT 1"), 1);
  EXPECT_TRUE(wait_until(
      [&] { return http_get(url() + "/api/v1/status").body.find("\"connecting\"") != std::string::npos; },
      seconds(20)));
  kafka_->restart();
  write_csv(folder_ / "readings.csv", 100);
  ASSERT_EQ(produce(folder_ / "readings.csv").exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return number("SELECT count(*) FROM water") == 100; }, seconds(60)))
      << varve_->log_tail();
}

TEST_F(PipelineTest, ProduceFailsWhenAMessageIsNotDelivered) {
  write_csv(folder_ / "readings.csv", 10);
  kafka_->stop();
  const Finished produced = run({VARVE_BINARY, "produce", "--brokers", kafka_->bootstrap(), "--topic",
                                 "readings", "--csv", (folder_ / "readings.csv").string()},
                                seconds(90));
  EXPECT_EQ(produced.exit_code, 1);
  EXPECT_NE(produced.err.find("10"), std::string::npos) << produced.err;
}

}  // namespace
}  // namespace varve::test
