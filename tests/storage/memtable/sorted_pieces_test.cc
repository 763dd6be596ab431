#include "storage/memtable/sorted_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace varve {
namespace {

void sort_by_id(std::vector<SeriesId>& series) {
  std::sort(series.begin(), series.end());
}

void add(RowBuffer& buffer, size_t rows, std::mt19937& random) {
  if (buffer.columns.empty()) buffer.columns.emplace_back(FieldType::kInt64);
  for (; rows > 0; --rows) {
    buffer.series.push_back(static_cast<SeriesId>(random() % 7));
    buffer.times.push_back(static_cast<int64_t>(random() % 20'000));
    buffer.columns[0].push_int(static_cast<int64_t>(buffer.rows()));
  }
}

using Rows = std::map<std::pair<SeriesId, int64_t>, int64_t>;

Rows rows_of(const RowBuffer& buffer) {
  Rows rows;
  for (size_t i = 0; i < buffer.rows(); ++i)
    rows[{buffer.series[i], buffer.times[i]}] = buffer.columns[0].ints[i];
  return rows;
}

// A later run's row counts.
Rows rows_of(const SortedPieces::Runs& runs) {
  Rows rows;
  for (const auto& run : runs) {
    for (size_t at = 0; at < run->series().size(); ++at) {
      const auto [from, to] = run->rows_at(at);
      EXPECT_TRUE(std::is_sorted(run->times().begin() + static_cast<std::ptrdiff_t>(from),
                                 run->times().begin() + static_cast<std::ptrdiff_t>(to)));
      for (size_t row = from; row < to; ++row)
        rows[{run->series()[at], run->times()[row]}] = run->column(0)->ints[row];
    }
  }
  return rows;
}

TEST(SortedPieces, TogetherHaveEveryRowAndTheLaterOnesInLaterRuns) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  RowBuffer buffer;
  SortedPieces pieces;
  size_t most = 0;
  while (buffer.rows() < 40'000) {
    add(buffer, 1 + random() % 700, random);
    const auto& runs = pieces.update(buffer, sort_by_id);
    if (random() % 20 == 0) {
      ASSERT_EQ(rows_of(runs), rows_of(buffer));
    }
    most = std::max(most, runs.size());
    EXPECT_EQ(pieces.whole(buffer) != nullptr, runs.size() == 1);
  }
  EXPECT_EQ(rows_of(pieces.update(buffer, sort_by_id)), rows_of(buffer));
  EXPECT_GE(most, 2U);
  EXPECT_LE(most, 8U);
}

TEST(SortedPieces, AReaderWhoComesAgainGetsTheRunsOfBeforeAndOneOfTheNewRows) {
  std::mt19937 random(1);
  RowBuffer buffer;
  SortedPieces pieces;
  add(buffer, 20'000, random);
  const SortedPieces::Runs first = pieces.update(buffer, sort_by_id);
  EXPECT_EQ(pieces.update(buffer, sort_by_id), first);
  EXPECT_EQ(pieces.whole(buffer), first.at(0));
  add(buffer, 10, random);
  EXPECT_EQ(pieces.whole(buffer), nullptr) << "rows came since";
  const SortedPieces::Runs second = pieces.update(buffer, sort_by_id);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0], first[0]);
  EXPECT_LE(second[1]->rows(), 10U);
}

TEST(SortedPieces, OfFewRowsIsOneRunSoThatEachPointIsThereOnce) {
  std::mt19937 random(1);
  RowBuffer buffer;
  SortedPieces pieces;
  while (buffer.rows() < SortedPieces::kWholeRows) {
    add(buffer, 1, random);
    if (buffer.rows() % 100 == 0) {
      EXPECT_EQ(pieces.update(buffer, sort_by_id).size(), 1U);
    }
  }
  EXPECT_EQ(pieces.update(buffer, sort_by_id).at(0)->rows(), rows_of(buffer).size());
}

}  // namespace
}  // namespace varve
