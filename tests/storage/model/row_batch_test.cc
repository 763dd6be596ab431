#include "storage/model/row_batch.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

namespace varve {
namespace {

using Add = RowBatchBuilder::Add;
using Row = std::map<std::string, Value>;

// Row `row` by name: tags as strings, fields as values; what the row lacks is left out.
Row row_of(const RowBatch& batch, size_t row) {
  Row out{{"time", batch.times[row]}};
  for (const TagColumn& tag : batch.tags) {
    EXPECT_EQ(tag.codes.size(), batch.rows());
    if (tag.codes[row] != kAbsentTag) out[tag.name] = tag.values.at(tag.codes[row]);
  }
  for (const FieldColumn& field : batch.fields) {
    EXPECT_EQ(field.data.size(), batch.rows());
    if (field.data.is_valid(row)) out[field.name] = field.data.value(row);
  }
  return out;
}

Result<RowBatch> decode(std::string_view bytes) {
  ByteReader in(bytes);
  auto batch = decode_row_batch(in);
  if (batch && !in.at_end()) return corruption("bytes are left");
  return batch;
}

std::string encode(const RowBatch& batch) {
  std::string bytes;
  ByteWriter out(bytes);
  encode_row_batch(batch, out);
  return bytes;
}

// Rows of every type, with absent values, late columns and repeated tags.
RowBatch example() {
  RowBatchBuilder builder("db", "table");
  for (int i = 0; i < 6; ++i) {
    builder.begin_row();
    builder.tag("site", i % 2 == 0 ? "north" : "south");
    if (i > 2) builder.tag("late", "x" + std::to_string(i));
    builder.field_double("d", i == 4 ? -0.0 : 1.25 * i);
    if (i != 1) builder.field_int("i", INT64_MIN + i);
    if (i > 3) builder.field_bool("b", i == 5);
    builder.field_string("s", std::string(static_cast<size_t>(i), '\0'));
    builder.end_row(i % 2 == 0 ? INT64_MIN + i : INT64_MAX - i);
  }
  return builder.finish();
}

TEST(RowBatchBuilder, PadsColumnsThatComeLateOrStayAway) {
  RowBatchBuilder builder("db", "t");
  builder.begin_row();
  EXPECT_EQ(builder.field_double("a", 1), Add::kOk);
  builder.end_row(10);
  builder.begin_row();
  EXPECT_EQ(builder.tag("site", "x"), Add::kOk);
  EXPECT_EQ(builder.field_int("b", 2), Add::kOk);
  builder.end_row(20);
  builder.begin_row();
  EXPECT_EQ(builder.tag("site", ""), Add::kOk) << "an empty tag is an absent one";
  builder.end_row(30);
  EXPECT_EQ(builder.rows(), 3U);
  EXPECT_GT(builder.approximate_bytes(), 0U);
  const RowBatch batch = builder.finish();
  EXPECT_EQ(batch.database, "db");
  EXPECT_EQ(batch.table, "t");
  EXPECT_EQ(row_of(batch, 0), (Row{{"time", int64_t{10}}, {"a", 1.0}}));
  EXPECT_EQ(row_of(batch, 1), (Row{{"time", int64_t{20}}, {"site", std::string("x")}, {"b", int64_t{2}}}));
  EXPECT_EQ(row_of(batch, 2), (Row{{"time", int64_t{30}}}));
}

TEST(RowBatchBuilder, WidensIntegersBothWays) {
  RowBatchBuilder builder("db", "t");
  builder.begin_row();
  builder.field_int("v", 5);
  builder.end_row(1);
  builder.begin_row();
  EXPECT_EQ(builder.field_double("v", 0.5), Add::kOk);
  builder.end_row(2);
  builder.begin_row();
  EXPECT_EQ(builder.field_int("v", 7), Add::kOk);
  builder.end_row(3);
  const RowBatch batch = builder.finish();
  EXPECT_EQ(batch.fields[0].data.type, FieldType::kDouble);
  EXPECT_EQ(batch.fields[0].data.doubles, (std::vector<double>{5, 0.5, 7}));
}

TEST(RowBatchBuilder, RefusesOtherTypesAndSecondValues) {
  RowBatchBuilder builder("db", "t");
  builder.begin_row();
  EXPECT_EQ(builder.tag("tag", "a"), Add::kOk);
  EXPECT_EQ(builder.tag("tag", "b"), Add::kDuplicate);
  EXPECT_EQ(builder.field_bool("f", true), Add::kOk);
  EXPECT_EQ(builder.field_bool("f", false), Add::kDuplicate);
  EXPECT_EQ(builder.field_string("f", "x"), Add::kDuplicate);
  EXPECT_EQ(builder.field_double("tag", 1), Add::kTypeConflict);
  EXPECT_EQ(builder.tag("f", "x"), Add::kTypeConflict);
  builder.end_row(1);
  builder.begin_row();
  EXPECT_EQ(builder.field_string("f", "x"), Add::kTypeConflict);
  EXPECT_EQ(builder.field_double("f", 1), Add::kTypeConflict);
  EXPECT_EQ(builder.field_int("f", 1), Add::kTypeConflict);
  builder.end_row(2);
  const RowBatch batch = builder.finish();
  EXPECT_EQ(row_of(batch, 0), (Row{{"time", int64_t{1}}, {"tag", std::string("a")}, {"f", true}}));
  EXPECT_EQ(row_of(batch, 1), (Row{{"time", int64_t{2}}}));
}

TEST(RowBatchBuilder, AnAbandonedRowLeavesNoTrace) {
  RowBatchBuilder builder("db", "t");
  for (int attempt = 0; attempt < 2; ++attempt) {
    builder.begin_row();
    builder.tag("site", "gone");
    builder.tag("new_tag", "gone");
    builder.field_string("s", "gone");
    builder.field_double("new_field", 1);
    builder.abandon_row();
    EXPECT_EQ(builder.rows(), static_cast<size_t>(attempt));
    builder.begin_row();
    builder.field_string("s", "kept");
    builder.tag("site", "kept");
    builder.end_row(attempt);
  }
  builder.begin_row();
  builder.abandon_row();
  const RowBatch batch = builder.finish();
  ASSERT_EQ(batch.rows(), 2U);
  EXPECT_EQ(batch.tags.size(), 1U);
  EXPECT_EQ(batch.fields.size(), 1U);
  for (size_t row = 0; row < 2; ++row) {
    EXPECT_EQ(row_of(batch, row), (Row{{"time", static_cast<int64_t>(row)},
                                       {"s", std::string("kept")},
                                       {"site", std::string("kept")}}));
  }
}

TEST(RowBatchBuilder, AnAbandonedRowKeepsNullsOfTheOthers) {
  RowBatchBuilder builder("db", "t");
  const auto add = [&](int i) {
    builder.begin_row();
    if (i % 2 == 0) {
      builder.field_double("d", i);
      builder.field_int("i", i);
      builder.field_bool("b", true);
      builder.field_string("s", "x");
    }
  };
  for (int i = 0; i < 6; ++i) {
    add(i);
    builder.end_row(i);
    add(0);
    builder.abandon_row();
  }
  const RowBatch batch = builder.finish();
  for (size_t row = 0; row < 6; ++row) EXPECT_EQ(row_of(batch, row).size(), row % 2 == 0 ? 5U : 1U);
}

TEST(RowBatchBuilder, FinishLeavesItEmptyForTheSameTable) {
  RowBatchBuilder builder("db", "t");
  builder.begin_row();
  builder.tag("a", "x");
  builder.end_row(1);
  builder.finish();
  EXPECT_EQ(builder.rows(), 0U);
  EXPECT_EQ(builder.approximate_bytes(), 0U);
  builder.begin_row();
  EXPECT_EQ(builder.field_int("a", 1), Add::kOk) << "columns start afresh";
  builder.end_row(2);
  const RowBatch batch = builder.finish();
  EXPECT_EQ(batch.table, "t");
  EXPECT_EQ(row_of(batch, 0), (Row{{"time", int64_t{2}}, {"a", int64_t{1}}}));
}

TEST(RowBatchBuilder, BuildsWhatWasGivenWhateverTheOrder) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  RowBatchBuilder builder("db", "t");
  std::vector<Row> expected;
  for (int64_t time = 0; time < 2000; ++time) {
    builder.begin_row();
    Row row{{"time", time}};
    std::vector<int> columns{0, 1, 2, 3, 4, 5};
    if (random() % 4 == 0) std::shuffle(columns.begin(), columns.end(), random);
    for (const int column : columns) {
      if (random() % 5 == 0) continue;
      const std::string name = "c" + std::to_string(column);
      const std::string text = std::to_string(random() % 20);
      const auto number = static_cast<int64_t>(random());
      switch (column) {
        case 0:
        case 1:
          builder.tag(name, text), row[name] = text;
          break;
        case 2:
          builder.field_int(name, number), row[name] = number;
          break;
        case 3:
          builder.field_double(name, 0.5), row[name] = 0.5;
          break;
        case 4:
          builder.field_bool(name, number % 2 == 0), row[name] = number % 2 == 0;
          break;
        default:
          builder.field_string(name, text), row[name] = text;
          break;
      }
    }
    if (random() % 7 == 0) {
      builder.abandon_row();
    } else {
      builder.end_row(time);
      expected.push_back(row);
    }
  }
  RowBatch batch = builder.finish();
  ASSERT_EQ(batch.rows(), expected.size());
  for (size_t row = 0; row < expected.size(); ++row) ASSERT_EQ(row_of(batch, row), expected[row]);
  const auto decoded = decode(encode(batch));
  ASSERT_TRUE(decoded);
  for (size_t row = 0; row < expected.size(); ++row) ASSERT_EQ(row_of(*decoded, row), expected[row]);
  std::vector<uint8_t> keep;
  std::vector<Row> kept;
  for (const Row& row : expected) {
    keep.push_back(random() % 2);
    if (keep.back() != 0) kept.push_back(row);
  }
  batch.filter(keep);
  ASSERT_EQ(batch.rows(), kept.size());
  for (size_t row = 0; row < kept.size(); ++row) ASSERT_EQ(row_of(batch, row), kept[row]);
}

TEST(RowBatch, RoundTripsThroughBytes) {
  const RowBatch batch = example();
  const auto decoded = decode(encode(batch));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->database, "db");
  EXPECT_EQ(decoded->table, "table");
  ASSERT_EQ(decoded->rows(), batch.rows());
  for (size_t row = 0; row < batch.rows(); ++row) EXPECT_EQ(row_of(*decoded, row), row_of(batch, row));
  EXPECT_EQ(encode(*decoded), encode(batch)) << "bit for bit, -0.0 included";
  EXPECT_GT(batch.memory_bytes(), 0U);
}

TEST(RowBatch, RoundTripsNanAndNothing) {
  RowBatchBuilder builder("", "");
  builder.begin_row();
  builder.field_double("d", std::numeric_limits<double>::quiet_NaN());
  builder.end_row(0);
  EXPECT_TRUE(std::isnan(decode(encode(builder.finish()))->fields[0].data.doubles[0]));
  const auto empty = decode(encode(RowBatch()));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->rows(), 0U);
}

TEST(RowBatch, AnAbsentValueTakesAByte) {
  RowBatchBuilder builder("db", "t");
  for (int64_t row = 0; row < 1000; ++row) {
    builder.begin_row();
    builder.field_double("always", 0.5);
    if (row % 100 == 7) builder.field_double("seldom", static_cast<double>(row));
    builder.end_row(row);
  }
  const RowBatch batch = builder.finish();
  const std::string bytes = encode(batch);
  EXPECT_LT(bytes.size(), 1000U * (1 + 8 + 1) + 10 * 8 + 100);
  const auto decoded = decode(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  for (size_t row = 0; row < batch.rows(); ++row) ASSERT_EQ(row_of(*decoded, row), row_of(batch, row));
}

TEST(RowBatch, RefusesEveryTruncation) {
  const std::string bytes = encode(example());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto decoded = decode(bytes.substr(0, length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  }
}

// Whatever the bytes say, the batch is an error or fit to use.
TEST(RowBatch, DecodesDamagedBytesToAnErrorOrASoundBatch) {
  const std::string bytes = encode(example());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const auto decoded = decode(damaged);
      if (!decoded) continue;
      for (size_t row = 0; row < decoded->rows(); ++row) row_of(*decoded, row);
      ASSERT_TRUE(decode(encode(*decoded)));
    }
  }
}

TEST(RowBatch, HugeCountsDoNotAllocate) {
  const auto with = [](const std::function<void(ByteWriter&)>& rest) {
    std::string bytes;
    ByteWriter out(bytes);
    out.string("db");
    out.string("t");
    rest(out);
    return bytes;
  };
  constexpr uint64_t kHuge = uint64_t{1} << 60;
  const std::string cases[] = {
      with([](ByteWriter& out) { out.varint(kHuge); }),
      with([](ByteWriter& out) { out.varint(0), out.varint(kHuge); }),
      with([](ByteWriter& out) { out.varint(0), out.varint(1), out.string("t"), out.varint(kHuge); }),
      with([](ByteWriter& out) { out.varint(0), out.varint(0), out.varint(kHuge); }),
  };
  for (const std::string& bytes : cases) EXPECT_FALSE(decode(bytes + std::string(64, '\x01')));
}

}  // namespace
}  // namespace varve
