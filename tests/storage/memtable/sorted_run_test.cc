#include "storage/memtable/sorted_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace varve {
namespace {

void add(RowBuffer& buffer, SeriesId series, int64_t time, std::optional<double> value) {
  if (buffer.columns.empty()) buffer.columns.emplace_back(FieldType::kDouble);
  buffer.series.push_back(series);
  buffer.times.push_back(time);
  if (value) {
    buffer.columns[0].push_double(*value);
  } else {
    buffer.columns[0].push_null();
  }
}

// Keys in the order of the ids' last digits, then the ids: not the order of the ids.
std::pair<SeriesId, SeriesId> key_of(SeriesId series) {
  return {series % 10, series};
}

void sort_by_key(std::vector<SeriesId>& series) {
  std::sort(series.begin(), series.end(), [](SeriesId a, SeriesId b) { return key_of(a) < key_of(b); });
}

TEST(SortedRun, AnEmptyBufferMakesAnEmptyRun) {
  const SortedRun run({}, sort_by_key);
  EXPECT_EQ(run.rows(), 0U);
  EXPECT_TRUE(run.time_range().empty());
  EXPECT_TRUE(run.series().empty());
}

TEST(SortedRun, ALaterRowOverwritesFieldByField) {
  RowBuffer buffer;
  buffer.columns.resize(2, ColumnVector(FieldType::kInt64));
  const auto put = [&](std::optional<int64_t> a, std::optional<int64_t> b) {
    buffer.series.push_back(7);
    buffer.times.push_back(100);
    buffer.columns[0].push_value(a ? Value(*a) : Value());
    buffer.columns[1].push_value(b ? Value(*b) : Value());
  };
  put(1, 10);
  put(2, std::nullopt);
  put(std::nullopt, std::nullopt);
  const SortedRun run(buffer, sort_by_key);
  ASSERT_EQ(run.rows(), 1U);
  EXPECT_EQ(run.column(0)->value(0), Value(int64_t{2}));
  EXPECT_EQ(run.column(1)->value(0), Value(int64_t{10}));
}

TEST(SortedRun, EqualsAMapOnRandomRows) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    RowBuffer buffer;
    std::map<std::pair<std::pair<SeriesId, SeriesId>, int64_t>, std::optional<double>> model;
    const uint32_t spread = round % 2 == 0 ? 5 : 1'000'000;  // counting sort, comparison sort
    for (int i = 0; i < 400; ++i) {
      const SeriesId series = random() % spread;
      const int64_t time = static_cast<int64_t>(random() % 50) - 25;
      const auto value = random() % 4 == 0 ? std::nullopt : std::optional<double>(i);
      add(buffer, series, time, value);
      auto& known = model[{key_of(series), time}];
      if (value) known = value;
    }
    const SortedRun run(buffer, sort_by_key);
    ASSERT_EQ(run.rows(), model.size());
    size_t row = 0;
    size_t position = 0;
    for (const auto& [key, value] : model) {
      while (run.rows_at(position).second <= row) ++position;
      EXPECT_EQ(run.series()[position], key.first.second);
      EXPECT_EQ(run.times()[row], key.second);
      EXPECT_EQ(run.column(0)->value(row), value ? Value(*value) : Value());
      ++row;
    }
    EXPECT_EQ(position + 1, run.series().size());
  }
}

}  // namespace
}  // namespace varve
