#include "ingest/kafka/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/kafka/embedded_broker.h"

namespace varve {
namespace {

using testing::HasSubstr;

class KafkaProducerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = EmbeddedBroker::start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    broker_ = std::move(*started);
    ASSERT_TRUE(broker_->create_topic("readings", 2).has_value());
    options_.brokers = broker_->bootstrap();
    options_.topic = "readings";
  }
  std::unique_ptr<EmbeddedBroker> broker_;
  KafkaProducerOptions options_;
};

TEST_F(KafkaProducerTest, CountsWhatTheBrokerConfirmed) {
  auto producer = KafkaProducer::open(options_);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE((*producer)->produce("key", "value", 0).has_value());
  ASSERT_TRUE((*producer)->flush(30'000'000'000).has_value());
  EXPECT_EQ((*producer)->delivered(), 10'000);
  EXPECT_EQ((*producer)->failed(), 0);
}

TEST_F(KafkaProducerTest, ReportsWhatWasNotDeliveredAndWhy) {
  broker_->set_down(true);
  options_.delivery_timeout_ns = 500'000'000;
  auto producer = KafkaProducer::open(options_);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE((*producer)->produce("key", "value", 0).has_value());
  const auto flushed = (*producer)->flush(30'000'000'000);
  ASSERT_FALSE(flushed.has_value());
  EXPECT_EQ(flushed.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(flushed.error().message, HasSubstr("10 messages were not delivered to topic readings"));
  EXPECT_THAT(flushed.error().message, HasSubstr(broker_->bootstrap()));
  EXPECT_THAT(flushed.error().message, HasSubstr("Message timed out"));
  EXPECT_THAT(flushed.error().message, HasSubstr("Connection refused"));
  EXPECT_EQ((*producer)->failed(), 10);
  EXPECT_EQ((*producer)->delivered(), 0);
}

TEST_F(KafkaProducerTest, SaysWhenTheQueueStaysFull) {
  broker_->set_down(true);
  options_.delivery_timeout_ns = 300'000'000;
  options_.properties["queue.buffering.max.messages"] = "5";
  options_.properties["message.timeout.ms"] = "60000";  // so that nothing leaves the queue meanwhile
  auto producer = KafkaProducer::open(options_);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  Result<void> sent;
  for (int i = 0; i < 6 && sent; ++i) sent = (*producer)->produce("key", "value", 0);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(sent.error().message, HasSubstr("stayed full"));
}

TEST_F(KafkaProducerTest, RefusesAMessageTooLarge) {
  auto producer = KafkaProducer::open(options_);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  const auto sent = (*producer)->produce("key", std::string(2 << 20, 'x'), 0);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(sent.error().message, HasSubstr("2097152 bytes"));
}

TEST_F(KafkaProducerTest, OpenNamesWhatIsWrong) {
  KafkaProducerOptions no_topic = options_;
  no_topic.topic.clear();
  KafkaProducerOptions no_brokers = options_;
  no_brokers.brokers.clear();
  KafkaProducerOptions bad_property = options_;
  bad_property.properties["no.such.thing"] = "1";
  const std::vector<std::pair<KafkaProducerOptions, std::string>> cases{
      {no_topic, "topic"}, {no_brokers, "brokers"}, {bad_property, "no.such.thing"}};
  for (const auto& [options, word] : cases) {
    const auto producer = KafkaProducer::open(options);
    ASSERT_FALSE(producer.has_value());
    EXPECT_EQ(producer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(producer.error().message, HasSubstr(word));
  }
}

TEST_F(KafkaProducerTest, BrokerRefusesATopicTwice) {
  const auto again = broker_->create_topic("readings", 2);
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("readings"));
}

}  // namespace
}  // namespace varve
