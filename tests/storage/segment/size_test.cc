// Ceilings for the size of whole segments on seeded data, at the effort of settled data.
#include <gtest/gtest.h>

#include "bench/segment_shapes.h"
#include "tests/storage/segment/table.h"

namespace varve {
namespace {

double bytes_a_row(const bench::Shape& shape, Effort effort = Effort::kExhaustive) {
  return static_cast<double>(bench::write_segment(shape, effort).size()) /
         static_cast<double>(shape.all_rows());
}
double bits_a_value(const bench::Shape& shape) {
  return bytes_a_row(shape) * 8 / static_cast<double>(shape.fields.size());
}

TEST(SegmentSize, WaterSegmentOfTheFormatNotesStaysBelow4BytesARow) {
  const bench::Shape water = bench::water();
  ASSERT_EQ(water.all_rows(), 614'400u);
  ASSERT_EQ(water.fields.size(), 5u);
  EXPECT_LE(bytes_a_row(water), 3.92);
  EXPECT_LE(bytes_a_row(water, Effort::kFast), 3.97) << "as it is flushed";
}

TEST(SegmentSize, ReferenceSetsStayBelowTheirBitsAValueWithEverythingCounted) {
  EXPECT_LE(bits_a_value(bench::cpu("a", 10, 8640, false)), 9.5);
  EXPECT_LE(bits_a_value(bench::cpu("b", 10, 8640, true)), 53);
  EXPECT_LE(bits_a_value(bench::sensors("i", 100, 1440)), 6.4);
}

TEST(SegmentSize, ManySmallSeriesCostLittleMoreThanAFewLargeOnes) {
  EXPECT_LE(bytes_a_row(bench::sensors("long", 1, 100'000)), 4.8);
  EXPECT_LE(bytes_a_row(bench::sensors("wide", 10'000, 10)), 5.3);
}

}  // namespace
}  // namespace varve
