#include "storage/series/series_index.h"

#include <gtest/gtest.h>

#include <algorithm>
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

std::vector<SeriesId> resolve(SeriesIndex& index, const RowBatch& batch) {
  std::string widest;
  return index.resolve(batch, true, widest);
}

// One series, through the door that a segment's dictionaries come by.
SeriesId resolve_stored(SeriesIndex& index, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<StringColumn> values(pairs.size());
  const std::vector<uint32_t> codes{1};
  std::vector<StoredTag> tags;
  for (size_t i = 0; i < pairs.size(); ++i) {
    values[i].push_back(pairs[i].second);
    tags.push_back({pairs[i].first, &values[i], codes});
  }
  return index.resolve_stored(tags, 1)[0];
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
  EXPECT_EQ(snapshot->value(before[0], *snapshot->tag_index("new")), "");
  EXPECT_EQ(snapshot->value(before[0], *snapshot->tag_index("a")), "1");
}

TEST(SeriesIndex, RefusesRowsBeyondTheLimitAndKeepsNothingOfThem) {
  SeriesIndex index(2);
  std::string widest;
  const auto batch = rows_with_tags({{{"k", "1"}}, {{"k", "2"}}, {{"k", "3"}}, {{"k", "3"}}, {{"k", "1"}}});
  const auto series = index.resolve(batch, true, widest);
  EXPECT_EQ(series[0], SeriesId{0});
  EXPECT_EQ(series[1], SeriesId{1});
  EXPECT_EQ(series[2], kNoSeries);
  EXPECT_EQ(series[3], kNoSeries);
  EXPECT_EQ(series[4], series[0]);
  EXPECT_EQ(widest, "k");
  EXPECT_EQ(index.size(), 2U);
  EXPECT_EQ(index.resolve(batch, false, widest)[2], SeriesId{2});
}

TEST(SeriesIndex, StoredTagsFindTheSeriesOfWrittenOnes) {
  SeriesIndex index(100);
  const auto written = resolve(index, rows_with_tags({{{"b", "2"}, {"a", "1"}}}));
  EXPECT_EQ(resolve_stored(index, {{"a", "1"}, {"b", "2"}}), written[0]);
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
    EXPECT_EQ(resolve_stored(index, *tags), series);
  }
  EXPECT_EQ(keys.size(), distinct.size());
}

TEST(SeriesIndex, TheOrderIsThatOfTheKeysAlsoWhenItGrowsAndTagsAreNew) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  SeriesIndex index(1'000'000);
  std::vector<std::string> names{"c", "b"};
  for (int round = 0; round < 6; ++round) {
    std::vector<std::vector<std::pair<std::string, std::string>>> rows;
    for (int i = 0; i < 200; ++i) {
      std::vector<std::pair<std::string, std::string>> tags;
      for (const std::string& name : names) {
        if (random() % 3 == 0) continue;
        std::string value;
        for (size_t length = 1 + random() % 3; length > 0; --length) value += "x\0\xffy"[random() % 4];
        tags.emplace_back(name, value);
      }
      rows.push_back(std::move(tags));
    }
    std::vector<SeriesId> batch = resolve(index, rows_with_tags(rows));
    const auto snapshot = index.snapshot();
    const auto by_key = [&](SeriesId a, SeriesId b) { return snapshot->key(a) < snapshot->key(b); };
    index.sort_by_key(batch);  // before the order knows the new ones
    EXPECT_TRUE(std::is_sorted(batch.begin(), batch.end(), by_key));
    const auto order = index.order();
    ASSERT_EQ(order->size(), snapshot->size());
    EXPECT_TRUE(std::is_sorted(order->series().begin(), order->series().end(), by_key));
    for (SeriesId series = 0; series < order->size(); ++series) {
      ASSERT_EQ(order->series()[order->rank(series)], series);
    }
    std::shuffle(batch.begin(), batch.end(), random);
    index.sort_by_key(batch);
    EXPECT_TRUE(std::is_sorted(batch.begin(), batch.end(), by_key));
    names.insert(names.begin(), std::string(1, static_cast<char>('a' + round)) + "0");
  }
}

TEST(SeriesIndex, ASnapshotStaysWhileSeriesValuesAndTagsAreAdded) {
  SeriesIndex index(100'000);
  std::vector<std::shared_ptr<const SeriesSnapshot>> snapshots;
  for (int i = 0; i < 9000; ++i) {  // over two chunks
    RowBatchBuilder builder("db", "t");
    builder.begin_row();
    builder.tag("host", std::to_string(i));
    if (i >= 5000) builder.tag("later", "x");
    builder.field_double("v", 1);
    builder.end_row(0);
    resolve(index, builder.finish());
    if (i % 500 == 17) snapshots.push_back(index.snapshot());
  }
  size_t expected = 18;
  for (const auto& snapshot : snapshots) {
    ASSERT_EQ(snapshot->size(), expected);
    for (SeriesId series = 0; series < expected; ++series) {
      ASSERT_EQ(snapshot->value(series, *snapshot->tag_index("host")), std::to_string(series));
      if (const auto later = snapshot->tag_index("later")) {
        ASSERT_EQ(snapshot->value(series, *later), series >= 5000 ? "x" : "");
      }
    }
    expected += 500;
  }
}

}  // namespace
}  // namespace varve
