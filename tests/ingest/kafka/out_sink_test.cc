#include "ingest/kafka/out_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "ingest/decode/avro.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/kafka/consumer.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/out_json.h"
#include "ingest/kafka/raw_message.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"
#include "tests/support/fake_registry.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

void append(FakeEngine& engine, const std::string& table, int64_t from, int64_t to) {
  RowBatchBuilder builder("varve", table);
  for (int64_t i = from; i < to; ++i) {
    builder.begin_row();
    builder.tag("site", i % 2 == 0 ? "pier" : "a b");
    builder.field_double("ph", 7);
    builder.field_int("n", i);
    builder.end_row(i * kNsPerSecond);
  }
  std::vector<RowBatch> batches;
  batches.push_back(builder.finish());
  ASSERT_TRUE(engine.append_and_wait(engine.admit(std::move(batches))).has_value());
}

struct Sent {
  std::string key, value, id, table, schema;
};

// What a topic has, read until `count` different ids are there.
std::vector<Sent> read_topic(const std::string& brokers, const std::string& topic, size_t count) {
  std::vector<Sent> out;
  auto consumer = KafkaConsumer::open({brokers, "test", {topic}, {}});
  EXPECT_TRUE(consumer.has_value());
  std::set<std::string> ids;
  std::vector<rd_kafka_message_t*> polled(100);
  (void)eventually([&] {
    const size_t got = (*consumer)->poll(polled, 50);
    while (auto rebalance = (*consumer)->take_rebalance()) {
      std::vector<PartitionOffset> starts;
      for (const auto& id : rebalance->partitions) starts.push_back({id, 0, {}});
      if (rebalance->assigned) {
        EXPECT_TRUE((*consumer)->assign(starts).has_value());
      }
    }
    for (size_t i = 0; i < got; ++i) {
      if (polled[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const ArchivedMessage m = raw_message(*polled[i]);
        Sent sent{std::string(m.key.value_or("")), std::string(m.value.value_or("")), {}, {}, {}};
        for (const auto& [name, value] : m.headers) {
          if (name == "varve.id") sent.id = value.value_or("");
          if (name == "varve.table") sent.table = value.value_or("");
          if (name == "avro.schema") sent.schema = value.value_or("");
        }
        ids.insert(sent.id);
        out.push_back(std::move(sent));
      }
      rd_kafka_message_destroy(polled[i]);
    }
    return ids.size() >= count;
  });
  EXPECT_EQ(ids.size(), count);
  return out;
}

class KafkaOutTest : public testing::Test {
 protected:
  KafkaOutTest() : broker_(std::move(*EmbeddedBroker::start())) {
    EXPECT_TRUE(broker_->create_topic("out", 2).has_value());
    options_.brokers = broker_->bootstrap();
    options_.topic = "out";
    options_.retry_ns = 50 * kNsPerMs;
  }
  std::unique_ptr<KafkaOut> start() {
    auto sink = KafkaOut::start(options_, engine_, metrics_);
    EXPECT_TRUE(sink.has_value()) << sink.error().message;
    return std::move(*sink);
  }
  std::unique_ptr<EmbeddedBroker> broker_;
  FakeEngine engine_;
  MetricsRegistry metrics_;
  KafkaOutOptions options_;
};

TEST_F(KafkaOutTest, SendsSelectedRowsKeyedBySeriesAndMovesItsPositionAfterConfirmation) {
  options_.tables = {"water"};
  append(engine_, "water", 0, 2);
  append(engine_, "clicks", 0, 5);
  append(engine_, "varve_quarantine", 0, 1);
  const auto sink = start();
  ASSERT_TRUE(eventually([&] { return engine_.saved("kafka_out.0") == 3; })) << sink->status().last_error;
  std::vector<std::string> texts;
  for (const Sent& sent : read_topic(options_.brokers, "out", 2)) {
    texts.push_back(sent.id + " " + sent.table + " " + sent.key + " " + sent.value);
  }
  std::sort(texts.begin(), texts.end());
  EXPECT_THAT(
      texts,
      ElementsAre(
          R"(fake:1:0 water water,site=pier {"time":"1970-01-01T00:00:00Z","site":"pier","ph":7.0,"n":0})",
          R"(fake:1:1 water water,site=a\ b {"time":"1970-01-01T00:00:01Z","site":"a b","ph":7.0,"n":1})"));
  EXPECT_EQ(sink->status().rows_sent_total, 2U);
  EXPECT_EQ(sink->status().backlog_records, 0U);
}

// "2026-..." of the rows our own decoder reads, as "table time tag=value field=value ...", sorted.
std::vector<std::string> decoded(Decoder& decoder, const std::vector<Sent>& messages) {
  RowSet rows;
  std::vector<DecodeReject> rejects;
  for (const Sent& message : messages) {
    EXPECT_TRUE(decoder.prepare(message.value, {}).has_value());
    decoder.decode(message.value, {}, rows, rejects);
  }
  for (const DecodeReject& reject : rejects) ADD_FAILURE() << reject.reason << ": " << reject.detail;
  std::vector<std::string> lines;
  for (const RowBatch& batch : rows.take().batches) {
    LineProtocolWriter writer(batch);
    for (size_t row = 0; row < batch.rows(); ++row) {
      std::string& line = lines.emplace_back();
      EXPECT_TRUE(writer.append(row, line));
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

void append_batch(FakeEngine& engine, RowBatchBuilder& builder) {
  std::vector<RowBatch> batches;
  batches.push_back(builder.finish());
  ASSERT_TRUE(engine.append_and_wait(engine.admit(std::move(batches))).has_value());
}

TEST_F(KafkaOutTest, AvroOfOneSchemaATableIsReadByItsHeader) {
  options_.format = OutFormat::kAvro;
  RowBatchBuilder builder("varve", "water");
  builder.begin_row();
  builder.tag("site", "pier");
  builder.field_double("ph", 7.25);
  builder.field_int("n", -3);
  builder.field_bool("ok", true);
  builder.field_string("temp \u00B0C", "k\u00FChl");
  builder.end_row(1'767'225'600'123'456'789);
  builder.begin_row();
  builder.field_int("n", INT64_MIN);
  builder.end_row(-1);
  append_batch(engine_, builder);
  const auto sink = start();
  const std::vector<Sent> sent = read_topic(options_.brokers, "out", 2);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].schema, sent[1].schema);
  const test::TempDir folder;
  const std::string file = (folder / "water.avsc").string();
  std::ofstream(file) << sent[0].schema;
  DecodeMapping mapping;
  mapping.format = InputFormat::kAvro;
  mapping.table = "t";
  mapping.time = "time";
  mapping.tags = {"site"};
  mapping.avro_schemas = {file};
  auto decoder = make_avro_decoder(mapping);
  ASSERT_TRUE(decoder.has_value()) << decoder.error().message;
  EXPECT_THAT(decoded(**decoder, sent),
              ElementsAre("t n=-9223372036854775808i -1\n",
                          "t,site=pier ph=7.25,n=-3i,ok=true,temp___C=\"k\u00FChl\" 1767225600123456789\n"));
  EXPECT_THAT(sent[0].schema, testing::HasSubstr("\"doc\":\"temp \u00B0C\""));
}

TEST_F(KafkaOutTest, AvroSchemasGoToTheRegistryAndGrowWithTheTable) {
  FakeRegistry registry;
  registry.start();
  options_.format = OutFormat::kAvro;
  options_.schema_registry = registry.url();
  registry.answer("/subjects/out-varve.varve.water/versions", 409,
                  R"({"error_code":409,"message":"incompatible"})");
  append(engine_, "water", 0, 2);
  const auto sink = start();
  ASSERT_TRUE(
      eventually([&] { return sink->status().last_error.find("incompatible") != std::string::npos; }));
  EXPECT_EQ(sink->status().state, "retrying");
  EXPECT_EQ(engine_.saved("kafka_out.0"), 0U);
  registry.answer("/subjects/out-varve.varve.water/versions", 200, R"({"id":258})");
  ASSERT_TRUE(eventually([&] { return engine_.saved("kafka_out.0") == 1; })) << sink->status().last_error;
  const auto first = nlohmann::json::parse(registry.last_body());
  registry.answer("/subjects/out-varve.varve.water/versions", 200, R"({"id":259})");
  RowBatchBuilder builder("varve", "water");
  builder.begin_row();
  builder.tag("site", "dock");
  builder.tag("depth", "3m");
  builder.field_double("n", 2.5);  // was an integer
  builder.end_row(5 * kNsPerSecond);
  append_batch(engine_, builder);
  append(engine_, "water", 8, 9);  // integers again
  const std::vector<Sent> sent = read_topic(options_.brokers, "out", 4);
  const auto second = nlohmann::json::parse(registry.last_body());
  ASSERT_TRUE(eventually([&] { return engine_.saved("kafka_out.0") == 3; }));
  EXPECT_EQ(
      std::count_if(sent.begin(), sent.end(),
                    [](const Sent& one) { return one.value.starts_with(std::string("\0\0\0\1\2", 5)); }),
      2);
  for (const Sent& one : sent) EXPECT_EQ(one.schema, "");

  registry.add_schema(258, first["schema"]);
  registry.add_schema(259, second["schema"]);
  DecodeMapping mapping;
  mapping.format = InputFormat::kAvro;
  mapping.table = "t";
  mapping.time = "time";
  mapping.tags = {"site", "depth"};
  mapping.schema_registry = registry.url();
  auto decoder = make_avro_decoder(mapping);
  ASSERT_TRUE(decoder.has_value()) << decoder.error().message;
  EXPECT_THAT(decoded(**decoder, sent),
              ElementsAre("t,depth=3m,site=dock n=2.5 5000000000\n", "t,site=a\\ b ph=7,n=1 1000000000\n",
                          "t,site=pier ph=7,n=0 0\n", "t,site=pier ph=7,n=8 8000000000\n"));
}

TEST_F(KafkaOutTest, AvroNeedsARegistryThatIsAUrl) {
  options_.format = OutFormat::kAvro;
  options_.schema_registry = "registry";
  const auto sink = KafkaOut::start(options_, engine_, metrics_);
  ASSERT_FALSE(sink.has_value());
  EXPECT_EQ(sink.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(KafkaOutTest, ADeadBrokerHoldsThePositionAndGetsEveryRowWhenItIsBack) {
  broker_->set_down(true);
  auto sink = start();
  append(engine_, "water", 0, 500);
  ASSERT_TRUE(eventually([&] { return sink->status().state == "retrying"; }));
  EXPECT_EQ(engine_.saved("kafka_out.0"), 0U);
  sink.reset();  // also while the broker is away
  EXPECT_EQ(engine_.saved("kafka_out.0"), 0U);
  sink = start();
  append(engine_, "water", 500, 1000);
  broker_->set_down(false);
  ASSERT_TRUE(eventually([&] { return engine_.saved("kafka_out.0") == 2; })) << sink->status().last_error;
  read_topic(options_.brokers, "out", 1000);
  EXPECT_EQ(sink->status().state, "ok");
}

TEST_F(KafkaOutTest, ARowTooLargeIsQuarantinedAndTheRestGoesOn) {
  options_.properties = {{"message.max.bytes", "1000"}};
  RowBatchBuilder builder("varve", "water");
  for (const size_t size : {10, 5000, 20}) {
    builder.begin_row();
    builder.field_string("text", std::string(size, 'x'));
    builder.end_row(static_cast<int64_t>(size));
  }
  std::vector<RowBatch> batches;
  batches.push_back(builder.finish());
  ASSERT_TRUE(engine_.append_and_wait(engine_.admit(std::move(batches))).has_value());
  const auto sink = start();
  ASSERT_TRUE(eventually([&] { return engine_.saved("kafka_out.0") == 2; })) << sink->status().last_error;
  EXPECT_EQ(engine_.rows("varve_quarantine"), 1U);
  EXPECT_EQ(sink->status().rows_refused_total, 1U);
  EXPECT_EQ(read_topic(options_.brokers, "out", 2).size(), 2U);
}

TEST(KafkaOutTopic, PutsTheTableInAndLeavesNothingATopicMayNotHave) {
  EXPECT_EQ(out_topic("varve.{table}", "water"), "varve.water");
  EXPECT_EQ(out_topic("varve.{table}.x", "a b/ü"), "varve.a_b___.x");
  EXPECT_EQ(out_topic("all", "water"), "all");
}

}  // namespace
}  // namespace varve
