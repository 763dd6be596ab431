// A view of one column of a chunk: typed values, which of them are NULL, or one value that stands for every row.
// Views borrow; they are valid until the owner (a scan block, an expression's buffer) moves on.
// Timestamps and intervals are kInt64 here; their meaning lives in SqlType (scalar.h).
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/model/column.h"

namespace varve {

// Rows evaluated at once: as many as a block of a segment, so that a chunk of a few columns stays in the first-level
// cache.
constexpr size_t kChunkRows = 1024;

struct VectorView {
  FieldType type = FieldType::kDouble;
  bool constant = false;            // entry 0 is the value of every row
  const double* doubles = nullptr;  // only the pointer of `type` is set
  const int64_t* ints = nullptr;
  const uint8_t* bools = nullptr;
  const uint32_t* offsets = nullptr;  // string i is bytes[offsets[i], offsets[i + 1])
  const char* bytes = nullptr;
  const uint8_t* valid = nullptr;  // null = all valid

  size_t entry(size_t row) const { return constant ? 0 : row; }
  bool is_valid(size_t row) const { return valid == nullptr || valid[entry(row)] != 0; }
  bool is_null_constant() const { return constant && valid != nullptr && valid[0] == 0; }
  std::string_view string(size_t row) const {
    const size_t i = entry(row);
    return {bytes + offsets[i], offsets[i + 1] - offsets[i]};
  }
  template <class T>
  const T* values() const;
  VectorView from(size_t row) const;  // the rest of the column, from `row` on
};

template <>
inline const double* VectorView::values<double>() const {
  return doubles;
}
template <>
inline const int64_t* VectorView::values<int64_t>() const {
  return ints;
}
template <>
inline const uint8_t* VectorView::values<uint8_t>() const {
  return bools;
}

VectorView view_of(const ColumnVector& column, bool constant = false);

// Appends entries of `view` to a column of the same type.
void append_entry(ColumnVector& out, const VectorView& view, size_t row);
void append_entries(ColumnVector& out, const VectorView& view, size_t from, size_t count);
void append_selected(ColumnVector& out, const VectorView& view, const std::vector<uint32_t>& rows);

// How many rows from `from` on, at most `count`, have strings of at most `bytes_max` bytes together; at least one row.
struct RowsOfBytes {
  size_t rows = 0;
  uint64_t bytes = 0;  // of their strings
};
RowsOfBytes rows_within(std::span<const VectorView> columns, size_t from, size_t count, uint64_t bytes_max);

// Rows in columnar form: what expressions are evaluated over. Slot i of every chunk of a plan is the same column.
struct Chunk {
  size_t rows = 0;
  std::vector<VectorView> slots;
};

// Holds the picked rows of a chunk, so that what follows a filter sees only rows that passed.
class CompactedChunk {
 public:
  // Copies the rows `selection` of the given slots; other slots are left unset.
  const Chunk& assign(const Chunk& from, const std::vector<uint32_t>& selection,
                      const std::vector<size_t>& slots);
  // The same in steps: no slots at first, then those that add() copies; one that is there stays as it is.
  const Chunk& begin(const Chunk& from, size_t rows);
  void add(const Chunk& from, const std::vector<uint32_t>& selection, const std::vector<size_t>& slots);

 private:
  Chunk chunk_;
  std::vector<ColumnVector> columns_;
  std::vector<uint8_t> added_;  // by slot
};

}  // namespace varve
