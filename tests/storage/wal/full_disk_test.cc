// The log on a disk that is full: every call that can find no room, refused records, and what a start finds later.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "storage/wal/reader.h"
#include "tests/storage/wal/log_fixture.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

const Error kNoSpace{ErrorCode::kExhausted, "no space left"};
constexpr int kGroupRecords = 4;

// The outcomes of appends, in the order they came.
class Outcomes {
 public:
  Wal::Done next() {
    return [this](Result<Lsn> outcome) {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(outcome));
      changed_.notify_all();
    };
  }
  std::vector<Result<Lsn>> wait(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.size() >= count; });
    return std::exchange(done_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Result<Lsn>> done_;
};

struct Scenario {
  FileCall call;
  int nth;
  size_t written_first;
  WalSync sync;
};

class FullDisk : public LogFixture {
 protected:
  WalOptions small_groups(WalSync sync) {
    auto with = options();
    with.sync = sync;
    with.file_bytes = kWalFirstRecordOffset + 10 * 70;  // a new file every few records
    with.group_delay_ns = 3600 * kNsPerSecond;
    with.group_bytes = kGroupRecords * (kWalRecordHeaderBytes + text(0).size());
    return with;
  }
  static std::string text(int number) {
    std::string digits = std::to_string(number);
    return "text of append " + std::string(6 - digits.size(), '0') + digits;
  }

  // Appends groups, `rounds` of them, and notes what was acknowledged; returns how many records were refused.
  int write_groups(Wal& wal, int rounds, bool stop_when_refused) {
    int refused = 0;
    for (int round = 0; round < rounds; ++round) {
      Outcomes outcomes;
      const int first = appended_;
      const uint64_t epoch = wal.epoch();
      int taken = 0;
      for (int i = 0; i < kGroupRecords; ++i) {
        // Once one is refused, so is every later one of this epoch.
        const auto lsn = wal.append(text(appended_++), outcomes.next(), epoch);
        EXPECT_TRUE(lsn || lsn.error().code == ErrorCode::kUnavailable);
        EXPECT_TRUE(!lsn || taken == i);
        taken += lsn ? 1 : 0;
        refused += lsn ? 0 : 1;
      }
      const auto done = outcomes.wait(static_cast<size_t>(taken));
      for (int i = 0; i < taken; ++i) {
        const auto& outcome = done[static_cast<size_t>(i)];
        if (outcome) {
          EXPECT_EQ(refused_in_round(done, i), 0) << "nothing is kept behind a refused record";
          EXPECT_TRUE(acknowledged_.emplace(*outcome, text(first + i)).second) << "the lsn was given twice";
        } else {
          EXPECT_EQ(outcome.error().code, ErrorCode::kUnavailable);
          EXPECT_THAT(outcome.error().message, HasSubstr("no space left"));
          ++refused;
        }
      }
      read_behind(wal);
      if (refused > 0 && stop_when_refused) break;
    }
    return refused;
  }
  static int refused_in_round(const std::vector<Result<Lsn>>& done, int before) {
    int refused = 0;
    for (int i = 0; i < before; ++i) refused += done[static_cast<size_t>(i)] ? 0 : 1;
    return refused;
  }

  void read_behind(Wal& wal) {
    if (!behind_) behind_ = std::move(*WalReader::open(files_, kLogFolder, 1));
    WalRecordView record;
    while (true) {
      const auto found = behind_->next(record, wal.durable_lsn());
      ASSERT_TRUE(found) << found.error().message;
      if (!*found) return;
      read_behind_[record.lsn] = std::string(record.payload);
    }
  }

  void expect_recovered() {
    const WalRecovery recovery = recover();
    EXPECT_EQ(found_, acknowledged_);
    EXPECT_TRUE(recovery.damage.empty());
  }

  void run(const Scenario& scenario, bool crash, std::optional<uint64_t> seed);

  int appended_ = 0;
  std::map<Lsn, std::string> acknowledged_;
  std::map<Lsn, std::string> read_behind_;
  std::unique_ptr<WalReader> behind_;
};

void FullDisk::run(const Scenario& scenario, bool crash, std::optional<uint64_t> seed) {
  auto wal = open(1, small_groups(scenario.sync));
  write_groups(*wal, 1, false);
  files_.fail(scenario.call, scenario.nth, kNoSpace, 1, scenario.written_first);
  const int refused = write_groups(*wal, 24, crash);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(wal->epoch(), 1U);
  if (crash) {
    // In relaxed mode an acknowledged record may go with the power; a refused one must not come back.
    if (scenario.sync == WalSync::kRelaxed) return;
    files_.power_cut(seed);
    return expect_recovered();
  }
  EXPECT_EQ(read_behind_, acknowledged_);
  EXPECT_EQ(acknowledged_.size(), static_cast<size_t>(25 * kGroupRecords - refused));
  EXPECT_EQ(acknowledged_.rbegin()->first, acknowledged_.size()) << "lsns of refused records are used again";
  wal->close();
  expect_recovered();
  wal = open(acknowledged_.rbegin()->first + 1, small_groups(scenario.sync));
  write_groups(*wal, 3, false);
  wal->close();
  expect_recovered();
}

// Each in turn, at each of the first calls, with the write not begun, cut inside a record, and whole.
std::vector<Scenario> scenarios() {
  std::vector<Scenario> all;
  for (const WalSync sync : {WalSync::kGroup, WalSync::kEach, WalSync::kRelaxed}) {
    for (int nth = 1; nth <= 5; ++nth) {
      for (const FileCall call : {FileCall::kCreate, FileCall::kPreallocate})
        all.push_back({call, nth, 0, sync});
      for (const size_t written : {0U, 17U, 100U, 1'000'000U}) {
        all.push_back({FileCall::kAppend, nth, written, sync});
      }
    }
  }
  return all;
}

class FullDiskSweep : public FullDisk, public ::testing::WithParamInterface<size_t> {};

TEST_P(FullDiskSweep, RefusesWithoutARestartAndNothingRefusedComesBack) {
  run(scenarios()[GetParam()], false, std::nullopt);
}
TEST_P(FullDiskSweep, NothingRefusedComesBackAfterAPowerCut) {
  run(scenarios()[GetParam()], true, std::nullopt);
}
TEST_P(FullDiskSweep, NothingRefusedComesBackAfterAPowerCutThatKeepsSomeSectors) {
  run(scenarios()[GetParam()], true, GetParam() + 1);
}
INSTANTIATE_TEST_SUITE_P(EveryCall, FullDiskSweep, ::testing::Range<size_t>(0, scenarios().size()));

TEST_F(FullDisk, AReaderBehindNeverHandsOutBytesItReadBeforeTheyWereTakenBack) {
  write_log(1, 5);
  auto behind = std::move(*WalReader::open(files_, kLogFolder, 1));
  WalRecordView record;
  for (Lsn lsn = 1; lsn <= 3; ++lsn) ASSERT_TRUE(*behind->next(record, 3));
  EXPECT_FALSE(*behind->next(record, 3));
  ASSERT_TRUE(files_.truncate(log_file(1), offset_of(4)));  // 4 and 5 are in the reader's memory
  Outcomes outcomes;
  auto wal = open(4, small_groups(WalSync::kEach));
  ASSERT_TRUE(wal->append("another record 4", outcomes.next()));
  outcomes.wait(1);
  ASSERT_TRUE(*behind->next(record, 4));
  EXPECT_EQ(record.lsn, 4U);
  EXPECT_EQ(record.payload, "another record 4");
  EXPECT_TRUE(behind->damage().empty());
}

TEST_F(FullDisk, AReaderBehindFindsTheFileThatTookTheNameOfARemovedOne) {
  auto wal = open(1, small_groups(WalSync::kGroup));
  auto behind = std::move(*WalReader::open(files_, kLogFolder, 1));
  files_.fail(FileCall::kAppend, 1, kNoSpace);
  EXPECT_EQ(write_groups(*wal, 1, false), kGroupRecords);
  EXPECT_FALSE(*files_.exists(log_file(1)));
  behind_ = std::move(behind);
  EXPECT_EQ(write_groups(*wal, 3, false), 0);
  EXPECT_EQ(read_behind_, acknowledged_);
  EXPECT_TRUE(behind_->damage().empty());
}

TEST_F(FullDisk, AWriteThatCannotBeTakenBackStopsTheLog) {
  auto wal = open(1, small_groups(WalSync::kGroup));
  write_groups(*wal, 1, false);
  files_.fail(FileCall::kAppend, 1, kNoSpace, 1, 1'000'000);
  files_.fail(FileCall::kTruncate, 1, kNoSpace);
  Outcomes outcomes;
  for (int i = 0; i < kGroupRecords; ++i) ASSERT_TRUE(wal->append(text(i), outcomes.next()));
  for (const auto& outcome : outcomes.wait(kGroupRecords)) EXPECT_EQ(outcome.error().code, ErrorCode::kIo);
  EXPECT_EQ(wal->append("x", outcomes.next()).error().code, ErrorCode::kIo);
}

TEST_F(FullDisk, AnyOtherFailureStopsTheLogAsAnInputOutputErrorDoes) {
  auto wal = open(1, small_groups(WalSync::kGroup));
  files_.fail(FileCall::kAppend, 1, not_found("the folder is gone"));
  Outcomes outcomes;
  for (int i = 0; i < kGroupRecords; ++i) ASSERT_TRUE(wal->append(text(i), outcomes.next()));
  for (const auto& outcome : outcomes.wait(kGroupRecords)) EXPECT_EQ(outcome.error().code, ErrorCode::kIo);
}

TEST_F(FullDisk, ASyncThatFindsNoSpaceStopsTheLog) {
  auto wal = open(1, small_groups(WalSync::kGroup));
  files_.fail(FileCall::kSync, 1, kNoSpace);
  Outcomes outcomes;
  for (int i = 0; i < kGroupRecords; ++i) ASSERT_TRUE(wal->append(text(i), outcomes.next()));
  for (const auto& outcome : outcomes.wait(kGroupRecords)) EXPECT_EQ(outcome.error().code, ErrorCode::kIo);
}

TEST_F(FullDisk, TheLogOpensWithoutSpaceAndTakesRecordsOnceThereIsSome) {
  auto with = small_groups(WalSync::kGroup);
  with.file_bytes = 64 << 20;
  files_.fail(FileCall::kPreallocate, 1, kNoSpace, 1000);
  auto wal = open(1, with);
  ASSERT_NE(wal, nullptr);
  EXPECT_EQ(wal->stats().files, 0U);
  EXPECT_EQ(write_groups(*wal, 2, false), 2 * kGroupRecords);
  files_.clear_faults();
  files_.fail(FileCall::kPreallocate, 1, kNoSpace);  // a smaller file fits
  EXPECT_EQ(write_groups(*wal, 2, false), 0);
  EXPECT_EQ(files_.bytes(log_file(1)).size(), 16U << 20);
  EXPECT_EQ(read_behind_, acknowledged_);
  wal->close();
  expect_recovered();
}

TEST_F(FullDisk, AnAppendPreparedBeforeTheFailureIsRefused) {
  auto wal = open(1, small_groups(WalSync::kGroup));
  const uint64_t before = wal->epoch();
  files_.fail(FileCall::kAppend, 1, kNoSpace);
  EXPECT_EQ(write_groups(*wal, 1, false), kGroupRecords);
  const auto late = wal->append(
      "x", [](Result<Lsn>) { FAIL() << "not taken"; }, before);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(write_groups(*wal, 1, false), 0);
}

TEST_F(FullDisk, SaysWhenEveryRefusedWriterHasHeard) {
  Outcomes outcomes;
  std::atomic<uint64_t> told = 0;
  auto with = small_groups(WalSync::kGroup);
  with.on_no_space = [&](uint64_t epoch) { told = epoch; };
  auto wal = open(1, with);
  std::atomic<int> heard = 0;
  files_.fail(FileCall::kAppend, 1, kNoSpace);
  for (int i = 0; i < kGroupRecords; ++i) {
    ASSERT_TRUE(wal->append(text(i), [&](Result<Lsn>) {
      EXPECT_EQ(told, 0U);
      ++heard;
    }));
  }
  while (told == 0) std::this_thread::yield();
  EXPECT_EQ(told, wal->epoch());
  EXPECT_EQ(heard, kGroupRecords);
}

}  // namespace
}  // namespace varve
