#include "storage/wal/recovery.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/storage/wal/log_fixture.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

using WalRecoveryTest = LogFixture;

TEST_F(WalRecoveryTest, StartsANewLogAtOne) {
  const WalRecovery recovery = recover();
  EXPECT_EQ(recovery.next_lsn, 1U);
  EXPECT_FALSE(recovery.torn_tail);
  EXPECT_TRUE(recovery.damage.empty());
}

TEST_F(WalRecoveryTest, VisitsOnlyFromTheGivenRecord) {
  write_log(1, 10);
  EXPECT_EQ(recover(7).records, 4U);
  expect_found(7, 10);
  EXPECT_EQ(recover(11).next_lsn, 11U);
  EXPECT_EQ(recover(50).next_lsn, 50U) << "never below what the caller has";
}

TEST_F(WalRecoveryTest, TheVisitorsErrorStopsTheReplayAndNamesTheRecord) {
  write_log(1, 10);
  int visited = 0;
  const auto recovery = recover_wal(files_, kLogFolder, 1, [&](Lsn lsn, std::string_view) -> Result<void> {
    ++visited;
    if (lsn == 4) return invalid_argument("no room");
    return {};
  });
  ASSERT_FALSE(recovery);
  EXPECT_THAT(recovery.error().message, HasSubstr("log record 4: no room"));
  EXPECT_EQ(visited, 4);
}

TEST_F(WalRecoveryTest, ReservedZerosAreNotATornTail) {
  write_log(1, 5);
  files_.set_bytes(log_file(1), files_.bytes(log_file(1)) + std::string(1 << 20, '\0'));
  const WalRecovery recovery = recover();
  EXPECT_FALSE(recovery.torn_tail);
  EXPECT_TRUE(recovery.damage.empty());
  expect_found(1, 5);
}

// The file cut at every byte, alone, with reserved zeros after it, and with garbage after it.
TEST_F(WalRecoveryTest, KeepsTheLastWholeRecordOfALogCutAtEveryByte) {
  write_log(1, 20);
  const std::string whole = files_.bytes(log_file(1));
  const std::string tails[] = {"", std::string(3000, '\0'), std::string(300, '\xa5')};
  for (const std::string& tail : tails) {
    for (size_t cut = 0; cut <= whole.size(); ++cut) {
      if (!tail.empty() && cut < kWalFirstRecordOffset) continue;  // a header is durable before any record
      SCOPED_TRACE("cut at " + std::to_string(cut) + ", then " + std::to_string(tail.size()));
      files_.set_bytes(log_file(1), whole.substr(0, cut) + tail);
      Lsn last = 20;
      while (last > 0 && offset_of(last + 1) > cut) --last;
      const WalRecovery recovery = recover();
      ASSERT_EQ(recovery.next_lsn, last + 1);
      ASSERT_NO_FATAL_FAILURE(expect_found(1, last));
      EXPECT_TRUE(recovery.damage.empty());
      EXPECT_EQ(files_.bytes(log_file(1)).size(), cut + tail.size()) << "nothing is cut on disk";
      // Zeros look like reserved space: the first bytes of a checksum may be just that.
      const bool visible = cut > offset_of(last + 1) && whole.substr(0, cut).find_first_not_of(
                                                            '\0', offset_of(last + 1)) != std::string::npos;
      if (cut > kWalFirstRecordOffset && tail.empty() && visible && cut < whole.size()) {
        ASSERT_TRUE(recovery.torn_tail);
        EXPECT_EQ(recovery.torn_tail->file, log_file(1));
        EXPECT_EQ(recovery.torn_tail->offset, offset_of(last + 1));
      }
    }
  }
}

TEST_F(WalRecoveryTest, GoesOnWritingAndReadingAfterATornTail) {
  write_log(1, 5);
  files_.set_bytes(log_file(1), files_.bytes(log_file(1)).substr(0, offset_of(5) + 10));
  ASSERT_EQ(recover().next_lsn, 5U);
  write_log(5, 8);
  const WalRecovery recovery = recover();
  expect_found(1, 8);
  EXPECT_TRUE(recovery.damage.empty()) << "an old torn tail is not damage";
  EXPECT_FALSE(recovery.torn_tail);
}

// One flipped bit anywhere costs at most the record it is in, and says so.
TEST_F(WalRecoveryTest, WhatWasReplayedAfterAKillSurvivesAPowerCut) {
  for (const bool sync_failed : {false, true}) {
    FaultFileSystem files;
    auto with = options();
    with.file_system = &files;
    {
      const auto wal = open(1, with);
      append(*wal, 3);
      if (sync_failed) {
        files.fail(FileCall::kSync, 1);
      } else {
        files.cut_at(2);  // in the sync after the write
      }
      const std::string ends_in_zeros = payload_of(4) + std::string(9, '\0');
      ASSERT_TRUE(wal->append(ends_in_zeros, [](const Result<Lsn>& lsn) { EXPECT_FALSE(lsn); }));
    }
    files.kill();
    const auto count = [&] {
      auto recovery = recover_wal(files, kLogFolder, 1, [](Lsn, std::string_view) { return Result<void>(); });
      EXPECT_TRUE(recovery && recovery->damage.empty());
      return recovery ? recovery->records : 0;
    };
    ASSERT_EQ(count(), 4U) << "the page cache outlives the process";
    {
      const auto wal = open(5, with);
      append(*wal, 1);
      files.cut_now();
    }
    files.power_cut();
    EXPECT_EQ(count(), 5U) << "sync failed: " << sync_failed;
  }
}

TEST_F(WalRecoveryTest, AFlippedBitCostsAtMostItsOwnRecord) {
  write_log(1, 10);
  write_log(11, 15);
  const std::string whole = files_.bytes(log_file(1));
  for (size_t offset = 0; offset < whole.size(); ++offset) {
    SCOPED_TRACE("byte " + std::to_string(offset));
    files_.set_bytes(log_file(1), whole);
    flip_bit(log_file(1), offset, static_cast<int>(offset % 8));
    const WalRecovery recovery = recover();
    ASSERT_EQ(recovery.next_lsn, 16U);
    for (const auto& [lsn, payload] : found_) ASSERT_EQ(payload, payload_of(lsn));
    if (offset < kWalFirstRecordOffset || offset >= offset_of(11)) {  // headers and end mark
      ASSERT_EQ(found_.size(), 15U);
      continue;
    }
    Lsn hit = 10;
    while (offset_of(hit) > offset) --hit;
    ASSERT_EQ(found_.size(), 14U);
    ASSERT_EQ(found_.count(hit), 0U);
    ASSERT_EQ(recovery.damage.size(), 1U);
    EXPECT_EQ(recovery.damage[0].file, log_file(1));
    EXPECT_EQ(recovery.damage[0].offset, offset_of(hit));
    EXPECT_EQ(recovery.damage[0].bytes, bytes_of(hit));
    EXPECT_EQ(recovery.damage[0].first_lost, hit);
    EXPECT_EQ(recovery.damage[0].last_lost, hit);
  }
}

TEST_F(WalRecoveryTest, RecoversNinetyNineOfAHundredAndKeepsTheEvidence) {
  write_log(1, 100);
  flip_bit(log_file(1), offset_of(40) + kWalRecordHeaderBytes + 3);
  const std::string damaged = files_.bytes(log_file(1));
  const WalRecovery recovery = recover();
  EXPECT_EQ(recovery.records, 99U);
  EXPECT_EQ(found_.count(40), 0U);
  EXPECT_EQ(recovery.next_lsn, 101U);
  const std::string copy = join_path(kLogFolder, "quarantine/" + wal_file_name(1));
  ASSERT_EQ(recovery.quarantined, std::vector<std::string>{copy});
  EXPECT_EQ(files_.bytes(copy), damaged);
  EXPECT_EQ(files_.bytes(log_file(1)), damaged);

  const WalRecovery again = recover();
  EXPECT_EQ(again.records, 99U);
  EXPECT_EQ(again.damage.size(), 1U);
  EXPECT_TRUE(again.quarantined.empty()) << "one copy is enough";
  EXPECT_TRUE(recover(41).damage.empty()) << "what is not needed is not missed";
}

TEST_F(WalRecoveryTest, AFailedCopyDoesNotStopTheStart) {
  write_log(1, 10);
  flip_bit(log_file(1), offset_of(4) + 30);
  files_.fail(FileCall::kCreate, 1);
  const WalRecovery recovery = recover();
  EXPECT_EQ(recovery.records, 9U);
  EXPECT_THAT(recovery.quarantine_failure, HasSubstr("injected failure"));
}

struct DamageCase {
  const char* name;
  Lsn from, to;  // records overwritten
  char with;
  size_t places;  // of damage reported
};

TEST_F(WalRecoveryTest, DamagedRangesAreReportedWithTheirRecords) {
  for (const DamageCase& damage : {DamageCase{"one sector of zeros", 10, 15, '\0', 1},
                                   {"garbage", 3, 60, '\x5a', 1},
                                   {"the first record", 1, 1, '\xff', 1}}) {
    SCOPED_TRACE(damage.name);
    for (const std::string& name : files_.list(kLogFolder).value_or(std::vector<std::string>())) {
      if (!parse_wal_file_name(name)) continue;
      ASSERT_TRUE(files_.remove(join_path(kLogFolder, name)));
    }
    write_log(1, 100);
    std::string bytes = files_.bytes(log_file(1));
    const uint64_t begin = offset_of(damage.from);
    const uint64_t end = offset_of(damage.to + 1);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
              bytes.begin() + static_cast<std::ptrdiff_t>(end), damage.with);
    files_.set_bytes(log_file(1), bytes);
    const WalRecovery recovery = recover();
    ASSERT_EQ(recovery.damage.size(), damage.places);
    EXPECT_EQ(recovery.damage[0].offset, begin);
    EXPECT_EQ(recovery.damage[0].bytes, end - begin);
    EXPECT_EQ(recovery.damage[0].first_lost, damage.from);
    EXPECT_EQ(recovery.damage[0].last_lost, damage.to);
    EXPECT_EQ(found_.size(), 100 - (damage.to + 1 - damage.from));
    EXPECT_FALSE(recovery.torn_tail);
  }
}

TEST_F(WalRecoveryTest, DamageToTheLastRecordOfAClosedLogIsNotATornTail) {
  write_log(1, 10);
  flip_bit(log_file(1), offset_of(10) + 40);
  const WalRecovery recovery = recover();
  expect_found(1, 9);
  ASSERT_EQ(recovery.damage.size(), 1U);
  EXPECT_EQ(recovery.damage[0].first_lost, 10U);
  EXPECT_EQ(recovery.damage[0].offset, offset_of(10));
  EXPECT_FALSE(recovery.torn_tail);
  EXPECT_EQ(recovery.next_lsn, 11U) << "a number that was acknowledged is not given again";
}

// Records written by hand, each with its own word on what had been synced; record 4 is broken.
TEST_F(WalRecoveryTest, AHoleIsDamageOnlyIfALaterRecordSaysItWasSynced) {
  struct Case {
    Lsn synced_in_last;  // what record 8 says
    Lsn last_found;
    size_t damage;
  };
  for (const Case& what : {Case{0, 3, 0}, Case{3, 3, 0}, Case{4, 8, 1}, Case{7, 8, 1}}) {
    SCOPED_TRACE("record 8 says synced " + std::to_string(what.synced_in_last));
    std::string bytes = encode_wal_file_start({1, 4711});
    for (Lsn lsn = 1; lsn <= 8; ++lsn) {
      const Lsn synced = lsn == 8 ? what.synced_in_last : 0;
      append_wal_record(bytes, {4711, bytes.size(), lsn, synced}, payload_of(lsn));
    }
    files_.set_bytes(log_file(1), bytes + std::string(5000, '\0'));
    flip_bit(log_file(1), offset_of(4) + 10);
    const WalRecovery recovery = recover();
    EXPECT_EQ(recovery.next_lsn, what.last_found + 1);
    EXPECT_EQ(recovery.damage.size(), what.damage);
    EXPECT_EQ(found_.size(), what.last_found - what.damage);
    ASSERT_EQ(recovery.torn_tail.has_value(), what.damage == 0);
    if (!recovery.torn_tail) continue;
    EXPECT_EQ(recovery.torn_tail->offset, offset_of(4));
    EXPECT_EQ(recovery.torn_tail->bytes, offset_of(9) - offset_of(4));
  }
}

TEST_F(WalRecoveryTest, DamageAtTheEndOfAnEarlierFileIsNotATornTail) {
  write_log(1, 10);
  write_log(11, 15);
  flip_bit(log_file(1), offset_of(10) + 30);
  const WalRecovery recovery = recover();
  ASSERT_EQ(recovery.damage.size(), 1U);
  EXPECT_EQ(recovery.damage[0].first_lost, 10U);
  EXPECT_EQ(recovery.damage[0].file, log_file(1));
  EXPECT_EQ(recovery.damage[0].offset, offset_of(10));
  EXPECT_EQ(recovery.next_lsn, 16U);
  EXPECT_EQ(found_.size(), 14U);
}

TEST_F(WalRecoveryTest, AFileWithoutAHeaderIsLostButTheOthersAreRead) {
  for (const Lsn first : {1, 6, 11}) write_log(first, first + 4);
  std::string bytes = files_.bytes(log_file(6));
  bytes.replace(0, kWalFirstRecordOffset, std::string(kWalFirstRecordOffset, '\x11'));
  files_.set_bytes(log_file(6), bytes);
  const WalRecovery recovery = recover();
  EXPECT_EQ(found_.size(), 10U);
  ASSERT_EQ(recovery.damage.size(), 1U);
  EXPECT_EQ(recovery.damage[0].file, log_file(6));
  EXPECT_EQ(recovery.damage[0].first_lost, 6U);
  EXPECT_EQ(recovery.damage[0].last_lost, 10U);
  EXPECT_EQ(recovery.quarantined.size(), 1U);
}

TEST_F(WalRecoveryTest, ALastFileWithRecordsButNoHeaderIsDamage) {
  write_log(1, 5);
  write_log(6, 10);
  std::string bytes = files_.bytes(log_file(6));
  bytes.replace(0, kWalFirstRecordOffset, std::string(kWalFirstRecordOffset, '\x11'));
  files_.set_bytes(log_file(6), bytes);
  const WalRecovery recovery = recover();
  expect_found(1, 5);
  ASSERT_EQ(recovery.damage.size(), 1U);
  EXPECT_EQ(recovery.damage[0].first_lost, 6U);
  EXPECT_FALSE(recovery.torn_tail);
  write_log(6, 7);
  recover();
  expect_found(1, 7);
}

TEST_F(WalRecoveryTest, ARecordOfAnotherFileOrPlaceDoesNotVerify) {
  write_log(1, 10);
  const std::string first = files_.bytes(log_file(1));
  write_log(11, 20);
  std::string second = files_.bytes(log_file(11));
  // Records 11 and 12 change places; the bytes of record 2 lie where 13 was.
  const std::string swapped =
      second.substr(offset_of(12, 11), bytes_of(12)) + second.substr(offset_of(11, 11), bytes_of(11));
  second.replace(offset_of(11, 11), swapped.size(), swapped);
  second.replace(offset_of(13, 11), bytes_of(2), first.substr(offset_of(2), bytes_of(2)));
  files_.set_bytes(log_file(11), second);
  const WalRecovery recovery = recover();
  EXPECT_EQ(found_.size(), 17U);
  ASSERT_EQ(recovery.damage.size(), 1U);
  EXPECT_EQ(recovery.damage[0].first_lost, 11U);
  EXPECT_EQ(recovery.damage[0].last_lost, 13U);
}

TEST_F(WalRecoveryTest, AnswersReadErrorsWithTheFile) {
  write_log(1, 10);
  for (const FileCall call : {FileCall::kList, FileCall::kOpenRead, FileCall::kRead}) {
    files_.fail(call, 1);
    const auto recovery =
        recover_wal(files_, kLogFolder, 1, [](Lsn, std::string_view) { return Result<void>(); });
    ASSERT_FALSE(recovery);
    EXPECT_THAT(recovery.error().message, HasSubstr(kLogFolder));
  }
}

}  // namespace
}  // namespace varve
