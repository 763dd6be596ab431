// Delivery against a real broker: rewinding, and a group of three varve processes that join, leave and are killed.
// What exactly once means for a group whose members have stores of their own:
//   a member that leaves in order has committed all it holds: every message is in exactly one store
//   a member that is killed may hold rows behind its last commit, which another then reads, too: the union of the
//     stores by (series, time) has every message once, and none is missing
// VARVE_STORM_SECONDS: how long the storm lasts (default 12); a given one also kills the broker now and then.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "ingest/kafka/start_source.h"
#include "storage/base/timestamp.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"
#include "tests/support/http_client.h"
#include "tests/support/kafka_server.h"

namespace varve::test {
namespace {

constexpr int64_t kFirstMs = 1'751'328'000'000;  // 2025-07-01T00:00:00Z
const std::vector<std::string> kKafka{"num.partitions=6", "group.min.session.timeout.ms=1000",
                                      "group.initial.rebalance.delay.ms=0", "log.retention.ms=-1"};

// Numbers 0 to total - 1 that no store has, and those in more than one row of all stores.
struct Verdict {
  std::vector<int64_t> lost, repeated, foreign;
};
Verdict judge(const std::vector<std::vector<int64_t>>& stores, int64_t total) {
  std::map<int64_t, int> counts;
  for (const auto& store : stores) {
    for (const int64_t number : store) ++counts[number];
  }
  Verdict verdict;
  for (int64_t i = 0; i < total; ++i) {
    if (!counts.contains(i)) verdict.lost.push_back(i);
  }
  for (const auto& [number, count] : counts) {
    if (count > 1) verdict.repeated.push_back(number);
    if (number < 0 || number >= total) verdict.foreign.push_back(number);
  }
  return verdict;
}

TEST(ExactlyOnceChecker, FindsAPlantedLossAndAPlantedRepeat) {
  const Verdict fine = judge({{0, 2}, {1, 3}}, 4);
  EXPECT_TRUE(fine.lost.empty() && fine.repeated.empty() && fine.foreign.empty());
  EXPECT_EQ(judge({{0}, {1, 3}}, 4).lost, (std::vector<int64_t>{2}));
  EXPECT_EQ(judge({{0, 2}, {1, 2, 3}}, 4).repeated, (std::vector<int64_t>{2}));
  EXPECT_EQ(judge({{0, 1, 2, 3, 4}}, 4).foreign, (std::vector<int64_t>{4}));
}

std::map<int64_t, int> seen(const FakeEngine& engine) {
  std::map<int64_t, int> counts;
  for (const auto& record : engine.records()) {
    for (const auto& batch : record.batches) {
      for (const int64_t time : batch.times) ++counts[time];
    }
  }
  return counts;
}

TEST(KafkaDelivery, ARewindReadsAgainFromATimeAndOutlivesACrashRightAfter) {
  const auto kafka = KafkaServer::start({"num.partitions=1"});
  KafkaProducerOptions producer_options;
  producer_options.brokers = kafka->bootstrap();
  producer_options.topic = "readings";
  auto producer = KafkaProducer::open(producer_options);
  ASSERT_TRUE(producer.has_value());
  for (int64_t i = 0; i < 30; ++i) {
    ASSERT_TRUE((*producer)->produce("k", std::to_string(i), kFirstMs + i * 1'000).has_value());
  }
  ASSERT_TRUE((*producer)->flush(30'000'000'000).has_value());

  FakeEngine engine;
  MetricsRegistry metrics;
  KafkaSourceOptions options;
  options.brokers = kafka->bootstrap();
  const auto start = [&] {
    auto source = start_kafka_source(options, engine, metrics, std::make_unique<NumberDecoder>());
    EXPECT_TRUE(source.has_value());
    return std::move(*source);
  };
  {
    const auto source = start();
    ASSERT_TRUE(eventually([&] { return engine.rows("t") == 30; }));
    const auto none = source->rewind({.time_ns = 0, .topic = "others"});
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
    const auto later = source->rewind({.time_ns = (kFirstMs + 3'600'000) * kNsPerMs, .topic = ""});
    ASSERT_TRUE(later.has_value()) << later.error().message;
    EXPECT_EQ(later->at(0).to, 30) << "a rewind never skips";
    const auto moved = source->rewind({.time_ns = (kFirstMs + 20'000) * kNsPerMs, .topic = "readings"});
    ASSERT_TRUE(moved.has_value()) << moved.error().message;
    EXPECT_EQ(moved->at(0).from, 30);
    EXPECT_EQ(moved->at(0).to, 20);
    ASSERT_TRUE(eventually([&] { return engine.rows("t") == 40; }));
    for (const auto& [number, count] : seen(engine)) EXPECT_EQ(count, number < 20 ? 1 : 2) << number;
    // Of the next one only the record with the position reaches the log, as in a crash.
    engine.fail_next_appends(0, unavailable(""));
    ASSERT_TRUE(source->rewind({.time_ns = (kFirstMs + 25'000) * kNsPerMs, .topic = ""}).has_value());
    engine.fail_next_appends(1'000'000, unavailable("crashed"));
  }
  engine.fail_next_appends(0, unavailable(""));
  const auto source = start();
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 45; }));
  EXPECT_EQ(seen(engine)[24], 2);
  EXPECT_EQ(seen(engine)[25], 3);
}

class Member {
 public:
  Member(const KafkaServer& kafka, const std::string& name) : port_(free_port()) {
    std::ofstream out(folder_ / "varve.toml");
    out << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n"
        << "[storage]\ndata = \"" << (folder_ / name).string() << "\"\n"
        << "[[kafka]]\nbrokers = \"" << kafka.bootstrap() << "\"\ntopics = [\"readings\"]\n"
        << "table = \"water\"\ntime = \"ts\"\ntags = [\"sensor_id\"]\n"
        << "properties = { \"session.timeout.ms\" = \"3000\", \"heartbeat.interval.ms\" = \"500\" }\n";
  }
  void start() {
    process_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(60)))
        << process_->log_tail();
  }
  void leave() { EXPECT_EQ(process_->stop(seconds(30)), 0) << process_->log_tail(); }
  void kill() { process_->kill(); }

  std::vector<int64_t> numbers() const {
    const HttpAnswer answer = http_get(
        url() + "/api/v1/query?format=csv&q=" + url_encode("SELECT reading_number FROM water LIMIT 1000000"));
    std::vector<int64_t> found;
    if (answer.status != 200) return found;  // no such table yet
    std::istringstream lines(answer.body);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) found.push_back(std::stoll(line));
    return found;
  }

 private:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  TempDir folder_;
  uint16_t port_;
  std::unique_ptr<Process> process_;
};

class Group : public ::testing::Test {
 protected:
  static constexpr int kSensors = 60;

  void SetUp() override {
    kafka_ = KafkaServer::start(kKafka);
    for (const char* name : {"a", "b", "c"}) members_.push_back(std::make_unique<Member>(*kafka_, name));
  }
  // A reading of every sensor at each of many times, produced at `rate` a second.
  void produce(int64_t total, int64_t rate) {
    total_ = total;
    std::ofstream out(folder_ / "readings.csv");
    out << "Sensor ID,Measurement Time,Reading Number\n";
    for (int64_t i = 0; i < total; ++i) {
      out << 's' << i % kSensors << ',' << format_timestamp(kFirstMs * kNsPerMs + i / kSensors * kNsPerSecond)
          << ',' << i << '\n';
    }
    out.close();
    producer_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "produce", "--brokers", kafka_->bootstrap(), "--topic", "readings", "--csv",
        (folder_ / "readings.csv").string(), "--time-column", "Measurement Time", "--key-column", "Sensor ID",
        "--rate", std::to_string(rate)});
  }
  Verdict verdict() const {
    std::vector<std::vector<int64_t>> stores;
    for (const auto& member : members_) stores.push_back(member->numbers());
    return judge(stores, total_);
  }
  void finish() {
    ASSERT_EQ(producer_->wait(seconds(120)), 0) << producer_->log_tail();
    EXPECT_TRUE(wait_until([&] { return verdict().lost.empty(); }, seconds(60)))
        << verdict().lost.size() << " messages are in no store, the first: " << verdict().lost.front();
    EXPECT_TRUE(verdict().foreign.empty());
  }

  std::unique_ptr<KafkaServer> kafka_;
  TempDir folder_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<Process> producer_;
  int64_t total_ = 0;
};

TEST_F(Group, MembersThatJoinAndLeaveInOrderHaveEveryMessageInExactlyOneStore) {
  members_[0]->start();
  members_[1]->start();
  produce(30'000, 5'000);
  members_[2]->start();
  members_[0]->leave();
  members_[0]->start();
  members_[1]->leave();
  members_[1]->start();
  finish();
  const Verdict end = verdict();
  EXPECT_TRUE(end.repeated.empty()) << end.repeated.size()
                                    << " messages are in two stores, the first: " << end.repeated.front();
}

TEST_F(Group, AStormOfKillsLosesNothing) {
  const char* const given = std::getenv("VARVE_STORM_SECONDS");
  const int storm_seconds = given == nullptr ? 12 : std::atoi(given);
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (const auto& member : members_) member->start();
  constexpr int64_t kRate = 3'000;
  produce(kRate * storm_seconds, kRate);
  const auto end = std::chrono::steady_clock::now() + seconds(storm_seconds);
  constexpr int kRoundsBetweenBrokerKills = 8;
  int rounds = 0;
  int broker_kills = 0;
  while (std::chrono::steady_clock::now() < end) {
    Member& member = *members_[random() % members_.size()];
    if (random() % 2 == 0) {
      member.kill();
    } else {
      member.leave();
    }
    member.start();
    if (++rounds % kRoundsBetweenBrokerKills != 0 || given == nullptr) continue;
    kafka_->kill();
    kafka_->restart();
    ++broker_kills;
  }
  EXPECT_GT(rounds, 2);
  finish();
  std::printf("%d departures, %d broker kills, %zu of %lld messages in two stores\n", rounds, broker_kills,
              verdict().repeated.size(), static_cast<long long>(total_));
}

}  // namespace
}  // namespace varve::test
