// Flipped bits and files cut short in a small store: it refuses to start and names the file, or says what the log lost,
// or shows the rows that were there. Never a wrong row, never a crash.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "storage/base/log.h"
#include "storage/wal/recovery.h"
#include "tests/storage/fault/store_run.h"

namespace varve::test {
namespace {

constexpr uint64_t kSeed = 11;
constexpr uint64_t kGapBegins = kWalFileHeaderBytes;  // of zeros between a log file's header and its copy
constexpr uint64_t kGapEnds = kWalHeaderCopyOffset;

// A store that was killed with rows in two segments, in the catalog's log, and in its own.
struct SmallStore {
  FaultFileSystem::Image image;
  History history;
  Rows rows;
};

Record small_record(int number) {
  Record record;
  for (int i = 0; i < 4; ++i) {
    record.push_back({"t",
                      i % 2 == 0 ? "a" : "b",
                      10 * (number % 3) + i,
                      {{"level", Value(number + i * 0.25)}, {"count", Value(int64_t{number})}}});
  }
  record.back().fields["note"] = Value("n" + std::to_string(number));
  return record;
}

SmallStore make_store() {
  SmallStore made;
  FaultFileSystem files;
  {
    StoreRun store(files, {.wal_sync = WalSync::kEach, .partition_ns = 1000});
    EXPECT_TRUE(store.open());
    for (int number = 0; number < 7; ++number) {
      Operation write;
      write.records.push_back(small_record(number));
      EXPECT_TRUE(store.apply(write));
      if (number != 1 && number != 3) continue;
      EXPECT_TRUE(store.engine().flush());
    }
    const auto rows = read_rows(store.engine());
    EXPECT_TRUE(rows);
    if (rows) made.rows = *rows;
    made.history = store.history();
    made.image = files.image();
    files.cut_now();
  }
  // Reserved space of the log is the same zeros over and over.
  for (auto& [path, bytes] : made.image) {
    if (path.ends_with(".wal")) bytes.resize(bytes.find_last_not_of('\0') + 1);
  }
  return made;
}

const SmallStore& small_store() {
  static const SmallStore store = make_store();
  return store;
}

std::vector<std::string> paths_with(std::string_view part) {
  std::vector<std::string> paths;
  for (const auto& [path, bytes] : small_store().image) {
    if (path.find(part) != std::string::npos && !bytes.empty()) paths.push_back(path);
  }
  return paths;
}

// The log records that reading says are lost, and whether it says the end is cut off.
struct LogLosses {
  std::set<Lsn> lost;
  bool torn = false;
};

LogLosses log_losses(FaultFileSystem& files) {
  LogLosses losses;
  const auto recovery = recover_wal(files, std::string(kDataFolder) + "/wal", 1,
                                    [](Lsn, std::string_view) { return Result<void>(); });
  if (!recovery) return losses;
  for (const WalDamage& damage : recovery->damage) {
    for (Lsn lsn = damage.first_lost; lsn <= damage.last_lost; ++lsn) losses.lost.insert(lsn);
  }
  losses.torn = recovery->torn_tail.has_value();
  return losses;
}

enum class Tail { kKept, kMayBeCut };

// Opens the store with these bytes in place of `path`'s. What is wrong; nothing = refused by name, or right.
std::optional<std::string> try_bytes(const std::string& path, const std::string& bytes, Tail tail) {
  FaultFileSystem files;
  for (const auto& [name, kept] : small_store().image) files.set_bytes(name, kept);
  files.set_bytes(path, bytes);
  const LogLosses losses = log_losses(files);
  StoreRun store(files, {.wal_sync = WalSync::kEach, .partition_ns = 1000});
  const std::string named =
      path.substr(0, path.find(".db") == std::string::npos ? path.size() : path.find(".db") + 3);
  if (const auto opened = store.open(); !opened) {
    if (opened.error().message.find(named) != std::string::npos) return std::nullopt;
    return "refused without naming the file: " + opened.error().message;
  }
  const auto rows = read_rows(store.engine());
  if (!rows) {
    if (rows.error().message.find(named) != std::string::npos) return std::nullopt;
    return "a scan failed without naming the file: " + rows.error().message;
  }
  if (*rows == small_store().rows) return std::nullopt;
  const History& history = small_store().history;
  const auto there = history.records_there(store.engine().positions());
  if (!there) return there.error().message;
  std::set<int32_t> expected;
  bool cut = false;
  for (const Event& event : history.events()) {
    if (losses.lost.contains(event.lsn)) continue;
    const bool end_is_cut = (tail == Tail::kMayBeCut || losses.torn) && !there->contains(event.number);
    cut = cut || end_is_cut;
    if (!cut) expected.insert(event.number);
  }
  return difference(history.rows_of(expected), *rows);
}

std::string flipped(std::string bytes, size_t at, int bit) {
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
  return bytes;
}

// One bit of every byte in each shard: all of them together are all bits.
class FlippedBit : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  void flip_all(const std::vector<std::string>& paths) {
    ASSERT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      const std::string& good = small_store().image.at(path);
      for (size_t at = 0; at < good.size(); ++at) {
        const bool gap = path.ends_with(".wal") && at >= kGapBegins && at < kGapEnds;
        if (gap && at % 64 != 0) continue;  // every bit of it: recovery_test
        const auto wrong = try_bytes(path, flipped(good, at, GetParam()), Tail::kKept);
        ASSERT_FALSE(wrong) << path << " byte " << at << " bit " << GetParam() << ": " << *wrong;
      }
    }
  }
};

TEST_P(FlippedBit, OfTheLogIsFoundOrHarmless) {
  flip_all(paths_with("/wal/"));
}

TEST_P(FlippedBit, OfASegmentIsFoundOrHarmless) {
  ASSERT_EQ(paths_with("/segments/").size(), 2U);
  flip_all(paths_with("/segments/"));
}

// Every shard takes its own eighth of the bytes; VARVE_RUNS=8 takes every bit.
TEST_P(FlippedBit, OfTheCatalogIsFoundOrHarmless) {
  const bool all = runs(1) >= 8;
  for (const std::string& path : paths_with("/catalog.db")) {
    const std::string& good = small_store().image.at(path);
    for (size_t at = 0; at < good.size(); ++at) {
      const int bit = all ? GetParam() : static_cast<int>(at / 8 % 8);
      if (!all && static_cast<int>(at % 8) != GetParam()) continue;
      const auto wrong = try_bytes(path, flipped(good, at, bit), Tail::kKept);
      ASSERT_FALSE(wrong) << path << " byte " << at << " bit " << bit << ": " << *wrong;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, FlippedBit, testing::Range(0, 8));

class CutFile : public testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  void cut_at_each(const std::string& path, size_t from, size_t step, Tail tail) {
    const std::string& good = small_store().image.at(path);
    for (size_t length = from; length < good.size(); length += step) {
      const auto wrong = try_bytes(path, good.substr(0, length), tail);
      ASSERT_FALSE(wrong) << path << " cut to " << length << " bytes: " << *wrong;
    }
  }
};

TEST_F(CutFile, ALogCutAtAnyByteKeepsEveryRecordBefore) {
  for (const std::string& path : paths_with("/wal/")) cut_at_each(path, 0, 1, Tail::kMayBeCut);
}

TEST_F(CutFile, ASegmentCutAtAnyByteIsRefusedByName) {
  for (const std::string& path : paths_with("/segments/")) cut_at_each(path, 0, 1, Tail::kKept);
}

TEST_F(CutFile, ACatalogCutAnywhereIsRefusedOrHarmless) {
  for (const std::string& path : paths_with("/catalog.db")) {
    cut_at_each(path, 0, 512, Tail::kKept);
    cut_at_each(path, 97, 97, Tail::kKept);
  }
}

}  // namespace
}  // namespace varve::test
