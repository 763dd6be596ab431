#include "storage/series/series_index.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace varve {
namespace {

RowBatch rows_with_tags(const std::vector<std::vector<std::pair<std::string, std::string>>>& rows) {
  RowBatchBuilder builder("db", "t");
  for (const auto& tags : rows) {
    builder.begin_row();
    for (const auto& [name, value] : tags) builder.tag(name, value);
    builder.field_double("v", 1);
    builder.end_row(0);
  }
  return builder.finish();
}

std::vector<std::optional<SeriesId>> resolve(SeriesIndex& index, const RowBatch& batch) {
  std::string widest;
  return index.resolve(batch, true, widest);
}

TEST(SeriesIndex, GivesTheSameIdToTheSameTagsInAnyOrder) {
  SeriesIndex index(100);
  const auto first = resolve(index, rows_with_tags({{{"a", "1"}, {"b", "2"}}, {{"a", "1"}}, {}}));
  const auto second = resolve(index, rows_with_tags({{}, {{"b", "2"}, {"a", "1"}}, {{"a", "1"}}}));
  EXPECT_EQ(first[0], second[1]);
  EXPECT_EQ(first[1], second[2]);
  EXPECT_EQ(first[2], second[0]);
  EXPECT_EQ(index.size(), 3U);
}

TEST(SeriesIndex, ATagAddedLaterLeavesOlderSeriesWhereTheyAre) {
  SeriesIndex index(100);
  const auto before = resolve(index, rows_with_tags({{{"a", "1"}}}));
  resolve(index, rows_with_tags({{{"a", "1"}, {"new", "x"}}}));
  const auto after = resolve(index, rows_with_tags({{{"new", ""}, {"a", "1"}}}));
  EXPECT_EQ(before[0], after[0]);
  const auto snapshot = index.snapshot();
  EXPECT_EQ(snapshot->value(*before[0], *snapshot->tag_index("new")), "");
  EXPECT_EQ(snapshot->value(*before[0], *snapshot->tag_index("a")), "1");
}

TEST(SeriesIndex, RefusesRowsBeyondTheLimitAndKeepsNothingOfThem) {
  SeriesIndex index(2);
  std::string widest;
  const auto batch = rows_with_tags({{{"k", "1"}}, {{"k", "2"}}, {{"k", "3"}}, {{"k", "3"}}, {{"k", "1"}}});
  const auto series = index.resolve(batch, true, widest);
  EXPECT_TRUE(series[0] && series[1]);
  EXPECT_FALSE(series[2]);
  EXPECT_FALSE(series[3]);
  EXPECT_EQ(series[4], series[0]);
  EXPECT_EQ(widest, "k");
  EXPECT_EQ(index.size(), 2U);
  EXPECT_EQ(index.resolve(batch, false, widest)[2], SeriesId{2});
}

TEST(SeriesIndex, StoredTagsFindTheSeriesOfWrittenOnes) {
  SeriesIndex index(100);
  const auto written = resolve(index, rows_with_tags({{{"b", "2"}, {"a", "1"}}}));
  EXPECT_EQ(index.resolve_stored({{"a", "1"}, {"b", "2"}}), *written[0]);
}

TEST(SeriesIndex, KeysAreDistinctExactlyWhenTagsAre) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  SeriesIndex index(1'000'000);
  std::vector<std::vector<std::pair<std::string, std::string>>> rows;
  std::set<std::set<std::pair<std::string, std::string>>> distinct;
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::pair<std::string, std::string>> tags;
    for (const char* name : {"a", "b", "c"}) {
      if (random() % 3 != 0) tags.emplace_back(name, std::string(1 + random() % 2, "x\0y"[random() % 3]));
    }
    distinct.emplace(tags.begin(), tags.end());
    rows.push_back(std::move(tags));
  }
  resolve(index, rows_with_tags(rows));
  EXPECT_EQ(index.size(), distinct.size());
  const auto snapshot = index.snapshot();
  std::set<std::string> keys;
  for (SeriesId series = 0; series < snapshot->size(); ++series) {
    const std::string key = snapshot->key(series);
    keys.insert(key);
    const auto tags = decode_series_key(key);
    ASSERT_TRUE(tags);
    EXPECT_EQ(index.resolve_stored({tags->begin(), tags->end()}), series);
  }
  EXPECT_EQ(keys.size(), distinct.size());
}

}  // namespace
}  // namespace varve
