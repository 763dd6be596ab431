#include "storage/wal/wal.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "storage/wal/reader.h"
#include "tests/storage/wal/log_fixture.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

using WalTest = LogFixture;

// A condition set on the log thread and awaited by the test.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

Result<Lsn> append_and_wait(Wal& wal, std::string payload) {
  Result<Lsn> outcome;
  Gate gate;
  auto taken = wal.append(std::move(payload), [&](Result<Lsn> done) {
    outcome = std::move(done);
    gate.open();
  });
  if (!taken) return taken;
  gate.wait();
  return outcome;
}

TEST_F(WalTest, ReadsBackWhatEachSyncModeWrote) {
  Lsn next = 1;
  for (const WalSync sync : {WalSync::kGroup, WalSync::kEach, WalSync::kRelaxed}) {
    auto with = options();
    with.sync = sync;
    append(*open(next, with), 10);
    next += 10;
    EXPECT_EQ(recover().next_lsn, next);
    expect_found(1, next - 1);
  }
}

TEST_F(WalTest, KeepsEmptyAndLargeRecords) {
  const std::string large(200'000, 'x');  // over file_bytes: a file of its own
  auto wal = open(1);
  for (const std::string& payload : {std::string(), large, std::string(), large}) {
    ASSERT_TRUE(append_and_wait(*wal, payload));
  }
  wal->close();
  recover();
  ASSERT_EQ(found_.size(), 4U);
  EXPECT_EQ(found_[1], "");
  EXPECT_EQ(found_[2], large);
  EXPECT_EQ(found_[4], large);
}

TEST_F(WalTest, CallsBackInOrderWhenManyThreadsAppend) {
  constexpr int kThreads = 8;
  constexpr int kEach = 500;
  auto wal = open(1);
  std::vector<Lsn> acknowledged;  // of the log thread
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(wal->append("some rows", [&](Result<Lsn> done) { acknowledged.push_back(*done); }));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  wal->close();
  ASSERT_EQ(acknowledged.size(), size_t{kThreads * kEach});
  for (size_t i = 0; i < acknowledged.size(); ++i) EXPECT_EQ(acknowledged[i], i + 1);
  EXPECT_LT(files_.calls(FileCall::kSync), kThreads * kEach / 2) << "records share syncs";
  EXPECT_EQ(recover().records, uint64_t{kThreads * kEach});
}

TEST_F(WalTest, SyncsEachRecordAloneInModeEach) {
  auto with = options();
  with.sync = WalSync::kEach;
  auto wal = open(1, with);
  const int before = files_.calls(FileCall::kSync);
  append(*wal, 20);
  EXPECT_EQ(files_.calls(FileCall::kSync) - before, 20);
}

TEST_F(WalTest, RelaxedModeSyncsByItselfWithinTheSecond) {
  auto with = options();
  with.sync = WalSync::kRelaxed;
  auto wal = open(1, with);
  const int before = files_.calls(FileCall::kSync);
  append(*wal, 1);
  while (files_.calls(FileCall::kSync) == before) std::this_thread::yield();
  files_.power_cut();
  recover();
  expect_found(1, 1);
}

TEST_F(WalTest, NewFileAndItsNameAreDurableBeforeTheFirstRecordIsAcknowledged) {
  auto with = options();
  with.file_bytes = 8 << 10;
  auto wal = open(1, with);
  for (int i = 0; i < 300; ++i) append(*wal, 1);
  EXPECT_GT(wal->stats().files, 3U);
  files_.power_cut();
  EXPECT_EQ(recover().next_lsn, 301U);
  expect_found(1, 300);
}

TEST_F(WalTest, NothingAcknowledgedIsLostWhenThePowerIsCutAtRandom) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Lsn next = 1;
  for (int round = 0; round < 50; ++round) {
    auto with = options();
    with.file_bytes = 16 << 10;
    with.group_delay_ns = 0;
    auto wal = open(next, with);
    ASSERT_NE(wal, nullptr);
    const int records = static_cast<int>(random() % 60);
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(wal->append(payload_of(next + static_cast<Lsn>(i)), [](Result<Lsn>) {}));
    }
    const Lsn acknowledged = next + random() % static_cast<Lsn>(records + 1) - 1;
    wal->wait_durable(acknowledged, 60 * kNsPerSecond);
    const Lsn durable = wal->durable_lsn();
    files_.power_cut(random());
    wal->close();
    const WalRecovery recovery = recover();
    EXPECT_TRUE(recovery.damage.empty());
    ASSERT_GE(recovery.next_lsn, durable + 1);
    ASSERT_LE(recovery.next_lsn, next + static_cast<Lsn>(records));
    expect_found(1, recovery.next_lsn - 1);
    next = recovery.next_lsn;
  }
}

TEST_F(WalTest, FailedSyncStopsTheLogForEver) {
  auto wal = open(1);
  append(*wal, 3);
  files_.fail(FileCall::kSync, 1);
  const auto failed = append_and_wait(*wal, "x");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_THAT(failed.error().message, HasSubstr("injected failure"));
  const int syncs = files_.calls(FileCall::kSync);
  const auto later = wal->append("y", [](Result<Lsn>) { FAIL() << "not taken"; });
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().message, failed.error().message);
  EXPECT_EQ(wal->durable_lsn(), 3U);
  wal->close();
  EXPECT_EQ(files_.calls(FileCall::kSync), syncs) << "a failed sync is never retried";
}

TEST_F(WalTest, EveryFailingCallStopsTheLogWithoutLosingWhatWasAcknowledged) {
  for (const FileCall call : {FileCall::kCreate, FileCall::kPreallocate, FileCall::kAppend, FileCall::kSync,
                              FileCall::kSyncDirectory}) {
    for (int nth = 1; nth <= 6; ++nth) {
      SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)) + " number " + std::to_string(nth));
      FaultFileSystem files;
      auto with = options();
      with.file_system = &files;
      with.file_bytes = kWalFirstRecordOffset + 200;  // a new file every few records
      with.sync = WalSync::kEach;
      auto wal = Wal::open(with, 1);
      ASSERT_TRUE(wal);
      files.fail(call, nth, {ErrorCode::kIo, "injected failure"}, 1, 17);
      Lsn acknowledged = 0;
      bool failed = false;
      for (Lsn lsn = 1; lsn <= 60 && !failed; ++lsn) {
        const auto done = append_and_wait(**wal, payload_of(lsn));
        failed = !done;
        if (done) acknowledged = *done;
      }
      EXPECT_TRUE(failed);
      (*wal)->close();
      files.clear_faults();
      files.power_cut();
      Lsn found = 0;
      auto recovery = recover_wal(files, kLogFolder, 1, [&](Lsn lsn, std::string_view payload) {
        EXPECT_EQ(lsn, ++found);
        EXPECT_EQ(payload, payload_of(lsn));
        return Result<void>();
      });
      ASSERT_TRUE(recovery);
      EXPECT_GE(found, acknowledged);
      EXPECT_TRUE(recovery->damage.empty());
      EXPECT_TRUE(Wal::open(with, recovery->next_lsn)) << "the log opens again";
    }
  }
}

TEST_F(WalTest, OpenSaysWhichCallFailed) {
  for (const FileCall call :
       {FileCall::kCreateDirectories, FileCall::kList, FileCall::kExists, FileCall::kCreate,
        FileCall::kPreallocate, FileCall::kAppend, FileCall::kSync, FileCall::kSyncDirectory}) {
    files_.clear_faults();
    files_.fail(call, 1);
    const auto wal = Wal::open(options(), 1);
    ASSERT_FALSE(wal) << static_cast<int>(call);
    EXPECT_THAT(wal.error().message, HasSubstr(kLogFolder));
    EXPECT_EQ(wal.error().code, ErrorCode::kIo);
  }
  files_.clear_faults();
  append(*open(1), 5);
  expect_found(1, recover().next_lsn - 1);
}

TEST_F(WalTest, FullQueueTakesNothing) {
  auto with = options();
  with.queue_bytes_max = 1000;
  with.group_delay_ns = 0;
  auto wal = open(1, with);
  Gate first_is_done;
  Gate go_on;
  ASSERT_TRUE(wal->append("", [&](Result<Lsn>) {
    first_is_done.open();
    go_on.wait();
  }));
  first_is_done.wait();  // the log thread is held: nothing leaves the queue
  std::atomic<int> done = 0;
  int taken = 0;
  while (true) {
    const auto lsn = wal->append(std::string(100, 'x'), [&](Result<Lsn>) { ++done; });
    if (!lsn) {
      EXPECT_EQ(lsn.error().code, ErrorCode::kUnavailable);
      break;
    }
    ++taken;
  }
  EXPECT_EQ(taken, 1000 / static_cast<int>(kWalRecordHeaderBytes + 100));
  go_on.open();
  ASSERT_TRUE(wal->wait_durable(static_cast<Lsn>(taken) + 1, 60 * kNsPerSecond));
  EXPECT_TRUE(append_and_wait(*wal, std::string(5000, 'x'))) << "one record is always let in";
  wal->close();
  EXPECT_EQ(done, taken);
  EXPECT_EQ(recover().records, static_cast<uint64_t>(taken) + 2);
}

TEST_F(WalTest, RefusesARecordOverTheLimit) {
  auto wal = open(1);
  const auto lsn = wal->append(std::string(kWalRecordBytesMax + 1, 'x'), [](Result<Lsn>) {});
  ASSERT_FALSE(lsn);
  EXPECT_EQ(lsn.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*append_and_wait(*wal, "x"), 1U);
}

TEST_F(WalTest, CloseFinishesTheQueueAndRefusesMore) {
  auto with = options();
  with.group_delay_ns = 3600 * kNsPerSecond;  // only close() ends the group
  auto wal = open(1, with);
  std::atomic<int> done = 0;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(wal->append("x", [&](Result<Lsn> lsn) { done += lsn ? 1 : 0; }));
  EXPECT_FALSE(wal->wait_durable(1, 0));
  wal->close();
  wal->close();
  EXPECT_EQ(done, 100);
  EXPECT_FALSE(wal->append("x", [](Result<Lsn>) {}));
  EXPECT_EQ(files_.bytes(log_file(1)).size(),
            kWalFirstRecordOffset + 100 * (kWalRecordHeaderBytes + 1) + kWalRecordHeaderBytes)
      << "records and the end mark";
}

TEST_F(WalTest, CloseWakesWaiters) {
  auto wal = open(1);
  std::thread waiter([&] { EXPECT_FALSE(wal->wait_durable(99, 3600 * kNsPerSecond)); });
  wal->close();
  waiter.join();
}

TEST_F(WalTest, FullGroupDoesNotWaitForItsDelay) {
  auto with = options();
  with.group_delay_ns = 3600 * kNsPerSecond;
  with.group_bytes = 1000;
  auto wal = open(1, with);
  ASSERT_TRUE(wal->append(std::string(500, 'x'), [](Result<Lsn>) {}));
  ASSERT_TRUE(wal->append(std::string(500, 'x'), [](Result<Lsn>) {}));
  EXPECT_TRUE(wal->wait_durable(2, 60 * kNsPerSecond));
}

TEST_F(WalTest, ALargeRecordIsWorthASyncOfItsOwn) {
  auto with = options();
  with.group_delay_ns = 3600 * kNsPerSecond;
  auto wal = open(1, with);
  ASSERT_TRUE(wal->append("x", [](Result<Lsn>) {}));
  EXPECT_FALSE(wal->wait_durable(1, 10 * kNsPerMs));
  ASSERT_TRUE(wal->append(std::string(256 << 10, 'x'), [](Result<Lsn>) {}));
  EXPECT_TRUE(wal->wait_durable(2, 60 * kNsPerSecond));
}

TEST_F(WalTest, ALoneWriterDoesNotWaitForAGroup) {
  auto with = options();
  with.group_delay_ns = 3600 * kNsPerSecond;
  with.group_bytes = 1000;
  auto wal = open(1, with);
  ASSERT_TRUE(append_and_wait(*wal, std::string(1000, 'x'))) << "a group by its size, alone";
  for (Lsn lsn = 2; lsn <= 10; ++lsn) {
    ASSERT_TRUE(wal->append("x", [](Result<Lsn>) {}));
    ASSERT_TRUE(wal->wait_durable(lsn, 60 * kNsPerSecond)) << "nothing else came meanwhile";
  }
}

TEST_F(WalTest, OneWriterAmongManyWaitsForAGroup) {
  auto with = options();
  with.group_delay_ns = 3600 * kNsPerSecond;
  with.group_bytes = 1000;
  auto wal = open(1, with);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(wal->append(std::string(500, 'x'), [](Result<Lsn>) {}));
  ASSERT_TRUE(wal->wait_durable(2, 60 * kNsPerSecond));
  ASSERT_TRUE(wal->append("x", [](Result<Lsn>) {}));
  EXPECT_FALSE(wal->wait_durable(3, 10 * kNsPerMs));
}

TEST_F(WalTest, RemovesOnlyFilesWhollyBelow) {
  auto with = options();
  with.file_bytes = kWalFirstRecordOffset + 5 * bytes_of(10);  // 5 records a file
  auto wal = open(10, with);
  append(*wal, 20);  // files 10, 15, 20, 25
  EXPECT_EQ(wal->stats().files, 4U);
  ASSERT_TRUE(wal->remove_before(15 + 4));
  EXPECT_EQ(wal->stats().oldest_lsn, 15U);
  ASSERT_TRUE(wal->remove_before(20));
  EXPECT_EQ(wal->stats().oldest_lsn, 20U);
  files_.fail(FileCall::kRemove, 1);
  EXPECT_FALSE(wal->remove_before(1000));
  EXPECT_EQ(wal->stats().oldest_lsn, 20U);
  ASSERT_TRUE(wal->remove_before(1000));
  EXPECT_EQ(wal->stats().files, 1U) << "the active file stays";
  EXPECT_EQ(wal->stats().bytes, offset_of(30, 25));
  files_.power_cut();
  EXPECT_EQ(recover(20).damage.size(), 1U) << "20 to 24 are gone, as asked";
  expect_found(25, 29);
}

TEST_F(WalTest, SaysHowMuchLogIsLeftToReadAndWhereTheNewestBytesBegin) {
  auto with = options();
  with.file_bytes = kWalFirstRecordOffset + 5 * bytes_of(10);  // 5 records a file
  auto wal = open(10, with);
  append(*wal, 15);  // files 10, 15, 20
  const uint64_t all = wal->stats().bytes;
  const uint64_t newest = offset_of(25, 20);
  EXPECT_EQ(wal->bytes_after(9), all);
  EXPECT_EQ(wal->bytes_after(0), all) << "a cursor before the oldest record kept";
  EXPECT_EQ(wal->bytes_after(18), all - (all - newest) / 2) << "record 19 is in the middle file";
  EXPECT_EQ(wal->bytes_after(19), newest);
  EXPECT_EQ(wal->bytes_after(24), 0U);
  EXPECT_EQ(wal->first_lsn_within(all), 10U);
  EXPECT_EQ(wal->first_lsn_within(all - 1), 15U);
  EXPECT_EQ(wal->first_lsn_within(0), 20U) << "the active file stays, whatever its size";
}

TEST_F(WalTest, CountsAdoptedFilesAndTheirBytes) {
  write_log(1, 10);
  auto wal = open(11);
  EXPECT_EQ(wal->stats().files, 2U);
  EXPECT_EQ(wal->stats().oldest_lsn, 1U);
  EXPECT_EQ(wal->stats().bytes, offset_of(11) + kWalRecordHeaderBytes + kWalFirstRecordOffset)
      << "with the end mark";
  ASSERT_TRUE(wal->remove_before(11));
  EXPECT_EQ(wal->stats().files, 1U);
}

TEST_F(WalTest, RefusesToWriteOverRecords) {
  write_log(1, 10);
  write_log(11, 20);
  for (const Lsn next : {Lsn{1}, Lsn{5}, Lsn{11}, Lsn{15}, Lsn{20}}) {
    const auto wal = Wal::open(options(), next);
    ASSERT_FALSE(wal) << next;
    EXPECT_EQ(wal.error().code, ErrorCode::kInvalidArgument);
  }
  recover();
  expect_found(1, 20);
}

TEST_F(WalTest, ACleanCloseWithoutRecordsLeavesNoFile) {
  for (int i = 0; i < 3; ++i) open(7)->close();
  EXPECT_EQ(files_.list(kLogFolder)->size(), 0U);
}

TEST_F(WalTest, TakesOverTheNameOfAFileThatNeverGotARecord) {
  const std::string start = encode_wal_file_start({1, 4711});
  for (const std::string& left : {std::string(), std::string(20'000, '\0'), start.substr(0, 20), start,
                                  start + std::string(20'000, '\0')}) {
    files_.set_bytes(log_file(1), left);
    const WalRecovery recovery = recover();
    EXPECT_EQ(recovery.next_lsn, 1U);
    EXPECT_TRUE(recovery.damage.empty());
    append(*open(1), 2);
    EXPECT_EQ(recover().next_lsn, 3U);
    expect_found(1, 2);
    EXPECT_FALSE(*files_.exists(join_path(kLogFolder, kWalQuarantineFolder)));
  }
}

TEST_F(WalTest, MovesATornFirstRecordAsideInsteadOfRemovingIt) {
  write_log(1, 1);
  const std::string torn = files_.bytes(log_file(1)).substr(0, offset_of(2) - 3);
  files_.set_bytes(log_file(1), torn);
  EXPECT_TRUE(recover().torn_tail);
  append(*open(1), 1);
  EXPECT_EQ(recover().next_lsn, 2U);
  expect_found(1, 1);
  EXPECT_TRUE(files_.bytes(join_path(kLogFolder, "quarantine/" + wal_file_name(1) + ".tail-1")) == torn);
  const std::string torn_again = torn.substr(0, torn.size() - 1);
  files_.set_bytes(log_file(1), torn_again);
  EXPECT_TRUE(recover().torn_tail);
  append(*open(1), 1);
  EXPECT_TRUE(files_.bytes(join_path(kLogFolder, "quarantine/" + wal_file_name(1) + ".tail-2")) ==
              torn_again);
}

TEST_F(WalTest, CountsItsWork) {
  auto wal = open(1);
  append(*wal, 7);
  const std::string text = metrics_.render();
  EXPECT_THAT(text, HasSubstr("varve_wal_records_total 7\n"));
  EXPECT_THAT(text,
              HasSubstr("varve_wal_bytes_total " + std::to_string(offset_of(8) - kWalFirstRecordOffset)));
  EXPECT_THAT(text, HasSubstr("varve_wal_sync_seconds_count"));
}

TEST_F(WalTest, WorksOnTheRealFileSystem) {
  std::string folder = ::testing::TempDir() + "varve-wal-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto with = options();
  with.file_system = &real_file_system();
  with.directory = folder + "/wal";
  append(*open(1, with), 100);
  append(*open(101, with), 100);
  Lsn found = 0;
  const auto recovery =
      recover_wal(real_file_system(), with.directory, 1, [&](Lsn lsn, std::string_view payload) {
        EXPECT_EQ(lsn, ++found);
        EXPECT_EQ(payload, payload_of(lsn));
        return Result<void>();
      });
  EXPECT_EQ(recovery->next_lsn, 201U);
  EXPECT_EQ(found, 200U);
  for (const Lsn first : {Lsn{1}, Lsn{101}}) {
    EXPECT_TRUE(real_file_system().remove(join_path(with.directory, wal_file_name(first))));
  }
  EXPECT_EQ(::rmdir(with.directory.c_str()), 0);
  EXPECT_EQ(::rmdir(folder.c_str()), 0);
}

}  // namespace
}  // namespace varve
