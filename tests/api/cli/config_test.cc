#include "api/cli/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Config parsed(std::string_view toml, const std::vector<std::string>& overrides = {}) {
  auto config = parse_config(toml, "varve.toml", overrides);
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return config ? std::move(*config) : Config{};
}

std::string error_of(std::string_view toml, const std::vector<std::string>& overrides = {}) {
  const auto config = parse_config(toml, "varve.toml", overrides);
  EXPECT_FALSE(config.has_value());
  return config ? "" : config.error().message;
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  const Config config = parsed("");
  EXPECT_EQ(config.server.host, "127.0.0.1");
  EXPECT_EQ(config.server.port, 8484);
  EXPECT_EQ(config.storage.data_directory, "./data");
  EXPECT_EQ(config.storage.flush_rows, 1'000'000u);
  EXPECT_EQ(config.query.max_rows, 1'000'000u);
  EXPECT_TRUE(config.kafka.empty());
  EXPECT_TRUE(config.mirrors.empty());
}

TEST(Config, EveryKeyReachesItsOption) {
  setenv("VARVE_TEST_TOKEN", "secret", 1);
  const Config config = parsed(R"(
[server]
listen = "[::1]:9000"
[storage]
data = "/tmp/d"
wal_sync = "each"
flush_rows = 5
flush_age = "2m"
partition = "1h"
retention = "7d"
memtable_bytes = "16MiB"
wal_max_bytes = "2GiB"
disk_reserve = "1GiB"
series_per_table = 11
columns_per_table = 12
tables_max = 13
[storage.tables.clicks]
retention = "1d"
[[kafka]]
brokers = "k1:9092,k2:9092"
group = "g"
topics = ["a", "b"]
start = "2025-01-01T00:00:00Z"
format = "json"
table = "water"
time = "when"
time_format = "ms"
tags = ["id"]
properties = { "security.protocol" = "ssl", "fetch.min.bytes" = 7, "check.crcs" = true }
[[kafka]]
topics = ["c"]
[[mirror]]
url = "https://influx:8086"
version = "1"
database = "copy"
org = "o"
token_env = "VARVE_TEST_TOKEN"
batch_lines = 10
tables = ["water"]
[query]
timeout = "5s"
max_rows = 10
max_memory = "1MiB"
total_memory = "3MiB"
max_concurrent = 2
threads = 3
)");
  EXPECT_EQ(config.server.host, "::1");
  EXPECT_EQ(config.server.port, 9000);
  EXPECT_EQ(config.storage.wal_sync, WalSync::kEach);
  EXPECT_EQ(config.storage.flush_rows, 5u);
  EXPECT_EQ(config.storage.flush_age_ns, 120 * kNsPerSecond);
  EXPECT_EQ(config.storage.partition_ns, 3600 * kNsPerSecond);
  EXPECT_EQ(config.storage.retention_ns, 7 * kNsPerDay);
  EXPECT_EQ(config.storage.memtable_bytes_max, 16u << 20);
  EXPECT_EQ(config.storage.wal_bytes_max, 2u << 30);
  EXPECT_EQ(config.storage.disk_reserve_bytes, 1u << 30);
  EXPECT_EQ(config.storage.series_per_table_max, 11u);
  EXPECT_EQ(config.storage.columns_per_table_max, 12u);
  EXPECT_EQ(config.storage.tables_max, 13u);
  EXPECT_EQ(config.storage.table_retention_ns.at("clicks"), kNsPerDay);
  ASSERT_EQ(config.kafka.size(), 2u);
  const KafkaSourceOptions& source = config.kafka[0];
  EXPECT_EQ(source.name, "kafka.0");
  EXPECT_EQ(source.brokers, "k1:9092,k2:9092");
  EXPECT_EQ(source.group, "g");
  EXPECT_THAT(source.topics, ElementsAre("a", "b"));
  EXPECT_EQ(source.start, "2025-01-01T00:00:00Z");
  EXPECT_EQ(source.mapping.table, "water");
  EXPECT_EQ(source.mapping.time, "when");
  EXPECT_EQ(source.mapping.time_format, "ms");
  EXPECT_THAT(source.mapping.tags, ElementsAre("id"));
  EXPECT_EQ(source.properties.at("security.protocol"), "ssl");
  EXPECT_EQ(source.properties.at("fetch.min.bytes"), "7");
  EXPECT_EQ(source.properties.at("check.crcs"), "true");
  EXPECT_EQ(config.kafka[1].name, "kafka.1");
  ASSERT_EQ(config.mirrors.size(), 1u);
  EXPECT_EQ(config.mirrors[0].url, "https://influx:8086");
  EXPECT_EQ(config.mirrors[0].token, "secret");
  EXPECT_EQ(config.mirrors[0].batch_lines, 10u);
  EXPECT_EQ(config.query.timeout_ns, 5 * kNsPerSecond);
  EXPECT_EQ(config.query.max_memory_bytes, 1u << 20);
  EXPECT_EQ(config.query.total_memory_bytes, 3u << 20);
  EXPECT_EQ(config.query.max_concurrent, 2u);
  EXPECT_EQ(config.query.threads, 3u);
}

struct Mistake {
  const char* toml;
  const char* error;  // part of the message
};

TEST(Config, MistakesNameFileLineAndKey) {
  const Mistake mistakes[] = {
      {"[[kafka]]\ntopicz = [\"a\"]", "varve.toml:2: key kafka.0.topicz: unknown key, did you mean topics?"},
      {"[servr]", "varve.toml:1: key servr: unknown key, did you mean server?"},
      {"[query]\nblurb = 1", "varve.toml:2: key query.blurb: unknown key, known here: timeout,"},
      {"a = = 1", "varve.toml:1: "},
      {"[server]\nlisten = 8484", "varve.toml:2: key server.listen: expected a string, got an integer"},
      {"[server]\nlisten = \"8484\"", "\"8484\" is not HOST:PORT"},
      {"[server]\nlisten = \"127.0.0.1:99999\"", "is not HOST:PORT"},
      {"[server]\nlisten = \"::1:80\"", "is not HOST:PORT"},
      {"[server]\nconnections_max = 0", "key server.connections_max: 0 is out of range"},
      {"[server]\ntls_certificate = \"a\"",
       "varve.toml:2: key server.tls_certificate: tls_certificate and tls_key need"},
      {"[server]\ntls_key = \"b\"", "varve.toml:2: key server.tls_key: tls_certificate and tls_key need"},
      {"[server]\ninsecure = \"yes\"", "expected true or false, got a string"},
      {"[storage]\ndata = \"\"", "key storage.data: must name a folder"},
      {"[storage]\nwal_sync = \"never\"", "\"never\" is not one of group, each, relaxed"},
      {"[storage]\nflush_rows = 0", "key storage.flush_rows: 0 is out of range"},
      {"[storage]\nflush_rows = -1", "-1 is out of range"},
      {"[storage]\nmemtable_bytes = \"0\"", "key storage.memtable_bytes: must be more than 0"},
      {"[storage]\ndisk_reserve = 5", "expected a size like \"512MiB\""},
      {"[storage]\nseries_per_table = 0", "key storage.series_per_table: 0 is out of range"},
      {"[storage]\ncolumns_per_table = 65537", "65537 is out of range"},
      {"[storage]\ntables_max = 0", "key storage.tables_max: 0 is out of range"},
      {"[storage]\nflush_age = 60", "expected a duration like \"60s\""},
      {"[storage]\nflush_age = \"0\"", "must be longer than 0"},
      {"[storage]\npartition = \"1 fortnight\"", "varve.toml:2: key storage.partition: "},
      {"[storage.tables.x]\nretentoin = \"1d\"",
       "key storage.tables.x.retentoin: unknown key, did you mean retention?"},
      {"[storage.tables]\nx = 1", "varve.toml:2: key storage.tables.x: write it as [storage.tables.x]"},
      {"[kafka]\ntopics = []", "varve.toml:1: key kafka: write it as [[kafka]]"},
      {"kafka = [1]", "write it as [[kafka]] sections"},
      {"[[kafka]]\ntopics = []", "key kafka.0.topics: must name at least one topic"},
      {"[[kafka]]\ntopics = \"a\"", "expected a list of strings, got a string"},
      {"[[kafka]]\ntopics = [1]", "it holds an integer"},
      {"[[kafka]]\nbrokers = \"\"", "key kafka.0.brokers: must name at least one HOST:PORT"},
      {"[[kafka]]\ngroup = \"\"", "key kafka.0.group: must not be empty"},
      {"[[kafka]]\nstart = \"yesterday\"", "\"yesterday\" is not earliest, latest or an RFC 3339 time"},
      {"[[kafka]]\nformat = \"xml\"", "\"xml\" is not one of json, csv, line, avro"},
      {"[[kafka]]\nformat = \"avro\"", "key kafka.0.schema_registry: schema_registry: avro needs a registry"},
      {"[[kafka]]\nformat = \"avro\"\nschema_registry = \"registry:8081\"",
       "varve.toml:3: key kafka.0.schema_registry: schema_registry: 'registry:8081' is not a URL"},
      {"[[kafka]]\nformat = \"avro\"\nschema_registry = \"http://a:b@c\"", "holds a user or password"},
      {"[[kafka]]\nformat = \"avro\"\navro_schemas = [\"/nonexistent.avsc\"]",
       "varve.toml:3: key kafka.0.avro_schemas: avro_schemas: "},
      {"[[kafka]]\nschema_registry = \"http://a\"", "key kafka.0.schema_registry: is for format = \"avro\""},
      {"[[kafka]]\navro_schemas = [\"a\"]", "key kafka.0.avro_schemas: is for format = \"avro\""},
      {"[[kafka]]\nformat = \"csv\"",
       "key kafka.0.csv_columns: csv_columns: give the names of the columns here"},
      {"[[kafka]]\nformat = \"csv\"\ncsv_header = true\ncsv_columns = [\"a\"]",
       "varve.toml:4: key kafka.0.csv_columns: "},
      {"[[kafka]]\nformat = \"csv\"\ncsv_columns = [\"a\", \"a\"]", "csv_columns: column 'a' is named twice"},
      {"[[kafka]]\nformat = \"csv\"\ncsv_columns = [\"time\"]",
       "key kafka.0.csv_columns: csv_columns: 'time'"},
      {"[[kafka]]\nformat = \"csv\"\ncsv_header = true\ncsv_delimiter = \";;\"",
       "key kafka.0.csv_delimiter: must be one"},
      {"[[kafka]]\nformat = \"csv\"\ncsv_header = true\ncsv_delimiter = '\"'",
       "key kafka.0.csv_delimiter: csv_delimiter: a quote"},
      {"[[kafka]]\ncsv_header = true", "varve.toml:2: key kafka.0.csv_header: is for format = \"csv\""},
      {"[[kafka]]\ntags = [\"$keys\"]", "varve.toml:2: key kafka.0.tags: tags: '$keys': there is no $keys"},
      {"[[kafka]]\nfields = [\"ph\"]", "varve.toml:2: key kafka.0.fields: fields: 'ph'"},
      {"[[kafka]]\ntime = \"$topic\"", "varve.toml:2: key kafka.0.time: time: '$topic' is no time"},
      {"[[kafka]]\nformat = \"line\"\ntable = \"{field:a}\"", "varve.toml:3: key kafka.0.table: "},
      {"[[kafka]]\nformat = \"line\"\ntime = \"a\"",
       "varve.toml:3: key kafka.0.time: line protocol says this"},
      {"[[kafka]]\nformat = \"line\"\nfields = [\"$key\"]", "key kafka.0.fields: fields: line protocol"},
      {"[[kafka]]\nformat = \"line\"\ntime_format = \"rfc3339\"", "varve.toml:3: key kafka.0.time_format: "},
      {"[[kafka]]\ntopics = [\"d\"]\ndead_letter_topic = \"d\"",
       "key kafka.0.dead_letter_topic: is one of the topics this source reads"},
      {"[[kafka]]\ntable = \"{nonsense}\"", "key kafka.0.table: "},
      {"[[kafka]]\ntime_format = \"%Q\"", "varve.toml:2: key kafka.0.time_format: "},
      {"[[kafka]]\ntime = \"\"", "varve.toml:2: key kafka.0.time: "},
      {"[[kafka]]\ntags = [\"time\"]", "varve.toml:2: key kafka.0.tags: "},
      {"[[kafka]]\nformat = \"line\"\ntags = [\"a\"]",
       "varve.toml:3: key kafka.0.tags: tags: 'a': line protocol says its own tags"},
      {"[[kafka]]\nproperties = { a = [1] }", "key kafka.0.properties: a must be a string, integer or bool"},
      {"[[kafka]]\nproperties = 1", "expected a table of name = value"},
      {"[[kafka]]\n[[kafka]]", "varve.toml:2: key kafka.1.topics: readings is already read by kafka.0"},
      {"[[mirror]]\nurl = \"influx:8086\"", "key mirror.0.url: must begin with http://"},
      {"[[mirror]]\nversion = \"4\"", "\"4\" is not one of auto, 1, 2, 3"},
      {"[[mirror]]\nversion = 1", "expected a string, got an integer"},
      {"[[mirror]]\ndatabase = \"\"", "key mirror.0.database: must not be empty"},
      {"[[mirror]]\ntables = []", "key mirror.0.tables: must name at least one table"},
      {"[[mirror]]\nbatch_lines = 0", "0 is out of range"},
      {"[query]\nmax_memory = 5", "expected a size like \"512MiB\""},
      {"[query]\nmax_memory = \"0\"", "must be more than 0"},
      {"[query]\nmax_memory = \"1XB\"", "varve.toml:2: key query.max_memory: "},
      {"[query]\nmax_concurrent = 2000", "2000 is out of range, expected 1 to 1024"},
      {"query = 1", "varve.toml:1: key query: expected a table, got an integer"},
  };
  for (const Mistake& mistake : mistakes) {
    const std::string error = error_of(mistake.toml);
    EXPECT_THAT(error, HasSubstr(mistake.error)) << mistake.toml;
    EXPECT_TRUE(error.starts_with("varve.toml")) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(Config, MistakesInExpressionsHaveTheirPlaceAndACaret) {
  EXPECT_EQ(error_of("[[kafka]]\nset = [\"a = 1\",\n  \"temp_f = temp_c * \"]"),
            "varve.toml:3: key kafka.0.set.1: expected an expression, found the end of the statement\n"
            "  temp_f = temp_c * \n"
            "                    ^");
  EXPECT_EQ(error_of("[[kafka]]\nwhere = \"ruond(a) > 1\""),
            "varve.toml:2: key kafka.0.where: no such function: ruond; did you mean `round`?\n"
            "  ruond(a) > 1\n"
            "  ^");
}

TEST(Config, ProcessingKeysThatContradictAreMistakes) {
  for (const auto& [toml, error] : std::vector<std::pair<std::string, std::string>>{
           {"[[kafka]]\ndedupe_by = [\"a\"]", "varve.toml:2: key kafka.0.dedupe_by: needs dedupe"},
           {"[[kafka]]\ndrop = [\"time\"]", "varve.toml:2: key kafka.0.drop: the time of a row"},
           {"[[kafka]]\nrename = { a = \"\" }", "key kafka.0.rename: a column's name has"},
           {"[[kafka]]\n[[kafka.enrich]]\nkey = \"a\"\ntags = [\"b\"]",
            "key kafka.0.enrich.0.file: name one of"},
           {"[[kafka]]\n[[kafka.enrich]]\nfile = \"f\"\ntags = [\"b\"]",
            "key kafka.0.enrich.0.key: must name"},
           {"[[kafka]]\n[[kafka.enrich]]\nfile = \"f\"\nkey = \"b\"",
            "key kafka.0.enrich.0.fields: tags or fields"}}) {
    EXPECT_THAT(error_of(toml), HasSubstr(error)) << toml;
  }
}

TEST(Config, ProcessingReachesTheSource) {
  EXPECT_FALSE(parsed("[[kafka]]\n").kafka[0].make_processor);
  EXPECT_TRUE(parsed("[[kafka]]\nset = [\"a = b + 1\"]").kafka[0].make_processor);
}

TEST(Config, InsecureAllowsAnAddressOthersCanReach) {
  EXPECT_EQ(parsed("[server]\nlisten = \"0.0.0.0:80\"\ninsecure = true").server.host, "0.0.0.0");
}

TEST(Config, SetOverridesValuesOfAnyType) {
  const Config config = parsed("[[kafka]]\nbrokers = \"a:1\"\n[storage]\nflush_rows = 5",
                               {"kafka.0.brokers=b:2", "storage.flush_rows=7", "kafka.0.topics=[\"x\"]",
                                "server.listen=localhost:0", "storage.tables.t.retention=1d"});
  EXPECT_EQ(config.kafka[0].brokers, "b:2");
  EXPECT_EQ(config.storage.flush_rows, 7u);
  EXPECT_THAT(config.kafka[0].topics, ElementsAre("x"));
  EXPECT_EQ(config.server.host, "localhost");
  EXPECT_EQ(config.storage.table_retention_ns.at("t"), kNsPerDay);
}

TEST(Config, SetCanAddASection) {
  EXPECT_EQ(parsed("", {"kafka.0.brokers=b:2"}).kafka.at(0).brokers, "b:2");
  EXPECT_EQ(parsed("[[mirror]]", {"mirror.1.database=second"}).mirrors.at(1).database, "second");
}

TEST(Config, MistakesInSetNameIt) {
  EXPECT_THAT(error_of("", {"kafka.0.topicz=1"}), HasSubstr("--set: key kafka.0.topicz: unknown key"));
  EXPECT_THAT(error_of("[query]", {"query.max_rows=many"}),
              HasSubstr("--set: key query.max_rows: expected an integer"));
  EXPECT_THAT(error_of("", {"query.max_rows"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(error_of("", {"=1"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(error_of("", {"kafka.3.brokers=a"}), HasSubstr("--set kafka.3.brokers: there is no element 3"));
  EXPECT_THAT(error_of("[query]\nmax_rows = 1", {"query.max_rows.x=1"}), HasSubstr("name a key of a table"));
  EXPECT_THAT(error_of("", {"kafka.0=1"}), HasSubstr("name a key of a table"));
}

TEST(Config, AnAbsentFileIsNamed) {
  const auto config = load_config("/nonexistent/varve.toml", {});
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().message, HasSubstr("/nonexistent/varve.toml"));
}

// The lines "key = ..." of a TOML file with their sections' names, as known_config_keys() writes them.
std::set<std::string> keys_in(const std::string& path) {
  std::ifstream file(path);
  std::set<std::string> keys;
  std::string line, section;
  while (std::getline(file, line)) {
    if (line.starts_with("[storage.tables.")) {
      section = "storage.tables.NAME";
    } else if (line.starts_with("[")) {
      const size_t begin = line.find_first_not_of('[');
      section = line.substr(begin, line.find(']') - begin);
    } else if (const size_t equals = line.find(" = ");
               equals != std::string::npos && !line.starts_with("#")) {
      keys.insert(section + "." + line.substr(0, equals));
    }
  }
  return keys;
}

TEST(Config, TheExampleFileLoadsAndShowsEveryKey) {
  const std::string path = VARVE_SOURCE_DIR "/config/varve.toml";
  const auto config = load_config(path, {});
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const auto known = known_config_keys("");
  ASSERT_TRUE(known.has_value()) << known.error().message;
  EXPECT_GT(known->size(), 30u);
  std::set<std::string> names;
  for (const auto& [name, value] : *known) names.insert(name);
  EXPECT_EQ(keys_in(path), names);
}

// But for what has no default (a lookup's table, another retention of one table) and what says its default beside it.
TEST(Config, TheExampleFileShowsTheDefaults) {
  std::ifstream file(VARVE_SOURCE_DIR "/config/varve.toml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto defaults = known_config_keys("");
  const auto shown = known_config_keys(text);
  ASSERT_TRUE(defaults.has_value() && shown.has_value());
  std::set<std::string> other;
  for (const auto& [key, value] : *shown) {
    if (value != defaults->at(key)) other.insert(key);
  }
  const std::set<std::string> allowed = {"storage.tables.NAME.retention",
                                         "kafka.tags",
                                         "kafka.properties",
                                         "kafka.enrich.table",
                                         "kafka.enrich.key",
                                         "kafka.enrich.tags",
                                         "kafka.enrich.fields"};
  EXPECT_EQ(other, allowed);
  for (const char* said : {"default []: these become tags", "default {}: handed to librdkafka"}) {
    EXPECT_THAT(text, HasSubstr(said));
  }
}

TEST(Config, KnowsLoopbackAddresses) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.evil.example", "example.com"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace varve
