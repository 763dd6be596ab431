#include "storage/base/checksum.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace varve {
namespace {

TEST(Checksum, IsTheOneFilesOnDiskWereWrittenWith) {
  EXPECT_EQ(checksum64(""), 0x2d06800538d394c2ULL);  // XXH3-64 of nothing, from its specification
  EXPECT_NE(checksum64("a"), checksum64("b"));
}

TEST(Checksum, SeesEveryFlippedBitAndTheSeed) {
  std::string bytes(300, '\x5a');
  std::set<uint64_t> seen{checksum64(bytes)};
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const char mask = static_cast<char>(1 << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    EXPECT_TRUE(seen.insert(checksum64(bytes)).second) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
  for (uint64_t seed = 1; seed < 100; ++seed) EXPECT_TRUE(seen.insert(checksum64(bytes, seed)).second);
}

}  // namespace
}  // namespace varve
