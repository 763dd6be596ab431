// Compaction through the engine: what a scan sees must not change, whatever happens on the way.
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "storage/engine.h"
#include "storage/stored_segment.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

// Doubles as their bits, so that NaN payloads and -0.0 count.
using Cell = std::variant<uint64_t, int64_t, bool, std::string>;
// series key, time, field
using Model = std::map<std::string, std::map<int64_t, std::map<std::string, Cell>>>;

Cell cell_of(double value) {
  return std::bit_cast<uint64_t>(value);
}

// Counts down the free space, and calls back when a file is made.
class Disk : public FaultFileSystem {
 public:
  std::atomic<uint64_t> free{uint64_t{1} << 40};
  std::function<void(const std::string& path)> on_create;

  Result<uint64_t> free_bytes(const std::string&) override { return free.load(); }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    if (on_create) on_create(path);
    return FaultFileSystem::create(path);
  }
};

struct Write {
  std::vector<std::pair<std::string, std::string>> tags;
  int64_t time = 0;
  std::vector<std::pair<std::string, Value>> fields;
};

class CompactionTest : public testing::Test {
 protected:
  CompactionTest() {
    options_.compaction = false;
    options_.file_system = &disk_;
  }

  std::unique_ptr<Engine> open() {
    EngineOptions options = options_;
    options.data_directory = directory_.path().string();
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }

  static void write(Engine& engine, const std::vector<Write>& rows) {
    RowBatchBuilder builder("varve", "water");
    for (const Write& row : rows) {
      builder.begin_row();
      for (const auto& [name, value] : row.tags) builder.tag(name, value);
      for (const auto& [name, value] : row.fields) {
        if (const auto* d = std::get_if<double>(&value)) builder.field_double(name, *d);
        if (const auto* i = std::get_if<int64_t>(&value)) builder.field_int(name, *i);
        if (const auto* b = std::get_if<bool>(&value)) builder.field_bool(name, *b);
        if (const auto* s = std::get_if<std::string>(&value)) builder.field_string(name, *s);
      }
      builder.end_row(row.time);
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    AdmittedWrite admitted = engine.admit(std::move(batches));
    ASSERT_TRUE(admitted.rejected().empty()) << admitted.rejected().front().detail;
    const auto lsn = engine.append_and_wait(std::move(admitted));
    ASSERT_TRUE(lsn) << lsn.error().message;
  }

  static void write_and_flush(Engine& engine, const std::vector<Write>& rows) {
    write(engine, rows);
    ASSERT_TRUE(engine.flush());
  }

  static std::unique_ptr<Scan> scan(const Engine& engine, std::vector<std::string> fields) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = std::move(fields);
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan) << scan.error().message;
    return scan ? std::move(*scan) : nullptr;
  }

  static Model read(Scan& scan, const std::vector<std::string>& fields) {
    Model model;
    ScanBlock block;
    while (true) {
      const auto more = scan.next(block);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) return model;
      std::string key;
      for (const char* tag : {"site", "unit"}) key += std::string(scan.tags(block.series).value(tag)) + "|";
      for (size_t row = 0; row < block.rows; ++row) {
        const auto [known, fresh] = model[key].try_emplace(block.times[row]);
        EXPECT_TRUE(fresh) << "time " << block.times[row] << " of " << key << " came twice";
        for (size_t c = 0; c < fields.size(); ++c) {
          const ColumnVector& column = block.columns[c];
          if (!column.is_valid(row)) continue;
          Cell& cell = known->second[fields[c]];
          switch (column.type) {
            case FieldType::kDouble:
              cell = cell_of(column.doubles[row]);
              break;
            case FieldType::kInt64:
              cell = column.ints[row];
              break;
            case FieldType::kBool:
              cell = column.bools[row] != 0;
              break;
            case FieldType::kString:
              cell = std::string(column.strings[row]);
              break;
          }
        }
      }
    }
  }
  static Model read(const Engine& engine, const std::vector<std::string>& fields) {
    const auto opened = scan(engine, fields);
    return opened ? read(*opened, fields) : Model();
  }

  std::string segments_folder() const { return (directory_.path() / "segments").string(); }
  std::vector<std::string> files() {
    const auto names = disk_.list(segments_folder());
    return names ? *names : std::vector<std::string>();
  }

  // Identities and efforts as the files say.
  std::vector<std::shared_ptr<const SegmentReader>> open_files() {
    std::vector<std::shared_ptr<const SegmentReader>> readers;
    for (const std::string& name : files()) {
      const std::string path = join_path(segments_folder(), name);
      auto file = disk_.open_read(path);
      EXPECT_TRUE(file);
      auto reader = SegmentReader::open(*file_source(std::move(*file)), path);
      EXPECT_TRUE(reader) << reader.error().message;
      if (!reader) continue;
      const auto verified = (*reader)->verify();
      EXPECT_TRUE(verified) << verified.error().message;
      readers.push_back(*reader);
    }
    return readers;
  }

  test::TempDir directory_;  // the catalog is there; the other files are in disk_
  Disk disk_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
};

TEST_F(CompactionTest, LaterWritesWinFieldByFieldAcrossThreeSegments) {
  auto engine = open();
  const std::vector<std::pair<std::string, std::string>> a = {{"site", "a"}};
  write_and_flush(*engine, {{a, 1, {{"x", 1.0}, {"s", std::string("old")}, {"n", int64_t{1}}}},
                            {a, 2, {{"x", 1.0}}},
                            {{{"site", "b"}}, 1, {{"x", 7.0}}}});
  write_and_flush(*engine, {{a, 1, {{"x", 2.0}, {"b", true}}}, {a, 3, {{"n", int64_t{3}}}}});
  write_and_flush(*engine, {{a, 1, {{"s", std::string("new")}}}, {a, 2, {{"x", -0.0}}}});
  const Model before = read(*engine, {"x", "s", "n", "b"});
  EXPECT_EQ(before.at("a||").at(1).at("x"), cell_of(2.0));
  EXPECT_EQ(before.at("a||").at(1).at("s"), Cell("new"));
  ASSERT_TRUE(engine->compact());
  EXPECT_EQ(engine->status().segments, 1U);
  EXPECT_EQ(read(*engine, {"x", "s", "n", "b"}), before);
  EXPECT_EQ(engine->describe("varve", "water")->rows, 4U);  // no duplicate is left
  const auto readers = open_files();
  ASSERT_EQ(readers.size(), 1U);
  EXPECT_EQ(readers[0]->effort(), Effort::kExhaustive);
  EXPECT_EQ(readers[0]->identity().replaces, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(readers[0]->identity().first_lsn, 1U);
  EXPECT_EQ(readers[0]->identity().last_lsn, 3U);
  EXPECT_EQ(readers[0]->schema().positions.size(), 5U);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"x", "s", "n", "b"}), before);
}

TEST_F(CompactionTest, ColumnsThatWidenAndTagsThatComeLaterAreMerged) {
  auto engine = open();
  const double nan = std::bit_cast<double>(0x7ff8'0000'dead'beefULL);
  write_and_flush(*engine,
                  {{{{"site", "a"}}, 1, {{"v", int64_t{5}}}}, {{{"site", "a"}}, 2, {{"v", int64_t{6}}}}});
  write_and_flush(*engine, {{{{"site", "a"}}, 2, {{"v", 6.5}}}, {{{"site", "a"}}, 3, {{"v", nan}}}});
  write_and_flush(*engine, {{{{"site", "a"}, {"unit", "m"}}, 1, {{"v", 1.0}, {"w", true}}}});
  const Model before = read(*engine, {"v", "w"});
  EXPECT_EQ(before.at("a||").at(1).at("v"), cell_of(5.0));
  EXPECT_EQ(before.at("a||").at(3).at("v"), cell_of(nan));
  EXPECT_EQ(before.at("a|m|").size(), 1U);
  ASSERT_TRUE(engine->compact());
  EXPECT_EQ(engine->status().segments, 1U);
  EXPECT_EQ(read(*engine, {"v", "w"}), before);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"v", "w"}), before);
}

TEST_F(CompactionTest, HundredsOfDaysOfFewRowsSettleInAHandfulOfSegments) {
  auto engine = open();
  std::mt19937 random(7);
  for (int flush = 0; flush < 4; ++flush) {
    std::vector<Write> rows;
    for (int i = 0; i < 4'000; ++i) {
      const int64_t hour = static_cast<int64_t>(random() % (480 * 24));
      rows.push_back({{{"site", std::string(1, static_cast<char>('a' + random() % 6))}},
                      hour * 3600 * kNsPerSecond,
                      {{"x", static_cast<double>(random() % 1000) / 10}}});
    }
    write_and_flush(*engine, rows);
  }
  const Model before = read(*engine, {"x"});
  EXPECT_LE(engine->status().segments, 150U);  // few rows a day: the flush makes wider partitions
  ASSERT_TRUE(engine->compact());
  EXPECT_LE(engine->status().segments, 4U);
  EXPECT_EQ(read(*engine, {"x"}), before);
  EXPECT_EQ(files().size(), engine->status().segments);
}

TEST_F(CompactionTest, RandomRowsAreTheSameBeforeAndAfterAndForScansOpenedBefore) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  options_.partition_ns = 1000;
  auto engine = open();
  const std::vector<std::string> fields = {"x", "n", "s", "b"};
  Model model;
  for (int step = 0; step < 40; ++step) {
    std::vector<Write> rows;
    for (size_t i = 1 + random() % 300; i-- > 0;) {
      const std::string site(1, static_cast<char>('a' + random() % 5));
      Write row{{{"site", site}}, static_cast<int64_t>(random() % 9000) - 3000, {{"b", random() % 2 == 0}}};
      if (random() % 3 != 0) row.fields.emplace_back("x", static_cast<double>(random() % 10'000) / 100);
      if (random() % 3 != 0) row.fields.emplace_back("n", static_cast<int64_t>(random()));
      if (random() % 5 == 0) row.fields.emplace_back("s", "s" + std::to_string(random() % 50));
      auto& cells = model[site + "||"][row.time];
      for (const auto& [name, value] : row.fields) {
        if (const auto* d = std::get_if<double>(&value)) cells[name] = cell_of(*d);
        if (const auto* n = std::get_if<int64_t>(&value)) cells[name] = *n;
        if (const auto* b = std::get_if<bool>(&value)) cells[name] = *b;
        if (const auto* s = std::get_if<std::string>(&value)) cells[name] = *s;
      }
      rows.push_back(std::move(row));
    }
    write(*engine, rows);
    if (random() % 3 == 0) {
      ASSERT_TRUE(engine->flush());
    }
    if (random() % 8 == 0) {
      const auto opened_before = scan(*engine, fields);
      const auto compacted = engine->compact();
      ASSERT_TRUE(compacted) << compacted.error().message;
      ASSERT_EQ(read(*opened_before, fields), model);
      ASSERT_EQ(read(*engine, fields), model);
      EXPECT_EQ(files().size(), engine->status().segments);
    }
    if (random() % 15 == 0) {
      engine.reset();
      engine = open();
      ASSERT_EQ(read(*engine, fields), model);
    }
  }
  open_files();  // each verifies
}

TEST_F(CompactionTest, EveryFileCallThatFailsLeavesTheRowsAndTheNextTryWorks) {
  options_.partition_ns = 1000;
  auto engine = open();
  Model model;
  const auto add = [&](int round) {
    for (int flush = 0; flush < 2; ++flush) {
      std::vector<Write> rows;
      for (int i = 0; i < 40; ++i) {
        const double value = round * 1000 + flush * 100 + i;
        rows.push_back({{{"site", "a"}}, i * 50, {{"x", value}}});
        model["a||"][i * 50]["x"] = cell_of(value);
      }
      write_and_flush(*engine, rows);
    }
  };
  int round = 0;
  int failed = 0;
  for (const FileCall call :
       {FileCall::kOpenRead, FileCall::kRead, FileCall::kCreate, FileCall::kAppend, FileCall::kSync,
        FileCall::kRename, FileCall::kSyncDirectory, FileCall::kRemove}) {
    for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kExhausted}) {
      for (int nth = 1; nth < 40; ++nth) {
        SCOPED_TRACE(testing::Message() << "call " << static_cast<int>(call) << ", time " << nth);
        add(++round);
        const int before = disk_.calls(call);
        disk_.fail(call, nth, {code, "injected failure"});
        const auto outcome = engine->compact();
        disk_.clear_faults();
        if (disk_.calls(call) - before < nth) break;  // it needed fewer
        failed += outcome ? 0 : 1;
        ASSERT_EQ(read(*engine, {"x"}), model);
        const bool damaged = engine->status().compaction.damaged_segments != 0;
        EXPECT_TRUE(!damaged || call == FileCall::kRead);
        // Nothing is left behind but what removal could not take.
        // (A reader in the background may hold a replaced file for a moment.)
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (call != FileCall::kRemove && files().size() != engine->status().segments) {
          ASSERT_LT(std::chrono::steady_clock::now(), end) << files().size() << " files";
          std::this_thread::yield();
        }
        if (damaged || nth % 4 == 0) {
          engine.reset();
          engine = open();
          ASSERT_NE(engine, nullptr);
        }
        const auto again = engine->compact();
        ASSERT_TRUE(again) << again.error().message;
        ASSERT_EQ(read(*engine, {"x"}), model);
      }
    }
  }
  EXPECT_GT(failed, 15);
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"x"}), model);
  EXPECT_EQ(files().size(), engine->status().segments);
}

TEST_F(CompactionTest, ADamagedSegmentIsNamedLeftInPlaceAndNotTriedAgain) {
  auto engine = open();
  std::vector<Write> rows;
  for (int i = 0; i < 2'000; ++i) rows.push_back({{{"site", "a"}}, i, {{"x", i * 0.37}}});
  write_and_flush(*engine, rows);
  write_and_flush(*engine, rows);
  write_and_flush(*engine, {{{{"site", "a"}}, 20 * kNsPerDay, {{"x", 1.0}}}});
  write_and_flush(*engine, {{{{"site", "a"}}, 20 * kNsPerDay, {{"x", 2.0}}}});
  const std::string path = join_path(segments_folder(), files().front());
  std::string bytes = disk_.bytes(path);
  bytes[kSegmentHeaderBytes + 10] = static_cast<char>(bytes[kSegmentHeaderBytes + 10] ^ 1);
  engine.reset();
  disk_.set_bytes(path, bytes);
  engine = open();
  const auto first = engine->compact();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::kCorruption);
  EXPECT_NE(first.error().message.find(path), std::string::npos) << first.error().message;
  const CompactionStatus status = engine->status().compaction;
  EXPECT_EQ(status.damaged_segments, 1U);
  EXPECT_NE(metrics_->render().find("varve_compaction_damaged_segments 1"), std::string::npos);
  EXPECT_EQ(disk_.bytes(path), bytes);
  EXPECT_EQ(engine->status().segments, 2U);  // the other three became one
  const int reads = disk_.calls(FileCall::kRead);
  EXPECT_TRUE(engine->compact());
  EXPECT_EQ(disk_.calls(FileCall::kRead), reads);
  // Once its rows are deleted the file goes, and the damage with it.
  ASSERT_TRUE(engine->erase({"varve", "water", {INT64_MIN, kNsPerDay}, {}}));
  while (engine->status().segments > 1) ASSERT_TRUE(engine->flush());
  EXPECT_TRUE(engine->compact());  // it looks at the segments
  EXPECT_EQ(engine->status().compaction.damaged_segments, 0U);
  EXPECT_EQ(engine->status().compaction.problem, "");
  EXPECT_EQ(engine->status().segments, 1U);
}

TEST_F(CompactionTest, WithoutRoomOnTheDiskNothingIsMergedAndTheReasonIsShown) {
  auto engine = open();
  for (int i = 0; i < 3; ++i) write_and_flush(*engine, {{{{"site", "a"}}, i, {{"x", 1.0 * i}}}});
  disk_.free = 1000;
  const auto refused = engine->compact();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_NE(engine->status().compaction.problem.find("disk space"), std::string::npos);
  EXPECT_EQ(engine->status().segments, 3U);
  disk_.free = uint64_t{1} << 40;
  EXPECT_TRUE(engine->compact());
  EXPECT_EQ(engine->status().segments, 1U);
  EXPECT_EQ(engine->status().compaction.problem, "");
}

TEST_F(CompactionTest, SegmentsThatRetentionDropsDuringTheirMergeStayDropped) {
  options_.retention_ns = 100 * kNsPerDay;
  auto engine = open();
  write_and_flush(*engine, {{{{"site", "a"}}, 1, {{"x", 1.0}}}});
  write_and_flush(*engine, {{{{"site", "a"}}, 2, {{"x", 2.0}}}});
  bool begun = false;
  bool dropped = false;
  disk_.on_create = [&](const std::string& path) {
    if (begun || !path.ends_with(".seg.tmp")) return;
    begun = true;
    write(*engine, {{{{"site", "a"}}, 300 * kNsPerDay, {{"x", 3.0}}}});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (engine->status().segments != 0 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    dropped = engine->status().segments == 0;
  };
  ASSERT_TRUE(engine->compact());
  EXPECT_TRUE(dropped);
  EXPECT_EQ(read(*engine, {"x"}).at("a||").size(), 1U);
  EXPECT_TRUE(files().empty());
  engine.reset();
  engine = open();
  EXPECT_EQ(read(*engine, {"x"}).at("a||").size(), 1U);
}

TEST_F(CompactionTest, OfSeveralOutputsOnlyTheLastNamesWhatItReplacesAndItsParts) {
  auto engine = open();
  // Strings that do not compress: too much together for one segment.
  std::mt19937_64 random(3);
  for (int flush = 0; flush < 2; ++flush) {
    std::vector<Write> rows;
    for (int i = 0; i < 900; ++i) {
      std::string noise(32 << 10, '\0');
      for (char& c : noise) c = static_cast<char>(random());
      rows.push_back({{{"site", "a"}}, i * 2 + flush, {{"s", std::move(noise)}}});
    }
    for (size_t part = 0; part < rows.size(); part += 100) {
      write(*engine,
            {rows.begin() + static_cast<ptrdiff_t>(part), rows.begin() + static_cast<ptrdiff_t>(part + 100)});
    }
    ASSERT_TRUE(engine->flush());
  }
  const Model before = read(*engine, {"s"});
  ASSERT_TRUE(engine->compact());
  EXPECT_EQ(read(*engine, {"s"}), before);
  const auto readers = open_files();
  ASSERT_EQ(readers.size(), 2U);
  size_t last = 0;
  for (const auto& reader : readers) {
    const SegmentIdentity& identity = reader->identity();
    EXPECT_EQ(identity.parts.empty(), identity.replaces.empty());
    if (identity.replaces.empty()) continue;
    ++last;
    EXPECT_EQ(identity.replaces.size(), 2U);
    EXPECT_EQ(identity.parts.size(), 1U);
    EXPECT_NE(identity.parts.front(), identity.id);
  }
  EXPECT_EQ(last, 1U);
}

TEST_F(CompactionTest, WritersReadersFlushesAndMergesAtOnceLoseNothing) {
  options_.flush_rows = 300;
  options_.compaction = true;
  options_.partition_ns = 5'000;
  auto engine = open();
  constexpr int kWriters = 2;
  constexpr int kWrites = 50;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      if (engine->describe("varve", "water")) read(*engine, {"v"});
    }
  });
  std::thread merger([&] {
    while (!stop) {
      const auto merged = engine->compact();
      EXPECT_TRUE(merged) << merged.error().message;
    }
  });
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kWrites; ++i) {
        std::vector<Write> rows;
        for (int row = 0; row < 40; ++row) {
          rows.push_back(
              {{{"site", std::string(1, static_cast<char>('a' + w))}}, i * 20 + row, {{"v", 1.0 * i}}});
        }
        write(*engine, rows);
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  merger.join();
  reader.join();
  ASSERT_TRUE(engine->flush());
  ASSERT_TRUE(engine->compact());
  const Model rows = read(*engine, {"v"});
  for (int w = 0; w < kWriters; ++w) {
    const auto& of_writer = rows.at(std::string(1, static_cast<char>('a' + w)) + "||");
    ASSERT_EQ(of_writer.size(), static_cast<size_t>((kWrites - 1) * 20 + 40));
    for (const auto& [time, cells] : of_writer) {
      EXPECT_EQ(cells.at("v"), cell_of(static_cast<double>(std::min<int64_t>(time / 20, kWrites - 1))));
    }
  }
  EXPECT_LE(engine->status().segments, 2U);
}

}  // namespace
}  // namespace varve
