#include "storage/wal/reader.h"

#include <gmock/gmock.h>

#include <thread>

#include "storage/base/checksum.h"
#include "tests/storage/wal/log_fixture.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

class WalReaderTest : public LogFixture {
 protected:
  std::unique_ptr<WalReader> read_from(Lsn from_lsn) {
    auto reader = WalReader::open(files_, kLogFolder, from_lsn);
    EXPECT_TRUE(reader) << reader.error().message;
    return std::move(*reader);
  }

  // The next record is `lsn` with its own payload.
  static void expect_next(WalReader& reader, Lsn lsn, Lsn limit = UINT64_MAX) {
    WalRecordView record;
    const auto found = reader.next(record, limit);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_TRUE(*found) << "record " << lsn << " was not found";
    EXPECT_EQ(record.lsn, lsn);
    EXPECT_EQ(record.payload, payload_of(lsn));
    EXPECT_EQ(record.bytes, bytes_of(lsn));
  }

  static void expect_end(WalReader& reader, Lsn limit = UINT64_MAX) {
    WalRecordView record;
    const auto found = reader.next(record, limit);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_FALSE(*found);
  }
};

TEST_F(WalReaderTest, FindsNothingInAMissingOrEmptyFolder) {
  expect_end(*read_from(1));
  ASSERT_TRUE(files_.create_directories(kLogFolder));
  const auto reader = read_from(5);
  expect_end(*reader);
  EXPECT_EQ(reader->position(), 5U);
  write_log(5, 6);
  expect_next(*reader, 5);
  expect_next(*reader, 6);
  expect_end(*reader);
}

TEST_F(WalReaderTest, StartsAnywhere) {
  write_log(1, 10);
  write_log(11, 20);
  for (Lsn from = 1; from <= 21; ++from) {
    const auto reader = read_from(from);
    for (Lsn lsn = from; lsn <= 20; ++lsn) expect_next(*reader, lsn);
    expect_end(*reader);
    EXPECT_EQ(reader->position(), 21U);
    EXPECT_TRUE(reader->damage().empty());
  }
}

TEST_F(WalReaderTest, StopsAtTheLimitWithoutReading) {
  write_log(1, 10);
  const auto reader = read_from(1);
  expect_next(*reader, 1, 2);
  expect_next(*reader, 2, 2);
  const int reads = files_.calls(FileCall::kRead);
  expect_end(*reader, 2);
  EXPECT_EQ(files_.calls(FileCall::kRead), reads);
  expect_next(*reader, 3, 3);
}

TEST_F(WalReaderTest, ListsMissingFilesAsLost) {
  for (const Lsn first : {1, 6, 11}) write_log(first, first + 4);
  ASSERT_TRUE(files_.remove(log_file(6)));
  const auto reader = read_from(1);
  for (Lsn lsn = 1; lsn <= 5; ++lsn) expect_next(*reader, lsn);
  for (Lsn lsn = 11; lsn <= 15; ++lsn) expect_next(*reader, lsn);
  ASSERT_EQ(reader->damage().size(), 1U);
  EXPECT_EQ(reader->damage()[0].file, log_file(11));
  EXPECT_EQ(reader->damage()[0].first_lost, 6U);
  EXPECT_EQ(reader->damage()[0].last_lost, 10U);
  EXPECT_EQ(reader->damage()[0].bytes, 0U);
}

TEST_F(WalReaderTest, AFileUnderAnothersNameIsNotRead) {
  write_log(1, 5);
  write_log(6, 10);
  files_.set_bytes(log_file(6), files_.bytes(log_file(1)));
  const auto reader = read_from(1);
  for (Lsn lsn = 1; lsn <= 5; ++lsn) expect_next(*reader, lsn);
  expect_end(*reader);
}

TEST_F(WalReaderTest, StopsAtALimitWithinALossThatTheNextRecordIsBeyond) {
  write_log(1, 5);
  write_log(11, 15);
  const auto reader = read_from(1);
  for (Lsn lsn = 1; lsn <= 5; ++lsn) expect_next(*reader, lsn, 8);
  expect_end(*reader, 8);
  expect_next(*reader, 11);
  EXPECT_EQ(reader->damage().at(0).first_lost, 6U);
  EXPECT_EQ(reader->damage().at(0).last_lost, 10U);
}

TEST_F(WalReaderTest, ALaterFileOverrulesRecordsOfAnEarlierOne) {
  write_log(1, 10);
  const std::string whole = files_.bytes(log_file(1));
  files_.set_bytes(log_file(1), whole.substr(0, offset_of(8) + 5));  // the crash tore record 8
  write_log(8, 9);
  files_.set_bytes(log_file(1), whole);  // and the disk remembers it after all
  const auto reader = read_from(1);
  for (Lsn lsn = 1; lsn <= 9; ++lsn) expect_next(*reader, lsn);
  expect_end(*reader);
  EXPECT_TRUE(reader->damage().empty());
}

TEST_F(WalReaderTest, PassesReadErrorsOn) {
  write_log(1, 3);
  files_.fail(FileCall::kList, 1);
  EXPECT_FALSE(WalReader::open(files_, kLogFolder, 1));
  const auto reader = read_from(1);
  files_.fail(FileCall::kRead, 1);
  WalRecordView record;
  const auto failed = reader->next(record);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  expect_next(*reader, 1);
}

TEST_F(WalReaderTest, RefusesAFileOfANewerVersion) {
  write_log(1, 3);
  std::string bytes = files_.bytes(log_file(1));
  std::string header = bytes.substr(0, 32);
  header[8] = 9;
  const uint64_t checksum = checksum64(header);
  header.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  files_.set_bytes(log_file(1), bytes.replace(0, header.size(), header));
  WalRecordView record;
  const auto found = read_from(1)->next(record);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(found.error().message, HasSubstr("version 9"));
}

// Two cursors read while records are written and files rotate and go: one waits for durable records, one just
// polls.
TEST_F(WalReaderTest, FollowsARunningWriter) {
  constexpr Lsn kLast = 4000;
  auto with = options();
  with.file_bytes = 16 << 10;
  with.group_delay_ns = 0;
  with.group_bytes = 256;
  auto wal = open(1, with);
  std::thread follower([&] {
    const auto reader = read_from(1);
    while (reader->position() <= kLast) {
      ASSERT_TRUE(wal->wait_durable(reader->position(), 60 * kNsPerSecond));
      const Lsn durable = wal->durable_lsn();
      while (reader->position() <= durable) expect_next(*reader, reader->position(), durable);
      ASSERT_TRUE(wal->remove_before(reader->position()));
    }
    EXPECT_TRUE(reader->damage().empty());
  });
  std::thread poller([&] {
    const auto reader = read_from(1);
    WalRecordView record;
    Lsn last = 0;
    while (last < kLast) {
      const auto found = reader->next(record);
      ASSERT_TRUE(found) << found.error().message;
      if (!*found) continue;
      EXPECT_GT(record.lsn, last);
      EXPECT_EQ(record.payload, payload_of(record.lsn));
      last = record.lsn;
    }
    for (const WalDamage& damage : reader->damage())
      EXPECT_EQ(damage.bytes, 0U) << "only removed files are missed";
  });
  for (Lsn lsn = 1; lsn <= kLast; ++lsn) ASSERT_TRUE(wal->append(payload_of(lsn), [](Result<Lsn>) {}));
  follower.join();
  poller.join();
  EXPECT_LE(wal->stats().files, 2U);
}

}  // namespace
}  // namespace varve
