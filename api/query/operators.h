// Makes bound operators from bound operands: checks and unifies types, picks the kernel.
// Rules: int64 with double computes in double, but compares exactly; string literals beside a timestamp are times, in
// arithmetic durations; a bool counts as 0 or 1 beside a number; anything else mixed is type_mismatch.
//   x / 0 and x % 0 are NULL; int64 results beyond the type are the error `overflow`.
// Errors:  type_mismatch, invalid_time, invalid_interval, invalid_pattern, with position.
// Threads: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "api/query/scalar.h"

namespace varve {

enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// A comparison keeps its parts visible, for the planner reads time ranges from them.
class CompareScalar : public KernelScalar {
 public:
  CompareScalar(CompareOp compare_op, size_t text_position, std::vector<ScalarPtr> operands);
  const CompareOp op;
};
// child 0 between child 1 and child 2, both included.
class BetweenScalar : public KernelScalar {
 public:
  BetweenScalar(size_t text_position, std::vector<ScalarPtr> operands);
};
// AND or OR of bool operands. Operands that can fail see only the rows the earlier ones left undecided.
class LogicScalar : public Scalar {
 public:
  LogicScalar(bool all_of, size_t text_position, std::vector<ScalarPtr> operands);
  VectorView evaluate(const Chunk& chunk, EvalContext& context) override;
  const bool is_and;

 private:
  VectorView operand_on_undecided(Scalar& operand, const Chunk& chunk, EvalContext& context);

  ColumnVector out_;
  std::vector<uint8_t> decided_;
  std::vector<uint8_t> unknown_;
  std::vector<uint32_t> undecided_rows_;
  CompactedChunk undecided_;
};

QueryResult<ScalarPtr> bind_arithmetic(std::string_view op, ScalarPtr left, ScalarPtr right, size_t position);
QueryResult<ScalarPtr> bind_negate(ScalarPtr operand, size_t position);
QueryResult<ScalarPtr> bind_compare(CompareOp op, ScalarPtr left, ScalarPtr right, size_t position);
QueryResult<ScalarPtr> bind_between(std::vector<ScalarPtr> operands, size_t position);
QueryResult<ScalarPtr> bind_is_same(ScalarPtr left, ScalarPtr right, bool negated, size_t position);
QueryResult<ScalarPtr> bind_in(std::vector<ScalarPtr> operands, size_t position);
QueryResult<ScalarPtr> bind_logic(bool is_and, std::vector<ScalarPtr> operands, size_t position);
QueryResult<ScalarPtr> bind_not(ScalarPtr operand, size_t position);
ScalarPtr bind_is_null(ScalarPtr operand, bool negated, size_t position);
QueryResult<ScalarPtr> bind_like(std::vector<ScalarPtr> operands, size_t position);
QueryResult<ScalarPtr> bind_regex(ScalarPtr text, ScalarPtr pattern, size_t position);
// conditions and results alternate; a last odd operand is ELSE.
QueryResult<ScalarPtr> bind_case(std::vector<ScalarPtr> operands, size_t position);

QueryResult<ScalarPtr> bind_condition(ScalarPtr operand);  // as bool: a number is true unless 0
QueryResult<ScalarPtr> bind_cast(ScalarPtr operand, SqlType to);
QueryResult<SqlType> cast_type(std::string_view name, size_t position);
// Brings operands to one type (int64 and double to double, literals beside timestamps to timestamps).
QueryResult<SqlType> unify_types(std::vector<ScalarPtr*> operands, std::string_view what);
// A string literal as time or duration; anything else comes back as it is.
QueryResult<ScalarPtr> literal_as(ScalarPtr operand, SqlType type);

// Strings of a statement's constants: literals, parameters and what is computed from them. A parameter may be as long as
// a request's body, and be named many times.
constexpr uint64_t kConstantBytesMax = 64 << 20;
// Replaces an expression of constants by its value.
QueryResult<ScalarPtr> fold(ScalarPtr expr);

// Toward zero, clamped to the type's range; NaN (of a row that is NULL) is 0.
int64_t int_from_double(double value);
// -1, 0, 1: exact, whatever the magnitude.
int compare_exact(int64_t a, double b);
// By Unicode code points would need decoding; SQLite's BINARY order by bytes is the rule.
bool like_matches(std::string_view text, std::string_view pattern, int escape);  // escape -1 = none

}  // namespace varve
