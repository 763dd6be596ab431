// What SQLite wants of the rows of a virtual table, as ranges and sets the scan understands. SQLite checks again what is
// not exact here; of time it does not, so that is exact, with SQLite's rules for comparing an INTEGER column.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/column.h"
#include "storage/model/types.h"

struct sqlite3_value;

namespace varve {

enum class ConditionOp { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIsNull, kIsNotNull, kIn };

// Narrows `range` to the times that are op `value`; may leave it empty.
void narrow_time(ConditionOp op, sqlite3_value* value, TimeRange& range);

// A condition on a field of numbers or bools.
struct FieldCondition {
  size_t field = 0;  // of the scan
  ConditionOp op = ConditionOp::kEqual;
  bool is_int = false;
  int64_t whole = 0;
  double real = 0;
};
enum class Usable { kYes, kNever, kUnknown };  // kNever: no row fits; kUnknown: left to SQLite
Usable field_condition(ConditionOp op, sqlite3_value* value, FieldCondition& condition);
// Takes rows that fail out of `selection`.
void keep_fitting(const FieldCondition& condition, const ColumnVector& column, std::vector<uint32_t>& selection);

// Equal values of a column hash alike, whatever their types; `text` says the column is of strings.
Usable hash_of(sqlite3_value* value, bool text, uint64_t& hash);
uint64_t hash_of(const ColumnVector& column, size_t row);
uint64_t hash_of_text(std::string_view text);
inline constexpr uint64_t kHashOfNull = 0x9e3779b97f4a7c15;
inline uint64_t mixed(uint64_t hash, uint64_t more) {
  return (hash ^ more) * 0xff51afd7ed558ccdULL + (hash >> 29);
}

}  // namespace varve
