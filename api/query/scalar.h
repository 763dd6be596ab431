// Bound expressions: names resolved to slots, types known, evaluated a chunk at a time.
//   NULL:  three-valued logic as in SQL. NaN is NULL everywhere, stored or computed, as in SQLite.
//   type:  what the value means (SqlType); how it lies in memory is physical_type(type).
// An expression keeps buffers for its results, so a view it returns is valid until it is evaluated again.
// Errors:  evaluation reports into EvalContext, which keeps the first; check it once per chunk.
// Threads: an expression belongs to one query on one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/budget.h"
#include "api/query/vector.h"

namespace varve {

enum class SqlType { kNull, kBool, kInt64, kDouble, kString, kTimestamp, kInterval };

FieldType physical_type(SqlType type);
std::string_view sql_type_name(SqlType type);
SqlType sql_type_of(FieldType type);
ResultType result_type_of(SqlType type);  // NULL shows as string, an interval as int64 ns
inline bool is_number(SqlType type) {
  return type == SqlType::kInt64 || type == SqlType::kDouble;
}

// What evaluation reports into, and what of the query's budget it may use.
class EvalContext {
 public:
  EvalContext() = default;  // no time limit, and of memory only the limits here
  explicit EvalContext(uint64_t bytes_max) : unbudgeted_bytes_(bytes_max) {}
  explicit EvalContext(QueryBudget& budget) : budget_(&budget), held_(std::in_place, budget) {}

  void fail(QueryError error) {
    if (!error_) error_ = std::move(error);
  }
  bool failed() const { return error_.has_value(); }
  const QueryError& error() const { return *error_; }

  // Memory that expressions keep; false (and failed) when the budget has none left.
  bool hold(uint64_t bytes);
  // Called by kernels whose single rows may take long, with a guess of a row's steps; false (and failed) when the
  // query's time is over.
  bool spend(uint64_t steps);

 private:
  std::optional<QueryError> error_;
  QueryBudget* budget_ = nullptr;
  std::optional<MemoryUse> held_;
  uint64_t unbudgeted_bytes_ = UINT64_MAX;  // left, without a budget
  uint64_t steps_ = 0;
};

class Scalar;
using ScalarPtr = std::unique_ptr<Scalar>;

class Scalar {
 public:
  Scalar(SqlType sql_type, size_t text_position, std::vector<ScalarPtr> operands = {})
      : type(sql_type), position(text_position), children(std::move(operands)) {}
  virtual ~Scalar() = default;
  Scalar(const Scalar&) = delete;
  Scalar& operator=(const Scalar&) = delete;

  // The result is constant when it is the same for every row of the chunk. The chunk has at least one row.
  virtual VectorView evaluate(const Chunk& chunk, EvalContext& context) = 0;
  virtual bool can_fail() const;                                 // evaluation may report an error
  virtual void collect_slots(std::vector<size_t>& slots) const;  // may add a slot twice
  std::vector<size_t> slots() const;                             // each once, ascending

  SqlType type;
  size_t position;  // in the statement
  std::vector<ScalarPtr> children;
};

class ConstantScalar : public Scalar {
 public:
  ConstantScalar(SqlType sql_type, size_t text_position, const Value& value);
  VectorView evaluate(const Chunk&, EvalContext&) override { return view_of(column_, true); }
  bool is_null() const { return !column_.is_valid(0); }
  Value value() const { return column_.value(0); }
  uint64_t bytes() const { return column_.strings.bytes.size(); }

 private:
  ColumnVector column_;
};

class SlotScalar : public Scalar {
 public:
  SlotScalar(SqlType sql_type, size_t text_position, size_t slot_index)
      : Scalar(sql_type, text_position), slot(slot_index) {}
  VectorView evaluate(const Chunk& chunk, EvalContext&) override { return chunk.slots[slot]; }
  void collect_slots(std::vector<size_t>& slots) const override { slots.push_back(slot); }

  const size_t slot;
};

// What a kernel computes from and into. `out` comes empty, of the result's type; the kernel fills `rows` entries.
struct KernelCall {
  std::span<const VectorView> arguments;
  size_t rows = 0;  // 1 when every argument is constant
  ColumnVector& out;
  EvalContext& context;
  size_t position = 0;
  uint64_t& held_bytes;  // of `out`, by the context
};
using Kernel = std::function<void(KernelCall&)>;

// An operator or function whose arguments are all evaluated for all rows.
class KernelScalar : public Scalar {
 public:
  KernelScalar(SqlType sql_type, size_t text_position, std::vector<ScalarPtr> operands, Kernel kernel,
               bool kernel_can_fail = false);
  VectorView evaluate(const Chunk& chunk, EvalContext& context) override;
  bool can_fail() const override { return kernel_can_fail_ || Scalar::can_fail(); }

 private:
  Kernel kernel_;
  bool kernel_can_fail_;
  uint64_t held_bytes_ = 0;  // of out_'s strings, as held by the context
  ColumnVector out_;
  std::vector<VectorView> arguments_;
};

// Strings one chunk of an expression may hold; stored strings have up to 1 MiB each. Also the most one string may have.
constexpr size_t kChunkStringBytesMax = 256 << 20;
// Appends a string the kernel has made; false when this limit or the query's budget is hit (memory_limit is reported).
bool push_string(KernelCall& call, std::string_view text);
// The same question for a string of `bytes` that the kernel writes itself.
bool room_for_string(KernelCall& call, size_t bytes);

// The value of a constant expression, or null when `expr` is not one.
const ConstantScalar* as_constant(const Scalar& expr);
const SlotScalar* as_slot(const Scalar& expr);

// Marks rows NULL where any argument is; call after the values are filled.
void propagate_nulls(KernelCall& call);
void nulls_for_nan(ColumnVector& column);
void mark_null(ColumnVector& column, size_t row);

// The rows of a boolean column that are true (neither false nor NULL).
void select_true(const VectorView& condition, size_t rows, std::vector<uint32_t>& selection);

}  // namespace varve
