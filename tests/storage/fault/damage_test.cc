// Flipped bits and files cut short in a small store: it refuses to start and names the file, or says what the log lost,
// or shows the rows that were there. Never a wrong row, never a crash.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "storage/base/log.h"
#include "storage/catalog/catalog.h"
#include "storage/wal/recovery.h"
#include "tests/storage/fault/store_run.h"

namespace varve::test {
namespace {

constexpr uint64_t kGapBegins = kWalFileHeaderBytes;  // of zeros between a log file's header and its copy
constexpr uint64_t kGapEnds = kWalHeaderCopyOffset;

// Rows in two segments and more in the log. When `closed` the log is flushed and the catalog's own log is gone; else it
// was killed, with most of the catalog in that.
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

SmallStore make_store(bool closed) {
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
    if (!closed) {
      made.image = files.image();
      files.cut_now();
    }
  }
  if (closed) made.image = files.image();
  // Reserved space of the log is the same zeros over and over.
  for (auto& [path, bytes] : made.image) {
    if (path.ends_with(".wal")) bytes.resize(bytes.find_last_not_of('\0') + 1);
  }
  return made;
}

const SmallStore& killed_store() {
  static const SmallStore store = make_store(false);
  return store;
}
const SmallStore& closed_store() {
  static const SmallStore store = make_store(true);
  return store;
}

std::vector<std::string> paths_with(const SmallStore& store, std::string_view part) {
  std::vector<std::string> paths;
  for (const auto& [path, bytes] : store.image) {
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

// SQLite's own log goes by the name of its database.
std::string named_as(const std::string& path) {
  const size_t database = path.find(".db");
  return database == std::string::npos ? path : path.substr(0, database + 3);
}

// Opens the store with these bytes in place of `path`'s. What is wrong; nothing = refused by name, or right.
std::optional<std::string> try_bytes(const SmallStore& good, const std::string& path,
                                     const std::string& bytes, Tail tail) {
  FaultFileSystem files;
  for (const auto& [name, kept] : good.image) files.set_bytes(name, kept);
  files.set_bytes(path, bytes);
  const LogLosses losses = log_losses(files);
  StoreRun store(files, {.wal_sync = WalSync::kEach, .partition_ns = 1000});
  const std::string named = named_as(path);
  if (const auto opened = store.open(); !opened) {
    if (opened.error().message.find(named) != std::string::npos) return std::nullopt;
    return "refused without naming the file: " + opened.error().message;
  }
  const auto rows = read_rows(store.engine());
  if (!rows) {
    if (rows.error().message.find(named) != std::string::npos) return std::nullopt;
    return "a scan failed without naming the file: " + rows.error().message;
  }
  if (*rows == good.rows) return std::nullopt;
  const History& history = good.history;
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

std::string text_of(const CatalogState& state) {
  std::string text = fmt::format("{} {} {} {}", state.store_id, state.positions_lsn, state.replay_from_lsn,
                                 state.cursors_lsn);
  for (const StreamPosition& p : state.positions)
    text += fmt::format("\n{} {} {}", p.stream, p.partition, p.next_offset);
  for (const auto& [name, saved] : state.cursors) text += fmt::format("\ncursor {} {}", name, saved);
  for (const std::string& file : state.removals) text += "\nremoval " + file;
  for (const CatalogTable& t : state.tables) {
    text += fmt::format("\ntable {} {} {} {}", t.id, t.database, t.name, t.flushed_lsn);
    for (const ColumnInfo& c : t.columns)
      text += fmt::format(" {} {} {}", c.name, static_cast<int>(c.kind), static_cast<int>(c.type));
    for (const CatalogSegment& s : t.segments) {
      text += fmt::format("\n{} {} {} {} {} {} {} {} {} {}", s.id, s.file, s.rows, s.bytes, s.series,
                          s.time_min, s.time_max, s.first_lsn, s.last_lsn, s.applied_lsn);
    }
    for (const CatalogTombstone& d : t.tombstones) text += fmt::format("\n{} {} {}", d.id, d.file, d.lsn);
  }
  return text;
}

// Tries the bytes of a catalog's file. What the store makes of a catalog follows from what the catalog says, so the
// store is opened once for each different thing it says.
class CatalogTries {
 public:
  explicit CatalogTries(const SmallStore& good) : good_(good) {}

  std::optional<std::string> run(const std::string& path, const std::string& bytes) {
    FaultFileSystem files;
    FaultVfs vfs(files);
    const std::string catalog_path = named_as(path);
    for (const std::string& name : paths_with(good_, catalog_path))
      files.set_bytes(name, good_.image.at(name));
    files.set_bytes(path, bytes);
    auto catalog = Catalog::open(catalog_path, vfs.name());
    const auto state = catalog ? (*catalog)->load() : Result<CatalogState>(catalog.error());
    if (!state) {
      if (state.error().message.find(catalog_path) != std::string::npos) return std::nullopt;
      return "refused without naming the file: " + state.error().message;
    }
    const auto [known, first] = outcomes_.try_emplace(text_of(*state));
    if (first) known->second = try_bytes(good_, path, bytes, Tail::kKept);
    return known->second;
  }

 private:
  const SmallStore& good_;
  std::map<std::string, std::optional<std::string>> outcomes_;
};

// Most of the zeros that keep a log file's two headers apart: recovery_test has every byte of them.
bool passed_over(const std::string& path, size_t at) {
  return path.ends_with(".wal") && at >= kGapBegins && at < kGapEnds && at % 64 != 0;
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

  void flip_all(const SmallStore& store, std::string_view folder) {
    const auto paths = paths_with(store, folder);
    ASSERT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      const std::string& good = store.image.at(path);
      for (size_t at = 0; at < good.size(); at += kSweepStep) {
        if (passed_over(path, at)) continue;
        const auto wrong = try_bytes(store, path, flipped(good, at, GetParam()), Tail::kKept);
        ASSERT_FALSE(wrong) << path << " byte " << at << " bit " << GetParam() << ": " << *wrong;
      }
    }
  }
};

TEST_P(FlippedBit, OfTheLogIsFoundOrHarmless) {
  flip_all(killed_store(), "/wal/");
}

TEST_P(FlippedBit, OfASegmentIsFoundOrHarmless) {
  ASSERT_EQ(paths_with(killed_store(), "/segments/").size(), 2U);
  flip_all(killed_store(), "/segments/");
}

// Every shard takes its own eighth of the bytes; a long run takes every bit.
TEST_P(FlippedBit, OfTheCatalogIsFoundOrHarmless) {
  const bool all = grown(1) >= 8;
  for (const SmallStore* store : {&killed_store(), &closed_store()}) {
    CatalogTries tries(*store);
    for (const std::string& path : paths_with(*store, "/catalog.db")) {
      const std::string& good = store->image.at(path);
      for (size_t at = 0; at < good.size(); at += kSweepStep) {
        const int bit = all ? GetParam() : static_cast<int>(at / 8 % 8);
        if (!all && static_cast<int>(at % 8) != GetParam()) continue;
        const auto wrong = tries.run(path, flipped(good, at, bit));
        ASSERT_FALSE(wrong) << path << " byte " << at << " bit " << bit << ": " << *wrong;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, FlippedBit, testing::Range(0, 8));

class CutFile : public testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  static void cut_at_each_byte(const SmallStore& store, std::string_view folder, Tail tail) {
    const auto paths = paths_with(store, folder);
    ASSERT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      const std::string& good = store.image.at(path);
      for (size_t length = 0; length < good.size(); length += kSweepStep) {
        if (passed_over(path, length)) continue;
        const auto wrong = try_bytes(store, path, good.substr(0, length), tail);
        ASSERT_FALSE(wrong) << path << " cut to " << length << " bytes: " << *wrong;
      }
    }
  }
};

TEST_F(CutFile, ALogCutAtAnyByteKeepsEveryRecordBefore) {
  cut_at_each_byte(killed_store(), "/wal/", Tail::kMayBeCut);
}

TEST_F(CutFile, ASegmentCutAtAnyByteIsRefusedByName) {
  cut_at_each_byte(killed_store(), "/segments/", Tail::kKept);
}

TEST_F(CutFile, ACatalogCutAnywhereIsRefusedOrHarmless) {
  const bool all = grown(1) > 1;  // else around the ends of its sectors and pages, and at odd places
  for (const SmallStore* store : {&killed_store(), &closed_store()}) {
    CatalogTries tries(*store);
    for (const std::string& path : paths_with(*store, "/catalog.db")) {
      const std::string& good = store->image.at(path);
      for (size_t length = 0; length < good.size(); length += kSweepStep) {
        if (!all && (length + 1) % 512 > 2 && length % 97 != 0) continue;
        const auto wrong = tries.run(path, good.substr(0, length));
        ASSERT_FALSE(wrong) << path << " cut to " << length << " bytes: " << *wrong;
      }
    }
  }
}

// ---- the checker proven: damage that no checksum sees must be found by it ----

// The log's file with every record as `change` leaves its payload, and as valid as the writer would make it. A record
// without a payload is left out.
std::string forged(const std::string& file,
                   const std::function<void(Lsn lsn, std::string& payload)>& change) {
  const auto start = decode_wal_file_header(std::string_view(file).substr(0, kWalFileHeaderBytes));
  std::string out = file.substr(0, kWalFirstRecordOffset);
  uint64_t at = kWalFirstRecordOffset;
  while (start && at + kWalRecordHeaderBytes <= file.size()) {
    const auto header = decode_wal_record_header(std::string_view(file).substr(at), start->file_id, at);
    if (!header || header->is_end_mark()) break;
    std::string payload = file.substr(at + kWalRecordHeaderBytes, header->payload_bytes);
    change(header->lsn, payload);
    if (!payload.empty())
      append_wal_record(out, {start->file_id, out.size(), header->lsn, header->synced_lsn}, payload);
    at += header->record_bytes();
  }
  return out;
}

class PlantedDamage : public CutFile {
 protected:
  static std::optional<std::string> found(const std::function<void(Lsn lsn, std::string& payload)>& change) {
    const auto paths = paths_with(killed_store(), "/wal/");
    EXPECT_EQ(paths.size(), 1U);
    const std::string& good = killed_store().image.at(paths.front());
    const std::string bad = forged(good, change);
    EXPECT_NE(bad, good);
    return try_bytes(killed_store(), paths.front(), bad, Tail::kKept);
  }
};

TEST_F(PlantedDamage, AForgedFileWithoutAChangeIsTheFile) {
  const std::string path = paths_with(killed_store(), "/wal/").front();
  const std::string& good = killed_store().image.at(path);
  EXPECT_EQ(forged(good, [](Lsn, std::string&) {}), good);
}

TEST_F(PlantedDamage, AWrongRowWhoseChecksumsAreRightIsSeen) {
  const auto wrong = found([](Lsn, std::string& payload) {
    const size_t note = payload.find("n6");  // the text of the last record's note
    if (note != std::string::npos) payload[note + 1] = '7';
  });
  ASSERT_TRUE(wrong);
  EXPECT_NE(wrong->find("is wrong"), std::string::npos) << *wrong;
}

TEST_F(PlantedDamage, ARecordMissingWithoutAWordIsSeen) {
  const auto wrong = found([](Lsn lsn, std::string& payload) {
    if (lsn == 7) payload.clear();
  });
  EXPECT_TRUE(wrong);
}

}  // namespace
}  // namespace varve::test
