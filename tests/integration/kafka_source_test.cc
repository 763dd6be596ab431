// The Kafka source against a real broker: what librdkafka's mock cluster cannot do.
#include <gtest/gtest.h>

#include <set>

#include "ingest/kafka/start_source.h"
#include "storage/base/timestamp.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"
#include "tests/support/kafka_server.h"

namespace varve {
namespace {

std::multiset<int64_t> seen(const FakeEngine& engine) {
  std::multiset<int64_t> numbers_seen;
  for (const auto& record : engine.records()) {
    for (const auto& batch : record.batches) numbers_seen.insert(batch.times.begin(), batch.times.end());
  }
  return numbers_seen;
}

TEST(KafkaSourceOnRealKafka, StartsAtATimeAndSurvivesABrokersDeath) {
  const auto kafka = test::KafkaServer::start({"num.partitions=2"});
  KafkaProducerOptions producer_options;
  producer_options.brokers = kafka->bootstrap();
  producer_options.topic = "readings";
  auto producer = KafkaProducer::open(producer_options);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  constexpr int64_t kStartMs = 1'751'328'000'000;  // 2025-07-01
  for (int64_t i = 0; i < 1'000; ++i) {
    const std::string text = std::to_string(i);
    ASSERT_TRUE((*producer)->produce(text, text, kStartMs + (i - 400) * 1'000).has_value());
  }
  ASSERT_TRUE((*producer)->flush(30'000'000'000).has_value());

  FakeEngine engine;
  MetricsRegistry metrics;
  KafkaSourceOptions options;
  options.brokers = kafka->bootstrap();
  options.start = "2025-07-01T00:00:00Z";
  {
    auto source = start_kafka_source(options, engine, metrics, std::make_unique<NumberDecoder>());
    ASSERT_TRUE(source.has_value()) << source.error().message;
    ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 600; }));
    kafka->kill();
    ASSERT_TRUE(eventually([&] { return (*source)->status().state == "connecting"; }));
    kafka->restart();
    send(kafka->bootstrap(), "readings", numbers(1'000, 2'000));
    ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 1'600; }));
    ASSERT_TRUE(eventually([&] { return (*source)->status().state == "running"; }));
  }
  send(kafka->bootstrap(), "readings", numbers(2'000, 3'000));
  auto source = start_kafka_source(options, engine, metrics, std::make_unique<NumberDecoder>());
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 2'600; }));
  const auto numbers_seen = seen(engine);
  EXPECT_EQ(numbers_seen.size(), 2'600);
  EXPECT_EQ(std::set<int64_t>(numbers_seen.begin(), numbers_seen.end()).size(), 2'600);
  EXPECT_EQ(*numbers_seen.begin(), 400);
}

}  // namespace
}  // namespace varve
