#include "storage/model/column.h"

#include <gtest/gtest.h>

#include <random>

namespace varve {
namespace {

Value value_of(FieldType type, int i) {
  switch (type) {
    case FieldType::kDouble:
      return i * 0.5;
    case FieldType::kInt64:
      return int64_t{i};
    case FieldType::kBool:
      return i % 2 == 0;
    case FieldType::kString:
      return std::string(static_cast<size_t>(i % 5), static_cast<char>('a' + i % 26));
  }
  return {};
}

constexpr FieldType kTypes[] = {FieldType::kDouble, FieldType::kInt64, FieldType::kBool, FieldType::kString};

std::vector<Value> values_of(const ColumnVector& column) {
  std::vector<Value> values;
  for (size_t row = 0; row < column.size(); ++row) values.push_back(column.value(row));
  return values;
}

// One byte a row when there are nulls, and a value or a zero for every row.
void expect_consistent(const ColumnVector& column) {
  EXPECT_TRUE(column.valid.empty() || column.valid.size() == column.size());
  EXPECT_EQ(column.strings.offsets.front(), 0U);
  EXPECT_EQ(column.strings.offsets.back(), column.strings.bytes.size());
}

TEST(ColumnVector, KeepsValuesAndNullsOfEveryType) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const FieldType type : kTypes) {
    ColumnVector column(type);
    std::vector<Value> expected;
    for (int i = 0; i < 500; ++i) {
      const Value value = random() % 3 == 0 ? Value() : value_of(type, i);
      column.push_value(value);
      expected.push_back(value);
    }
    EXPECT_EQ(values_of(column), expected);
    EXPECT_TRUE(column.has_nulls());
    expect_consistent(column);
    ColumnVector copy(type);
    ColumnVector ranges(type);
    for (size_t row = 0; row < expected.size(); ++row) copy.push_from(column, row);
    for (size_t row = 0; row < expected.size(); row += 50) ranges.push_range(column, row, row + 50);
    EXPECT_EQ(values_of(copy), expected);
    EXPECT_EQ(values_of(ranges), expected);
    ranges.keep_range(100, 110);
    EXPECT_EQ(values_of(ranges), std::vector<Value>(expected.begin() + 100, expected.begin() + 110));
    expect_consistent(ranges);
    EXPECT_GT(column.memory_bytes(), 0U);
    column.clear();
    EXPECT_EQ(column.size(), 0U);
    EXPECT_EQ(column.type, type);
    expect_consistent(column);
  }
}

TEST(ColumnVector, NullsMayComeFirstLastOrNever) {
  for (const FieldType type : kTypes) {
    ColumnVector column(type);
    column.push_nulls(0);
    EXPECT_FALSE(column.has_nulls());
    column.push_nulls(2);
    column.push_value(value_of(type, 3));
    column.push_null();
    EXPECT_EQ(values_of(column), (std::vector<Value>{Value(), Value(), value_of(type, 3), Value()}));
    ColumnVector full(type);
    full.push_value(value_of(type, 1));
    EXPECT_FALSE(full.has_nulls());
    full.push_range(column, 1, 3);
    EXPECT_EQ(values_of(full), (std::vector<Value>{value_of(type, 1), Value(), value_of(type, 3)}));
    column.push_range(full, 0, 1);
    EXPECT_EQ(column.value(4), value_of(type, 1));
    expect_consistent(column);
  }
}

TEST(ColumnVector, WidensIntegersToDoubles) {
  ColumnVector column(FieldType::kInt64);
  column.push_int(1);
  column.push_null();
  column.push_int(int64_t{1} << 53);
  ColumnVector doubles(FieldType::kDouble);
  for (size_t row = 0; row < 3; ++row) doubles.push_from(column, row);
  doubles.push_range(column, 0, 3);
  doubles.push_value(int64_t{7});
  column.widen_to_double();
  const std::vector<Value> expected{1.0, Value(), 9007199254740992.0};
  EXPECT_EQ(values_of(column), expected);
  EXPECT_EQ(doubles.size(), 7U);
  EXPECT_EQ(doubles.value(5), expected[2]);
  EXPECT_EQ(doubles.value(6), Value(7.0));
}

}  // namespace
}  // namespace varve
