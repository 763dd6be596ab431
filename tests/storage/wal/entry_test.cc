#include "storage/wal/entry.h"

#include <gmock/gmock.h>

#include "storage/model/series_key.h"

namespace varve {
namespace {

WalEntry example() {
  RowBatchBuilder water("varve", "water");
  for (int row = 0; row < 5; ++row) {
    water.begin_row();
    water.tag("sensor", "s" + std::to_string(row % 2));
    water.field_double("level", 0.25 * row);
    if (row != 3) water.field_string("note", "n" + std::to_string(row));
    water.end_row(1'000'000'000LL * row);
  }
  RowBatchBuilder air("other", "air");
  air.begin_row();
  air.field_int("count", -7);
  air.field_bool("ok", true);
  air.end_row(INT64_MIN);
  WalEntry entry;
  entry.batches.push_back(water.finish());
  entry.batches.push_back(air.finish());
  entry.positions = {{"kafka:readings", 3, INT64_MAX}, {"", INT32_MIN, -1}};
  return entry;
}

TEST(WalEntry, RoundTripsBatchesAndPositions) {
  const WalEntry entry = example();
  const std::string payload = encode_wal_entry(entry);
  const auto decoded = decode_wal_entry(payload);
  ASSERT_TRUE(decoded) << decoded.error().message;
  ASSERT_EQ(decoded->batches.size(), 2U);
  EXPECT_EQ(decoded->batches[0].table, "water");
  EXPECT_EQ(decoded->batches[0].rows(), 5U);
  EXPECT_EQ(decoded->batches[1].database, "other");
  EXPECT_EQ(decoded->batches[1].times, std::vector<int64_t>{INT64_MIN});
  ASSERT_EQ(decoded->positions.size(), 2U);
  EXPECT_EQ(decoded->positions[0].stream, "kafka:readings");
  EXPECT_EQ(decoded->positions[0].partition, 3);
  EXPECT_EQ(decoded->positions[0].next_offset, INT64_MAX);
  EXPECT_EQ(decoded->positions[1].partition, INT32_MIN);
  EXPECT_EQ(decoded->positions[1].next_offset, -1);
  EXPECT_EQ(encode_wal_entry(*decoded), payload);
}

TEST(WalEntry, AnEmptyEntryIsAnEntry) {
  const auto decoded = decode_wal_entry(encode_wal_entry({}));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->batches.empty());
  EXPECT_TRUE(decoded->positions.empty());
}

TEST(WalEntry, RefusesEveryTruncationAndTrailingBytes) {
  const std::string payload = encode_wal_entry(example());
  for (size_t length = 0; length < payload.size(); ++length) {
    const auto decoded = decode_wal_entry(payload.substr(0, length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  }
  EXPECT_FALSE(decode_wal_entry(payload + '\0'));
}

TEST(WalEntry, SurvivesEveryFlippedByte) {
  const std::string payload = encode_wal_entry(example());
  for (size_t at = 0; at < payload.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = payload;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const auto decoded = decode_wal_entry(damaged);
      if (!decoded) continue;
      EXPECT_TRUE(decode_wal_entry(encode_wal_entry(*decoded)));
    }
  }
}

TEST(WalEntry, NamesANewerVersion) {
  std::string payload = encode_wal_entry({});
  payload[0] = 7;
  const auto decoded = decode_wal_entry(payload);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(decoded.error().message, ::testing::HasSubstr("version 7"));
}

TEST(WalEntry, RefusesAPartitionBeyondItsRange) {
  const auto entry = [](int64_t partition) {
    std::string payload;
    ByteWriter out(payload);
    out.u8(1);
    out.varint(0);  // deletes
    out.varint(0);  // batches
    out.varint(1);
    out.string("s");
    out.signed_varint(partition);
    out.signed_varint(0);
    return payload;
  };
  EXPECT_TRUE(decode_wal_entry(entry(INT32_MAX)));
  EXPECT_FALSE(decode_wal_entry(entry(int64_t{INT32_MAX} + 1)));
}

TEST(WalEntry, RoundTripsDeletesBesideRows) {
  WalEntry entry = example();
  RowDelete some{"varve", "water", {-5, INT64_MAX}, false, {}};
  for (const char* sensor : {"s0", "s1"}) append_series_key(some.series.emplace_back(), "sensor", sensor);
  entry.deletes = {some, {"other", "air", {INT64_MIN, INT64_MAX}, true, {}}};
  const std::string payload = encode_wal_entry(entry);
  const auto decoded = decode_wal_entry(payload);
  ASSERT_TRUE(decoded) << decoded.error().message;
  ASSERT_EQ(decoded->deletes.size(), 2U);
  EXPECT_EQ(decoded->deletes[0].table, "water");
  EXPECT_EQ(decoded->deletes[0].time.min, -5);
  EXPECT_EQ(decoded->deletes[0].series, some.series);
  EXPECT_TRUE(decoded->deletes[1].all_series);
  EXPECT_EQ(decoded->batches.size(), 2U);
  EXPECT_EQ(encode_wal_entry(*decoded), payload);
  for (size_t bytes = 0; bytes < payload.size(); ++bytes) {
    EXPECT_FALSE(decode_wal_entry(std::string_view(payload).substr(0, bytes))) << bytes;
  }
}

}  // namespace
}  // namespace varve
