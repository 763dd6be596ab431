#include "ingest/kafka/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/batch_text.h"
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
    if (position.stream != "kafka:g:readings") continue;
    next[position.partition] = position.next_offset;
  }
  EXPECT_EQ(next, (std::map<int32_t, int64_t>{{3, 8}, {4, 9}}));
  EXPECT_EQ(partition_->fingerprint, message_fingerprint(7, "", "3"));
  EXPECT_EQ(partition_->fingerprint_next, 8);
  EXPECT_EQ(other->fingerprint, message_fingerprint(8, "", "2"));
  EXPECT_EQ(partition_->last_event_time_ns, 3);
  EXPECT_EQ(other->last_event_time_ns, 2);
  EXPECT_TRUE(pipeline_.empty());
}

TEST_F(KafkaPipelineTest, CountsANullValueAndMovesOn) {
  PolledMessage tombstone = message(1, "");
  tombstone.has_payload = false;
  ASSERT_TRUE(pipeline_.prepare(tombstone).has_value());
  EXPECT_TRUE(pipeline_.add(tombstone));
  SealedWrite sealed = pipeline_.seal();
  EXPECT_EQ(sealed.messages, 1);
  EXPECT_EQ(sealed.tombstones, 1);
  EXPECT_TRUE(sealed.rejected.empty());
  ASSERT_EQ(sealed.write.positions.size(), 2U);  // with the fingerprint
  EXPECT_EQ(sealed.write.positions[0].next_offset, 2);
  ASSERT_TRUE(engine_.append_and_wait(std::move(sealed.write)).has_value());
  EXPECT_EQ(engine_.rows(kQuarantineTable), 0);
  EXPECT_EQ(pipeline_.seal().tombstones, 0);
}

// Refuses to be ready for "later", and keeps what it was told about the last message.
class ContextDecoder : public Decoder {
 public:
  Result<void> prepare(std::string_view payload, const MessageContext&) override {
    if (payload == "later") return unavailable("the registry is away");
    return {};
  }
  void decode(std::string_view, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>&) override {
    rows.add_row("varve", "t", context.timestamp_ns, [&](RowBatchBuilder& row) {
      row.tag("key", context.key.value_or("none"));
      row.tag("header", context.headers == nullptr ? "none" : context.headers->last("h").value_or("absent"));
      row.field_int("partition", context.partition);
      return row.field_int("offset", context.offset);
    });
  }
};

struct OneHeader : MessageHeaders {
  std::optional<std::string_view> last(const std::string& name) const override {
    if (name != "h") return std::nullopt;
    return "value";
  }
  void each(const Each& take) const override { take("h", "value"); }
};

TEST_F(KafkaPipelineTest, GivesDecodersTheWholeMessageAndTakesNothingThatMustWait) {
  KafkaPipeline pipeline("kafka.0", engine_, std::make_unique<ContextDecoder>());
  const auto later = pipeline.prepare(message(6, "later"));
  ASSERT_FALSE(later.has_value());
  EXPECT_EQ(later.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(pipeline.empty());
  PolledMessage whole = message(7, "x");
  const OneHeader header;
  whole.key = "k";
  whole.headers = &header;
  whole.timestamp_ns = 99;
  EXPECT_TRUE(pipeline.prepare(whole).has_value());
  pipeline.add(whole);
  pipeline.add(message(8, "x"));
  SealedWrite sealed = pipeline.seal();
  ASSERT_TRUE(engine_.append_and_wait(std::move(sealed.write)).has_value());
  EXPECT_THAT(batch_texts(engine_.records().at(0).batches),
              testing::ElementsAre("varve.t header=value,key=k offset=i:7,partition=i:3 99",
                                   "varve.t header=none,key=none offset=i:8,partition=i:3 0"));
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
