#include "ingest/archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ingest/archive/container.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/moved_clock.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr SyncMarker kMarker = {'0', '1', '2', '3', '4', '5', '6', '7',
                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

// A file in memory.
class Bytes : public RandomAccessFile {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset >= bytes_.size()) return size_t{0};
    return bytes_.copy(reinterpret_cast<char*>(out.data()), out.size(), offset);
  }
  Result<uint64_t> size() const override { return bytes_.size(); }

 private:
  std::string bytes_;
};

std::string text_of(const ArchivedMessage& m) {
  const auto part = [](const std::optional<std::string_view>& bytes) {
    return bytes ? "'" + std::string(*bytes) + "'" : std::string("null");
  };
  std::string text = std::string(m.topic) + "/" + std::to_string(m.partition) + "/" +
                     std::to_string(m.offset) + "@" + std::to_string(m.timestamp_ms) + ":" +
                     std::to_string(static_cast<int>(m.timestamp_type)) + " " + part(m.key) + "=" +
                     part(m.value);
  for (const auto& [name, value] : m.headers) text += ";" + std::string(name) + "=" + part(value);
  return text;
}

struct Read {
  std::vector<std::string> messages;
  std::vector<ArchiveReader::Damage> damage;
  uint64_t whole_bytes = 0;
};

Read read_all(std::string bytes) {
  Read out;
  auto reader = ArchiveReader::open(std::make_unique<Bytes>(std::move(bytes)));
  if (!reader) {
    out.damage.push_back({0, reader.error().message});
    return out;
  }
  ArchivedMessage message;
  while (*(*reader)->next(message)) out.messages.push_back(text_of(message));
  out.damage = (*reader)->damage();
  out.whole_bytes = (*reader)->whole_bytes();
  return out;
}

ArchivedMessage message(int64_t offset, std::string_view value = "v") {
  ArchivedMessage m;
  m.topic = "readings";
  m.partition = 3;
  m.offset = offset;
  m.timestamp_ms = 1'750'000'000'000 + offset;
  m.timestamp_type = TimestampType::kCreate;
  m.key = "k";
  m.value = value;
  return m;
}

std::string block_of(const std::vector<ArchivedMessage>& messages, ArchiveCodec codec) {
  std::string records;
  for (const auto& m : messages) append_archive_record(m, records);
  return archive_block(records, messages.size(), codec, kMarker);
}

class ArchiveContainer : public testing::TestWithParam<ArchiveCodec> {};
INSTANTIATE_TEST_SUITE_P(Codecs, ArchiveContainer,
                         testing::Values(ArchiveCodec::kNull, ArchiveCodec::kDeflate), [](const auto& codec) {
                           return codec.param == ArchiveCodec::kNull ? "Null" : "Deflate";
                         });

TEST_P(ArchiveContainer, GivesBackAnyBytesAsTheyWere) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto any_bytes = [&] {
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (random() % 4 == 0) bytes.assign(kMarker.begin(), kMarker.end());  // looks like the end of a block
    return bytes;
  };
  std::vector<std::string> kept;
  kept.reserve(4000);
  const auto maybe = [&]() -> std::optional<std::string_view> {
    if (random() % 4 == 0) return std::nullopt;
    kept.push_back(any_bytes());
    return kept.back();
  };
  std::string file = archive_file_header(GetParam(), kMarker);
  std::vector<std::string> expected;
  for (int block = 0; block < 20; ++block) {
    std::vector<ArchivedMessage> messages;
    for (size_t i = 0; i <= random() % 20; ++i) {
      ArchivedMessage m = message(static_cast<int64_t>(random()));
      m.partition = static_cast<int32_t>(random() % 1000);
      m.timestamp_ms = random() % 3 == 0 ? -1 : static_cast<int64_t>(random());
      m.timestamp_type = static_cast<TimestampType>(random() % 3);
      m.key = maybe();
      m.value = maybe();
      for (size_t h = random() % 3; h > 0; --h) {
        kept.push_back(any_bytes());
        const std::string_view name = kept.back();
        m.headers.emplace_back(name, maybe());
      }
      expected.push_back(text_of(m));
      messages.push_back(std::move(m));
    }
    file += block_of(messages, GetParam());
  }
  const Read read = read_all(file);
  EXPECT_EQ(read.messages, expected);
  EXPECT_TRUE(read.damage.empty());
  EXPECT_EQ(read.whole_bytes, file.size());
}

TEST_P(ArchiveContainer, KeepsEveryWholeBlockOfAFileTornAtAnyByte) {
  std::string file = archive_file_header(GetParam(), kMarker);
  std::vector<size_t> ends{file.size()};
  std::vector<std::string> texts;
  for (int i = 0; i < 3; ++i) {
    file += block_of({message(2 * i), message(2 * i + 1)}, GetParam());
    ends.push_back(file.size());
  }
  for (size_t cut = 0; cut <= file.size(); ++cut) {
    const Read read = read_all(file.substr(0, cut));
    size_t blocks = 0;
    while (blocks + 1 < ends.size() && ends[blocks + 1] <= cut) ++blocks;
    ASSERT_EQ(read.messages.size(), 2 * blocks) << cut;
    if (cut < ends[0]) continue;
    EXPECT_EQ(read.whole_bytes, ends[blocks]) << cut;
    EXPECT_EQ(read.damage.empty(), cut == ends[blocks]) << cut;
  }
}

TEST_P(ArchiveContainer, GoesOnBehindDamageInTheMiddle) {
  const std::string header = archive_file_header(GetParam(), kMarker);
  const std::string first = block_of({message(1)}, GetParam());
  const std::string second = block_of({message(2)}, GetParam());
  const std::string third = block_of({message(3)}, GetParam());
  std::string broken = second;
  broken[0] = '\x7f';  // the count
  const Read read = read_all(header + first + broken + third);
  EXPECT_EQ(read.messages, (std::vector<std::string>{text_of(message(1)), text_of(message(3))}));
  ASSERT_EQ(read.damage.size(), 1U);
  EXPECT_EQ(read.damage[0].offset, header.size() + first.size());
  broken = second;
  broken.back() = 'X';  // the sync marker: the next one is behind the third block
  const Read without_marker = read_all(header + first + broken + third);
  EXPECT_EQ(without_marker.messages, (std::vector<std::string>{text_of(message(1))}));
  EXPECT_EQ(without_marker.damage.size(), 1U);
}

// Written out by hand from the specification, so that writer and reader cannot agree on a mistake.
TEST(ArchiveFormat, IsAsTheSpecificationSays) {
  ArchivedMessage m;
  m.topic = "t";
  m.partition = 1;
  m.offset = 64;
  m.timestamp_ms = -1;
  m.timestamp_type = TimestampType::kLogAppend;
  m.key = std::nullopt;
  m.value = "ab";
  m.headers = {{"h", std::nullopt}, {"h", ""}};
  const std::string record(
      "\x02t\x02\x80\x01\x01\x04\x00\x02\x04"
      "ab\x04\x02h\x00\x02h\x02\x00\x00",
      21);
  const std::string block = std::string("\x02\x2a", 2) + record + "0123456789abcdef";
  EXPECT_EQ(block_of({m}, ArchiveCodec::kNull), block);
  EXPECT_TRUE(archive_file_header(ArchiveCodec::kNull, kMarker)
                  .starts_with(std::string("Obj\x01\x04\x16", 6) + "avro.schema"));
  // An array of one block given by its size, as other writers make it.
  std::string other = record;
  other.replace(12, 1, std::string("\x03\x0e", 2));
  const Read read = read_all(archive_file_header(ArchiveCodec::kNull, kMarker) +
                             archive_block(other, 1, ArchiveCodec::kNull, kMarker));
  EXPECT_EQ(read.messages, (std::vector<std::string>{text_of(m)}));
}

std::vector<std::string> messages_in(const std::string& directory,
                                     std::vector<std::string>* names = nullptr) {
  std::vector<std::string> out;
  const auto listed = real_file_system().list(directory);
  for (const std::string& name : *listed) {
    if (!name.ends_with(".avro") && !name.ends_with(".part")) continue;
    if (names != nullptr) names->push_back(name);
    const Read read = read_all(*real_file_system().read_all(join_path(directory, name)));
    EXPECT_TRUE(read.damage.empty()) << name;
    out.insert(out.end(), read.messages.begin(), read.messages.end());
  }
  return out;
}

TEST(RawArchive, RollsBySizeAndByAgeUnderNamesThatSort) {
  const test::TempDir folder;
  MovedClock clock;
  ArchiveOptions options{folder.path().string(), 1500, 10 * kNsPerSecond, ArchiveCodec::kNull};
  std::vector<std::string> expected;
  {
    auto archive = RawArchive::open(options, real_file_system(), clock);
    ASSERT_TRUE(archive.has_value()) << archive.error().message;
    EXPECT_FALSE(RawArchive::open(options).has_value()) << "two writers in one folder";
    for (int64_t i = 0; i < 30; ++i) {
      const std::string value(100, 'x');
      (*archive)->add(message(i, value));
      expected.push_back(text_of(message(i, value)));
      ASSERT_TRUE((*archive)->sync().has_value());
    }
    EXPECT_EQ((*archive)->messages(), 30U);
  }
  std::vector<std::string> names;
  EXPECT_EQ(messages_in(options.directory, &names), expected);
  EXPECT_GT(names.size(), 3U);
  for (const std::string& name : names) EXPECT_TRUE(name.ends_with(".avro")) << name;
  EXPECT_TRUE(names[0].ends_with("-3-0.avro")) << names[0];
}

TEST(RawArchive, CutsWhatAKilledProcessLeftAndGoesOn) {
  const test::TempDir folder;
  const std::string directory = folder.path().string();
  const std::string header = archive_file_header(ArchiveCodec::kNull, kMarker);
  const std::string block = block_of({message(1)}, ArchiveCodec::kNull);
  const auto leave = [&](const std::string& name, const std::string& bytes) {
    ASSERT_TRUE((*real_file_system().create(join_path(directory, name)))->append(bytes).has_value());
  };
  leave("a-1.avro.part", header + block + block.substr(0, block.size() - 1));
  leave("b-1.avro.part", header.substr(0, 100));
  leave("c-1.avro.part", "");
  ASSERT_TRUE(RawArchive::open({directory}).has_value());
  std::vector<std::string> names;
  EXPECT_EQ(messages_in(directory, &names), (std::vector<std::string>{text_of(message(1))}));
  EXPECT_EQ(names, (std::vector<std::string>{"a-1.avro"}));
}

const ArchiveOptions kSmallFiles{"/a", 1000, kNsPerSecond, ArchiveCodec::kNull};

// What a new archive finds in /a, without repetitions that follow each other.
std::vector<std::string> found_after_restart(FaultFileSystem& files) {
  const auto archive = RawArchive::open(kSmallFiles, files);
  EXPECT_TRUE(archive.has_value()) << archive.error().message;
  std::vector<std::string> found;
  const auto names = files.list("/a");
  for (const std::string& name : *names) {
    EXPECT_FALSE(name.ends_with(".part")) << name;
    if (!name.ends_with(".avro")) continue;
    const Read read = read_all(files.bytes("/a/" + name));
    EXPECT_TRUE(read.damage.empty()) << name << ": " << read.damage[0].what;
    found.insert(found.end(), read.messages.begin(), read.messages.end());
  }
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// Whatever calls fail: what sync() promised is there after a power cut, and sync() succeeds when the disk does.
TEST(RawArchive, LosesNothingItPromisedWhateverCallFails) {
  for (const bool half_written : {false, true}) {
    for (const int count : {1, 3}) {
      for (int nth = 1; nth < 60; ++nth) {
        SCOPED_TRACE(testing::Message() << count << " failures from call " << nth);
        FaultFileSystem files;
        auto archive = RawArchive::open(kSmallFiles, files);
        ASSERT_TRUE(archive.has_value()) << archive.error().message;
        FaultFileSystem::Rule rule;
        rule.matches = [](FileCall call, std::string_view) { return call != FileCall::kRead; };
        rule.nth = nth;
        rule.count = count;
        rule.half_written = half_written;
        files.fail(std::move(rule));
        std::vector<std::string> promised;
        for (int64_t i = 0; i < 8; ++i) {
          (*archive)->add(message(i, std::string(100, 'x')));
          promised.push_back(text_of(message(i, std::string(100, 'x'))));
          int failures = 0;
          while (!(*archive)->sync()) ASSERT_LE(++failures, count);  // nothing is dropped: call it again
        }
        files.clear_faults();
        files.cut_now();  // the destructor is of no help
        (*archive).reset();
        files.power_cut(static_cast<uint64_t>(nth));
        EXPECT_EQ(found_after_restart(files), promised);
      }
    }
  }
}

// With a seed the disk may lose both names of a rename that was under way, which file systems with a journal do not:
// files then roll at each message, whose promise waits for the rename.
TEST(RawArchive, LosesNothingItPromisedWhereverThePowerGoes) {
  for (uint64_t seed = 0; seed < 16; ++seed) {
    for (int nth = 1; nth < 40; ++nth) {
      SCOPED_TRACE(testing::Message() << "power goes at call " << nth << ", seed " << seed);
      FaultFileSystem files;
      ArchiveOptions options = kSmallFiles;
      if (seed > 0) options.roll_bytes = 1;
      auto archive = RawArchive::open(options, files);
      ASSERT_TRUE(archive.has_value()) << archive.error().message;
      files.cut_at(nth);
      size_t promised = 0;
      std::vector<std::string> added;
      for (int64_t i = 0; i < 8; ++i) {
        (*archive)->add(message(i, std::string(100, 'x')));
        added.push_back(text_of(message(i, std::string(100, 'x'))));
        if ((*archive)->sync()) promised = added.size();
      }
      (*archive).reset();
      files.power_cut(seed == 0 ? std::nullopt : std::optional(seed));
      const std::vector<std::string> found = found_after_restart(files);
      ASSERT_GE(found.size(), promised);
      ASSERT_LE(found.size(), added.size());
      EXPECT_EQ(found, std::vector<std::string>(added.begin(), added.begin() + std::ssize(found)));
    }
  }
}

}  // namespace
}  // namespace varve
