#include "storage/base/bytes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace varve {
namespace {

TEST(Bytes, RoundTripsEveryKindOfValue) {
  std::string out;
  ByteWriter writer(out);
  const double doubles[] = {0.0, -0.0, std::numeric_limits<double>::infinity(), 1.5};
  writer.u8(255);
  writer.fixed<uint32_t>(0xdeadbeef);
  writer.fixed<int64_t>(INT64_MIN);
  writer.string("");
  writer.string(std::string("a\0b", 3));
  writer.bytes("raw");
  writer.array(doubles, 4);
  writer.array<uint64_t>(nullptr, 0);
  EXPECT_EQ(writer.size(), out.size());
  ByteReader reader(out);
  EXPECT_EQ(reader.u8(), 255);
  EXPECT_EQ(reader.fixed<uint32_t>(), 0xdeadbeef);
  EXPECT_EQ(reader.fixed<int64_t>(), INT64_MIN);
  EXPECT_EQ(reader.string(), "");
  EXPECT_EQ(reader.string(), std::string_view("a\0b", 3));
  EXPECT_EQ(reader.bytes(3), "raw");
  double back[4];
  reader.array(back, 4);
  EXPECT_TRUE(std::signbit(back[1]));
  EXPECT_EQ(back[3], 1.5);
  EXPECT_TRUE(reader.at_end());
}

TEST(Bytes, VarintsRoundTripAtEveryLengthAndSign) {
  for (int shift = 0; shift < 64; ++shift) {
    for (const int64_t near : {-1, 0, 1}) {
      const uint64_t value = (uint64_t{1} << shift) + static_cast<uint64_t>(near);
      std::string out;
      ByteWriter writer(out);
      writer.varint(value);
      writer.signed_varint(static_cast<int64_t>(value));
      ByteReader reader(out);
      EXPECT_EQ(reader.varint(), value);
      EXPECT_EQ(reader.signed_varint(), static_cast<int64_t>(value));
      EXPECT_TRUE(reader.at_end());
    }
  }
  for (const int64_t value : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
  EXPECT_EQ(zigzag(-1), 1U);
  EXPECT_EQ(zigzag(1), 2U);
}

TEST(Bytes, AVarintOfMoreThan64BitsIsAnError) {
  for (const std::string& bytes : {std::string(9, '\x80') + '\x02', std::string(10, '\xff') + '\x01',
                                   std::string(9, '\xff') + '\x7f', std::string(100, '\x80')}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.varint(), 0U);
    EXPECT_FALSE(reader.ok());
  }
  ByteReader largest(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  EXPECT_EQ(largest.varint(), UINT64_MAX);
  EXPECT_TRUE(largest.at_end());
}

TEST(Bytes, TheFirstErrorStaysAndEverythingAfterReadsEmpty) {
  ByteReader reader(
      std::string_view("\x05"
                       "ab"));
  EXPECT_EQ(reader.string(), "") << "five bytes announced, two there";
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.varint(), 0U);
  EXPECT_EQ(reader.bytes(0), "");
  uint8_t untouched = 7;
  reader.array(&untouched, 1);
  EXPECT_EQ(untouched, 7);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, HugeCountsDoNotWrapAround) {
  const std::string bytes(16, '\x01');
  uint64_t out[2] = {};
  ByteReader arrays(bytes);
  arrays.array(out, SIZE_MAX / 8 + 2);
  EXPECT_FALSE(arrays.ok());
  ByteReader strings(
      std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "x"));
  EXPECT_EQ(strings.string(), "");
  EXPECT_FALSE(strings.ok());
}

}  // namespace
}  // namespace varve
