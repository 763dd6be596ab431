#include "storage/memtable/encoded_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "storage/codec/string_page.h"
#include "storage/segment/format.h"

namespace varve {
namespace {

void sort_backwards(std::vector<SeriesId>& series) {
  std::sort(series.begin(), series.end(), std::greater<>());
}

// Every row of `encoded` against `plain`.
void expect_same(const EncodedRun& encoded, const SortedRun& plain) {
  ASSERT_EQ(encoded.rows(), plain.rows());
  EXPECT_EQ(encoded.series(), plain.series());
  EXPECT_EQ(encoded.time_range().min, plain.time_range().min);
  EXPECT_EQ(encoded.time_range().max, plain.time_range().max);
  for (size_t i = 0; i < plain.series().size(); ++i) {
    EXPECT_EQ(encoded.position_of(plain.series()[i]), i);
    EXPECT_EQ(encoded.rows_at(i).first, plain.rows_at(i).first);
    EXPECT_EQ(encoded.rows_at(i).second, plain.rows_at(i).second);
  }
  std::vector<int64_t> times;
  ColumnVector column;
  for (size_t block = 0; block < encoded.blocks(); ++block) {
    const uint32_t begin = encoded.block_begin(block);
    ASSERT_LE(encoded.block_rows(block), kBlockRowsMax);
    EXPECT_EQ(encoded.block_of(begin), block);
    encoded.read_times(block, times);
    ASSERT_EQ(times.size(), encoded.block_rows(block));
    for (size_t row = 0; row < times.size(); ++row) {
      ASSERT_EQ(times[row], plain.times()[begin + row]);
      EXPECT_TRUE(times[row] >= encoded.block_times(block).min &&
                  times[row] <= encoded.block_times(block).max);
    }
    for (size_t field = 0; field < plain.column_count(); ++field) {
      ASSERT_EQ(encoded.has_field(field), plain.column(field) != nullptr);
      if (plain.column(field) == nullptr) continue;
      encoded.read_field(block, field, column);
      ASSERT_EQ(column.size(), times.size());
      for (size_t row = 0; row < times.size(); ++row) {
        ASSERT_EQ(column.value(row), plain.column(field)->value(begin + row)) << "field " << field;
      }
    }
  }
}

TEST(EncodedRun, HoldsTheRowsItWasMadeOfInEveryTypeWithAndWithoutNulls) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    RowBuffer buffer;
    for (const FieldType type :
         {FieldType::kDouble, FieldType::kInt64, FieldType::kBool, FieldType::kString}) {
      buffer.columns.emplace_back(type);  // all values
      buffer.columns.emplace_back(type);  // some
      buffer.columns.emplace_back(type);  // none
    }
    const size_t rows = 1 + random() % 5000;
    const uint32_t series = 1 + random() % (round % 3 == 0 ? 3 : 3000);  // own blocks, shared ones
    const unsigned null_chance = 1 + random() % 20;
    for (size_t row = 0; row < rows; ++row) {
      buffer.series.push_back(random() % series);
      buffer.times.push_back(static_cast<int64_t>(random() % 100'000) - 50'000);
      const auto put = [&](size_t field, const Value& value) {
        buffer.columns[field].push_value(value);
        buffer.columns[field + 1].push_value(random() % 20 < null_chance ? Value() : value);
      };
      put(0, static_cast<double>(random() % 10'000) / 100);
      put(3, static_cast<int64_t>(random()) - INT32_MAX);
      put(6, random() % 2 == 0);
      put(9, std::string(random() % 5, static_cast<char>('a' + random() % 3)));
    }
    const SortedRun plain(buffer, sort_backwards);
    const EncodedRun encoded(plain, 1);
    expect_same(encoded, plain);
    EXPECT_EQ(encoded.position_of(series + 1), std::nullopt);
  }
}

TEST(EncodedRun, GivesALargeSeriesBlocksOfItsOwnAndLetsSmallOnesShare) {
  RowBuffer buffer;
  buffer.columns.emplace_back(FieldType::kDouble);
  const auto add = [&](SeriesId series, size_t rows) {
    for (size_t row = 0; row < rows; ++row) {
      buffer.series.push_back(series);
      buffer.times.push_back(static_cast<int64_t>(row));
      buffer.columns[0].push_double(1);
    }
  };
  add(4, 10);
  add(3, kOwnBlockRows - 1);
  add(2, 2 * kBlockRowsMax + 1);
  add(1, kOwnBlockRows);
  add(0, 1);
  const EncodedRun run(SortedRun(buffer, sort_backwards), 1);
  std::vector<uint32_t> rows;
  for (size_t block = 0; block < run.blocks(); ++block) rows.push_back(run.block_rows(block));
  EXPECT_EQ(rows, (std::vector<uint32_t>{10 + kOwnBlockRows - 1, kBlockRowsMax, kBlockRowsMax, 1,
                                         kOwnBlockRows, 1}));
}

TEST(EncodedRun, HoldsMoreBytesOfStringsThanAPageOfTheCodecDoes) {
  RowBuffer buffer;
  buffer.columns.emplace_back(FieldType::kString);
  for (int64_t row = 0; row < 200; ++row) {
    buffer.series.push_back(0);
    buffer.times.push_back(row);
    buffer.columns[0].push_string(std::string(64 << 10, static_cast<char>('a' + row % 26)));
  }
  ASSERT_GT(buffer.columns[0].strings.bytes.size(), kStringPageBytesMax);
  const SortedRun plain(buffer, sort_backwards);
  expect_same(EncodedRun(plain, 1), plain);
}

TEST(EncodedRun, OfTwoDecimalReadingsTakesAFifthOfTheirMemory) {
  RowBuffer buffer;
  buffer.columns.resize(10, ColumnVector(FieldType::kDouble));
  std::mt19937 random(1);
  for (int64_t row = 0; row < 65'536; ++row) {
    buffer.series.push_back(static_cast<SeriesId>(row % 100));
    buffer.times.push_back(row / 100 * 10'000'000'000);
    for (ColumnVector& column : buffer.columns)
      column.push_double(static_cast<double>(random() % 10'000) / 100);
  }
  const EncodedRun run(SortedRun(buffer, sort_backwards), 1);
  EXPECT_LT(run.memory_bytes() * 5, run.rows() * (8 + 4 + 10 * 8));
}

}  // namespace
}  // namespace varve
