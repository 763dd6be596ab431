#include "api/query/vector.h"

namespace varve {

VectorView VectorView::from(size_t row) const {
  VectorView rest = *this;
  if (constant || row == 0) return rest;
  if (doubles != nullptr) rest.doubles += row;
  if (ints != nullptr) rest.ints += row;
  if (bools != nullptr) rest.bools += row;
  if (offsets != nullptr) rest.offsets += row;
  if (valid != nullptr) rest.valid += row;
  return rest;
}

VectorView view_of(const ColumnVector& column, bool constant) {
  VectorView view;
  view.type = column.type;
  view.constant = constant;
  switch (column.type) {
    case FieldType::kDouble:
      view.doubles = column.doubles.data();
      break;
    case FieldType::kInt64:
      view.ints = column.ints.data();
      break;
    case FieldType::kBool:
      view.bools = column.bools.data();
      break;
    case FieldType::kString:
      view.offsets = column.strings.offsets.data();
      view.bytes = column.strings.bytes.data();
      break;
  }
  view.valid = column.valid.empty() ? nullptr : column.valid.data();
  return view;
}

void append_entry(ColumnVector& out, const VectorView& view, size_t row) {
  if (!view.is_valid(row)) return out.push_null();
  const size_t i = view.entry(row);
  switch (view.type) {
    case FieldType::kDouble:
      return out.push_double(view.doubles[i]);
    case FieldType::kInt64:
      return out.push_int(view.ints[i]);
    case FieldType::kBool:
      return out.push_bool(view.bools[i] != 0);
    case FieldType::kString:
      return out.push_string(view.string(row));
  }
}

void append_entries(ColumnVector& out, const VectorView& view, size_t from, size_t count) {
  if (view.constant || view.type == FieldType::kString) {
    for (size_t row = from; row < from + count; ++row) append_entry(out, view, row);
    return;
  }
  const size_t before = out.size();
  const auto copy = [&](auto& to, const auto* values) {
    to.insert(to.end(), values + from, values + from + count);
  };
  switch (view.type) {
    case FieldType::kDouble:
      copy(out.doubles, view.doubles);
      break;
    case FieldType::kInt64:
      copy(out.ints, view.ints);
      break;
    case FieldType::kBool:
      copy(out.bools, view.bools);
      break;
    case FieldType::kString:
      break;
  }
  if (view.valid != nullptr) {
    if (out.valid.empty()) out.valid.assign(before, 1);
    copy(out.valid, view.valid);
  } else if (!out.valid.empty()) {
    out.valid.insert(out.valid.end(), count, 1);
  }
}

void append_selected(ColumnVector& out, const VectorView& view, const std::vector<uint32_t>& rows) {
  const auto gather = [&](auto& to, const auto* values) {
    const size_t before = to.size();
    to.resize(before + rows.size());
    for (size_t i = 0; i < rows.size(); ++i) to[before + i] = values[view.entry(rows[i])];
  };
  if (view.type == FieldType::kString) {
    for (const uint32_t row : rows) append_entry(out, view, row);
    return;
  }
  const size_t before = out.size();
  switch (view.type) {
    case FieldType::kDouble:
      gather(out.doubles, view.doubles);
      break;
    case FieldType::kInt64:
      gather(out.ints, view.ints);
      break;
    case FieldType::kBool:
      gather(out.bools, view.bools);
      break;
    case FieldType::kString:
      break;
  }
  if (view.valid != nullptr) {
    if (out.valid.empty()) out.valid.assign(before, 1);
    gather(out.valid, view.valid);
  } else if (!out.valid.empty()) {
    out.valid.insert(out.valid.end(), rows.size(), 1);
  }
}

RowsOfBytes rows_within(std::span<const VectorView> columns, size_t from, size_t count, uint64_t bytes_max) {
  std::vector<const VectorView*> strings;
  for (const VectorView& column : columns) {
    if (column.type == FieldType::kString) strings.push_back(&column);
  }
  if (strings.empty()) return {count, 0};
  RowsOfBytes found;
  for (; found.rows < count; ++found.rows) {
    uint64_t row_bytes = 0;
    for (const VectorView* column : strings) row_bytes += column->string(from + found.rows).size();
    if (found.rows > 0 && found.bytes + row_bytes > bytes_max) break;
    found.bytes += row_bytes;
  }
  return found;
}

const Chunk& CompactedChunk::begin(const Chunk& from, size_t rows) {
  chunk_.rows = rows;
  chunk_.slots.resize(from.slots.size());
  columns_.resize(from.slots.size());
  added_.assign(from.slots.size(), 0);
  return chunk_;
}

void CompactedChunk::add(const Chunk& from, const std::vector<uint32_t>& selection,
                         const std::vector<size_t>& slots) {
  for (const size_t slot : slots) {
    if (added_[slot] != 0) continue;
    added_[slot] = 1;
    const VectorView& view = from.slots[slot];
    if (view.constant) {
      chunk_.slots[slot] = view;
      continue;
    }
    ColumnVector& column = columns_[slot];
    column.clear();
    column.type = view.type;
    append_selected(column, view, selection);
    chunk_.slots[slot] = view_of(column);
  }
}

const Chunk& CompactedChunk::assign(const Chunk& from, const std::vector<uint32_t>& selection,
                                    const std::vector<size_t>& slots) {
  begin(from, selection.size());
  add(from, selection, slots);
  return chunk_;
}

}  // namespace varve
