// Partitions whose next message cannot be decoded yet, as when a schema registry is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/start_source.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"

namespace varve {
namespace {

using testing::HasSubstr;

struct Gate {
  std::atomic<bool> closed{true};
  std::atomic<int> refused{0};
  int only_partition = -1;  // -1 = all
};

// Not ready for numbers from 2,000 on while the gate is closed.
class GatedDecoder : public NumberDecoder {
 public:
  explicit GatedDecoder(Gate& gate) : gate_(gate) {}
  Result<void> prepare(std::string_view payload, const MessageContext& context) override {
    const bool concerned = gate_.only_partition < 0 || context.partition == gate_.only_partition;
    if (!gate_.closed || !concerned || payload.size() < 4 || payload < "2000") return {};
    ++gate_.refused;
    return unavailable("the registry is away");
  }

 private:
  Gate& gate_;
};

class KafkaWaitingTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = EmbeddedBroker::start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    broker_ = std::move(*started);
    const auto created = broker_->create_topic("readings", 2);
    ASSERT_TRUE(created.has_value()) << created.error().message;
    send(broker_->bootstrap(), "readings", numbers(0, 6'000));
  }
  std::unique_ptr<KafkaSource> start() {
    KafkaSourceOptions options;
    options.brokers = broker_->bootstrap();
    options.properties["session.timeout.ms"] = "2000";  // see source_test.cc
    options.properties["heartbeat.interval.ms"] = "300";
    auto source = start_kafka_source(options, engine_, metrics_, std::make_unique<GatedDecoder>(gate_));
    EXPECT_TRUE(source.has_value()) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  // By partition, how many rows; each number once.
  void expect_each_once() {
    std::map<int64_t, int> counts;
    for (const auto& record : engine_.records()) {
      for (const auto& batch : record.batches) {
        for (const int64_t time : batch.times) ++counts[time];
      }
    }
    EXPECT_EQ(counts.size(), 6'000U);
    for (const auto& [number, count] : counts) EXPECT_EQ(count, 1) << number;
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  FakeEngine engine_;
  MetricsRegistry metrics_;
  Gate gate_;
};

TEST_F(KafkaWaitingTest, OnePartitionWaitsWhileTheOtherIsReadAndNothingIsLostOrRepeated) {
  gate_.only_partition = 0;
  const auto source = start();
  ASSERT_TRUE(eventually([&] { return gate_.refused >= 3; }));  // tried again and again
  ASSERT_TRUE(eventually([&] {
    const SourceStatus status = source->status();
    return status.partitions.size() == 2 && status.partitions[1].lag == 0 && !status.detail.empty();
  }));
  const SourceStatus status = source->status();
  EXPECT_EQ(status.state, "running");
  EXPECT_THAT(status.detail, HasSubstr("readings[0] waits at offset"));
  EXPECT_THAT(status.detail, HasSubstr("the registry is away"));
  EXPECT_GT(status.partitions[0].lag.value_or(0), 0);
  EXPECT_LT(engine_.rows("t"), 6'000U);
  gate_.closed = false;
  ASSERT_TRUE(eventually([&] { return engine_.rows("t") >= 6'000; }));
  ASSERT_TRUE(eventually([&] { return source->status().detail.empty(); }));
  expect_each_once();
}

TEST_F(KafkaWaitingTest, StopsWhileItWaitsAndGoesOnThereAfterARestart) {
  {
    const auto source = start();
    ASSERT_TRUE(eventually([&] { return source->status().state == "paused"; }));
    EXPECT_THAT(source->status().detail, HasSubstr("waits at offset"));
  }
  EXPECT_LT(engine_.rows("t"), 6'000U);
  gate_.closed = false;
  const auto source = start();
  ASSERT_TRUE(eventually([&] { return engine_.rows("t") >= 6'000; }));
  expect_each_once();
}

}  // namespace
}  // namespace varve
