#include "storage/segment/statistics.h"

#include <algorithm>
#include <cmath>

#include "storage/codec/double_page.h"
#include "storage/codec/loops.h"

namespace varve {
namespace {

double partial_sums(std::span<const double> values) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += values[i + lane];
  }
  for (; i < values.size(); ++i) sums[0] += values[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// A block without values repeats its neighbour, which costs nothing.
template <class T>
void repeat_last(std::vector<T>& values) {
  values.push_back(values.empty() ? T{} : values.back());
}

std::span<const int64_t> next_page(std::span<const int64_t>& values) {
  const auto page = values.first(std::min(values.size(), kVectorValues));
  values = values.subspan(page.size());
  return page;
}

}  // namespace

DoubleStatistics summarize(std::span<const double> values, std::optional<double> exact_sum) {
  DoubleStatistics s;
  double low = values[0], high = values[0];
  bool nan = false;
  for (const double v : values) {
    low = v < low ? v : low;
    high = v > high ? v : high;
    nan |= v != v;
  }
  const double sum = exact_sum ? *exact_sum : partial_sums(values);
  s.usable = !nan && !std::isnan(sum);
  if (!s.usable) return s;
  s.value[kStatMin] = low;
  s.value[kStatMax] = high;
  s.value[kStatFirst] = values.front();
  s.value[kStatLast] = values.back();
  s.value[kStatSum] = sum;
  return s;
}

IntStatistics summarize(std::span<const int64_t> values) {
  IntStatistics s;
  const MinMax range = min_max(values.data(), values.size());
  int64_t sum = 0;
  bool overflow = false;
  for (const int64_t v : values) overflow |= __builtin_add_overflow(sum, v, &sum);
  s.usable = !overflow;
  if (!s.usable) return s;
  s.value[kStatMin] = range.min;
  s.value[kStatMax] = range.max;
  s.value[kStatFirst] = values.front();
  s.value[kStatLast] = values.back();
  s.value[kStatSum] = sum;
  return s;
}

void append_ints(std::span<const int64_t> values, std::string& out) {
  while (!values.empty()) encode_int_page(next_page(values), Effort::kExhaustive, out);
}

void append_doubles(std::span<const double> values, std::string& out) {
  for (size_t at = 0; at < values.size(); at += kVectorValues) {
    encode_double_page(values.subspan(at, std::min(kVectorValues, values.size() - at)), Effort::kExhaustive,
                       out);
  }
}

std::vector<int64_t> read_ints(ByteReader& reader, size_t n) {
  std::vector<int64_t> values(n);
  for (size_t at = 0; at < n; at += kVectorValues) {
    if (!decode_int_page(reader, std::min(kVectorValues, n - at), values.data() + at)) reader.fail();
    if (!reader.ok()) break;
  }
  return values;
}

std::vector<double> read_doubles(ByteReader& reader, size_t n) {
  std::vector<double> values(n);
  for (size_t at = 0; at < n; at += kVectorValues) {
    if (!decode_double_page(reader, std::min(kVectorValues, n - at), values.data() + at)) reader.fail();
    if (!reader.ok()) break;
  }
  return values;
}

void FieldStatistics::push(const DoubleStatistics& statistics) {
  usable.push_back(statistics.usable);
  for (size_t kind = 0; kind < kStatisticKinds; ++kind) {
    statistics.usable ? doubles[kind].push_back(statistics.value[kind]) : repeat_last(doubles[kind]);
  }
}

void FieldStatistics::push(const IntStatistics& statistics) {
  usable.push_back(statistics.usable);
  for (size_t kind = 0; kind < kStatisticKinds; ++kind) {
    statistics.usable ? ints[kind].push_back(statistics.value[kind]) : repeat_last(ints[kind]);
  }
}

void FieldStatistics::push_empty() {
  if (type == FieldType::kString) return;
  usable.push_back(1);
  for (size_t kind = 0; kind < kStatisticKinds; ++kind) {
    type == FieldType::kDouble ? repeat_last(doubles[kind]) : repeat_last(ints[kind]);
  }
}

void FieldStatistics::encode(std::string& out) const {
  if (type == FieldType::kString) return;
  append_ints(std::vector<int64_t>(usable.begin(), usable.end()), out);
  for (size_t kind = 0; kind < kStatisticKinds; ++kind) {
    type == FieldType::kDouble ? append_doubles(doubles[kind], out) : append_ints(ints[kind], out);
  }
}

void FieldStatistics::decode(ByteReader& reader, size_t blocks) {
  if (type == FieldType::kString) return;
  const std::vector<int64_t> flags = read_ints(reader, blocks);
  usable.resize(blocks);
  for (size_t i = 0; i < blocks; ++i) {
    if (flags[i] != 0 && flags[i] != 1) reader.fail();
    usable[i] = flags[i] == 1;
  }
  for (size_t kind = 0; kind < kStatisticKinds; ++kind) {
    type == FieldType::kDouble ? void(doubles[kind] = read_doubles(reader, blocks))
                               : void(ints[kind] = read_ints(reader, blocks));
  }
}

}  // namespace varve
