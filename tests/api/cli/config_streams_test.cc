// The keys of the raw archive and of [[kafka_out]].
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "api/cli/config.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Config> parse(std::string_view toml) {
  return parse_config(toml, "varve.toml", {});
}

TEST(ConfigStreams, EveryKeyReachesItsOption) {
  setenv("VARVE_TEST_REGISTRY", "user:secret", 1);
  const auto config = parse(R"(
[[kafka]]
archive = "/tmp/raw"
archive_roll_bytes = "1MiB"
archive_roll_age = "5m"
archive_codec = "null"
[[kafka_out]]
brokers = "k1:9092"
topic = "copy.{table}.rows"
tables = ["a", "b"]
format = "avro"
schema_registry = "http://127.0.0.1:8081"
schema_registry_auth_env = "VARVE_TEST_REGISTRY"
properties = { "linger.ms" = 5 }
[[kafka_out]]
brokers = "k2:9092"
)");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const ArchiveOptions& archive = config->kafka[0].archive;
  EXPECT_EQ(archive.directory, "/tmp/raw");
  EXPECT_EQ(archive.roll_bytes, 1U << 20);
  EXPECT_EQ(archive.roll_age_ns, 300 * kNsPerSecond);
  EXPECT_EQ(archive.codec, ArchiveCodec::kNull);
  ASSERT_EQ(config->kafka_outs.size(), 2U);
  const KafkaOutOptions& out = config->kafka_outs[0];
  EXPECT_EQ(out.name, "kafka_out.0");
  EXPECT_EQ(out.brokers, "k1:9092");
  EXPECT_EQ(out.topic, "copy.{table}.rows");
  EXPECT_THAT(out.tables, ElementsAre("a", "b"));
  EXPECT_EQ(out.format, OutFormat::kAvro);
  EXPECT_EQ(out.schema_registry, "http://127.0.0.1:8081");
  EXPECT_EQ(out.schema_registry_auth, "user:secret");
  EXPECT_EQ(out.properties.at("linger.ms"), "5");
  EXPECT_EQ(config->kafka_outs[1].name, "kafka_out.1");
  EXPECT_EQ(config->kafka_outs[1].format, OutFormat::kJson);
  EXPECT_EQ(config->kafka_outs[1].topic, "varve.{table}");
}

TEST(ConfigStreams, MistakesNameFileLineAndKey) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"[[kafka]]\narchiv = \"a\"", "varve.toml:2: key kafka.0.archiv: unknown key, did you mean archive?"},
      {"[[kafka]]\narchive = 1", "varve.toml:2: key kafka.0.archive: expected a string, got an integer"},
      {"[[kafka]]\narchive_roll_bytes = \"0\"", "key kafka.0.archive_roll_bytes: must be more than 0"},
      {"[[kafka]]\narchive_roll_bytes = 5", "expected a size like"},
      {"[[kafka]]\narchive_roll_age = \"0\"", "key kafka.0.archive_roll_age: must be longer than 0"},
      {"[[kafka]]\narchive_codec = \"lz4\"", "\"lz4\" is not one of null, deflate"},
      {"[[kafka]]\ntopics = [\"a\"]\narchive = \"/tmp/x\"\n[[kafka]]\ntopics = [\"b\"]\narchive = "
       "\"/tmp/y/../x/\"",
       "varve.toml:4: key kafka.1.archive: /tmp/y/../x/ is the archive of kafka.0"},
      {"[[kafka_out]]\ntopics = [\"a\"]",
       "varve.toml:2: key kafka_out.0.topics: unknown key, did you mean topic?"},
      {"[kafka_out]\ntopic = \"a\"", "varve.toml:1: key kafka_out: write it as [[kafka_out]]"},
      {"[[kafka_out]]\nbrokers = \"\"", "key kafka_out.0.brokers: must name at least one HOST:PORT"},
      {"[[kafka_out]]\nbrokers = [\"a:1\"]", "expected a string"},
      {"[[kafka_out]]\ntopic = \"\"", "key kafka_out.0.topic: \"\" is no topic"},
      {"[[kafka_out]]\ntopic = \"a b\"", "\"a b\" is no topic"},
      {"[[kafka_out]]\ntopic = \"{table}{table}\"", "is no topic"},
      {"[[kafka_out]]\ntables = []", "key kafka_out.0.tables: must name at least one table"},
      {"[[kafka_out]]\ntables = \"*\"", "expected a list of strings, got a string"},
      {"[[kafka_out]]\nformat = \"csv\"", "\"csv\" is not one of json, avro"},
      {"[[kafka_out]]\nschema_registry = \"http://a\"",
       "varve.toml:2: key kafka_out.0.schema_registry: is for format = \"avro\""},
      {"[[kafka_out]]\nproperties = { a = [1] }", "key kafka_out.0.properties: a must be"},
      {"[[kafka]]\n[[kafka_out]]\ntopic = \"readings\"", "key kafka_out.0.topic: kafka.0 reads readings"},
      {"[[kafka]]\ntopics = [\"varve.m\"]\n[[kafka_out]]", "would come back for ever"},
      {"[[kafka]]\ntopics = [\"^any\"]\n[[kafka_out]]", "kafka.0 reads ^any from the same brokers"},
  };
  for (const auto& [toml, expected] : mistakes) {
    const auto config = parse(toml);
    ASSERT_FALSE(config.has_value()) << toml;
    EXPECT_THAT(config.error().message, HasSubstr(expected)) << toml;
  }
}

TEST(ConfigStreams, SourcesAndSinksOfOtherBrokersOrTablesDoNotMeet) {
  for (const char* const toml : {
           "[[kafka]]\ntopics = [\"varve.m\"]\n[[kafka_out]]\nbrokers = \"other:9092\"",
           "[[kafka]]\ntopics = [\"varve.m\"]\n[[kafka_out]]\ntables = [\"n\"]",
       }) {
    const auto config = parse(toml);
    EXPECT_TRUE(config.has_value()) << config.error().message;
  }
}

}  // namespace
}  // namespace varve
