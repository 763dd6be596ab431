#include "storage/codec/bitpack.h"

#include <gtest/gtest.h>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::Random;

std::vector<uint64_t> random_values(Random& random, size_t n, unsigned width) {
  std::vector<uint64_t> values(n);
  for (uint64_t& v : values) v = random() & low_bits(width);
  return values;
}

TEST(BitPack, ReturnsEveryWidthAtManyCounts) {
  Random random(1);
  for (unsigned width = 0; width <= kWidthMax; ++width) {
    for (const size_t n : {1, 2, 3, 7, 8, 9, 63, 64, 65, 500, 1023, 1024}) {
      const auto values = random_values(random, n, width);
      std::vector<uint8_t> packed(
          packed_bytes(n, width));  // exactly sized: an overrun is seen by the sanitizer
      pack_bits(values.data(), n, width, packed.data());
      std::vector<uint64_t> back(n);
      unpack_bits(packed.data(), n, width, 0, back.data());
      ASSERT_EQ(back, values) << "width " << width << " n " << n;
    }
  }
}

TEST(BitPack, ReturnsEveryCountAsAStream) {
  Random random(2);
  for (size_t n = 1; n <= kVectorValues; ++n) {
    const unsigned width = static_cast<unsigned>(random() % 65);
    const auto values = random_values(random, n, width);
    std::vector<uint8_t> packed(stream_bytes(n, width));
    pack_stream(values.data(), n, width, packed.data());
    std::vector<uint64_t> back(n);
    unpack_stream(packed.data(), n, width, 0, back.data());
    ASSERT_EQ(back, values) << "width " << width << " n " << n;
  }
}

TEST(BitPack, ReadsAtAnyByteAddressAndAddsTheBaseModulo64Bits) {
  Random random(3);
  for (const unsigned width : {1U, 31U, 32U, 33U, 64U}) {
    const auto values = random_values(random, kVectorValues, width);
    for (size_t offset = 0; offset < 9; ++offset) {
      std::vector<uint8_t> packed(offset + packed_bytes(kVectorValues, width));
      pack_bits(values.data(), kVectorValues, width, packed.data() + offset);
      std::vector<uint64_t> back(kVectorValues);
      const uint64_t base = random();
      unpack_bits(packed.data() + offset, kVectorValues, width, base, back.data());
      for (size_t i = 0; i < kVectorValues; ++i) ASSERT_EQ(back[i], base + values[i]);
    }
  }
}

TEST(BitPack, KeepsItsBytes) {  // the format: never change
  std::vector<uint64_t> values(kVectorValues);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 8;
  std::vector<uint8_t> lanes(packed_bytes(kVectorValues, 3));
  pack_bits(values.data(), kVectorValues, 3, lanes.data());
  // Lane 1 holds values 1, 33, 65 ... = 1 each: 001001..., in the second 32-bit word.
  EXPECT_EQ(lanes[4], 0b01001001);
  EXPECT_EQ(lanes[5], 0b10010010);
  std::vector<uint8_t> stream(stream_bytes(8, 3));
  pack_stream(values.data(), 8, 3, stream.data());
  EXPECT_EQ(stream, (std::vector<uint8_t>{0b10001000, 0b11000110, 0b11111010}));
}

TEST(BitPack, DividesWhileUnpacking) {
  Random random(4);
  for (const unsigned width : {0U, 1U, 20U, 32U, 33U, 50U}) {
    const auto values = random_values(random, kVectorValues, width);
    std::vector<uint8_t> packed(packed_bytes(kVectorValues, width));
    pack_bits(values.data(), kVectorValues, width, packed.data());
    std::vector<double> back(kVectorValues);
    unpack_divide(packed.data(), width, static_cast<uint64_t>(-1000), 100, back.data());
    for (size_t i = 0; i < kVectorValues; ++i) {
      ASSERT_EQ(back[i], static_cast<double>(static_cast<int64_t>(values[i]) - 1000) / 100);
    }
  }
}

}  // namespace
}  // namespace varve
