#include "storage/model/column.h"

#include "storage/base/check.h"

namespace varve {
namespace {

template <class Vector>
void append_range(Vector& out, const Vector& in, size_t from, size_t to) {
  out.insert(out.end(), in.begin() + static_cast<ptrdiff_t>(from), in.begin() + static_cast<ptrdiff_t>(to));
}

template <class Vector>
void keep(Vector& values, size_t from, size_t to) {
  values.erase(values.begin() + static_cast<ptrdiff_t>(to), values.end());
  values.erase(values.begin(), values.begin() + static_cast<ptrdiff_t>(from));
}

}  // namespace

size_t ColumnVector::size() const {
  switch (type) {
    case FieldType::kDouble:
      return doubles.size();
    case FieldType::kInt64:
      return ints.size();
    case FieldType::kBool:
      return bools.size();
    case FieldType::kString:
      return strings.size();
  }
  return 0;
}

Value ColumnVector::value(size_t row) const {
  if (!is_valid(row)) return std::monostate{};
  switch (type) {
    case FieldType::kDouble:
      return doubles[row];
    case FieldType::kInt64:
      return ints[row];
    case FieldType::kBool:
      return bools[row] != 0;
    case FieldType::kString:
      return std::string(strings[row]);
  }
  return std::monostate{};
}

size_t ColumnVector::memory_bytes() const {
  return doubles.capacity() * sizeof(double) + ints.capacity() * sizeof(int64_t) + bools.capacity() +
         strings.offsets.capacity() * sizeof(uint32_t) + strings.bytes.capacity() + valid.capacity();
}

void ColumnVector::clear() {
  doubles.clear();
  ints.clear();
  bools.clear();
  strings.clear();
  valid.clear();
}

void ColumnVector::push_null() {
  push_nulls(1);
}

void ColumnVector::push_nulls(size_t count) {
  if (count == 0) return;
  const size_t rows = size();
  if (valid.empty()) valid.assign(rows, 1);
  valid.resize(rows + count, 0);
  switch (type) {
    case FieldType::kDouble:
      doubles.resize(rows + count);
      break;
    case FieldType::kInt64:
      ints.resize(rows + count);
      break;
    case FieldType::kBool:
      bools.resize(rows + count);
      break;
    case FieldType::kString:
      strings.offsets.resize(rows + count + 1, static_cast<uint32_t>(strings.bytes.size()));
      break;
  }
}

void ColumnVector::push_value(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return push_null();
  switch (type) {
    case FieldType::kDouble:
      if (const auto* whole = std::get_if<int64_t>(&value)) return push_double(static_cast<double>(*whole));
      return push_double(std::get<double>(value));
    case FieldType::kInt64:
      return push_int(std::get<int64_t>(value));
    case FieldType::kBool:
      return push_bool(std::get<bool>(value));
    case FieldType::kString:
      return push_string(std::get<std::string>(value));
  }
}

void ColumnVector::push_from(const ColumnVector& other, size_t row) {
  if (!other.is_valid(row)) return push_null();
  switch (type) {
    case FieldType::kDouble:
      if (other.type == FieldType::kInt64) return push_double(static_cast<double>(other.ints[row]));
      VARVE_DCHECK(other.type == FieldType::kDouble);
      return push_double(other.doubles[row]);
    case FieldType::kInt64:
      return push_int(other.ints[row]);
    case FieldType::kBool:
      return push_bool(other.bools[row] != 0);
    case FieldType::kString:
      return push_string(other.strings[row]);
  }
}

void ColumnVector::push_range(const ColumnVector& other, size_t from, size_t to) {
  if (from == to) return;
  const size_t rows = size();
  if (other.has_nulls()) {
    if (valid.empty()) valid.assign(rows, 1);
    append_range(valid, other.valid, from, to);
  } else if (has_nulls()) {
    valid.resize(rows + (to - from), 1);
  }
  switch (type) {
    case FieldType::kDouble:
      if (other.type == FieldType::kInt64) {
        for (size_t row = from; row < to; ++row) doubles.push_back(static_cast<double>(other.ints[row]));
        return;
      }
      VARVE_DCHECK(other.type == FieldType::kDouble);
      return append_range(doubles, other.doubles, from, to);
    case FieldType::kInt64:
      return append_range(ints, other.ints, from, to);
    case FieldType::kBool:
      return append_range(bools, other.bools, from, to);
    case FieldType::kString:
      for (size_t row = from; row < to; ++row) strings.push_back(other.strings[row]);
      return;
  }
}

void ColumnVector::keep_range(size_t from, size_t to) {
  if (has_nulls()) keep(valid, from, to);
  switch (type) {
    case FieldType::kDouble:
      return keep(doubles, from, to);
    case FieldType::kInt64:
      return keep(ints, from, to);
    case FieldType::kBool:
      return keep(bools, from, to);
    case FieldType::kString: {
      StringColumn kept;
      for (size_t row = from; row < to; ++row) kept.push_back(strings[row]);
      strings = std::move(kept);
      return;
    }
  }
}

void ColumnVector::widen_to_double() {
  VARVE_CHECK(type == FieldType::kInt64);
  doubles.assign(ints.begin(), ints.end());
  ints = {};
  type = FieldType::kDouble;
}

}  // namespace varve
