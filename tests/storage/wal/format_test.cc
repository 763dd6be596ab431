#include "storage/wal/format.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(WalFormat, FileNamesSortAsTheirRecords) {
  EXPECT_EQ(wal_file_name(255), "00000000000000ff.wal");
  EXPECT_LT(wal_file_name(9), wal_file_name(10));
  EXPECT_LT(wal_file_name(0xffff), wal_file_name(UINT64_MAX));
  for (const Lsn lsn : {Lsn{0}, Lsn{1}, Lsn{42}, UINT64_MAX})
    EXPECT_EQ(parse_wal_file_name(wal_file_name(lsn)), lsn);
}

TEST(WalFormat, OtherNamesAreNotLogFiles) {
  for (const char* name :
       {"", "quarantine", "00000000000000FF.wal", "00000000000000ff.tmp", "000000000000ff.wal",
        "00000000000000fg.wal", "-0000000000000ff.wal", "00000000000000ff.wal.tmp"}) {
    EXPECT_FALSE(parse_wal_file_name(name)) << name;
  }
}

TEST(WalFormat, RecordHeadersVerifyOnlyAtTheirPlace) {
  std::string bytes;
  append_wal_record(bytes, {77, 4136, 5, 3}, "hello");
  const auto header = decode_wal_record_header(bytes, 77, 4136);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->lsn, 5U);
  EXPECT_EQ(header->synced_lsn, 3U);
  EXPECT_EQ(header->payload_bytes, 5U);
  EXPECT_TRUE(wal_payload_intact(*header, 77, "hello"));
  EXPECT_FALSE(wal_payload_intact(*header, 77, "hellO"));
  EXPECT_FALSE(decode_wal_record_header(bytes, 78, 4136));
  EXPECT_FALSE(decode_wal_record_header(bytes, 77, 4137));
}

TEST(WalFormat, TheHeaderStandsTwiceInAFile) {
  const std::string start = encode_wal_file_start({42, 4711});
  ASSERT_EQ(start.size(), kWalFirstRecordOffset);
  for (const uint64_t offset : {uint64_t{0}, kWalHeaderCopyOffset}) {
    const auto header = decode_wal_file_header(std::string_view(start).substr(offset, kWalFileHeaderBytes));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->first_lsn, 42U);
    EXPECT_EQ(header->file_id, 4711U);
  }
  EXPECT_FALSE(decode_wal_file_header(std::string_view(start).substr(0, kWalFileHeaderBytes - 1)));
}

}  // namespace
}  // namespace varve
