// Processing in a running source, through the embedded broker.
#include <gmock/gmock.h>

#include <set>

#include "api/process/rules.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/source.h"
#include "ingest/quarantine.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"

namespace varve {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

TEST(ProcessedSource, StoresWhatIsLeftCountsTheRestAndAdvancesPastAll) {
  auto broker = EmbeddedBroker::start();
  ASSERT_TRUE(broker.has_value());
  ASSERT_TRUE((*broker)->create_topic("readings", 1).has_value());
  std::vector<std::string> messages;
  for (int i = 0; i < 900; ++i) {
    const std::string value = i % 9 == 0 ? "\"text\"" : std::to_string(i % 3) + ".5";
    messages.push_back(R"({"ts":)" + std::to_string(1'700'000'000 + i / 2) + R"(,"id":"a","v":)" + value +
                       "}");
  }
  send((*broker)->bootstrap(), "readings", messages);

  ProcessRules rules;
  rules.where = "v > 1";
  rules.set = {"w = v * 2"};
  rules.dedupe_window_ns = kNsPerDay;
  KafkaSourceOptions options;
  options.brokers = (*broker)->bootstrap();
  options.mapping.tags = rules.tags = {"id"};
  options.make_processor = [rules](const Engine& engine) { return make_row_processor(rules, engine); };

  std::set<int64_t> times;
  uint64_t refused = 0, filtered = 0;
  for (int i = 0; i < 900; ++i) {
    if (i % 9 == 0) {
      ++refused;
    } else if (i % 3 == 0) {
      ++filtered;
    } else {
      times.insert(i / 2);
    }
  }
  FakeEngine engine;
  MetricsRegistry metrics;
  auto source = KafkaSource::start(options, engine, metrics);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(eventually([&] { return (*source)->status().messages_total == 900; }));
  EXPECT_EQ(engine.rows("readings"), times.size());
  EXPECT_EQ(engine.rows(kQuarantineTable), refused);
  const SourceStatus status = (*source)->status();
  EXPECT_EQ(status.rejected_total, refused);
  EXPECT_EQ(status.filtered_total, filtered);
  EXPECT_EQ(status.deduped_total, 900 - refused - filtered - times.size());
  const auto positions = engine.positions();
  EXPECT_THAT(positions, Contains(Field(&StreamPosition::next_offset, 900)));
  EXPECT_THAT(metrics.render(), HasSubstr("varve_ingest_filtered_total{source=\"kafka.0\"} "));
  for (const auto& record : engine.records()) {
    for (const RowBatch& batch : record.batches) {
      if (batch.table != kQuarantineTable) continue;
      for (const FieldColumn& field : batch.fields) {
        if (field.name != "payload") continue;
        for (size_t row = 0; row < batch.rows(); ++row) {
          EXPECT_THAT(std::string(field.data.strings[row]), HasSubstr("\"v\":\"text\"}"));
        }
      }
    }
  }
}

}  // namespace
}  // namespace varve
