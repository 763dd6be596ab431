// What only a real broker can show about messages: codecs, and Avro whose registry is away at first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <set>

#include "ingest/kafka/client.h"
#include "ingest/kafka/source.h"
#include "tests/ingest/decode/avro_writer.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/batch_text.h"
#include "tests/support/fake_engine.h"
#include "tests/support/fake_registry.h"
#include "tests/support/kafka_server.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> texts_of(const FakeEngine& engine) {
  std::vector<std::string> texts;
  for (const auto& record : engine.records()) {
    for (auto& text : batch_texts(record.batches)) texts.push_back(std::move(text));
  }
  return texts;
}

TEST(KafkaFormatsOnRealKafka, EveryCodecIsRead) {
  const auto kafka = test::KafkaServer::start({"num.partitions=1"});
  int64_t next = 1;
  for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    KafkaProducerOptions options;
    options.brokers = kafka->bootstrap();
    options.topic = "readings";
    options.properties = {{"compression.codec", codec}, {"linger.ms", "100"}};
    auto producer = KafkaProducer::open(options);
    ASSERT_TRUE(producer.has_value()) << producer.error().message;
    for (int i = 0; i < 500; ++i) {
      const std::string value = fmt::format(R"({{"ts":{},"codec":"{}","v":{}}})", next++, codec, i);
      ASSERT_TRUE((*producer)->produce("k", value, 0).has_value());
    }
    const auto flushed = (*producer)->flush(30'000'000'000);
    ASSERT_TRUE(flushed.has_value()) << codec << ": " << flushed.error().message;
  }
  FakeEngine engine;
  MetricsRegistry metrics;
  KafkaSourceOptions options;
  options.brokers = kafka->bootstrap();
  options.mapping.table = "t";
  options.mapping.tags = {"codec"};
  const auto source = KafkaSource::start(options, engine, metrics);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 2'500; })) << (*source)->status().detail;
  std::map<std::string, int> by_codec;
  for (const std::string& text : texts_of(engine)) ++by_codec[text.substr(0, text.rfind(" v="))];
  EXPECT_EQ(by_codec, (std::map<std::string, int>{{"varve.t codec=gzip", 500},
                                                  {"varve.t codec=lz4", 500},
                                                  {"varve.t codec=none", 500},
                                                  {"varve.t codec=snappy", 500},
                                                  {"varve.t codec=zstd", 500}}));
  EXPECT_EQ((*source)->status().rejected_total, 0U);
}

// Sends whole messages: key, value (null = tombstone), one header and a timestamp.
class MessageSender {
 public:
  explicit MessageSender(const std::string& brokers) {
    auto conf = make_kafka_conf({{"bootstrap.servers", brokers}}, {});
    client_ = std::move(*make_kafka_client(RD_KAFKA_PRODUCER, std::move(*conf)));
  }
  void send(const std::string& topic, const std::string& key, const std::string* value,
            const std::string& site, int64_t timestamp_ms) {
    rd_kafka_headers_t* const headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "site", -1, "old", -1);
    rd_kafka_header_add(headers, "site", -1, site.data(), static_cast<ssize_t>(site.size()));
    std::vector<rd_kafka_vu_t> arguments(6);
    arguments[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    arguments[0].u.cstr = topic.c_str();
    arguments[1].vtype = RD_KAFKA_VTYPE_KEY;
    arguments[1].u.mem = {const_cast<char*>(key.data()), key.size()};
    arguments[2].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[2].u.mem = {value == nullptr ? nullptr : const_cast<char*>(value->data()),
                          value == nullptr ? 0 : value->size()};
    arguments[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[3].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    arguments[4].u.i64 = timestamp_ms;
    arguments[5].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[5].u.headers = headers;
    const KafkaOwned<rd_kafka_error_t> error(
        rd_kafka_produceva(client_.get(), arguments.data(), arguments.size()));
    ASSERT_EQ(error, nullptr) << rd_kafka_error_string(error.get());
    ASSERT_EQ(rd_kafka_flush(client_.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  KafkaOwned<rd_kafka_t> client_;
};

TEST(KafkaFormatsOnRealKafka, AvroWaitsForItsRegistryAndIsThenReadWithKeysAndHeaders) {
  const auto kafka = test::KafkaServer::start({"num.partitions=1"});
  FakeRegistry registry;  // not started yet
  registry.add_schema(
      7,
      R"({"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"ph","type":"double"}]})");
  MessageSender sender(kafka->bootstrap());
  const auto reading = [](uint32_t schema, double ph) {
    return AvroWriter().confluent(schema).text("a").real(ph).bytes;
  };
  const std::string first = reading(7, 7.5), second = reading(7, 8.5), unknown = reading(9, 1);
  sender.send("readings", "k-1", &first, "north", 1'751'371'200'000);
  sender.send("readings", "k-1", nullptr, "north", 1'751'371'200'001);
  sender.send("readings", "k-2", &unknown, "north", 1'751'371'200'002);
  sender.send("readings", "k-3", &second, "south", 1'751'371'200'003);

  FakeEngine engine;
  MetricsRegistry metrics;
  KafkaSourceOptions options;
  options.brokers = kafka->bootstrap();
  options.mapping.format = InputFormat::kAvro;
  options.mapping.schema_registry = registry.url();
  options.mapping.table = "water";
  options.mapping.time = "$timestamp";
  options.mapping.tags = {"id", "$key", "$header.site"};
  options.mapping.fields = {"$offset"};
  const auto source = KafkaSource::start(options, engine, metrics);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(eventually([&] { return (*source)->status().state == "paused"; }));
  EXPECT_THAT((*source)->status().detail, HasSubstr("readings[0] waits at offset 0: the schema registry"));
  EXPECT_EQ(engine.rows("water"), 0U);
  registry.start();
  ASSERT_TRUE(eventually([&] { return engine.rows("water") == 2 && engine.rows("varve_quarantine") == 1; }));
  std::vector<std::string> rows;
  std::string refused;
  for (const std::string& text : texts_of(engine)) {
    if (text.starts_with("varve.water")) rows.push_back(text);
    if (text.starts_with("varve.varve_quarantine")) refused = text;
  }
  EXPECT_THAT(rows,
              ElementsAre("varve.water id=a,key=k-1,site=north offset=i:0,ph=d:7.5 1751371200000000000",
                          "varve.water id=a,key=k-3,site=south offset=i:3,ph=d:8.5 1751371200003000000"));
  EXPECT_THAT(refused, HasSubstr("reason=unknown_schema"));
  EXPECT_THAT(refused, HasSubstr("offset=i:2"));
  EXPECT_THAT(metrics.render(), HasSubstr("varve_ingest_tombstones_total{source=\"kafka.0\"} 1"));
  ASSERT_TRUE(eventually([&] { return (*source)->status().state == "running"; }));
}

}  // namespace
}  // namespace varve
