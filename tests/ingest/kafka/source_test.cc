#include "ingest/kafka/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/start_source.h"
#include "ingest/quarantine.h"
#include "tests/ingest/kafka/kafka_support.h"
#include "tests/support/fake_engine.h"

namespace varve {
namespace {

using testing::HasSubstr;

class KafkaSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = EmbeddedBroker::start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    broker_ = std::move(*started);
  }
  void create_topic(int partitions) {
    const auto created = broker_->create_topic("readings", partitions);
    ASSERT_TRUE(created.has_value()) << created.error().message;
  }
  KafkaSourceOptions options() const {
    KafkaSourceOptions options;
    options.brokers = broker_->bootstrap();
    // The mock makes a new member wait almost this long after another has left.
    options.properties["session.timeout.ms"] = "2000";
    options.properties["heartbeat.interval.ms"] = "300";
    return options;
  }
  std::unique_ptr<KafkaSource> start(Engine& engine, const KafkaSourceOptions& options) {
    auto source = start_kafka_source(options, engine, metrics_, std::make_unique<NumberDecoder>());
    EXPECT_TRUE(source.has_value()) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  void send_numbers(int64_t from, int64_t to) { send(broker_->bootstrap(), "readings", numbers(from, to)); }

  // How often each number was appended.
  static std::map<int64_t, int> seen(const FakeEngine& engine) {
    std::map<int64_t, int> counts;
    for (const auto& record : engine.records()) {
      for (const auto& batch : record.batches) {
        if (batch.table == "t") {
          for (const int64_t time : batch.times) ++counts[time];
        }
      }
    }
    return counts;
  }
  static void expect_each_once(const FakeEngine& engine, int64_t from, int64_t to) {
    const auto counts = seen(engine);
    EXPECT_EQ(counts.size(), static_cast<size_t>(to - from));
    for (const auto& [number, count] : counts) {
      EXPECT_TRUE(number >= from && number < to) << number;
      EXPECT_EQ(count, 1) << number;
    }
  }
  static int64_t offsets_sum(const FakeEngine& engine) {
    int64_t sum = 0;
    for (const auto& position : engine.positions()) {
      if (position.stream == "kafka-last:varve:readings") continue;
      EXPECT_EQ(position.stream, "kafka:varve:readings");
      sum += position.next_offset;
    }
    return sum;
  }

  MetricsRegistry metrics_;
  std::unique_ptr<EmbeddedBroker> broker_;
};

TEST_F(KafkaSourceTest, TakesEveryMessageOnceAndResumesAfterARestart) {
  create_topic(4);
  send_numbers(0, 20'000);
  FakeEngine engine;
  {
    const auto source = start(engine, options());
    ASSERT_TRUE(eventually([&] { return engine.rows("t") == 20'000; }));
    ASSERT_TRUE(eventually([&] {
      const auto status = source->status();
      int64_t lag = 0;
      for (const auto& partition : status.partitions) lag += partition.lag.value_or(1);
      return status.state == "running" && status.partitions.size() == 4 && lag == 0;
    }));
    const auto status = source->status();
    EXPECT_EQ(status.name, "kafka.0");
    EXPECT_EQ(status.kind, "kafka");
    EXPECT_EQ(status.messages_total, 20'000);
    EXPECT_EQ(status.rows_total, 20'000);
    EXPECT_EQ(status.rejected_total, 0);
    EXPECT_THAT(status.detail, testing::IsEmpty());
    const std::string text = metrics_.render();
    EXPECT_THAT(text, HasSubstr("varve_ingest_messages_total{source=\"kafka.0\"} 20000"));
    EXPECT_THAT(text, HasSubstr("varve_ingest_rows_total{source=\"kafka.0\"} 20000"));
    EXPECT_THAT(
        text, HasSubstr("varve_kafka_lag_messages{source=\"kafka.0\",topic=\"readings\",partition=\"0\"} 0"));
  }
  EXPECT_EQ(offsets_sum(engine), 20'000);
  send_numbers(20'000, 21'000);
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 21'000; }));
  ASSERT_TRUE(eventually([&] { return source->status().messages_total >= 1'000; }));
  EXPECT_EQ(source->status().messages_total, 1'000);
  expect_each_once(engine, 0, 21'000);
  EXPECT_EQ(offsets_sum(engine), 21'000);
}

TEST_F(KafkaSourceTest, StartsAtTheStoresOwnPositionWhenTheBrokerKnowsNone) {
  create_topic(1);
  send_numbers(0, 1'000);
  FakeEngine engine;
  AdmittedWrite write = engine.admit({});
  write.positions.push_back({"kafka:varve:readings", 0, 900});
  ASSERT_TRUE(engine.append_and_wait(std::move(write)).has_value());
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 100; }));
  expect_each_once(engine, 900, 1'000);
}

TEST_F(KafkaSourceTest, StartsAtTheBrokersCommitWhenTheStoreIsNew) {
  create_topic(1);
  send_numbers(0, 500);
  FakeEngine old_store;
  {
    const auto source = start(old_store, options());
    ASSERT_TRUE(eventually([&] { return old_store.rows("t") == 500; }));
  }
  send_numbers(500, 600);
  FakeEngine new_store;
  const auto source = start(new_store, options());
  ASSERT_TRUE(eventually([&] { return new_store.rows("t") >= 100; }));
  expect_each_once(new_store, 500, 600);
}

TEST_F(KafkaSourceTest, StartLatestReadsOnlyWhatComesLaterAndRemembersIt) {
  create_topic(1);
  send_numbers(0, 100);
  FakeEngine engine;
  KafkaSourceOptions latest = options();
  latest.start = "latest";
  {
    const auto source = start(engine, latest);
    // The position itself is made durable, so that messages during a pause before the first one are not
    // skipped.
    ASSERT_TRUE(eventually([&] { return engine.positions().size() == 2; }));
    EXPECT_EQ(offsets_sum(engine), 100);
  }
  send_numbers(100, 150);
  const auto source = start(engine, latest);
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 50; }));
  expect_each_once(engine, 100, 150);
}

TEST_F(KafkaSourceTest, QuarantinesPoisonWithItsPlaceAndMovesOn) {
  create_topic(1);
  send(broker_->bootstrap(), "readings", {"1", "not \xff a number", "", "2"});
  FakeEngine engine;
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 2 && engine.rows(kQuarantineTable) == 2; }));
  EXPECT_EQ(offsets_sum(engine), 4);
  ASSERT_TRUE(eventually([&] { return source->status().rejected_total == 2; }));  // counted after the append
  EXPECT_THAT(metrics_.render(),
              HasSubstr("varve_ingest_rejected_total{source=\"kafka.0\",reason=\"poison\"} 2"));
  std::set<int64_t> offsets;
  std::set<std::string> payloads;
  for (const auto& record : engine.records()) {
    for (const auto& batch : record.batches) {
      if (batch.table != kQuarantineTable) continue;
      ASSERT_EQ(batch.tags.size(), 3);
      EXPECT_EQ(batch.tags[0].values.at(0), "kafka.0");
      EXPECT_EQ(batch.tags[1].values.at(0), "readings");
      EXPECT_EQ(batch.tags[2].values.at(0), "poison");
      for (const auto& field : batch.fields) {
        for (size_t row = 0; row < batch.rows(); ++row) {
          if (field.name == "offset") offsets.insert(field.data.ints[row]);
          if (field.name == "partition") {
            EXPECT_EQ(field.data.ints[row], 0);
          }
          if (field.name == "detail") {
            EXPECT_EQ(field.data.strings[row], "not a number");
          }
          if (field.name == "payload") payloads.emplace(field.data.strings[row]);
        }
      }
    }
  }
  EXPECT_EQ(offsets, (std::set<int64_t>{1, 2}));
  EXPECT_EQ(payloads, (std::set<std::string>{"", "not \\xFF a number"}));
}

TEST_F(KafkaSourceTest, QuarantinesRowsTheStoreRefuses) {
  create_topic(1);
  send_numbers(0, 10);
  FakeEngine engine;
  engine.refuse_rows(
      [](const RowBatch& batch, size_t row) -> std::optional<std::pair<std::string, std::string>> {
        if (batch.table != "t" || batch.times[row] != 7) return std::nullopt;
        return std::pair<std::string, std::string>{"series_limit", "too many series"};
      });
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 9 && engine.rows(kQuarantineTable) == 1; }));
  EXPECT_EQ(offsets_sum(engine), 10);
  for (const auto& record : engine.records()) {
    for (const auto& batch : record.batches) {
      if (batch.table != kQuarantineTable) continue;
      for (const auto& field : batch.fields) {
        if (field.name == "offset") {
          EXPECT_EQ(field.data.ints.at(0), 7);
        }
        if (field.name == "payload") {
          EXPECT_EQ(field.data.strings[0], "7");
        }
      }
    }
  }
}

TEST_F(KafkaSourceTest, PausesWhileTheStoreRefusesAndLosesNothing) {
  create_topic(2);
  send_numbers(0, 30'000);
  FakeEngine engine;
  engine.fail_next_appends(1'000'000'000, unavailable("memory is full until a flush is done"));
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return source->status().state == "paused"; }));
  EXPECT_EQ(source->status().detail, "memory is full until a flush is done");
  EXPECT_EQ(engine.rows("t"), 0);
  engine.fail_next_appends(0, unavailable(""));
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 30'000; }));
  EXPECT_TRUE(eventually([&] { return source->status().state == "running"; }));
  expect_each_once(engine, 0, 30'000);
}

TEST_F(KafkaSourceTest, ReadsAgainWhatAFullDiskRefusedAndLeavesNoGap) {
  create_topic(3);
  send_numbers(0, 30'000);
  FakeEngine engine;
  engine.hold_appends();
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.held() >= 3; }));
  engine.fail_next_syncs(1'000'000, unavailable("the disk is full"));
  engine.release_appends();  // all that were waiting, and the tries after them until the disk has room
  engine.fail_next_syncs(0, unavailable(""));
  ASSERT_TRUE(eventually([&] { return seen(engine).size() == 30'000; }));
  EXPECT_TRUE(eventually([&] { return source->status().state == "running"; }));
  send_numbers(30'000, 31'000);
  ASSERT_TRUE(eventually([&] { return seen(engine).size() == 31'000; }));
  expect_each_once(engine, 0, 31'000);
}

TEST_F(KafkaSourceTest, ReadsFromTheBeginningAgainWhenTheVeryFirstWriteIsRefused) {
  create_topic(2);
  send_numbers(0, 1'000);
  FakeEngine engine;
  engine.fail_next_syncs(1, unavailable("the disk is full"));
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 1'000; }));
  expect_each_once(engine, 0, 1'000);
}

TEST_F(KafkaSourceTest, HaltsForGoodAfterAFailedSync) {
  create_topic(1);
  send_numbers(0, 100);
  FakeEngine engine;
  engine.fail_next_syncs(1, io_error("fdatasync 1.wal", 5));
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return source->status().state == "halted"; }));
  EXPECT_THAT(source->status().detail, HasSubstr("fdatasync 1.wal"));
  EXPECT_TRUE(engine.positions().empty());
}

TEST_F(KafkaSourceTest, GoesOnWhenTheBrokerComesBack) {
  create_topic(1);
  send_numbers(0, 100);
  FakeEngine engine;
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 100; }));
  broker_->set_down(true);
  const std::string expected = "cannot reach " + broker_->bootstrap();
  ASSERT_TRUE(eventually([&] { return source->status().detail.starts_with(expected); }));
  EXPECT_EQ(source->status().state, "connecting");
  broker_->set_down(false);
  send_numbers(100, 200);
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 200; }));
  EXPECT_TRUE(eventually([&] { return source->status().state == "running"; }));
  expect_each_once(engine, 0, 200);
}

TEST_F(KafkaSourceTest, WaitsForATopicThatDoesNotExistYet) {
  FakeEngine engine;
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually(
      [&] { return source->status().detail.find("topic readings does not exist on") != std::string::npos; }));
  EXPECT_EQ(source->status().state, "connecting");
  EXPECT_THAT(source->status().detail, HasSubstr(broker_->bootstrap()));
  create_topic(1);
  send_numbers(0, 10);
  ASSERT_TRUE(eventually([&] { return engine.rows("t") == 10; }));
  EXPECT_TRUE(eventually([&] { return source->status().state == "running"; }));
}

TEST_F(KafkaSourceTest, SaysThatNoBrokerAnswersAndStopsPromptly) {
  broker_->set_down(true);
  FakeEngine engine;
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] {
    return source->status().detail.find("cannot reach " + broker_->bootstrap()) != std::string::npos;
  }));
  EXPECT_EQ(source->status().state, "connecting");
}

TEST_F(KafkaSourceTest, HaltsOnlyThePartitionWhoseOffsetIsGone) {
  create_topic(2);
  FakeEngine engine;
  AdmittedWrite write = engine.admit({});
  write.positions.push_back({"kafka:varve:readings", 0, 5'000'000});
  ASSERT_TRUE(engine.append_and_wait(std::move(write)).has_value());
  send_numbers(0, 1'000);
  const auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] {
    return source->status().detail.find("readings[0] is halted at offset 5000000") != std::string::npos;
  }));
  EXPECT_EQ(source->status().state, "running");
  // Partition 1 is read to its end.
  ASSERT_TRUE(eventually([&] {
    for (const auto& partition : source->status().partitions) {
      if (partition.partition == 1) return partition.next_offset > 0 && partition.lag == 0;
    }
    return false;
  }));
  for (const auto& position : engine.positions()) {
    if (position.partition == 0 && position.stream == "kafka:varve:readings") {
      EXPECT_EQ(position.next_offset, 5'000'000);
    }
  }
  EXPECT_GT(engine.rows("t"), 0);
  EXPECT_LT(engine.rows("t"), 1'000);
}

TEST_F(KafkaSourceTest, HandsPartitionsToANewMemberWithoutLossOrRepeat) {
  create_topic(4);
  send_numbers(0, 50'000);
  FakeEngine engine;
  KafkaSourceOptions second_options = options();
  second_options.name = "kafka.1";
  const auto first = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.rows("t") > 0; }));
  auto second = start(engine, second_options);
  ASSERT_TRUE(eventually(
      [&] { return first->status().partitions.size() == 2 && second->status().partitions.size() == 2; }));
  send_numbers(50'000, 60'000);
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 60'000; }));
  second.reset();
  ASSERT_TRUE(eventually([&] { return first->status().partitions.size() == 4; }));
  send_numbers(60'000, 61'000);
  ASSERT_TRUE(eventually([&] { return engine.rows("t") >= 61'000; }));
  expect_each_once(engine, 0, 61'000);
}

TEST_F(KafkaSourceTest, StopsWhileWritesAreStillWaiting) {
  create_topic(1);
  send_numbers(0, 100);
  FakeEngine engine;
  engine.hold_appends();
  auto source = start(engine, options());
  ASSERT_TRUE(eventually([&] { return engine.held() > 0; }));
  source.reset();            // gives up waiting after some seconds
  engine.release_appends();  // the engine finishes them with the source gone
  EXPECT_EQ(engine.rows("t"), 100);
  EXPECT_EQ(offsets_sum(engine), 100);
}

TEST_F(KafkaSourceTest, StartRefusesWhatCannotWorkAndNamesIt) {
  struct Case {
    const char* name;
    std::function<void(KafkaSourceOptions&)> change;
    const char* expected;
  };
  const std::vector<Case> cases{
      {"unknown property", [](auto& o) { o.properties["no.such.thing"] = "1"; }, "no.such.thing"},
      {"bad value", [](auto& o) { o.properties["session.timeout.ms"] = "soon"; }, "session.timeout.ms"},
      {"auto commit", [](auto& o) { o.properties["enable.auto.commit"] = "true"; }, "enable.auto.commit"},
      {"auto store", [](auto& o) { o.properties["enable.auto.offset.store"] = "true"; },
       "enable.auto.offset.store"},
      {"reset", [](auto& o) { o.properties["auto.offset.reset"] = "latest"; }, "auto.offset.reset"},
      {"group", [](auto& o) { o.properties["group.id"] = "x"; }, "group.id"},
      {"servers", [](auto& o) { o.properties["bootstrap.servers"] = "x:1"; }, "bootstrap.servers"},
      {"cooperative", [](auto& o) { o.properties["partition.assignment.strategy"] = "cooperative-sticky"; },
       "partition.assignment.strategy"},
      {"protocol", [](auto& o) { o.properties["group.protocol"] = "consumer"; }, "group.protocol"},
      {"start", [](auto& o) { o.start = "yesterday"; }, "start = \"yesterday\""},
      {"no topic", [](auto& o) { o.topics = {""}; }, "cannot subscribe"},
  };
  FakeEngine engine;
  for (const auto& test : cases) {
    KafkaSourceOptions changed = options();
    test.change(changed);
    const auto source = start_kafka_source(changed, engine, metrics_, std::make_unique<NumberDecoder>());
    ASSERT_FALSE(source.has_value()) << test.name;
    EXPECT_EQ(source.error().code, ErrorCode::kInvalidArgument) << test.name;
    EXPECT_THAT(source.error().message, HasSubstr(test.expected)) << test.name;
    EXPECT_THAT(source.error().message, HasSubstr("kafka.0")) << test.name;
  }
}

}  // namespace
}  // namespace varve
