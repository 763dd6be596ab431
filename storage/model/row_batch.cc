#include "storage/model/row_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/same_text.h"

namespace varve {
namespace {

template <class T>
void keep_rows(std::vector<T>& values, const std::vector<uint8_t>& keep) {
  size_t to = 0;
  for (size_t row = 0; row < values.size(); ++row) {
    if (keep[row] != 0) values[to++] = values[row];
  }
  values.resize(to);
}

void keep_rows(ColumnVector& column, const std::vector<uint8_t>& keep) {
  if (column.type == FieldType::kString) {
    StringColumn kept;
    for (size_t row = 0; row < column.strings.size(); ++row) {
      if (keep[row] != 0) kept.push_back(column.strings[row]);
    }
    column.strings = std::move(kept);
  }
  if (column.type == FieldType::kDouble) keep_rows(column.doubles, keep);
  if (column.type == FieldType::kInt64) keep_rows(column.ints, keep);
  if (column.type == FieldType::kBool) keep_rows(column.bools, keep);
  if (column.has_nulls()) keep_rows(column.valid, keep);
}

void drop_last(ColumnVector& column) {
  switch (column.type) {
    case FieldType::kDouble:
      column.doubles.pop_back();
      break;
    case FieldType::kInt64:
      column.ints.pop_back();
      break;
    case FieldType::kBool:
      column.bools.pop_back();
      break;
    case FieldType::kString:
      column.strings.offsets.pop_back();
      column.strings.bytes.resize(column.strings.offsets.back());
      break;
  }
  if (column.has_nulls()) column.valid.pop_back();
}

// ColumnVector::size(), asked for every value that is added, without a call.
size_t size_of(const ColumnVector& column) {
  return column.type == FieldType::kDouble ? column.doubles.size() : column.size();
}

// The dictionary's code of a value that is not the row before's; kAbsentTag when a hash must decide. Streams repeat their
// series in order, so it is often the value that came after the last one; and a few values are sooner compared.
constexpr size_t kFewValues = 8;
uint32_t guessed_code(const TagColumn& column, uint32_t last, std::string_view value) {
  const size_t values = column.values.size();
  if (values == 0) return kAbsentTag;
  const uint32_t after = last == kAbsentTag || last + size_t{1} == values ? 0 : last + 1;
  if (same_text(column.values[after], value)) return after;
  for (uint32_t code = 0; values <= kFewValues && code < values; ++code) {
    if (same_text(column.values[code], value)) return code;
  }
  return kAbsentTag;
}

// ---- bytes ----
// batch:  string database | string table | varint rows | rows x signed varint time delta
//         varint tag columns | per column: string name | varint values | values x string | rows x varint code + 1
//         varint fields      | per field:  string name | u8 type | u8 nulls [rows bytes] | values
// nulls:  0 = none; 1 = there are; 2 = there are, and the values are of the other rows only: doubles
// values: double 8 bytes each; int64 signed varints; bool bytes; string: rows x string
constexpr uint8_t kNoNulls = 0, kNulls = 1, kNullsLeftOut = 2;

void encode_values(const ColumnVector& column, ByteWriter& out) {
  switch (column.type) {
    case FieldType::kDouble:
      out.array(column.doubles.data(), column.doubles.size());
      break;
    case FieldType::kInt64:
      out.varints(column.ints.size(), [&](size_t i) { return zigzag(column.ints[i]); });
      break;
    case FieldType::kBool:
      out.array(column.bools.data(), column.bools.size());
      break;
    case FieldType::kString:
      for (size_t row = 0; row < column.strings.size(); ++row) out.string(column.strings[row]);
      break;
  }
}

void encode_valid_doubles(const ColumnVector& column, ByteWriter& out) {
  for (size_t row = 0; row < column.doubles.size(); ++row) {
    if (column.valid[row] != 0) out.array(&column.doubles[row], 1);
  }
}

void decode_valid_doubles(ByteReader& in, ColumnVector& column) {
  column.doubles.assign(column.valid.size(), 0);
  for (size_t row = 0; row < column.valid.size() && in.ok(); ++row) {
    if (column.valid[row] != 0) in.array(&column.doubles[row], 1);
  }
}

void decode_values(ByteReader& in, size_t rows, ColumnVector& column) {
  switch (column.type) {
    case FieldType::kDouble:
      column.doubles.resize(rows);
      in.array(column.doubles.data(), rows);
      break;
    case FieldType::kInt64:
      column.ints.resize(rows);
      for (auto& v : column.ints) v = in.signed_varint();
      break;
    case FieldType::kBool:
      column.bools.resize(rows);
      in.array(column.bools.data(), rows);
      for (const uint8_t b : column.bools) {
        if (b > 1) in.fail();
      }
      break;
    case FieldType::kString:
      for (size_t row = 0; row < rows && in.ok(); ++row) column.strings.push_back(in.string());
      break;
  }
}

TagColumn decode_tag(ByteReader& in, size_t rows) {
  TagColumn tag;
  tag.name = in.string();
  const uint64_t values = in.varint();
  if (values > in.remaining()) in.fail();
  for (uint64_t i = 0; i < values && in.ok(); ++i) tag.values.emplace_back(in.string());
  tag.codes.reserve(in.ok() ? rows : 0);
  for (size_t row = 0; row < rows && in.ok(); ++row) {
    const uint64_t code = in.varint();
    if (code > values) in.fail();
    tag.codes.push_back(code == 0 ? kAbsentTag : static_cast<uint32_t>(code - 1));
  }
  return tag;
}

FieldColumn decode_field(ByteReader& in, size_t rows) {
  FieldColumn field;
  field.name = in.string();
  const auto type = field_type_from_byte(in.u8());
  if (!type) {
    in.fail();
    return field;
  }
  field.data.type = *type;
  const uint8_t nulls = in.u8();
  if (nulls > kNullsLeftOut) in.fail();
  if (nulls != kNoNulls && rows <= in.remaining()) {
    field.data.valid.resize(rows);
    in.array(field.data.valid.data(), rows);
    for (const uint8_t v : field.data.valid) {
      if (v > 1) in.fail();
    }
    if (nulls == kNullsLeftOut) {
      if (*type != FieldType::kDouble) in.fail();
      if (in.ok()) decode_valid_doubles(in, field.data);
      return field;
    }
  }
  // Every value takes at least a byte, so a declared count beyond the input cannot allocate.
  if (rows > in.remaining()) in.fail();
  if (in.ok()) decode_values(in, rows, field.data);
  return field;
}

}  // namespace

size_t RowBatch::memory_bytes() const {
  size_t bytes = times.capacity() * sizeof(int64_t);
  for (const TagColumn& tag : tags) {
    bytes += tag.codes.capacity() * sizeof(uint32_t);
    for (const std::string& value : tag.values) bytes += sizeof value + value.capacity();
  }
  for (const FieldColumn& field : fields) bytes += field.data.memory_bytes();
  return bytes;
}

void RowBatch::filter(const std::vector<uint8_t>& keep) {
  VARVE_CHECK(keep.size() == rows());
  for (TagColumn& tag : tags) keep_rows(tag.codes, keep);
  for (FieldColumn& field : fields) keep_rows(field.data, keep);
  keep_rows(times, keep);
}

RowBatchBuilder::RowBatchBuilder(std::string database, std::string table) {
  batch_.database = std::move(database);
  batch_.table = std::move(table);
}

void RowBatchBuilder::begin_row() {
  next_tag_ = 0;
  next_field_ = 0;
  tags_before_row_ = batch_.tags.size();
  fields_before_row_ = batch_.fields.size();
  values_before_row_ = values_;
}

template <class Columns>
size_t RowBatchBuilder::find_column(const Columns& columns, std::string_view name, size_t& next) {
  // Rows mostly name their columns in one order, and some leave some out: it is at `next` or soon after.
  const auto is_it = [&](const auto& column) { return same_text(column.name, name); };
  const auto from = columns.begin() + static_cast<std::ptrdiff_t>(std::min(next, columns.size()));
  auto found = std::find_if(from, columns.end(), is_it);
  if (found == columns.end()) {
    const auto before = std::find_if(columns.begin(), from, is_it);
    if (before != from) found = before;
  }
  const auto at = static_cast<size_t>(found - columns.begin());
  next = at + 1;
  return at;
}

RowBatchBuilder::Add RowBatchBuilder::tag(std::string_view name, std::string_view value) {
  if (value.empty()) return Add::kOk;
  const size_t at = find_column(batch_.tags, name, next_tag_);
  if (at == batch_.tags.size()) {
    for (const FieldColumn& field : batch_.fields) {
      if (field.name == name) return Add::kTypeConflict;
    }
    batch_.tags.push_back({std::string(name), {}, {}});
    batch_.tags.back().codes.assign(rows(), kAbsentTag);
    dictionaries_.emplace_back();
    approximate_bytes_ += rows() * sizeof(uint32_t);
  }
  TagColumn& column = batch_.tags[at];
  TagDictionary& dictionary = dictionaries_[at];
  if (column.codes.size() > rows()) return Add::kDuplicate;
  if (dictionary.last == kAbsentTag || !same_text(column.values[dictionary.last], value)) {
    dictionary.last = guessed_code(column, dictionary.last, value);
  }
  if (dictionary.last == kAbsentTag) {
    const auto [entry, added] =
        dictionary.codes.try_emplace(std::string(value), static_cast<uint32_t>(column.values.size()));
    if (added) {
      column.values.emplace_back(value);
      approximate_bytes_ += value.size() + sizeof(std::string);
    }
    dictionary.last = entry->second;
  }
  column.codes.push_back(dictionary.last);
  ++values_;
  return Add::kOk;
}

ColumnVector* RowBatchBuilder::field_column(std::string_view name, FieldType type, Add& outcome) {
  const size_t at = find_column(batch_.fields, name, next_field_);
  if (at == batch_.fields.size()) {
    for (const TagColumn& tag : batch_.tags) {
      if (tag.name == name) {
        outcome = Add::kTypeConflict;
        return nullptr;
      }
    }
    batch_.fields.push_back({std::string(name), ColumnVector(type)});
    batch_.fields.back().data.push_nulls(rows());
    approximate_bytes_ += rows() * sizeof(double);
  }
  ColumnVector& column = batch_.fields[at].data;
  if (size_of(column) > rows()) {
    outcome = Add::kDuplicate;
    return nullptr;
  }
  if (column.type == FieldType::kInt64 && type == FieldType::kDouble) column.widen_to_double();
  const bool widened_value = column.type == FieldType::kDouble && type == FieldType::kInt64;
  outcome = column.type == type || widened_value ? Add::kOk : Add::kTypeConflict;
  if (outcome != Add::kOk) return nullptr;
  ++values_;
  return &column;
}

RowBatchBuilder::Add RowBatchBuilder::field_double(std::string_view name, double value) {
  Add outcome = Add::kOk;
  if (ColumnVector* column = field_column(name, FieldType::kDouble, outcome)) column->push_double(value);
  return outcome;
}

RowBatchBuilder::Add RowBatchBuilder::field_int(std::string_view name, int64_t value) {
  Add outcome = Add::kOk;
  if (ColumnVector* column = field_column(name, FieldType::kInt64, outcome)) {
    if (column->type == FieldType::kDouble) {
      column->push_double(static_cast<double>(value));
    } else {
      column->push_int(value);
    }
  }
  return outcome;
}

RowBatchBuilder::Add RowBatchBuilder::field_bool(std::string_view name, bool value) {
  Add outcome = Add::kOk;
  if (ColumnVector* column = field_column(name, FieldType::kBool, outcome)) column->push_bool(value);
  return outcome;
}

RowBatchBuilder::Add RowBatchBuilder::field_string(std::string_view name, std::string_view value) {
  Add outcome = Add::kOk;
  if (ColumnVector* column = field_column(name, FieldType::kString, outcome)) {
    column->push_string(value);
    approximate_bytes_ += value.size();
  }
  return outcome;
}

void RowBatchBuilder::pad_row() {
  for (TagColumn& tag : batch_.tags) {
    if (tag.codes.size() < rows()) tag.codes.resize(rows(), kAbsentTag);
  }
  for (FieldColumn& field : batch_.fields) {
    if (const size_t size = size_of(field.data); size < rows()) field.data.push_nulls(rows() - size);
  }
}

void RowBatchBuilder::end_row(int64_t time) {
  batch_.times.push_back(time);
  pad_row();
  approximate_bytes_ +=
      sizeof(int64_t) + batch_.tags.size() * sizeof(uint32_t) + batch_.fields.size() * sizeof(double);
}

void RowBatchBuilder::abandon_row() {
  values_ = values_before_row_;
  batch_.tags.resize(tags_before_row_);
  dictionaries_.resize(tags_before_row_);
  batch_.fields.resize(fields_before_row_);
  for (TagColumn& tag : batch_.tags) tag.codes.resize(rows());
  for (FieldColumn& field : batch_.fields) {
    if (field.data.size() > rows()) drop_last(field.data);
  }
}

RowBatch RowBatchBuilder::finish() {
  RowBatch done = std::move(batch_);
  batch_ = {};
  batch_.database = done.database;
  batch_.table = done.table;
  dictionaries_.clear();
  approximate_bytes_ = 0;
  values_ = 0;
  begin_row();
  return done;
}

void encode_row_batch(const RowBatch& batch, ByteWriter& out) {
  out.string(batch.database);
  out.string(batch.table);
  out.varint(batch.rows());
  uint64_t previous = 0;
  out.varints(batch.rows(), [&](size_t row) {
    const auto time = static_cast<uint64_t>(batch.times[row]);
    return zigzag(static_cast<int64_t>(time - std::exchange(previous, time)));
  });
  out.varint(batch.tags.size());
  for (const TagColumn& tag : batch.tags) {
    out.string(tag.name);
    out.varint(tag.values.size());
    for (const std::string& value : tag.values) out.string(value);
    out.varints(tag.codes.size(), [&](size_t row) -> uint64_t {
      return tag.codes[row] == kAbsentTag ? 0 : uint64_t{tag.codes[row]} + 1;
    });
  }
  out.varint(batch.fields.size());
  for (const FieldColumn& field : batch.fields) {
    out.string(field.name);
    out.u8(static_cast<uint8_t>(field.data.type));
    const bool left_out = field.data.has_nulls() && field.data.type == FieldType::kDouble;
    out.u8(left_out ? kNullsLeftOut : field.data.has_nulls() ? kNulls : kNoNulls);
    out.array(field.data.valid.data(), field.data.valid.size());
    if (left_out) {
      encode_valid_doubles(field.data, out);
    } else {
      encode_values(field.data, out);
    }
  }
}

Result<RowBatch> decode_row_batch(ByteReader& in) {
  const auto malformed = [&] {
    return corruption(fmt::format("row batch is malformed near byte {}", in.offset()));
  };
  RowBatch batch;
  batch.database = in.string();
  batch.table = in.string();
  const uint64_t rows = in.varint();
  if (rows > in.remaining()) return malformed();
  batch.times.resize(rows);
  uint64_t time = 0;
  for (auto& t : batch.times) {
    time += static_cast<uint64_t>(in.signed_varint());
    t = static_cast<int64_t>(time);
  }
  const uint64_t tags = in.varint();
  for (uint64_t i = 0; i < tags && in.ok(); ++i) batch.tags.push_back(decode_tag(in, rows));
  const uint64_t fields = in.varint();
  for (uint64_t i = 0; i < fields && in.ok(); ++i) batch.fields.push_back(decode_field(in, rows));
  if (!in.ok()) return malformed();
  return batch;
}

}  // namespace varve
