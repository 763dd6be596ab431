#include "storage/tombstone/format.h"

#include <gmock/gmock.h>

#include "storage/base/checksum.h"
#include "storage/model/series_key.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

std::string key(std::string_view site) {
  std::string bytes;
  append_series_key(bytes, {{"site", site}});
  return bytes;
}

TombstoneFile example() {
  TombstoneFile file{7, 42, {"varve", "water", {INT64_MIN, -1}, false, {key("a"), key("b")}}};
  return file;
}

TEST(TombstoneFormat, RoundTrips) {
  for (const bool all : {false, true}) {
    TombstoneFile file = example();
    file.rows.all_series = all;
    if (all) file.rows.series.clear();
    const auto read = decode_tombstone(encode_tombstone(file));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->id, 7U);
    EXPECT_EQ(read->lsn, 42U);
    EXPECT_EQ(read->rows.database, "varve");
    EXPECT_EQ(read->rows.table, "water");
    EXPECT_EQ(read->rows.time.min, INT64_MIN);
    EXPECT_EQ(read->rows.time.max, -1);
    EXPECT_EQ(read->rows.all_series, all);
    EXPECT_EQ(read->rows.series, file.rows.series);
  }
  EXPECT_EQ(tombstone_file_name(255), "00000000000000ff.del");
}

TEST(TombstoneFormat, EveryFlippedBitAndEveryCutIsFound) {
  const std::string image = encode_tombstone(example());
  for (size_t bit = 0; bit < image.size() * 8; ++bit) {
    std::string damaged = image;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_tombstone(damaged)) << "bit " << bit;
  }
  for (size_t length = 0; length < image.size(); ++length) {
    const auto read = decode_tombstone(image.substr(0, length));
    ASSERT_FALSE(read) << length;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
  EXPECT_FALSE(decode_tombstone(image + '\0'));
}

TEST(TombstoneFormat, NamesANewerVersion) {
  std::string image = encode_tombstone(example());
  image[8] = 9;
  const uint64_t sum = checksum64(std::string_view(image).substr(0, kTombstoneHeaderBytes - 8), 7);
  image.replace(kTombstoneHeaderBytes - 8, 8, reinterpret_cast<const char*>(&sum), 8);
  const auto read = decode_tombstone(image);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(read.error().message, HasSubstr("version 9"));
}

// name, what is written, what the reader says.
TEST(RowDelete, WhatEncodeDoesNotWriteIsCorruption) {
  const RowDelete good = example().rows;
  const auto outcome = [](const RowDelete& rows) {
    std::string bytes;
    ByteWriter out(bytes);
    encode_row_delete(rows, out);
    ByteReader in(bytes);
    const auto read = decode_row_delete(in);
    return read ? std::string("ok") : read.error().message;
  };
  EXPECT_EQ(outcome(good), "ok");
  RowDelete rows = good;
  rows.time = {2, 1};
  EXPECT_EQ(outcome(rows), "delete of an empty range of time");
  rows = good;
  rows.all_series = true;
  EXPECT_EQ(outcome(rows), "delete with a bad series flag");
  rows = good;
  std::swap(rows.series[0], rows.series[1]);
  EXPECT_EQ(outcome(rows), "delete with series out of order");
  rows = good;
  rows.series[1] = rows.series[0];
  EXPECT_EQ(outcome(rows), "delete with series out of order");
  rows = good;
  rows.series[1] = "zz";
  EXPECT_THAT(outcome(rows), HasSubstr("delete: "));
  std::string bytes;
  ByteWriter out(bytes);
  encode_row_delete({"d", "t", {}, false, {}}, out);
  bytes.back() = 127;  // series that are not there
  ByteReader in(bytes);
  EXPECT_EQ(decode_row_delete(in).error().message, "delete with more series than bytes");
}

}  // namespace
}  // namespace varve
