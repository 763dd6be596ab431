// Rewinding is tested on a real broker (kafka_delivery_test.cc): librdkafka's mock looks no offsets up by time.
#include "ingest/kafka/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/source.h"
#include "ingest/kafka/start_source.h"
#include "ingest/quarantine.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"

namespace varve {
namespace {

using testing::HasSubstr;

constexpr const char* kStream = "kafka:varve:readings";

class KafkaControlTest : public testing::Test {
 protected:
  static std::unique_ptr<EmbeddedBroker> new_broker() {
    auto started = EmbeddedBroker::start();
    EXPECT_TRUE(started.has_value());
    EXPECT_TRUE((*started)->create_topic("readings", 1).has_value());
    return std::move(*started);
  }
  std::unique_ptr<KafkaSource> start(Engine& engine, const EmbeddedBroker& broker) {
    KafkaSourceOptions options;
    options.brokers = broker.bootstrap();
    options.properties["session.timeout.ms"] = "2000";
    options.properties["heartbeat.interval.ms"] = "300";
    auto source = start_kafka_source(options, engine, metrics_, std::make_unique<NumberDecoder>());
    EXPECT_TRUE(source.has_value());
    return std::move(*source);
  }
  static void put_position(Engine& engine, int64_t offset) {
    AdmittedWrite write = engine.admit({});
    write.positions.push_back({kStream, 0, offset});
    ASSERT_TRUE(engine.append_and_wait(std::move(write)).has_value());
  }
  static int64_t position(const Engine& engine) {
    for (const auto& position : engine.positions()) {
      if (position.stream == kStream) return position.next_offset;
    }
    return -1;
  }
  static std::map<int64_t, int> seen(const FakeEngine& engine) {
    std::map<int64_t, int> counts;
    for (const auto& record : engine.records()) {
      for (const auto& batch : record.batches) {
        if (batch.table != "t") continue;
        for (const int64_t time : batch.times) ++counts[time];
      }
    }
    return counts;
  }
  // offset and detail of the only gap record
  static std::pair<int64_t, std::string> gap(const FakeEngine& engine) {
    std::pair<int64_t, std::string> found{-1, ""};
    for (const auto& record : engine.records()) {
      for (const auto& batch : record.batches) {
        if (batch.table != kQuarantineTable) continue;
        EXPECT_EQ(batch.rows(), 1);
        EXPECT_EQ(batch.tags[2].values.at(0), kGapReason);
        for (const auto& field : batch.fields) {
          if (field.name == "offset") found.first = field.data.ints[0];
          if (field.name == "detail") found.second = std::string(field.data.strings[0]);
        }
      }
    }
    return found;
  }
  static bool halted(const KafkaSource& source) {
    const auto status = source.status();
    return !status.partitions.empty() && !status.partitions[0].halted.empty() && status.state == "halted";
  }
  static ResumeRequest from(ResumeRequest::From from, int64_t offset = 0) {
    return {.topic = "readings", .partition = 0, .from = from, .offset = offset};
  }

  MetricsRegistry metrics_;
};

TEST_F(KafkaControlTest, SkipGoesOnWhereTheBrokerStillHasMessagesAndLeavesAGapRecord) {
  const auto broker = new_broker();
  send(broker->bootstrap(), "readings", numbers(0, 100));
  FakeEngine engine;
  put_position(engine, 5'000);
  const auto source = start(engine, *broker);
  ASSERT_TRUE(eventually([&] { return halted(*source); }));
  EXPECT_THAT(source->status().partitions[0].halted, HasSubstr("readings[0] is halted at offset 5000"));
  EXPECT_THAT(source->status().partitions[0].halted, HasSubstr("offsets 0 to 100"));
  EXPECT_THAT(metrics_.render(),
              HasSubstr("varve_kafka_partition_halted{source=\"kafka.0\",topic=\"readings\","
                        "partition=\"0\"} 1"));
  const auto moved = source->resume(from(ResumeRequest::From::kSkip));
  ASSERT_TRUE(moved.has_value()) << moved.error().message;
  ASSERT_EQ(moved->size(), 1U);
  EXPECT_EQ(moved->at(0).from, 5'000);
  EXPECT_EQ(moved->at(0).to, 100);
  EXPECT_EQ(position(engine), 100) << "not in the log before it was answered";
  EXPECT_EQ(gap(engine).first, 5'000);
  EXPECT_THAT(gap(engine).second, HasSubstr("is halted at offset 5000"));
  send(broker->bootstrap(), "readings", numbers(100, 110));
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 10; }));
  EXPECT_EQ(seen(engine).begin()->first, 100);
  ASSERT_TRUE(eventually([&] { return source->status().state == "running"; }));
  EXPECT_THAT(metrics_.render(), HasSubstr("partition=\"0\"} 0"));
}

TEST_F(KafkaControlTest, ResumesFromAnyPlaceTheBrokerHasAndRefusesOthers) {
  const auto broker = new_broker();
  send(broker->bootstrap(), "readings", numbers(0, 100));
  for (const auto& [request, first] : std::vector<std::pair<ResumeRequest, int64_t>>{
           {from(ResumeRequest::From::kEarliest), 0}, {from(ResumeRequest::From::kOffset, 40), 40}}) {
    FakeEngine engine;
    put_position(engine, 5'000);
    const auto source = start(engine, *broker);
    ASSERT_TRUE(eventually([&] { return halted(*source); }));
    const auto outside = source->resume(from(ResumeRequest::From::kOffset, 101));
    ASSERT_FALSE(outside.has_value());
    EXPECT_THAT(outside.error().message, HasSubstr("offset 101 is not in readings[0]: it has 0 to 100"));
    auto elsewhere = request;
    elsewhere.partition = 7;
    EXPECT_EQ(source->resume(elsewhere).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(position(engine), 5'000);
    ASSERT_TRUE(source->resume(request).has_value());
    ASSERT_TRUE(eventually([&] { return seen(engine).size() == static_cast<size_t>(100 - first); }));
    EXPECT_EQ(seen(engine).begin()->first, first);
    ASSERT_TRUE(eventually([&] { return position(engine) == 100; }));
    const auto again = source->resume(request);
    ASSERT_FALSE(again.has_value());
    EXPECT_THAT(again.error().message, HasSubstr("readings[0] is not halted"));
  }
}

TEST_F(KafkaControlTest, ATopicCreatedAgainWithOtherMessagesIsHaltedAtTheStart) {
  FakeEngine engine;
  const auto first = new_broker();
  send(first->bootstrap(), "readings", numbers(0, 100));
  {
    const auto source = start(engine, *first);
    ASSERT_TRUE(eventually([&] { return position(engine) == 100; }));
  }
  {  // The same messages prove that it is the same topic.
    const auto source = start(engine, *first);
    send(first->bootstrap(), "readings", numbers(100, 110));
    ASSERT_TRUE(eventually([&] { return position(engine) == 110; }));
    EXPECT_FALSE(halted(*source));
    EXPECT_EQ(seen(engine).size(), 110U);
    for (const auto& [number, count] : seen(engine)) EXPECT_EQ(count, 1) << number;
  }
  const auto second = new_broker();
  send(second->bootstrap(), "readings", numbers(1'000, 1'200));
  const auto source = start(engine, *second);
  ASSERT_TRUE(eventually([&] { return halted(*source); }));
  EXPECT_THAT(source->status().detail, HasSubstr("the message at offset 109 has other bytes"));
  EXPECT_EQ(seen(engine).size(), 110U) << "nothing may be read before an operator decides";
  ASSERT_TRUE(source->resume(from(ResumeRequest::From::kEarliest)).has_value());
  ASSERT_TRUE(eventually([&] { return seen(engine).size() == 310U; }));
}

TEST_F(KafkaControlTest, AShorterLogIsHaltedAtTheStart) {
  FakeEngine engine;
  const auto first = new_broker();
  send(first->bootstrap(), "readings", numbers(0, 100));
  {
    const auto source = start(engine, *first);
    ASSERT_TRUE(eventually([&] { return position(engine) == 100; }));
  }
  const auto second = new_broker();
  send(second->bootstrap(), "readings", numbers(0, 50));
  const auto source = start(engine, *second);
  ASSERT_TRUE(eventually([&] { return halted(*source); }));
  EXPECT_THAT(source->status().detail, HasSubstr("the broker has offsets 0 to 50"));
}

TEST_F(KafkaControlTest, CommandsAreRefusedWhileTheStoreTakesNothing) {
  const auto broker = new_broker();
  send(broker->bootstrap(), "readings", numbers(0, 10));
  FakeEngine engine;
  engine.fail_next_appends(1'000'000'000, unavailable("memory is full"));
  const auto source = start(engine, *broker);
  ASSERT_TRUE(eventually([&] { return source->status().state == "paused"; }));
  const auto refused = source->rewind({.time_ns = 0, .topic = ""});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("nothing was changed"));
  engine.fail_next_appends(0, unavailable(""));
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 10; }));
}

TEST(ConsumerMailbox, RefusesWhatComesAfterTheEnd) {
  ConsumerMailbox mailbox;
  mailbox.close();
  const auto late = mailbox.send([](ConsumerLoop&) { return std::vector<MovedPartition>(); });
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace varve
