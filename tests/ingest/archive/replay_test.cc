#include "ingest/archive/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/fuzz/targets.h"
#include "tests/support/batch_text.h"
#include "tests/support/fake_engine.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReplayArchive : public testing::Test {
 protected:
  ReplayArchive() {
    source_.mapping.table = "water";
    source_.mapping.tags = {"$key", "$header.site"};
    source_.mapping.fields = {"$offset"};
  }
  void archive(const std::string& topic, const std::vector<std::optional<std::string>>& values) {
    auto archive = RawArchive::open({folder_.path().string()});
    ASSERT_TRUE(archive.has_value());
    for (size_t i = 0; i < values.size(); ++i) {
      ArchivedMessage m;
      m.topic = topic;
      m.offset = static_cast<int64_t>(i);
      m.timestamp_ms = 1000 * static_cast<int64_t>(i);
      m.key = "k";
      if (values[i]) m.value = *values[i];
      m.headers = {{"site", "old"}, {"site", "pier"}};
      (*archive)->add(m);
      ASSERT_TRUE((*archive)->sync().has_value());
    }
  }
  Result<ReplayReport> replay() {
    options_.directory = folder_.path().string();
    return replay_archive(options_, {source_}, engine_, [](const ReplayReport&) { return true; });
  }
  std::vector<std::string> rows(const std::string& table) {
    std::vector<std::string> out;
    for (const auto& record : engine_.records()) {
      for (auto& text : batch_texts(record.batches)) {
        if (text.starts_with("varve." + table + " ")) out.push_back(std::move(text));
      }
    }
    return out;
  }
  const test::TempDir folder_;
  FakeEngine engine_;
  KafkaSourceOptions source_;
  ReplayOptions options_;
};

TEST_F(ReplayArchive, DecodesWholeMessagesAsTheirSourceDoesAndLeavesPositionsAlone) {
  archive("readings", {R"({"ts":1,"v":1})", std::nullopt, "poison", R"({"ts":2,"v":2})"});
  const auto report = replay();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_THAT(rows("water"), ElementsAre("varve.water key=k,site=pier offset=i:0,v=i:1 1000000000",
                                         "varve.water key=k,site=pier offset=i:3,v=i:2 2000000000"));
  EXPECT_EQ(report->messages, 4U);
  EXPECT_EQ(report->rows, 2U);
  EXPECT_EQ(report->rejected, 1U);
  EXPECT_EQ(report->bytes_done, report->bytes_total);
  EXPECT_EQ(rows("varve_quarantine").size(), 1U);
  EXPECT_TRUE(engine_.positions().empty());
}

TEST_F(ReplayArchive, TakesOnlyTheTopicAndTimesAskedFor) {
  archive("readings", {R"({"ts":1,"v":1})", R"({"ts":2,"v":2})", R"({"ts":3,"v":3})"});
  archive("other", {R"({"ts":9,"v":9})"});
  options_.from_ms = 1000;
  options_.to_ms = 1000;
  auto report = replay();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->messages, 1U);
  options_ = {};
  report = replay();
  EXPECT_EQ(report->messages, 3U);
  EXPECT_EQ(report->no_source, 1U);
  options_ = {};
  options_.topic = "other";
  options_.source = "kafka.0";
  report = replay();
  EXPECT_EQ(report->messages, 1U);
  options_.source = "kafka.7";
  EXPECT_FALSE(replay().has_value());
}

TEST_F(ReplayArchive, NamesDamageAndGoesOn) {
  archive("readings", {R"({"ts":1,"v":1})", R"({"ts":2,"v":2})", R"({"ts":3,"v":3})"});
  std::string path;
  const auto names = real_file_system().list(folder_.path().string());
  for (const std::string& name : *names) {
    if (name.ends_with(".avro")) path = join_path(folder_.path().string(), name);
  }
  std::string bytes = *real_file_system().read_all(path);
  const std::string marker = bytes.substr(bytes.size() - 16);
  const size_t second = bytes.find(marker, bytes.find(marker) + 1) + 16;
  bytes[second] = '\x7f';
  ASSERT_TRUE(real_file_system().write_atomically(path, bytes).has_value());
  const auto report = replay();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->messages, 2U);
  ASSERT_EQ(report->damage.size(), 1U);
  EXPECT_THAT(report->damage[0], HasSubstr("at byte " + std::to_string(second)));
}

TEST_F(ReplayArchive, SaysWhenTheStoreRefuses) {
  archive("readings", {R"({"ts":1,"v":1})"});
  engine_.fail_next_appends(2, unavailable("memory limit"));  // tried again
  ASSERT_TRUE(replay().has_value());
  EXPECT_EQ(rows("water").size(), 1U);
  engine_.fail_next_syncs(1, unavailable("the disk is full"));
  const auto refused = replay();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("the disk is full"));
}

TEST(ArchiveReplay, ReaderSurvivesDamage) {
  const SyncMarker marker = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  ArchivedMessage m;
  m.topic = "t";
  m.key = "key";
  m.value = "value";
  m.headers = {{"h", "x"}, {"i", std::nullopt}};
  std::string records;
  for (int i = 0; i < 4; ++i) append_archive_record(m, records);
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const ArchiveCodec codec = seed % 2 == 0 ? ArchiveCodec::kNull : ArchiveCodec::kDeflate;
    const std::string block = archive_block(records, 4, codec, marker);
    std::string input = (seed % 3 == 0 ? archive_file_header(codec, marker) : "") + block + block;
    for (size_t edits = random() % 4; edits > 0; --edits)
      input[random() % input.size()] = static_cast<char>(random());
    fuzz::archive(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
}

}  // namespace
}  // namespace varve
