// `varve serve --dry-run` as a user runs it, against the embedded broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{90};  // a sanitized build on a busy machine

class DryRun : public ::testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::start();
    ASSERT_TRUE(broker.has_value()) << broker.error().message;
    broker_ = std::move(*broker);
    ASSERT_TRUE(broker_->create_topic("readings", 2).has_value());
  }
  void send(const std::vector<std::string>& values) {
    KafkaProducerOptions options;
    options.brokers = broker_->bootstrap();
    options.topic = "readings";
    auto producer = KafkaProducer::open(options);
    ASSERT_TRUE(producer.has_value()) << producer.error().message;
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_TRUE((*producer)->produce("key" + std::to_string(i), values[i], 0).has_value());
    }
    ASSERT_TRUE((*producer)->flush(30'000'000'000).has_value());
  }
  std::string data() const { return (folder_ / "data").string(); }
  Finished dry_run(const std::string& messages, const std::string& kafka) {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[storage]\ndata = \"" << data() << "\"\n" << kafka;
    return run({VARVE_BINARY, "serve", "--allow-root", "--config", path, "--dry-run", messages}, kPatience);
  }
  std::string source(const std::string& more = "") {
    return "[[kafka]]\nbrokers = \"" + broker_->bootstrap() +
           "\"\ntopics = [\"readings\"]\ntags = [\"site\"]\n" + more;
  }

  TempDir folder_;
  std::unique_ptr<EmbeddedBroker> broker_;
};

TEST_F(DryRun, ShowsTablesTypesRefusalsAndLinesAndWritesNothing) {
  send({R"({"ts":"2026-01-01T00:00:00Z","site":"pier","ph":7.25,"n":3,"ok":true})",
        R"({"ts":"2026-01-01T00:00:01Z","site":"dock","ph":7,"note":"cold"})", R"({"site":"pier","ph":1})",
        "no json", R"({"ts":"2026-01-01T00:00:02Z","site":"noise","ph":99})"});
  // Twice, as nothing was committed; the second time all of it again.
  for (int round = 0; round < 2; ++round) {
    const Finished shown = dry_run("100", source("where = \"site <> 'noise'\"\nset = [\"half = ph / 2\"]\n"));
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("kafka.0: 5 messages of 2 partitions, start = \"earliest\": 2 rows, "
                                     "2 refused, 1 filtered\nthere were no more messages\n"));
    EXPECT_THAT(shown.out, HasSubstr("\ntable varve.readings: 2 rows, 2026-01-01T00:00:00Z .. "
                                     "2026-01-01T00:00:01Z\n  column  kind   type       values\n"
                                     "  time    time   timestamp  2\n"));
    EXPECT_THAT(shown.out, HasSubstr("  site    tag    string     2\n"));
    EXPECT_THAT(shown.out, HasSubstr("  ph      field  double     2\n"));
    EXPECT_THAT(shown.out, HasSubstr("  n       field  int64      1\n"));
    EXPECT_THAT(shown.out, HasSubstr("  ok      field  bool       1\n"));
    EXPECT_THAT(shown.out, HasSubstr("  note    field  string     1\n"));
    EXPECT_THAT(shown.out,
                HasSubstr("    readings,site=pier ph=7.25,n=3i,ok=true,half=3.625 1767225600000000000\n"));
    EXPECT_THAT(shown.out, HasSubstr("\nrefused, for varve_quarantine:\n"));
    EXPECT_THAT(shown.out, HasSubstr("  malformed_json: 1\n    readings["));
    EXPECT_THAT(shown.out, ::testing::ContainsRegex("  no_time: 1\n    readings\\[[01]\\] offset [0-9]+: "));
    EXPECT_FALSE(std::filesystem::exists(data()));
  }
}

TEST_F(DryRun, TakesAsManyMessagesAsAskedOfAllPartitions) {
  std::vector<std::string> values;
  for (int i = 0; i < 200; ++i)
    values.push_back(R"({"ts":)" + std::to_string(1767225600 + i) + R"(,"v":1.5})");
  send(values);
  const Finished shown = dry_run("10", source());
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("kafka.0: 10 messages of 2 partitions"));
  EXPECT_THAT(shown.out, HasSubstr(": 10 rows, 0 refused\n"));
  EXPECT_THAT(shown.out, HasSubstr("line protocol, the first 5:\n"));
  EXPECT_THAT(shown.out, Not(HasSubstr("no more messages")));
}

TEST_F(DryRun, BeginsWhereStartSays) {
  send({R"({"ts":1767225600,"v":1})"});
  const Finished later = dry_run("5", source("start = \"2200-01-01T00:00:00Z\"\n"));
  EXPECT_EQ(later.exit_code, 0) << later.err;
  EXPECT_THAT(later.out, HasSubstr("kafka.0: 0 messages of 2 partitions, start = \"2200-01-01T00:00:00Z\""));
}

TEST_F(DryRun, NamesABrokerThatIsAwayAndGoesOnWithTheOthers) {
  send({R"({"ts":1767225600,"v":1})"});
  const std::string away = "127.0.0.1:" + std::to_string(free_port());
  const Finished shown = dry_run("5", "[[kafka]]\nbrokers = \"" + away + "\"\n" + source());
  EXPECT_EQ(shown.exit_code, 1);
  EXPECT_THAT(shown.err, HasSubstr("varve: kafka.0: "));
  EXPECT_THAT(shown.err, HasSubstr(away));
  EXPECT_THAT(shown.err, HasSubstr("Connection refused"));
  EXPECT_THAT(shown.out, HasSubstr("kafka.1: 1 messages"));
}

TEST_F(DryRun, SaysThatATableOfTheStoreIsNotLookedUp) {
  send({R"({"ts":1767225600,"site":"pier","v":1})"});
  const Finished shown = dry_run("5", source("[[kafka.enrich]]\ntable = \"devices\"\nkey = \"site\"\n"
                                             "match = \"device\"\ntags = [\"owner\"]\n"));
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("1 lookups without an answer"));
  EXPECT_THAT(shown.out, HasSubstr("\nnote: the store is not opened"));
}

TEST_F(DryRun, NamesTopicsThatAreNotThere) {
  const Finished none = dry_run("5", source("") + "table = \"t\"\n[[kafka]]\nbrokers = \"" +
                                         broker_->bootstrap() + "\"\ntopics = [\"absent\"]\n");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("varve: kafka.1: no topic like absent on 127.0.0.1:"));
  const Finished one = dry_run(
      "5", "[[kafka]]\nbrokers = \"" + broker_->bootstrap() + "\"\ntopics = [\"readings\", \"absent\"]\n");
  EXPECT_EQ(one.exit_code, 1);
  EXPECT_THAT(one.out, HasSubstr("problem: topic absent does not exist on 127.0.0.1:"));
}

TEST_F(DryRun, NeedsASourceAndANumber) {
  const Finished sourceless = dry_run("5", "");
  EXPECT_EQ(sourceless.exit_code, 1);
  EXPECT_THAT(sourceless.err, HasSubstr("varve: the configuration has no [[kafka]] section"));
  EXPECT_EQ(dry_run("0", source()).exit_code, 2);
  EXPECT_EQ(dry_run("many", source()).exit_code, 2);
}

}  // namespace
}  // namespace varve::test
