#include "storage/tombstone/tombstone.h"

#include <gmock/gmock.h>

namespace varve {

bool operator==(const TimeRange& a, const TimeRange& b) {
  return a.min == b.min && a.max == b.max;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimeRange kAll{INT64_MIN, INT64_MAX};

TombstoneList list(std::vector<Tombstone> tombstones) {
  std::vector<std::shared_ptr<const Tombstone>> shared;
  for (Tombstone& tombstone : tombstones) shared.push_back(std::make_shared<Tombstone>(std::move(tombstone)));
  return make_tombstone_list(std::move(shared));
}

std::vector<TimeRange> hidden(const TombstoneList& tombstones, SeriesId series, Lsn applied = 0) {
  HiddenRows rows(tombstones, applied, kAll);
  const auto ranges = rows.of(series);
  return {ranges.begin(), ranges.end()};
}

TEST(HiddenRows, AreOfSourcesWrittenBeforeTheDelete) {
  const auto tombstones = list({{0, 10, {1, 5}, true, {}}});
  EXPECT_THAT(hidden(tombstones, 3, 9), ElementsAre(TimeRange{1, 5}));
  EXPECT_THAT(hidden(tombstones, 3, 10), IsEmpty());
  EXPECT_TRUE(HiddenRows(tombstones, 9, {6, 9}).none());
  EXPECT_TRUE(HiddenRows(nullptr, 0, kAll).none());
}

TEST(HiddenRows, JoinRangesThatOverlapOrTouch) {
  const auto tombstones = list({{0, 1, {20, 30}, true, {}},
                                {0, 2, {1, 5}, true, {}},
                                {0, 3, {6, 8}, true, {}},
                                {0, 4, {7, 7}, true, {}},
                                {0, 5, {INT64_MAX, INT64_MAX}, true, {}},
                                {0, 6, {INT64_MAX - 1, INT64_MAX}, true, {}},
                                {0, 7, {INT64_MIN, INT64_MIN}, true, {}}});
  EXPECT_THAT(hidden(tombstones, 0), ElementsAre(TimeRange{INT64_MIN, INT64_MIN}, TimeRange{1, 8},
                                                 TimeRange{20, 30}, TimeRange{INT64_MAX - 1, INT64_MAX}));
}

TEST(HiddenRows, TellSeriesApart) {
  const auto tombstones = list({{0, 1, {1, 5}, false, {2, 7}}, {0, 2, {6, 8}, true, {}}});
  HiddenRows rows(tombstones, 0, kAll);
  EXPECT_THAT(rows.of(2), ElementsAre(TimeRange{1, 8}));
  EXPECT_THAT(rows.of(3), ElementsAre(TimeRange{6, 8}));
  EXPECT_THAT(rows.of(7), ElementsAre(TimeRange{1, 8}));
  EXPECT_TRUE(rows.cover({1, 8}, std::vector<SeriesId>{7, 2}));
  EXPECT_FALSE(rows.cover({1, 8}, std::vector<SeriesId>{7, 3}));
  EXPECT_TRUE(rows.cover({6, 8}, std::vector<SeriesId>{7, 3}));
  EXPECT_FALSE(rows.cover({6, 9}, std::vector<SeriesId>{7}));
}

TEST(Tombstone, HidesSomeOnlyWhereSeriesTimeAndOrderMeet) {
  const Tombstone some{0, 5, {1, 9}, false, {2, 7}};
  const std::vector<SeriesId> with{9, 7, 1};
  const std::vector<SeriesId> without{9, 1};
  EXPECT_TRUE(some.hides_some(4, {9, 20}, with));
  EXPECT_FALSE(some.hides_some(5, {9, 20}, with));
  EXPECT_FALSE(some.hides_some(4, {10, 20}, with));
  EXPECT_FALSE(some.hides_some(4, {9, 20}, without));
  const Tombstone all{0, 5, {1, 9}, true, {}};
  EXPECT_TRUE(all.hides_some(4, {9, 20}, without));
}

}  // namespace
}  // namespace varve
