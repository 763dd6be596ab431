#include "ingest/kafka/pipeline.h"

#include <gtest/gtest.h>

#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"

namespace varve {
namespace {

class KafkaPipelineTest : public testing::Test {
 protected:
  KafkaPipelineTest() : pipeline_("kafka.0", engine_, std::make_unique<NumberDecoder>()) {
    partition_->id = {"readings", 3};
    partition_->stream = "kafka:g:readings";
  }
  PolledMessage message(int64_t offset, std::string_view payload) {
    return {.partition = partition_.get(),
            .offset = offset,
            .has_payload = true,
            .payload = payload,
            .timestamp_ns = 0};
  }
  FakeEngine engine_;
  KafkaPipeline pipeline_;
  std::shared_ptr<KafkaPartition> partition_ = std::make_shared<KafkaPartition>();
};

TEST_F(KafkaPipelineTest, DropsMessagesBelowThePosition) {
  partition_->next_read = 10;
  EXPECT_FALSE(pipeline_.add(message(9, "1")));
  EXPECT_TRUE(pipeline_.empty());
  EXPECT_TRUE(pipeline_.add(message(10, "2")));
  EXPECT_FALSE(pipeline_.add(message(10, "2")));
  const SealedWrite sealed = pipeline_.seal();
  EXPECT_EQ(sealed.messages, 1);
  EXPECT_EQ(sealed.rows, 1);
}

TEST_F(KafkaPipelineTest, PutsPositionsOfEveryPartitionIntoTheWrite) {
  const auto other = std::make_shared<KafkaPartition>();
  other->id = {"readings", 4};
  other->stream = "kafka:g:readings";
  pipeline_.add(message(5, "1"));
  PolledMessage from_other = message(8, "2");
  from_other.partition = other.get();
  pipeline_.add(from_other);
  pipeline_.add(message(7, "3"));  // offset 6 was compacted away
  const SealedWrite sealed = pipeline_.seal();
  std::map<int32_t, int64_t> next;
  for (const auto& position : sealed.write.positions) {
    EXPECT_EQ(position.stream, "kafka:g:readings");
    next[position.partition] = position.next_offset;
  }
  EXPECT_EQ(next, (std::map<int32_t, int64_t>{{3, 8}, {4, 9}}));
  EXPECT_EQ(partition_->last_event_time_ns, 3);
  EXPECT_EQ(other->last_event_time_ns, 2);
  EXPECT_TRUE(pipeline_.empty());
}

TEST_F(KafkaPipelineTest, QuarantinesANullValue) {
  PolledMessage tombstone = message(1, "");
  tombstone.has_payload = false;
  pipeline_.add(tombstone);
  SealedWrite sealed = pipeline_.seal();
  EXPECT_EQ(sealed.rejected, (std::map<std::string, uint64_t>{{"null_value", 1}}));
  ASSERT_TRUE(engine_.append_and_wait(std::move(sealed.write)).has_value());
  EXPECT_EQ(engine_.rows(kQuarantineTable), 1);
}

TEST_F(KafkaPipelineTest, CountsInputThatEvenTheQuarantineRefuses) {
  engine_.refuse_rows([](const RowBatch&, size_t) {
    return std::optional<std::pair<std::string, std::string>>({"table_limit", "10000 tables"});
  });
  pipeline_.add(message(1, "1"));
  const SealedWrite sealed = pipeline_.seal();
  EXPECT_EQ(sealed.rows, 0);
  EXPECT_EQ(sealed.rejected,
            (std::map<std::string, uint64_t>{{"quarantine_refused", 1}, {"table_limit", 1}}));
}

TEST_F(KafkaPipelineTest, IsFullAtAnyOfItsLimits) {
  const std::string large(KafkaPipeline::kWriteBytesMax, '1');
  pipeline_.add(message(0, large));
  EXPECT_TRUE(pipeline_.full());
  pipeline_.seal();
  EXPECT_FALSE(pipeline_.full());
  for (size_t i = 0; i < KafkaPipeline::kWriteMessagesMax; ++i) {
    EXPECT_FALSE(pipeline_.full());
    pipeline_.add(message(static_cast<int64_t>(i) + 1, "1"));
  }
  EXPECT_TRUE(pipeline_.full());
}

}  // namespace
}  // namespace varve
