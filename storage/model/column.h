// One typed column of rows, as it moves between ingest, store and queries.
// Only the vector of the column's type is used; it holds one value per row, zero or empty where the row has none.
// `valid` is empty when every row has a value, else one byte (0 or 1) per row.
// Threads: a value; nothing shared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/types.h"

namespace varve {

// Strings end to end: string i is bytes[offsets[i], offsets[i + 1]).
struct StringColumn {
  std::vector<uint32_t> offsets{0};
  std::string bytes;

  size_t size() const { return offsets.size() - 1; }
  std::string_view operator[](size_t i) const {
    return std::string_view(bytes).substr(offsets[i], offsets[i + 1] - offsets[i]);
  }
  void push_back(std::string_view text) {
    bytes.append(text);
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
  }
  void clear() {
    offsets.assign(1, 0);
    bytes.clear();
  }
};

struct ColumnVector {
  FieldType type = FieldType::kDouble;
  std::vector<double> doubles;
  std::vector<int64_t> ints;
  std::vector<uint8_t> bools;
  StringColumn strings;
  std::vector<uint8_t> valid;

  ColumnVector() = default;
  explicit ColumnVector(FieldType column_type) : type(column_type) {}

  size_t size() const;
  bool is_valid(size_t row) const { return valid.empty() || valid[row] != 0; }
  bool has_nulls() const { return !valid.empty(); }
  Value value(size_t row) const;
  size_t memory_bytes() const;

  void clear();  // keeps the type and the memory
  void push_double(double v) {
    mark_valid();
    doubles.push_back(v);
  }
  void push_int(int64_t v) {
    mark_valid();
    ints.push_back(v);
  }
  void push_bool(bool v) {
    mark_valid();
    bools.push_back(v ? 1 : 0);
  }
  void push_string(std::string_view v) {
    mark_valid();
    strings.push_back(v);
  }
  void push_null();
  void push_value(
      const Value& value);  // monostate, or a value of this type (int64 is widened for a double column)
  // Appends row `row` of `other`: same type, or other is int64 and this is double.
  void push_from(const ColumnVector& other, size_t row);
  // Appends rows [from, to) of `other`, types as for push_from.
  void push_range(const ColumnVector& other, size_t from, size_t to);
  void push_nulls(size_t count);
  void keep_range(size_t from, size_t to);  // drops the rows before `from` and from `to` on
  // Turns an int64 column into a double column.
  void widen_to_double();

 private:
  void mark_valid() {
    if (!valid.empty()) valid.push_back(1);
  }
};

}  // namespace varve
