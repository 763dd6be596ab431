// RowBatch: columnar rows of one table, the unit passed from decoding to the log, the store and the sinks.
// Every column has one entry per row. Tags are codes into the batch's own dictionary, kAbsentTag where the row lacks
// the tag; an empty tag value means absent. Names are unique within a batch, across tags and fields.
// RowBatchBuilder builds one row by row; it is fast when rows repeat the same columns in the same order.
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/error.h"
#include "storage/model/column.h"

namespace varve {

constexpr uint32_t kAbsentTag = UINT32_MAX;

struct TagColumn {
  std::string name;
  std::vector<std::string> values;  // the dictionary; may hold values no row uses
  std::vector<uint32_t> codes;
};

struct FieldColumn {
  std::string name;
  ColumnVector data;
};

struct RowBatch {
  std::string database;
  std::string table;
  std::vector<int64_t> times;
  std::vector<TagColumn> tags;
  std::vector<FieldColumn> fields;

  size_t rows() const { return times.size(); }
  size_t memory_bytes() const;
  // Keeps the rows whose entry in `keep` is not 0.
  void filter(const std::vector<uint8_t>& keep);
};

// Whether `rows` of `columns` are mostly absent values: every column has an entry for every row, so some kilobytes of rows
// that have no column in common would take gigabytes. Such rows go to several batches.
constexpr bool is_too_sparse(size_t rows, size_t columns, size_t values) {
  constexpr size_t kCellsMin = 4096;       // 32 KiB: never mind (guessed)
  constexpr size_t kCellsPerValueMax = 8;  // 64 bytes, about what a value takes as a line (guessed)
  return rows * columns > kCellsMin && rows * columns > values * kCellsPerValueMax;
}

class RowBatchBuilder {
 public:
  enum class Add { kOk, kTypeConflict, kDuplicate };

  RowBatchBuilder(std::string database, std::string table);

  void begin_row();
  // Within a row, each name once; kDuplicate says it was given before in this row (the first value stays).
  Add tag(std::string_view name, std::string_view value);
  // kTypeConflict: the batch has this field with another type (int64 into a double column is widened, a double into an
  // int64 column widens the column), or the name is a tag.
  Add field_double(std::string_view name, double value);
  Add field_int(std::string_view name, int64_t value);
  Add field_bool(std::string_view name, bool value);
  Add field_string(std::string_view name, std::string_view value);
  void end_row(int64_t time);
  void abandon_row();  // as if begin_row had not been called

  size_t rows() const { return batch_.times.size(); }
  size_t approximate_bytes() const { return approximate_bytes_; }
  bool too_sparse() const {
    return is_too_sparse(rows(), batch_.tags.size() + batch_.fields.size(), values_);
  }
  RowBatch finish();  // leaves the builder empty for the same table

 private:
  struct TagDictionary {
    std::unordered_map<std::string, uint32_t> codes;
    uint32_t last = kAbsentTag;  // streams repeat: try the last value first
  };
  // Position of `name` in the list, appended if new; `next` is where the last row had the column after this.
  template <class Columns>
  static size_t find_column(const Columns& columns, std::string_view name, size_t& next);
  ColumnVector* field_column(std::string_view name, FieldType type, Add& outcome);
  void pad_row();

  RowBatch batch_;
  std::vector<TagDictionary> dictionaries_;  // per tag column
  size_t next_tag_ = 0;
  size_t next_field_ = 0;
  size_t tags_before_row_ = 0;  // columns the current row added go again when it is abandoned
  size_t fields_before_row_ = 0;
  size_t values_before_row_ = 0;
  size_t approximate_bytes_ = 0;
  size_t values_ = 0;  // given, of all rows
};

// A compact byte form, for the log. decode checks every count and length: kCorruption.
void encode_row_batch(const RowBatch& batch, ByteWriter& out);
Result<RowBatch> decode_row_batch(ByteReader& in);

}  // namespace varve
