#include "ingest/decode/row_set.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/batch_text.h"

namespace varve {
namespace {

using Add = RowBatchBuilder::Add;

TEST(RowSet, KeepsTheMessageOfEachRow) {
  RowSet rows;
  const auto fill = [](RowBatchBuilder& b) { return b.field_int("v", 1); };
  rows.set_message(7);
  rows.add_row("db", "a", 1, fill);
  rows.add_row("db", "b", 2, fill);
  rows.set_message(9);
  rows.add_row("db", "a", 3, fill);
  EXPECT_EQ(rows.rows(), 3U);
  EXPECT_GT(rows.approximate_bytes(), 0U);
  const RowSet::Taken taken = rows.take();
  EXPECT_EQ(batch_texts(taken.batches),
            (std::vector<std::string>{"db.a  v=i:1 1", "db.a  v=i:1 3", "db.b  v=i:1 2"}));
  EXPECT_EQ(taken.messages, (std::vector<std::vector<uint32_t>>{{7, 9}, {7}}));
  EXPECT_EQ(rows.rows(), 0U);
  EXPECT_TRUE(rows.take().batches.empty());
}

TEST(RowSet, PutsRowsOfContradictingTypesInBatchesOfTheirOwn) {
  RowSet rows;
  const auto text = [](RowBatchBuilder& b) { return b.field_string("v", "poison"); };
  const auto number = [](RowBatchBuilder& b) { return b.field_double("v", 0.5); };
  EXPECT_EQ(rows.add_row("db", "t", 1, text), Add::kOk);
  EXPECT_EQ(rows.add_row("db", "t", 2, number), Add::kOk);
  EXPECT_EQ(rows.add_row("db", "t", 3, text), Add::kOk);
  EXPECT_EQ(rows.add_row("db", "t", 4, number), Add::kOk);
  const RowSet::Taken taken = rows.take();
  ASSERT_EQ(taken.batches.size(), 2U);
  EXPECT_EQ(batch_texts({taken.batches[0]}),
            (std::vector<std::string>{"db.t  v=s:poison 1", "db.t  v=s:poison 3"}));
  EXPECT_EQ(batch_texts({taken.batches[1]}),
            (std::vector<std::string>{"db.t  v=d:0.5 2", "db.t  v=d:0.5 4"}));
}

TEST(RowSet, RowsWithNoColumnInCommonAreManySmallBatches) {
  RowSet rows;
  constexpr int kRows = 5000;
  for (int i = 0; i < kRows; ++i) {
    rows.set_message(static_cast<uint32_t>(i));
    const auto fill = [&](RowBatchBuilder& b) { return b.field_int("f" + std::to_string(i), 1); };
    ASSERT_EQ(rows.add_row("db", "t", i, fill), Add::kOk);
  }
  const RowSet::Taken taken = rows.take();
  EXPECT_LT(cells(taken.batches), size_t{kRows} * kRows / 8);
  size_t row = 0;
  for (size_t batch = 0; batch < taken.batches.size(); ++batch) {
    for (size_t i = 0; i < taken.batches[batch].rows(); ++i, ++row) {
      EXPECT_EQ(taken.batches[batch].times[i], static_cast<int64_t>(row));
      EXPECT_EQ(taken.messages[batch][i], row);
    }
  }
  EXPECT_EQ(row, size_t{kRows});
}

TEST(RowSet, WideRowsOfTheSameColumnsAreOneBatch) {
  RowSet rows;
  constexpr int kRows = 1000;
  for (int i = 0; i < kRows; ++i) {
    const auto fill = [&](RowBatchBuilder& b) {
      Add outcome = Add::kOk;
      for (int k = 0; k < 1000 && outcome == Add::kOk; k += 1 + (i + k) % 7)  // some columns of them
        outcome = b.field_int("f" + std::to_string(k), i);
      return outcome;
    };
    ASSERT_EQ(rows.add_row("db", "t", i, fill), Add::kOk);
  }
  EXPECT_EQ(rows.take().batches.size(), 1U);
}

TEST(RowSet, RefusesARowThatNoBatchCanHold) {
  RowSet rows;
  const auto both = [](RowBatchBuilder& b) {
    b.tag("v", "x");
    return b.field_int("v", 1);
  };
  EXPECT_EQ(rows.add_row("db", "t", 1, both), Add::kTypeConflict);
  const auto twice = [](RowBatchBuilder& b) {
    b.field_int("v", 1);
    return b.field_int("v", 2);
  };
  EXPECT_EQ(rows.add_row("db", "t", 1, twice), Add::kDuplicate);
  EXPECT_EQ(rows.rows(), 0U);
  EXPECT_TRUE(rows.take().batches.empty());
}

TEST(RowSet, TakesBackEverythingARefusedRowAdded) {
  RowSet rows;
  const auto good = [](RowBatchBuilder& b) {
    b.tag("t", "x");
    b.field_string("s", "abc");
    b.field_bool("b", true);
    b.field_int("i", 1);
    return b.field_double("d", 1.5);
  };
  const auto bad = [](RowBatchBuilder& b) {
    b.tag("t", "y");
    b.tag("new", "y");
    b.field_string("s", "refused");
    b.field_bool("b", false);
    b.field_int("i", 2);
    b.field_double("d", 2.5);
    return b.field_double("d", 2.5);
  };
  rows.add_row("db", "t", 1, good);
  EXPECT_EQ(rows.add_row("db", "t", 2, bad), Add::kDuplicate);
  rows.add_row("db", "t", 3, [](RowBatchBuilder& b) { return b.field_int("i", 3); });
  EXPECT_EQ(rows.add_row("db", "t", 4, bad), Add::kDuplicate);
  rows.add_row("db", "t", 5, good);
  EXPECT_EQ(take_texts(rows),
            (std::vector<std::string>{"db.t t=x b=b:true,d=d:1.5,i=i:1,s=s:abc 1", "db.t  i=i:3 3",
                                      "db.t t=x b=b:true,d=d:1.5,i=i:1,s=s:abc 5"}));
}

}  // namespace
}  // namespace varve
