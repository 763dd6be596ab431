#include "storage/segment/tag_values.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::Random;

void expect_as_a_map(const std::vector<std::string>& given) {
  TagValues values;
  std::map<std::string, uint32_t> codes;
  for (const std::string& value : given) {
    const auto [place, added] = codes.try_emplace(value, static_cast<uint32_t>(codes.size()));
    ASSERT_EQ(values.code(value), place->second) << value;
  }
  ASSERT_EQ(values.size(), codes.size());
  const TagValues::Sorted sorted = std::move(values).sorted();
  ASSERT_EQ(sorted.values.size(), codes.size());
  uint32_t rank = 0;
  for (const auto& [value, code] : codes) {
    EXPECT_EQ(sorted.values[rank], value);
    EXPECT_EQ(sorted.rank[code], rank);
    ++rank;
  }
}

TEST(TagValues, GivesCodesByFirstAppearanceAndRanksByOrder) {
  expect_as_a_map({});
  expect_as_a_map({"a", "a", "b", "c", "c"});
  expect_as_a_map({"b", "a", "b", "c", "a"});
  expect_as_a_map({"a", "b", "c", "a", "b", "c", "d"});
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::vector<std::string> given(testing::below(random, 1000));
    const size_t distinct = 1 + testing::below(random, 500), in_order = testing::below(random, 100);
    for (size_t i = 0; i < given.size(); ++i) {
      given[i] =
          i < in_order ? std::to_string(1000 + i) : std::to_string(1000 + testing::below(random, distinct));
    }
    ASSERT_NO_FATAL_FAILURE(expect_as_a_map(given));
  }
}

}  // namespace
}  // namespace varve
