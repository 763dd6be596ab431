#include "api/query/sqlite/row_conditions.h"

#include <sqlite3.h>

#include <bit>
#include <cmath>
#include <functional>

#include "api/query/operators.h"

namespace varve {
namespace {

void nothing(TimeRange& range) {
  range = {INT64_MAX, INT64_MIN};
}

void at_least(int64_t time, TimeRange& range) {
  range.min = std::max(range.min, time);
}
void at_most(int64_t time, TimeRange& range) {
  range.max = std::min(range.max, time);
}

void narrow_by_int(ConditionOp op, int64_t value, TimeRange& range) {
  switch (op) {
    case ConditionOp::kEqual:
      at_least(value, range);
      at_most(value, range);
      return;
    case ConditionOp::kGreater:
      if (value == INT64_MAX) return nothing(range);
      return at_least(value + 1, range);
    case ConditionOp::kGreaterEqual:
      return at_least(value, range);
    case ConditionOp::kLess:
      if (value == INT64_MIN) return nothing(range);
      return at_most(value - 1, range);
    case ConditionOp::kLessEqual:
      return at_most(value, range);
    default:
      return;
  }
}

void narrow_by_double(ConditionOp op, double value, TimeRange& range) {
  const bool from_below = op == ConditionOp::kGreater || op == ConditionOp::kGreaterEqual;
  const bool above_all = value >= 0x1p63;
  if (above_all || value < -0x1p63) {
    const bool all = op != ConditionOp::kEqual && above_all != from_below;
    return all ? void() : nothing(range);
  }
  const auto whole = static_cast<int64_t>(std::floor(value));
  const bool exact = std::floor(value) == value;
  if (exact) return narrow_by_int(op, whole, range);
  if (op == ConditionOp::kEqual) return nothing(range);
  return narrow_by_int(from_below ? ConditionOp::kGreater : ConditionOp::kLessEqual, whole, range);
}

bool holds(ConditionOp op, int order) {
  switch (op) {
    case ConditionOp::kEqual:
      return order == 0;
    case ConditionOp::kLess:
      return order < 0;
    case ConditionOp::kLessEqual:
      return order <= 0;
    case ConditionOp::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

int compare(int64_t a, const FieldCondition& condition) {
  if (!condition.is_int) return compare_exact(a, condition.real);
  return a < condition.whole ? -1 : a > condition.whole ? 1 : 0;
}
int compare(double a, const FieldCondition& condition) {
  if (condition.is_int) return -compare_exact(condition.whole, a);
  return a < condition.real ? -1 : a > condition.real ? 1 : 0;
}

template <class Fits>
void keep(std::vector<uint32_t>& selection, Fits fits) {
  size_t kept = 0;
  for (const uint32_t row : selection) {
    selection[kept] = row;
    kept += fits(row) ? 1 : 0;
  }
  selection.resize(kept);
}

uint64_t hash_of_int(int64_t value) {
  return mixed(0x8ebc6af09c88c6e3ULL, static_cast<uint64_t>(value));
}

// A double that is a whole number hashes as that number.
uint64_t hash_of_double(double value) {
  if (value >= -0x1p63 && value < 0x1p63 && std::floor(value) == value) {
    return hash_of_int(static_cast<int64_t>(value));
  }
  return mixed(0x589965cc75374cc3ULL, std::bit_cast<uint64_t>(value));
}

}  // namespace

void narrow_time(ConditionOp op, sqlite3_value* value, TimeRange& range) {
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
      return narrow_by_int(op, sqlite3_value_int64(value), range);
    case SQLITE_FLOAT:
      return narrow_by_double(op, sqlite3_value_double(value), range);
    case SQLITE_NULL:
      return nothing(range);
    default:  // text is above every number
      if (op != ConditionOp::kLess && op != ConditionOp::kLessEqual) nothing(range);
  }
}

Usable field_condition(ConditionOp op, sqlite3_value* value, FieldCondition& condition) {
  condition.op = op;
  if (op == ConditionOp::kIsNull || op == ConditionOp::kIsNotNull) return Usable::kYes;
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
      condition.is_int = true;
      condition.whole = sqlite3_value_int64(value);
      return Usable::kYes;
    case SQLITE_FLOAT:
      condition.real = sqlite3_value_double(value);
      return Usable::kYes;
    case SQLITE_NULL:
      return Usable::kNever;
    default:
      return Usable::kUnknown;
  }
}

void keep_fitting(const FieldCondition& condition, const ColumnVector& column, std::vector<uint32_t>& selection) {
  const auto present = [&](uint32_t row) {
    return column.is_valid(row) && !(column.type == FieldType::kDouble && std::isnan(column.doubles[row]));
  };
  if (condition.op == ConditionOp::kIsNull) return keep(selection, [&](uint32_t row) { return !present(row); });
  if (condition.op == ConditionOp::kIsNotNull) return keep(selection, present);
  keep(selection, [&](uint32_t row) {
    if (!present(row)) return false;
    switch (column.type) {
      case FieldType::kDouble:
        return holds(condition.op, compare(column.doubles[row], condition));
      case FieldType::kInt64:
        return holds(condition.op, compare(column.ints[row], condition));
      case FieldType::kBool:
        return holds(condition.op, compare(int64_t{column.bools[row]}, condition));
      case FieldType::kString:
        break;
    }
    return true;
  });
}

uint64_t hash_of_text(std::string_view text) {
  return mixed(0x1d8e4e27c47d124fULL, std::hash<std::string_view>()(text));
}

uint64_t hash_of(const ColumnVector& column, size_t row) {
  if (!column.is_valid(row)) return kHashOfNull;
  switch (column.type) {
    case FieldType::kDouble:
      return std::isnan(column.doubles[row]) ? kHashOfNull : hash_of_double(column.doubles[row]);
    case FieldType::kInt64:
      return hash_of_int(column.ints[row]);
    case FieldType::kBool:
      return hash_of_int(column.bools[row]);
    case FieldType::kString:
      break;
  }
  return hash_of_text(column.strings[row]);
}

Usable hash_of(sqlite3_value* value, bool text, uint64_t& hash) {
  const int type = text ? sqlite3_value_type(value) : sqlite3_value_numeric_type(value);
  if (type == SQLITE_NULL) return Usable::kNever;
  if (text) {
    if (type != SQLITE_TEXT) return Usable::kUnknown;
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(value));
    hash = hash_of_text({bytes, static_cast<size_t>(sqlite3_value_bytes(value))});
    return Usable::kYes;
  }
  if (type == SQLITE_INTEGER) {
    hash = hash_of_int(sqlite3_value_int64(value));
    return Usable::kYes;
  }
  if (type != SQLITE_FLOAT) return Usable::kUnknown;
  hash = hash_of_double(sqlite3_value_double(value));
  return Usable::kYes;
}

}  // namespace varve
