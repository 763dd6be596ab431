// Messages a source cannot use, a disk that stalls, and a sink that is killed, against a real broker: K6, K7 and K8 of
// the faults varve promises to live with. One broker serves all tests; each has topics of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "ingest/kafka/consumer.h"
#include "ingest/kafka/raw_message.h"
#include "ingest/kafka/start_source.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"
#include "tests/support/http_client.h"
#include "tests/support/kafka_server.h"

namespace varve::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int64_t kFirstMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

struct Message {
  std::string topic, key, value;
  std::map<std::string, std::string> headers;
  int64_t timestamp_ms = 0;
};

class KafkaFaults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Messages here are of long ago: without this, Kafka deletes them half a minute after its start.
    kafka_ =
        KafkaServer::start({"num.partitions=3", "group.min.session.timeout.ms=1000", "log.retention.ms=-1"});
  }
  static void TearDownTestSuite() { kafka_.reset(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void start_varve(const std::string& more) {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n"
                        << more;
    varve_ = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", path});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(60)))
        << varve_->log_tail();
  }
  static std::string source(const std::string& topic, const std::string& more = "") {
    return "[[kafka]]\nbrokers = \"" + kafka_->bootstrap() + "\"\ngroup = \"" + topic + "\"\ntopics = [\"" +
           topic + "\"]\ntable = \"t\"\ntags = [\"sensor\"]\n" + more;
  }
  // The first cell; -1 when there is no answer.
  int64_t number(const std::string& sql) const {
    const HttpAnswer answer = http_get(url() + "/api/v1/query?format=csv&q=" + url_encode(sql));
    std::istringstream lines(answer.body);
    std::string line;
    std::getline(lines, line);
    if (answer.status != 200 || !std::getline(lines, line) || line.empty()) return -1;
    return std::stoll(line);
  }
  bool eventually_is(const std::string& sql, int64_t wanted) const {
    return wait_until([&] { return number(sql) == wanted; }, seconds(60));
  }

  static void produce(const std::vector<Message>& messages, const std::map<std::string, std::string>& more) {
    std::map<std::string, std::string> defaults{{"bootstrap.servers", kafka_->bootstrap()},
                                                {"linger.ms", "5"},
                                                {"queue.buffering.max.messages", "1000000"}};
    auto conf = make_kafka_conf(defaults, more);
    ASSERT_TRUE(conf.has_value()) << conf.error().message;
    auto client = make_kafka_client(RD_KAFKA_PRODUCER, std::move(*conf));
    ASSERT_TRUE(client.has_value()) << client.error().message;
    for (const Message& message : messages) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(1);
      for (const auto& [name, value] : message.headers) {
        rd_kafka_header_add(headers, name.c_str(), -1, value.data(), static_cast<ssize_t>(value.size()));
      }
      std::array<rd_kafka_vu_t, 6> parts{};
      parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
      parts[0].u.cstr = message.topic.c_str();
      parts[1].vtype = RD_KAFKA_VTYPE_KEY;
      parts[1].u.mem = {const_cast<char*>(message.key.data()), message.key.size()};
      parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
      parts[2].u.mem = {const_cast<char*>(message.value.data()), message.value.size()};
      parts[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
      parts[3].u.i = RD_KAFKA_MSG_F_COPY;
      parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
      parts[4].u.i64 = message.timestamp_ms;
      parts[5].vtype = RD_KAFKA_VTYPE_HEADERS;
      parts[5].u.headers = headers;
      const KafkaOwned<rd_kafka_error_t> error(rd_kafka_produceva(client->get(), parts.data(), parts.size()));
      ASSERT_EQ(error, nullptr) << rd_kafka_error_string(error.get());
    }
    ASSERT_EQ(rd_kafka_flush(client->get(), 60'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  // All messages of a topic until `done` says so; joins no group.
  static std::vector<Message> read(const std::string& topic,
                                   const std::function<bool(const std::vector<Message>&)>& done) {
    std::vector<Message> found;
    auto opened = KafkaConsumer::open({kafka_->bootstrap(), "reader", {}, {}});
    EXPECT_TRUE(opened.has_value());
    KafkaConsumer& consumer = **opened;
    std::vector<PartitionOffset> starts;
    EXPECT_TRUE(eventually([&] {
      const auto ids = consumer.partitions_of({topic});
      if (!ids) return false;
      for (const auto& id : *ids) starts.push_back({id, RD_KAFKA_OFFSET_BEGINNING, {}});
      return !starts.empty();
    })) << topic;
    EXPECT_TRUE(consumer.assign(starts).has_value());
    std::vector<rd_kafka_message_t*> polled(1'000);
    EXPECT_TRUE(eventually([&] {
      const size_t count = consumer.poll(polled, 100);
      for (size_t i = 0; i < count; ++i) {
        const KafkaOwned<rd_kafka_message_t> message(polled[i]);
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const ArchivedMessage raw = raw_message(*message);
        Message& out = found.emplace_back();
        out.topic = raw.topic;
        out.key = raw.key.value_or("");
        out.value = raw.value.value_or("");
        out.timestamp_ms = raw.timestamp_ms;
        for (const auto& [name, value] : raw.headers) out.headers[std::string(name)] = value.value_or("");
      }
      return done(found);
    })) << found.size()
        << " messages of " << topic;
    return found;
  }

  static std::unique_ptr<KafkaServer> kafka_;
  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> varve_;
};

std::unique_ptr<KafkaServer> KafkaFaults::kafka_;

std::string reading(int64_t number, const char* time = "ts") {
  return json{{time, kFirstMs + number}, {"sensor", "s" + std::to_string(number % 50)}, {"v", number}}.dump();
}

// ---- K6: 1 % of the messages are broken ----

struct Poison {
  const char* reason;
  std::string value;
};
std::vector<Poison> poisons() {
  const std::string begin = R"({"ts":1767225600000,"sensor":"bad","v":)";
  return {{"malformed_json", begin + "1"},
          {"malformed_json", R"({"ts":1767225600000,"sensor":")" + std::string("\xC3\x28") + R"(","v":1})"},
          {"out_of_range", begin + "18446744073709551616}"},
          {"malformed_json", begin + "NaN}"},
          {"empty_message", ""},
          {"malformed_json", std::string(7, '\0')}};
}

TEST_F(KafkaFaults, OneMessageInAHundredIsPoisonAndGoesToQuarantineAndToTheDeadLetterTopic) {
  constexpr int64_t kMessages = 50'000;
  const std::vector<Poison> bad = poisons();
  std::vector<Message> messages;
  std::map<std::string, int64_t> expected;  // by reason
  int64_t sum = 0;
  for (int64_t i = 0; i < kMessages; ++i) {
    Message& message =
        messages.emplace_back(Message{"poison", "key" + std::to_string(i), reading(i), {}, kFirstMs + i});
    if (i % 100 != 37) {
      sum += i;
      continue;
    }
    const Poison& poison = bad[static_cast<size_t>(i / 100) % bad.size()];
    ++expected[poison.reason];
    message.value = poison.value;
    message.headers = {{"origin", "o" + std::to_string(i)}};
  }
  produce(messages, {});
  start_varve(source("poison", "dead_letter_topic = \"poison.dead\"\n"));
  ASSERT_TRUE(eventually_is("SELECT count(*) FROM t", kMessages * 99 / 100))
      << http_get(url() + "/api/v1/status").body << varve_->log_tail();
  EXPECT_EQ(number("SELECT sum(v) FROM t"), sum);
  EXPECT_TRUE(eventually_is("SELECT count(*) FROM varve_quarantine", kMessages / 100));
  for (const auto& [reason, count] : expected) {
    EXPECT_EQ(number("SELECT count(*) FROM varve_quarantine WHERE reason = '" + reason + "'"), count)
        << reason;
  }
  const std::vector<Message> dead =
      read("poison.dead", [](const auto& found) { return found.size() >= kMessages / 100; });
  ASSERT_EQ(dead.size(), size_t{kMessages / 100});
  std::map<std::string, int64_t> by_reason;
  std::set<std::string> places;
  for (const Message& message : dead) {
    const int64_t i = std::stoll(message.key.substr(3));
    EXPECT_EQ(i % 100, 37);
    EXPECT_EQ(message.value, bad[static_cast<size_t>(i / 100) % bad.size()].value);
    EXPECT_EQ(message.timestamp_ms, kFirstMs + i);
    EXPECT_EQ(message.headers.at("origin"), "o" + std::to_string(i));
    EXPECT_EQ(message.headers.at("varve.source"), "kafka.0");
    EXPECT_EQ(message.headers.at("varve.topic"), "poison");
    EXPECT_FALSE(message.headers.at("varve.detail").empty());
    ++by_reason[message.headers.at("varve.reason")];
    places.insert(message.headers.at("varve.partition") + ":" + message.headers.at("varve.offset"));
  }
  EXPECT_EQ(by_reason, expected);
  EXPECT_EQ(places.size(), dead.size());
}

// ---- a mistake in the configuration, found late ----

TEST_F(KafkaFaults, RefusedMessagesAreStoredByARetryOnceTheConfigurationIsRight) {
  std::vector<Message> messages;
  for (int64_t i = 0; i < 300; ++i) messages.push_back({"late", "k", reading(i, "when"), {}, kFirstMs});
  produce(messages, {});
  start_varve(source("late"));
  ASSERT_TRUE(eventually_is("SELECT count(*) FROM varve_quarantine WHERE reason = 'no_time'", 300));
  const auto retry = [&](const std::string& body) {
    return http_post(url() + "/api/v1/quarantine/retry", body, "application/json");
  };
  const HttpAnswer too_early = retry(R"({"where":"reason = 'no_time'"})");
  ASSERT_EQ(too_early.status, 200) << too_early.body;
  EXPECT_EQ(json::parse(too_early.body)["retried"], 0);
  EXPECT_EQ(json::parse(too_early.body)["refused"]["no_time"]["count"], 300);
  EXPECT_EQ(retry(R"({"where":"reason ="})").status, 400);
  EXPECT_EQ(varve_->stop(seconds(30)), 0) << varve_->log_tail();

  start_varve(source("late", "time = \"when\"\n"));
  const HttpAnswer some = retry(R"({"where":"reason = 'no_time' AND partition >= 0 AND \"offset\" < 10"})");
  ASSERT_EQ(some.status, 200) << some.body;
  const int64_t first = json::parse(some.body)["retried"];
  EXPECT_GT(first, 0);
  EXPECT_EQ(number("SELECT count(*) FROM t"), first);
  const HttpAnswer rest = retry("{}");
  ASSERT_EQ(rest.status, 200) << rest.body;
  EXPECT_EQ(json::parse(rest.body)["retried"], 300 - first);
  EXPECT_EQ(number("SELECT count(*) FROM t"), 300);
  EXPECT_EQ(number("SELECT sum(v) FROM t"), 299 * 300 / 2);
  EXPECT_EQ(number("SELECT count(*) FROM varve_quarantine WHERE retried = true"), 300);
  const json status = json::parse(http_get(url() + "/api/v1/status").body);
  EXPECT_EQ(status["quarantine"]["rows_total"], 300) << "a retried row counts once";
}

// ---- kafka_out ----

TEST_F(KafkaFaults, RowsSentToKafkaSurviveAKillInTheMiddle) {
  constexpr int kBatches = 24;
  constexpr int kRows = 500;  // a batch
  const std::string out = "[[kafka_out]]\nbrokers = \"" + kafka_->bootstrap() +
                          "\"\ntopic = \"out.{table}\"\nproperties = { \"linger.ms\" = \"100\" }\n";
  start_varve(out);
  for (int batch = 0; batch < kBatches; ++batch) {
    std::string lines;
    for (int row = 0; row < kRows; ++row) {
      const int i = batch * kRows + row;
      lines += "m,site=s" + std::to_string(i % 20) + " v=" + std::to_string(i) + "i " +
               std::to_string(i + 1) + "\n";
    }
    ASSERT_EQ(http_post(url() + "/write", lines, "text/plain").status, 204);
    if (batch % 8 == 7) {
      varve_->kill();
      start_varve(out);
    }
  }
  const auto ids = [](const std::vector<Message>& messages) {
    std::set<std::string> distinct;
    for (const Message& message : messages) distinct.insert(message.headers.at("varve.id"));
    return distinct.size();
  };
  const std::vector<Message> sent =
      read("out.m", [&](const auto& found) { return ids(found) >= kBatches * kRows; });
  EXPECT_EQ(ids(sent), size_t{kBatches * kRows});
  std::map<std::string, std::string> by_id;
  std::set<int64_t> numbers;
  for (const Message& message : sent) {
    const auto [at, is_new] = by_id.emplace(message.headers.at("varve.id"), message.value);
    EXPECT_EQ(at->second, message.value) << "another row has the same id";
    const json row = json::parse(message.value);
    EXPECT_EQ(message.key, "m,site=" + row["site"].get<std::string>());
    numbers.insert(row["v"].get<int64_t>());
  }
  EXPECT_EQ(numbers.size(), size_t{kBatches * kRows}) << "none is missing";
  std::printf("%zu of %d rows were sent twice\n", sent.size() - numbers.size(), kBatches * kRows);
}

// ---- K7: a bomb ----

// "VmHWM:   123456 kB" of /proc/PID/status.
int64_t peak_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  return -1;
}

TEST_F(KafkaFaults, ACompressedBombIsRefusedAndCountedAndWhatFollowsIsRead) {
  constexpr size_t kBombBytes = 10 << 20;
  std::vector<Message> messages;
  for (int64_t i = 0; i < 100; ++i) messages.push_back({"bomb", "same", reading(i), {}, kFirstMs});
  messages.push_back({"bomb", "same", std::string(kBombBytes, '\0'), {}, kFirstMs});
  messages.push_back({"bomb", "same", std::string(kBombBytes, ' '), {}, kFirstMs});
  for (int64_t i = 100; i < 200; ++i) messages.push_back({"bomb", "same", reading(i), {}, kFirstMs});
  produce(messages, {{"compression.codec", "gzip"}, {"message.max.bytes", "30000000"}});
  start_varve(source("bomb", "dead_letter_topic = \"bomb.dead\"\n"));
  EXPECT_TRUE(eventually_is("SELECT count(*) FROM t", 200)) << number("SELECT count(*) FROM t");
  EXPECT_TRUE(eventually_is("SELECT count(*) FROM varve_quarantine", 2));
  EXPECT_EQ(number("SELECT max(payload_bytes) FROM varve_quarantine WHERE truncated = true"),
            static_cast<int64_t>(kBombBytes));
  const json status = json::parse(http_get(url() + "/api/v1/status").body);
  EXPECT_EQ(status["ingest"]["sources"][0]["rejected_total"], 2);
  EXPECT_EQ(status["ingest"]["sources"][0]["state"], "running");
  const auto dead = read("bomb.dead", [](const auto& found) { return found.size() >= 2; });
  EXPECT_EQ(dead[0].headers.at("varve.truncated"), std::to_string(kBombBytes));
  EXPECT_EQ(dead[0].value.size(), kQuarantinePayloadBytesMax);
  EXPECT_LT(peak_kib(varve_->pid()), 512 << 10) << "memory is bounded";
}

// ---- K8: the disk stalls for longer than max.poll.interval.ms ----

std::string member_of(const std::string& brokers, const std::string& group) {
  auto conf = make_kafka_conf({{"bootstrap.servers", brokers}}, {});
  auto client = make_kafka_client(RD_KAFKA_PRODUCER, std::move(*conf));
  const rd_kafka_group_list* groups = nullptr;
  std::string members;
  if (rd_kafka_list_groups(client->get(), group.c_str(), &groups, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  for (int i = 0; i < groups->group_cnt; ++i) {
    for (int m = 0; m < groups->groups[i].member_cnt; ++m) members += groups->groups[i].members[m].member_id;
  }
  rd_kafka_group_list_destroy(groups);
  return members;
}

TEST_F(KafkaFaults, AStalledDiskPausesTheSourceWhichStaysInItsGroup) {
  FakeEngine engine;
  MetricsRegistry metrics;
  KafkaSourceOptions options;
  options.brokers = kafka_->bootstrap();
  options.group = "stall";
  options.topics = {"stall"};
  options.properties = {
      {"session.timeout.ms", "1500"}, {"heartbeat.interval.ms", "300"}, {"max.poll.interval.ms", "2000"}};
  send(kafka_->bootstrap(), "stall", numbers(0, 100));
  auto source = start_kafka_source(options, engine, metrics, std::make_unique<NumberDecoder>());
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 100; }));
  const std::string member = member_of(kafka_->bootstrap(), "stall");
  ASSERT_FALSE(member.empty());

  engine.hold_appends();
  const auto began = std::chrono::steady_clock::now();
  int64_t next = 100;
  ASSERT_TRUE(eventually([&] {  // until its window of writes is full
    send(kafka_->bootstrap(), "stall", numbers(next, next + 10));
    next += 10;
    return (*source)->status().state == "paused";
  }));
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() - began > std::chrono::seconds(6); }));
  EXPECT_EQ(member_of(kafka_->bootstrap(), "stall"), member) << "thrown out, or joined again";
  EXPECT_EQ((*source)->status().state, "paused");
  EXPECT_EQ(engine.rows("t"), 100U);
  engine.release_appends();
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == static_cast<size_t>(next); }));
  ASSERT_TRUE(eventually([&] { return (*source)->status().state == "running"; }));
  EXPECT_EQ(member_of(kafka_->bootstrap(), "stall"), member);
  source->reset();
  EXPECT_EQ(engine.rows("t"), static_cast<size_t>(next)) << "each exactly once";
}

// ---- a dry run against a group that reads ----

TEST_F(KafkaFaults, ADryRunCommitsNothingAndBeginsAtATime) {
  std::vector<Message> messages;
  for (int64_t i = 0; i < 60; ++i)
    messages.push_back({"dry", "k" + std::to_string(i), reading(i), {}, kFirstMs + i * 1'000});
  produce(messages, {});
  const auto dry_run = [&](const std::string& start) {
    const std::string path = (folder_ / "dry.toml").string();
    std::ofstream(path) << "[storage]\ndata = \"" << (folder_ / "dry").string() << "\"\n"
                        << source("dry", "start = \"" + start + "\"\n");
    return run({VARVE_BINARY, "serve", "--allow-root", "--config", path, "--dry-run", "1000"});
  };
  const Finished all = dry_run("earliest");
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out,
              HasSubstr("kafka.0: 60 messages of 3 partitions, start = \"earliest\": 60 rows, 0 refused\n"));
  EXPECT_THAT(dry_run("2026-01-01T00:00:50Z").out, HasSubstr("kafka.0: 10 messages of 3 partitions"));
  EXPECT_EQ(member_of(kafka_->bootstrap(), "dry"), "");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "dry"));
  start_varve(source("dry"));
  EXPECT_TRUE(eventually_is("SELECT count(*) FROM t", 60)) << "nothing was committed";
}

}  // namespace
}  // namespace varve::test
