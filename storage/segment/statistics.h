// Statistics of one column in one block, as the index keeps them: of the values there are, nulls left out.
// Usable: exact and meaningful, so an aggregate may take them instead of the rows. Not usable: a NaN among
// the values, a sum that is NaN or leaves int64. Strings have none. Sums of decimals are added as integers
// and rounded once; other doubles in four interleaved partial sums. Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/codec/int_page.h"
#include "storage/scan.h"

namespace varve {

enum StatisticKind : size_t { kStatMin, kStatMax, kStatFirst, kStatLast, kStatSum, kStatisticKinds };

struct DoubleStatistics {
  double value[kStatisticKinds] = {};
  bool usable = true;
};
struct IntStatistics {
  int64_t value[kStatisticKinds] = {};
  bool usable = true;
};

// n >= 1. `exact_sum` comes from the encoder when the values are decimals.
DoubleStatistics summarize(std::span<const double> values, std::optional<double> exact_sum);
IntStatistics summarize(std::span<const int64_t> values);

// INTS and DOUBLES of the index: pages of 1024 values. Reading fails on the reader, which remembers.
void append_ints(std::span<const int64_t> values, std::string& out);
void append_doubles(std::span<const double> values, std::string& out);
std::vector<int64_t> read_ints(ByteReader& reader, size_t n);
std::vector<double> read_doubles(ByteReader& reader, size_t n);

// The statistics of one field over all blocks. Of the two lists only that of the field's type is filled.
struct FieldStatistics {
  FieldType type = FieldType::kDouble;
  std::vector<uint8_t> usable;
  std::vector<double> doubles[kStatisticKinds];
  std::vector<int64_t> ints[kStatisticKinds];

  void push(const DoubleStatistics& statistics);
  void push(const IntStatistics& statistics);
  void push_empty();  // a block of nulls only
  ColumnStatistics at(size_t block, uint64_t count) const;

  void encode(std::string& out) const;
  void decode(ByteReader& reader, size_t blocks);
};

inline ColumnStatistics FieldStatistics::at(size_t block, uint64_t count) const {
  ColumnStatistics s;
  s.count = count;
  if (count == 0) return s;
  if (type == FieldType::kDouble) {
    s.min = doubles[kStatMin][block];
    s.max = doubles[kStatMax][block];
    s.first = doubles[kStatFirst][block];
    s.last = doubles[kStatLast][block];
    s.sum = doubles[kStatSum][block];
  } else {
    s.min_int = ints[kStatMin][block];
    s.max_int = ints[kStatMax][block];
    s.first_int = ints[kStatFirst][block];
    s.last_int = ints[kStatLast][block];
    s.sum_int = ints[kStatSum][block];
  }
  return s;
}

}  // namespace varve
