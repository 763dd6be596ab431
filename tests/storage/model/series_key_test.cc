#include "storage/model/series_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace varve {
namespace {

using Tags = std::vector<std::pair<std::string, std::string>>;

std::string key_of(const Tags& tags) {
  std::vector<TagPair> views(tags.begin(), tags.end());
  std::string key;
  append_series_key(key, views);
  return key;
}

// Short texts of few letters, NUL and FF among them: the hard cases of escaping.
Tags random_tags(std::mt19937_64& random) {
  constexpr char kLetters[] = {'\0', '\x01', '\xff', 'a'};
  const auto text = [&] {
    std::string out;
    for (size_t i = random() % 4; i > 0; --i) out += kLetters[random() % 4];
    return out;
  };
  Tags tags;
  for (size_t i = random() % 3; i > 0; --i) tags.emplace_back(text(), text());
  std::sort(tags.begin(), tags.end());
  return tags;
}

TEST(SeriesKey, NoTagsIsTheEmptyKey) {
  EXPECT_EQ(key_of({}), "");
  EXPECT_TRUE(decode_series_key("")->empty());
}

TEST(SeriesKey, HasTheBytesSegmentsAreSortedBy) {
  EXPECT_EQ(key_of({{"a", std::string("x\0y", 3)}}), std::string("a\0\0x\0\xff"
                                                                 "y\0\0",
                                                                 9));
}

TEST(SeriesKey, RoundTripsAndOrdersAsTheTagsDo) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50'000; ++i) {
    const Tags a = random_tags(random);
    const Tags b = random_tags(random);
    const auto decoded = decode_series_key(key_of(a));
    ASSERT_TRUE(decoded);
    ASSERT_EQ(*decoded, a);
    ASSERT_EQ(key_of(a) == key_of(b), a == b);
    ASSERT_EQ(key_of(a) < key_of(b), a < b) << "keys sort as tag lists do";
  }
}

TEST(SeriesKey, RefusesWhatIsNoKey) {
  const std::string key = key_of({{"site", "north"}, {"unit", std::string("\0", 1)}});
  const std::string first = key_of({{"site", "north"}});
  for (size_t length = 1; length < key.size(); ++length) {
    const auto decoded = decode_series_key(key.substr(0, length));
    EXPECT_EQ(decoded.has_value(), length == first.size()) << length;
    if (decoded) continue;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  }
  EXPECT_FALSE(
      decode_series_key(std::string("a\0\x01"
                                    "b\0\0\0\0",
                                    8)))
      << "NUL is followed by NUL or FF only";
}

}  // namespace
}  // namespace varve
