// Writer and reader together: what is written comes back, and nothing else does.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/storage/segment/table.h"

namespace varve {
namespace {

using testing::Random;
using testing::TableShape;
using testing::TestTable;

std::shared_ptr<const SegmentReader> open_image(std::string image) {
  auto segment = SegmentReader::open(memory_source(std::move(image)), "segment 42");
  EXPECT_TRUE(segment) << segment.error().message;
  return segment ? *segment : nullptr;
}

TEST(Segment, ReturnsRowsTagsAndStatisticsOfEveryShape) {
  const TableShape shapes[] = {
      {.series = 1, .rows_min = 1, .rows_max = 1},
      {.series = 1, .rows_min = 5000, .rows_max = 5000},
      {.series = 40, .rows_min = 1, .rows_max = 20},
      {.series = 300, .rows_min = 1, .rows_max = 5},
      {.series = 20, .rows_min = 100, .rows_max = 160},
      {.series = 8, .rows_min = 900, .rows_max = 1200},
      {.series = 30, .rows_min = 1, .rows_max = 3000},
      {.series = 5, .rows_min = 1024, .rows_max = 1024},
      {.series = 12, .rows_min = 1, .rows_max = 2000, .nulls = false},
  };
  uint64_t seed = 0;
  for (const TableShape& shape : shapes) {
    for (const size_t chunk : {1, 700, 100000}) {
      SCOPED_TRACE("seed " + std::to_string(++seed));
      Random random(seed);
      const TestTable table = testing::random_table(random, shape);
      auto image = testing::write_table(table, {42, 1, 2, 0, {}, {}},
                                        seed % 2 ? Effort::kFast : Effort::kExhaustive, chunk);
      ASSERT_TRUE(image) << image.error().message;
      const auto segment = open_image(std::move(*image));
      ASSERT_NE(segment, nullptr);
      ASSERT_EQ(testing::difference(segment, table), "");
      const auto verified = segment->verify();
      ASSERT_TRUE(verified) << verified.error().message;
    }
  }
}

TEST(Segment, KeepsItsIdentity) {
  Random random(1);
  const TestTable table = testing::random_table(random, {.series = 2, .rows_max = 10});
  const auto segment = open_image(*testing::write_table(table, {42, 7, 19, 23, {3, 5, 8}, {40, 41}}));
  EXPECT_EQ(segment->identity().id, 42u);
  EXPECT_EQ(segment->identity().first_lsn, 7u);
  EXPECT_EQ(segment->identity().last_lsn, 19u);
  EXPECT_EQ(segment->identity().applied_lsn, 23u);
  EXPECT_EQ(segment->identity().replaces, (std::vector<uint64_t>{3, 5, 8}));
  EXPECT_EQ(segment->identity().parts, (std::vector<uint64_t>{40, 41}));
  EXPECT_EQ(segment->find_field("count"), 2u);
  EXPECT_EQ(segment->find_field("nothing"), std::nullopt);
}

TEST(Segment, GivesLargeSeriesTheirOwnBlocksAndPacksSmallOnes) {
  Random random(2);
  const TestTable small = testing::random_table(random, {.series = 1000, .rows_min = 10, .rows_max = 10});
  EXPECT_LE(open_image(*testing::write_table(small, {1, 1, 1, 0, {}, {}}))->blocks(), 10u);

  const TestTable large =
      testing::random_table(random, {.series = 10, .rows_min = kOwnBlockRows, .rows_max = 3000});
  const auto segment = open_image(*testing::write_table(large, {1, 1, 1, 0, {}, {}}));
  const SegmentDirectory& d = **segment->directory();
  for (size_t s = 0; s < d.series(); ++s) {
    const auto [first, last] = d.series_blocks(s);
    EXPECT_EQ(last - first + 1, (d.series_rows(s) + kBlockRowsMax - 1) / kBlockRowsMax);
    EXPECT_EQ(d.slice(s, first).begin, 0u) << "a large series starts a block";
  }
}

TEST(Segment, FindsNoSeriesThatIsNotThere) {
  Random random(3);
  const TestTable table = testing::random_table(random, {.series = 50, .rows_max = 3});
  const auto segment = open_image(*testing::write_table(table, {1, 1, 1, 0, {}, {}}));
  const SegmentDirectory& d = **segment->directory();
  for (const auto& [key, series] : table.series) {
    EXPECT_EQ(d.find_series(key + "x"), d.series());
    EXPECT_EQ(d.find_series(key.substr(0, key.size() - 1)), d.series());
  }
  EXPECT_EQ(d.find_series(""), d.series());
}

TEST(Segment, CountsValuesAndGivesStatisticsOfAllBlocksAtOnce) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}},
                       {"d", "t", {}, {{"x", FieldType::kDouble}, {"s", FieldType::kString}}, {}},
                       Effort::kFast);
  std::vector<ColumnVector> columns = {ColumnVector(FieldType::kDouble), ColumnVector(FieldType::kString)};
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 3000; ++i) {
    times.push_back(i);
    i % 10 == 0 ? columns[0].push_null()
                : columns[0].push_double(i >= 1024 && i < 2048 ? std::nan("") : static_cast<double>(i));
    columns[1].push_string("on");
  }
  ASSERT_TRUE(writer.begin_series({}));
  ASSERT_TRUE(writer.append(times, columns, 0));
  const auto segment = open_image(*writer.finish());
  const FieldBlocks blocks = *segment->field_blocks(0);
  ASSERT_EQ(segment->blocks(), 3u);
  EXPECT_EQ(blocks.count(0), 1024u - 103);
  EXPECT_EQ(blocks.count(2), 952u - 95);
  EXPECT_TRUE(blocks.usable(0));
  EXPECT_FALSE(blocks.usable(1)) << "NaN";
  EXPECT_EQ(blocks.statistics(2).first, 2048);
  EXPECT_EQ(blocks.columns().doubles[kStatLast], (std::vector<double>{1023, 1023, 2999}));
  EXPECT_FALSE(segment->field_blocks(1)->usable(0)) << "strings have none";
  EXPECT_EQ(segment->field_blocks(1)->count(2), 952u);
}

TEST(Segment, HoldsASeriesWithoutTags) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, {"d", "t", {}, {}, {}}, Effort::kFast);
  const std::vector<int64_t> times = {1, 2, 3};
  ASSERT_TRUE(writer.begin_series({}));
  ASSERT_TRUE(writer.append(times, {}, 0));
  const auto segment = open_image(*writer.finish());
  EXPECT_EQ((*segment->directory())->find_series(""), 0u);
  EXPECT_TRUE(segment->verify());
}

TEST(Segment, CutsBlocksBeforeTheirStringsGrowTooLarge) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, {"d", "t", {}, {{"text", FieldType::kString}}, {}},
                       Effort::kFast);
  ASSERT_TRUE(writer.begin_series({}));
  std::vector<ColumnVector> columns(1, ColumnVector(FieldType::kString));
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 20; ++i) {
    times.push_back(i);
    columns[0].push_string(std::string(1 << 20, static_cast<char>('a' + i)));
  }
  ASSERT_TRUE(writer.append(times, columns, 0));
  const auto segment = open_image(*writer.finish());
  EXPECT_EQ(segment->blocks(), 5u);
  EXPECT_TRUE(segment->verify());
  BlockReader reader(segment);
  ColumnVector text;
  ASSERT_TRUE(reader.read_field(4, 0, text));
  EXPECT_EQ(text.strings[3], columns[0].strings[19]);
}

TEST(Segment, LeavesStatisticsOutWhereTheyWouldLie) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}},
                       {"d", "t", {}, {{"x", FieldType::kDouble}, {"n", FieldType::kInt64}}, {}},
                       Effort::kFast);
  ASSERT_TRUE(writer.begin_series({}));
  std::vector<ColumnVector> columns = {ColumnVector(FieldType::kDouble), ColumnVector(FieldType::kInt64)};
  columns[0].doubles = {1, std::nan(""), 3};
  columns[1].ints = {INT64_MAX, 1, 1};
  ASSERT_TRUE(writer.append(std::vector<int64_t>{1, 2, 3}, columns, 0));
  const auto segment = open_image(*writer.finish());
  EXPECT_EQ((*segment->statistics(0, 0)).has_value(), false) << "NaN";
  EXPECT_EQ((*segment->statistics(0, 1)).has_value(), false) << "the sum overflows";
  EXPECT_TRUE(segment->verify());
}

TEST(Segment, AddsDecimalsExactly) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, {"d", "t", {}, {{"x", FieldType::kDouble}}, {}}, Effort::kFast);
  ASSERT_TRUE(writer.begin_series({}));
  std::vector<ColumnVector> columns(1, ColumnVector(FieldType::kDouble));
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 1000; ++i) {
    times.push_back(i);
    columns[0].push_double(0.1);
  }
  ASSERT_TRUE(writer.append(times, columns, 0));
  const auto segment = open_image(*writer.finish());
  EXPECT_EQ((*segment->statistics(0, 0))->sum, 100.0);
}

TEST(SegmentWriter, RefusesRowsThatAreOutOfOrderOrDoNotFitTheSchema) {
  const SegmentSchema schema{"d", "t", {"a", "b"}, {{"x", FieldType::kDouble}}, {}};
  std::vector<ColumnVector> columns(1, ColumnVector(FieldType::kDouble));
  columns[0].doubles = {1, 2};
  const std::vector<int64_t> times = {10, 20};
  const auto writer = [&] { return SegmentWriter({1, 1, 1, 0, {}, {}}, schema, Effort::kFast); };
  const auto expect_refused = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  };
  {
    auto w = writer();
    expect_refused(w.append(times, columns, 0));  // before a series
    expect_refused(w.finish());                   // nothing
  }
  {
    auto w = writer();
    ASSERT_TRUE(w.begin_series({{"a", "2"}}));
    expect_refused(w.begin_series({{"a", "3"}}));  // the first has no rows
    expect_refused(w.finish());
    ASSERT_TRUE(w.append(times, columns, 0));
    expect_refused(w.append(times, columns, 0));                         // times again
    expect_refused(w.append(std::vector<int64_t>{21, 21}, columns, 0));  // a time twice
    expect_refused(w.append(std::vector<int64_t>{30, 31}, columns, 1));  // too few rows
    expect_refused(w.append(std::vector<int64_t>{30}, {}, 0));           // no columns
    expect_refused(
        w.append(std::vector<int64_t>{30}, std::vector<ColumnVector>(1, ColumnVector(FieldType::kInt64)), 0));
    expect_refused(w.begin_series({{"a", "2"}}));              // the same key
    expect_refused(w.begin_series({{"a", "1"}}));              // a smaller key
    expect_refused(w.begin_series({{"a", "3"}, {"c", "1"}}));  // a tag outside the schema
  }
}

class SegmentFile : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 ("varve_segment_" + std::to_string(::getpid()) + "_" +
                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
};

// Counts the reads of a source that does not lie in memory.
class CountingSource : public ByteSource {
 public:
  explicit CountingSource(std::string bytes) : inner_(memory_source(std::move(bytes))) {}
  uint64_t size() const override { return inner_->size(); }
  Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
    ++reads;
    return inner_->read(offset, out);
  }
  mutable std::atomic<int> reads{0};

 private:
  std::shared_ptr<const ByteSource> inner_;
};

TEST_F(SegmentFile, ReadsFromAFileAsFromMemory) {
  Random random(4);
  const TestTable table = testing::random_table(random, {.series = 6, .rows_min = 500, .rows_max = 3000});
  const std::string path = (directory_ / "1.seg").string();
  ASSERT_TRUE(real_file_system().write_atomically(path, *testing::write_table(table, {1, 1, 1, 0, {}, {}})));
  auto source = file_source(std::move(*real_file_system().open_read(path)));
  ASSERT_TRUE(source);
  auto segment = SegmentReader::open(*source, path);
  ASSERT_TRUE(segment) << segment.error().message;
  EXPECT_EQ(testing::difference(*segment, table), "");
  EXPECT_TRUE((*segment)->verify());
}

TEST(BlockReader, ReadsEverMorePagesInOneCallWhileItGoesStraightOn) {
  Random random(5);
  const TestTable table =
      testing::random_table(random, {.series = 1, .rows_min = 20000, .rows_max = 20000, .nulls = false});
  auto source = std::make_shared<CountingSource>(*testing::write_table(table, {1, 1, 1, 0, {}, {}}));
  const auto segment = *SegmentReader::open(source, "segment 1");
  EXPECT_EQ(source->reads, 3) << "footer, header, index";
  ASSERT_TRUE(segment->field_index(0));
  ASSERT_TRUE(segment->field_index(0));
  EXPECT_EQ(source->reads, 6) << "series, blocks, the column's index; once";
  std::vector<int64_t> times;
  ASSERT_TRUE(BlockReader(segment).read_times(0, times));
  const int at_open = source->reads;
  BlockReader scan(segment);
  ASSERT_GE(segment->blocks(), 19U);
  for (size_t b = 0; b < segment->blocks(); ++b) ASSERT_TRUE(scan.read_times(b, times));
  const int reads = source->reads - at_open;
  EXPECT_LE(reads, 5) << "1 page, 4, 16 and so on; pages differ a little in size";
  BlockReader points(segment);
  for (size_t b = 0; b < 18; b += 2) ASSERT_TRUE(points.read_times(b, times));
  EXPECT_EQ(source->reads - at_open - reads, 9) << "nothing is read for who looks here and there";
  BlockReader modest(segment, 0);
  for (size_t b = 0; b < 9; ++b) ASSERT_TRUE(modest.read_times(b, times));
  EXPECT_EQ(source->reads - at_open - reads, 18) << "a page at a time where nothing may be read ahead";
}

TEST(SegmentReader, ServesManyThreadsAtOnce) {
  Random random(6);
  const TestTable table = testing::random_table(random, {.series = 10, .rows_max = 2000});
  const auto segment = open_image(*testing::write_table(table, {1, 1, 1, 0, {}, {}}));
  std::vector<std::string> differences(4, "not run");
  {
    std::vector<std::jthread> threads;
    for (std::string& d : differences) threads.emplace_back([&] { d = testing::difference(segment, table); });
  }
  for (const std::string& d : differences) EXPECT_EQ(d, "");
}

}  // namespace
}  // namespace varve
