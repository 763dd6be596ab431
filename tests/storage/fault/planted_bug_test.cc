// The checkers proven: each test plants one bug and wants it found. A checker that misses its bug proves nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "storage/base/log.h"
#include "tests/storage/fault/failing_calls.h"
#include "tests/storage/fault/passing.h"
#include "tests/storage/fault/power_cuts.h"

namespace varve::test {
namespace {

constexpr uint64_t kSeedsMax = 400;  // the shyest bug here is found within 20 (measured)
constexpr uint64_t kSeed = 7;

class PlantedBug : public testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kOff); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  // What the first run that finds the bug says; empty when none does.
  static std::string found_by_power_cuts(const Plant& plant) {
    for (uint64_t seed = 0; seed < kSeedsMax; ++seed) {
      if (const auto wrong = run_power_cuts(seed, plant)) {
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), wrong->c_str());
        return *wrong;
      }
    }
    return {};
  }

  // The same over every call of a workload.
  static std::string found_by_failing_calls(Failure failure, const Plant& plant) {
    for (int nth = 1;; ++nth) {
      const FailingCall outcome = run_failing_call(kSeed, failure, nth, plant);
      if (outcome.wrong) {
        std::printf("%s: %s\n", outcome.call.c_str(), outcome.wrong->c_str());
        return *outcome.wrong;
      }
      if (!outcome.struck) return {};
    }
  }

  static Plant lying(FaultFileSystem::Matches lies) {
    Plant plant;
    plant.lies = [lies](FaultFileSystem& files) { files.lie(lies); };
    return plant;
  }
  template <class Wrapper>
  static Plant wrapped() {
    Plant plant;
    plant.engine = [](std::unique_ptr<Engine> behind) -> std::unique_ptr<Engine> {
      return std::make_unique<Wrapper>(std::move(behind));
    };
    return plant;
  }
};

// ---- calls left out ----

TEST_F(PlantedBug, TheLogIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSync && path.ends_with(".wal");
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, ALogFilesNameIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSyncDirectory && path == "/store/wal";
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, ASegmentIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSync && path.find("/segments/") != std::string_view::npos;
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, ASegmentsNameIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSyncDirectory && path == "/store/segments";
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, ATombstoneIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSync && path.find("/tombstones/") != std::string_view::npos;
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, TheCatalogIsNotSynced) {
  const auto found = found_by_power_cuts(lying([](FileCall call, std::string_view path) {
    return call == FileCall::kSync && path.find("catalog.db") != std::string_view::npos;
  }));
  EXPECT_NE(found, "");
}

TEST_F(PlantedBug, AShortWriteToTheLogCountsAsWhole) {
  std::atomic<int> writes{0};
  const auto found = found_by_power_cuts(lying([&](FileCall call, std::string_view path) {
    return call == FileCall::kAppend && path.ends_with(".wal") && ++writes % 16 == 0;
  }));
  EXPECT_NE(found, "");
}

// ---- the wrong order ----

// A segment's bytes are synced when the next one is begun: long after its name, and after the catalog lists it.
class LateSyncFiles : public PassingFiles {
 public:
  using PassingFiles::PassingFiles;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    VARVE_ASSIGN(auto file, behind_.create(path));
    if (path.find("/segments/") == std::string::npos) return file;
    auto shared = std::shared_ptr<WritableFile>(std::move(file));
    const std::lock_guard lock(mutex_);
    if (late_ != nullptr) (void)late_->sync();  // one of an earlier life is dead
    late_ = shared;
    return std::make_unique<LateFile>(std::move(shared));
  }

 private:
  class LateFile : public WritableFile {
   public:
    explicit LateFile(std::shared_ptr<WritableFile> behind) : behind_(std::move(behind)) {}
    Result<void> append(std::string_view bytes) override { return behind_->append(bytes); }
    Result<void> sync() override { return {}; }
    Result<void> preallocate(uint64_t bytes) override { return behind_->preallocate(bytes); }

   private:
    std::shared_ptr<WritableFile> behind_;
  };
  std::mutex mutex_;
  std::shared_ptr<WritableFile> late_;
};

// The log's older files go as soon as a segment has its name: before the catalog lists it.
class EarlyTrimFiles : public PassingFiles {
 public:
  using PassingFiles::PassingFiles;
  Result<void> rename(const std::string& from, const std::string& to) override {
    VARVE_TRY(behind_.rename(from, to));
    if (!to.ends_with(".seg")) return {};
    const std::string folder = std::string(kDataFolder) + "/wal";
    VARVE_ASSIGN(auto names, behind_.list(folder));
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".wal"); });
    for (size_t i = 0; i + 1 < names.size(); ++i) VARVE_TRY(behind_.remove(join_path(folder, names[i])));
    return behind_.sync_directory(folder);
  }
};

template <class Wrapper>
Plant wrapped_files() {
  Plant plant;
  plant.files = [](FaultFileSystem& files) -> std::unique_ptr<FileSystem> {
    return std::make_unique<Wrapper>(files);
  };
  return plant;
}

TEST_F(PlantedBug, ASegmentIsSyncedAfterTheCatalogListsIt) {
  EXPECT_NE(found_by_power_cuts(wrapped_files<LateSyncFiles>()), "");
}

TEST_F(PlantedBug, TheLogIsTrimmedBeforeTheCatalogCommits) {
  EXPECT_NE(found_by_power_cuts(wrapped_files<EarlyTrimFiles>()), "");
}

class EarlyAckEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  Result<void> append(AdmittedWrite&& write, AppendDone done) override {
    VARVE_TRY(behind_->append(std::move(write), [](const Result<Lsn>&) {}));
    done(behind_->status().last_lsn + 1);
    return {};
  }
};

TEST_F(PlantedBug, AWriteIsAcknowledgedBeforeItIsWritten) {
  EXPECT_NE(found_by_power_cuts(wrapped<EarlyAckEngine>()), "");
}

class EarlySaveEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override {
    class EarlySave : public PassingCursor {
     public:
      using PassingCursor::PassingCursor;
      Result<bool> next(LogRecord& record, int64_t timeout_ns) override {
        VARVE_ASSIGN(const bool found, behind_->next(record, timeout_ns));
        if (found) VARVE_TRY(behind_->save(record.lsn));
        return found;
      }
    };
    VARVE_ASSIGN(auto cursor, behind_->open_cursor(name));
    return std::make_unique<EarlySave>(std::move(cursor));
  }
};

TEST_F(PlantedBug, ACursorIsSavedBeforeTheRecordIsDelivered) {
  EXPECT_NE(found_by_power_cuts(wrapped<EarlySaveEngine>()), "");
}

// ---- wrong answers ----

class EarlierWinsEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  AdmittedWrite admit(std::vector<RowBatch> batches) override {
    for (RowBatch& batch : batches) batch = reversed(batch);
    return behind_->admit(std::move(batches));
  }

 private:
  static RowBatch reversed(const RowBatch& batch) {
    RowBatch out;
    out.database = batch.database;
    out.table = batch.table;
    out.times.assign(batch.times.rbegin(), batch.times.rend());
    for (const TagColumn& tag : batch.tags) {
      out.tags.push_back({tag.name, tag.values, {tag.codes.rbegin(), tag.codes.rend()}});
    }
    for (const FieldColumn& field : batch.fields) {
      FieldColumn turned{field.name, ColumnVector(field.data.type)};
      for (size_t row = batch.rows(); row-- > 0;) {
        if (field.data.is_valid(row)) {
          turned.data.push_from(field.data, row);
        } else {
          turned.data.push_null();
        }
      }
      out.fields.push_back(std::move(turned));
    }
    return out;
  }
};

TEST_F(PlantedBug, TheEarlierOfTwoWritesWins) {
  EXPECT_NE(found_by_power_cuts(wrapped<EarlierWinsEngine>()), "");
}

// A delete that memtables do not heed.
class HalfDeletingEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  Result<DeleteOutcome> erase(DeleteRequest request) override {
    if (behind_->status().memtable_rows != 0) return DeleteOutcome{};
    return behind_->erase(std::move(request));
  }
};

TEST_F(PlantedBug, ATombstoneIsIgnoredByTheMemtable) {
  EXPECT_NE(found_by_power_cuts(wrapped<HalfDeletingEngine>()), "");
}

// A delete that takes later rows, too.
class LateDeletingEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  Result<DeleteOutcome> erase(DeleteRequest request) override {
    last_ = request;
    return behind_->erase(std::move(request));
  }
  Result<void> flush() override {
    if (last_) (void)behind_->erase(*std::exchange(last_, std::nullopt));
    return behind_->flush();
  }

 private:
  std::optional<DeleteRequest> last_;
};

TEST_F(PlantedBug, ADeleteTakesRowsWrittenAfterIt) {
  EXPECT_NE(found_by_power_cuts(wrapped<LateDeletingEngine>()), "");
}

// An input of a merge goes when the output has its name: before the catalog knows.
class EarlyUnlinkFiles : public PassingFiles {
 public:
  using PassingFiles::PassingFiles;
  Result<void> rename(const std::string& from, const std::string& to) override {
    VARVE_TRY(behind_.rename(from, to));
    const std::string folder = std::string(kDataFolder) + "/segments";
    if (!to.starts_with(folder)) return {};
    VARVE_ASSIGN(auto names, behind_.list(folder));
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".seg"); });
    if (names.size() < kInputsMin) return {};
    VARVE_TRY(behind_.remove(join_path(folder, names.front())));
    return behind_.sync_directory(folder);
  }

 private:
  static constexpr size_t kInputsMin = 6;
};

TEST_F(PlantedBug, AReplacedSegmentIsRemovedBeforeTheCatalogCommits) {
  EXPECT_NE(found_by_power_cuts(wrapped_files<EarlyUnlinkFiles>()), "");
}

template <class ScanWrapper>
class ScanningEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override {
    VARVE_ASSIGN(auto scan, behind_->scan(std::move(request)));
    return std::make_unique<ScanWrapper>(std::move(scan));
  }
};

// The last row of every block comes once more in a block of its own.
class RepeatingScan : public PassingScan {
 public:
  using PassingScan::PassingScan;
  Result<bool> next(ScanBlock& block) override {
    if (repeat_) {
      repeat_ = false;
      block = last_;
      return true;
    }
    VARVE_ASSIGN(const bool more, behind_->next(block));
    if (!more || block.from_statistics || block.rows != 1) return more;
    last_ = block;
    repeat_ = true;
    return more;
  }

 private:
  ScanBlock last_;
  bool repeat_ = false;
};

TEST_F(PlantedBug, ARowIsShownTwice) {
  EXPECT_NE(found_by_power_cuts(wrapped<ScanningEngine<RepeatingScan>>()), "");
}

class ForgetfulScan : public PassingScan {
 public:
  using PassingScan::PassingScan;
  Result<bool> next(ScanBlock& block) override {
    VARVE_ASSIGN(const bool more, behind_->next(block));
    if (more && !block.from_statistics && block.rows > 1) --block.rows;
    return more;
  }
};

TEST_F(PlantedBug, TheLastRowOfABlockIsLost) {
  EXPECT_NE(found_by_power_cuts(wrapped<ScanningEngine<ForgetfulScan>>()), "");
}

class WrongSumScan : public PassingScan {
 public:
  using PassingScan::PassingScan;
  Result<bool> next(ScanBlock& block) override {
    VARVE_ASSIGN(const bool more, behind_->next(block));
    if (!more || !block.from_statistics) return more;
    statistics_.assign(block.statistics.begin(), block.statistics.end());
    for (ColumnStatistics& column : statistics_) {
      column.sum += 1;
      column.sum_int += 1;
    }
    block.statistics = statistics_;
    return more;
  }

 private:
  std::vector<ColumnStatistics> statistics_;
};

TEST_F(PlantedBug, AStatisticIsWrong) {
  EXPECT_NE(found_by_power_cuts(wrapped<ScanningEngine<WrongSumScan>>()), "");
}

class AheadEngine : public PassingEngine {
 public:
  using PassingEngine::PassingEngine;
  std::vector<StreamPosition> positions() const override {
    auto all = behind_->positions();
    if (!all.empty())
      all.push_back({all.back().stream, all.back().partition + 1, all.back().next_offset + 1});
    return all;
  }
};

TEST_F(PlantedBug, PositionsAreAheadOfTheRows) {
  EXPECT_NE(found_by_power_cuts(wrapped<AheadEngine>()), "");
}

// ---- errors not passed on ----

// Each created file's calls go through `Wrapper`.
template <class Wrapper>
class WrappingFiles : public PassingFiles {
 public:
  using PassingFiles::PassingFiles;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    VARVE_ASSIGN(auto file, behind_.create(path));
    return std::make_unique<Wrapper>(std::move(file));
  }
};

class DeafSyncFile : public PassingFile {
 public:
  using PassingFile::PassingFile;
  Result<void> sync() override {
    (void)behind_->sync();
    return {};
  }
};

TEST_F(PlantedBug, AFailedSyncIsTakenForASuccess) {
  const auto found = found_by_failing_calls(Failure::kSync, wrapped_files<WrappingFiles<DeafSyncFile>>());
  EXPECT_NE(found.find("lost"), std::string::npos) << found;
}

class DeafAppendFile : public PassingFile {
 public:
  using PassingFile::PassingFile;
  Result<void> append(std::string_view bytes) override {
    (void)behind_->append(bytes);
    return {};
  }
};

TEST_F(PlantedBug, AShortWriteIsTakenForASuccess) {
  const auto found =
      found_by_failing_calls(Failure::kShortWrite, wrapped_files<WrappingFiles<DeafAppendFile>>());
  EXPECT_NE(found, "");
}

class RetryingSyncFile : public PassingFile {
 public:
  using PassingFile::PassingFile;
  Result<void> sync() override {
    const auto first = behind_->sync();
    return first ? first : behind_->sync();
  }
};

TEST_F(PlantedBug, AFailedSyncIsTriedAgain) {
  const auto found = found_by_failing_calls(Failure::kSync, wrapped_files<WrappingFiles<RetryingSyncFile>>());
  EXPECT_NE(found.find("lost"), std::string::npos) << found;
}

class NamelessFile : public PassingFile {
 public:
  using PassingFile::PassingFile;
  Result<void> append(std::string_view bytes) override {
    const auto done = behind_->append(bytes);
    if (done) return done;
    return Error{done.error().code, "Input/output error"};
  }
};

TEST_F(PlantedBug, AnErrorNamesNoFile) {
  const auto found =
      found_by_failing_calls(Failure::kShortWrite, wrapped_files<WrappingFiles<NamelessFile>>());
  EXPECT_NE(found.find("names no file"), std::string::npos) << found;
}

}  // namespace
}  // namespace varve::test
