// Ceilings for the size of pages on seeded data: bits a value with page headers, measured when they were set.
// The first is for settled data, the second for data as it is flushed.
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/data_sets.h"
#include "storage/codec/double_page.h"

namespace varve {
namespace {

double bits_a_value(const bench::DataSet& set, Effort effort) {
  std::string pages;
  for (size_t at = 0; at < set.size(); at += kVectorValues) {  // no page crosses a series
    if (set.is_double) {
      encode_double_page({set.doubles.data() + at, kVectorValues}, effort, pages);
    } else {
      encode_int_page({set.ints.data() + at, kVectorValues}, effort, pages);
    }
  }
  return static_cast<double>(pages.size()) * 8 / static_cast<double>(set.size());
}

struct Ceiling {
  const char* set;
  double settled, flushed;
};

TEST(PageSize, StaysBelowWhatWasMeasuredOnEverySet) {
  static_assert(bench::kSeriesValues % kVectorValues == 0);
  const Ceiling table[] = {
      {"cpu_2dec", 9.31, 9.34},   {"cpu_full", 52.33, 52.56},     {"cpu_int", 3.03, 3.04},
      {"water_ph", 3.22, 3.26},   {"water_temp", 5.03, 5.06},     {"water_turb", 8.70, 8.72},
      {"water_cond", 4.04, 4.05}, {"water_batt", 1.68, 1.97},     {"ts_constant", 0.09, 0.09},
      {"ts_jitter", 8.12, 8.13},  {"ts_jitter_gaps", 8.99, 9.12}, {"ts_drift", 8.12, 8.12},
      {"counter", 10.07, 10.07},
  };
  const auto sets = bench::synthetic_data_sets();
  ASSERT_EQ(sets.size(), std::size(table));
  for (const bench::DataSet& set : sets) {
    const auto* const ceiling =
        std::find_if(std::begin(table), std::end(table), [&](const Ceiling& c) { return set.name == c.set; });
    ASSERT_NE(ceiling, std::end(table)) << set.name;
    EXPECT_LE(bits_a_value(set, Effort::kExhaustive), ceiling->settled) << set.name;
    EXPECT_LE(bits_a_value(set, Effort::kFast), ceiling->flushed) << set.name;
  }
}

}  // namespace
}  // namespace varve
