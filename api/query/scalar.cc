#include "api/query/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "storage/base/check.h"
#include "storage/base/units.h"

namespace varve {

FieldType physical_type(SqlType type) {
  switch (type) {
    case SqlType::kBool:
      return FieldType::kBool;
    case SqlType::kInt64:
    case SqlType::kTimestamp:
    case SqlType::kInterval:
      return FieldType::kInt64;
    case SqlType::kDouble:
      return FieldType::kDouble;
    case SqlType::kNull:
    case SqlType::kString:
      return FieldType::kString;
  }
  return FieldType::kString;
}

std::string_view sql_type_name(SqlType type) {
  switch (type) {
    case SqlType::kNull:
      return "null";
    case SqlType::kBool:
      return "bool";
    case SqlType::kInt64:
      return "int64";
    case SqlType::kDouble:
      return "double";
    case SqlType::kString:
      return "string";
    case SqlType::kTimestamp:
      return "timestamp";
    case SqlType::kInterval:
      return "interval";
  }
  return "unknown";
}

SqlType sql_type_of(FieldType type) {
  switch (type) {
    case FieldType::kDouble:
      return SqlType::kDouble;
    case FieldType::kInt64:
      return SqlType::kInt64;
    case FieldType::kBool:
      return SqlType::kBool;
    case FieldType::kString:
      return SqlType::kString;
  }
  return SqlType::kNull;
}

ResultType result_type_of(SqlType type) {
  switch (type) {
    case SqlType::kBool:
      return ResultType::kBool;
    case SqlType::kInt64:
    case SqlType::kInterval:
      return ResultType::kInt64;
    case SqlType::kDouble:
      return ResultType::kDouble;
    case SqlType::kTimestamp:
      return ResultType::kTimestamp;
    case SqlType::kNull:
    case SqlType::kString:
      return ResultType::kString;
  }
  return ResultType::kString;
}

bool Scalar::can_fail() const {
  return std::any_of(children.begin(), children.end(),
                     [](const ScalarPtr& child) { return child->can_fail(); });
}

void Scalar::collect_slots(std::vector<size_t>& slots) const {
  for (const ScalarPtr& child : children) child->collect_slots(slots);
}

std::vector<size_t> Scalar::slots() const {
  std::vector<size_t> all;
  collect_slots(all);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

ConstantScalar::ConstantScalar(SqlType sql_type, size_t text_position, const Value& value)
    : Scalar(sql_type, text_position), column_(physical_type(sql_type)) {
  column_.push_value(value);
}

namespace {

bool hold_strings(KernelCall& call, uint64_t bytes) {
  if (bytes <= call.held_bytes) return true;
  const uint64_t grown = bytes - call.held_bytes;
  call.held_bytes = bytes;
  return call.context.hold(grown);
}

}  // namespace

bool EvalContext::hold(uint64_t bytes) {
  if (!held_) {
    if (bytes > unbudgeted_bytes_) {
      fail(limit_error("memory_limit", fmt::format("a constant expression needs more than {}",
                                                   format_bytes(unbudgeted_bytes_))));
      return false;
    }
    unbudgeted_bytes_ -= bytes;
    return true;
  }
  auto held = held_->add(bytes);
  if (!held) fail(std::move(held.error()));
  return held.has_value();
}

bool EvalContext::spend(uint64_t steps) {
  constexpr uint64_t kStepsPerCheck = 4 << 20;  // some milliseconds of work
  steps_ += steps;
  if (steps_ < kStepsPerCheck || budget_ == nullptr) return true;
  steps_ = 0;
  auto checked = budget_->check();
  if (!checked) fail(std::move(checked.error()));
  return checked.has_value();
}

KernelScalar::KernelScalar(SqlType sql_type, size_t text_position, std::vector<ScalarPtr> operands,
                           Kernel kernel, bool kernel_can_fail)
    : Scalar(sql_type, text_position, std::move(operands)),
      kernel_(std::move(kernel)),
      kernel_can_fail_(kernel_can_fail),
      out_(physical_type(sql_type)) {}

VectorView KernelScalar::evaluate(const Chunk& chunk, EvalContext& context) {
  arguments_.clear();
  bool constant = true;
  for (const ScalarPtr& child : children) {
    arguments_.push_back(child->evaluate(chunk, context));
    constant = constant && arguments_.back().constant;
  }
  out_.clear();
  KernelCall call{arguments_, constant ? 1 : chunk.rows, out_, context, position, held_bytes_};
  if (!context.failed()) kernel_(call);  // else its memory or time would come on top
  // Kernels that copy strings of their arguments grow by at most those; here they are accounted for.
  hold_strings(call, out_.strings.bytes.capacity());
  if (out_.size() < call.rows) {  // the kernel failed half way; who reads on must find all rows
    VARVE_CHECK(context.failed());
    out_.push_nulls(call.rows - out_.size());
  }
  return view_of(out_, constant);
}

bool room_for_string(KernelCall& call, size_t text_bytes) {
  std::string& bytes = call.out.strings.bytes;
  const size_t needed = bytes.size() + text_bytes;
  if (needed > kChunkStringBytesMax) {
    call.context.fail(
        limit_error("memory_limit", "an expression makes strings of more than 256 MiB a chunk"));
    return false;
  }
  if (needed > bytes.capacity()) {
    const size_t grown = std::max(needed, 2 * bytes.capacity());
    if (!hold_strings(call, grown)) return false;
    bytes.reserve(grown);
  }
  return true;
}

bool push_string(KernelCall& call, std::string_view text) {
  if (!room_for_string(call, text.size())) return false;
  call.out.push_string(text);
  return true;
}

const ConstantScalar* as_constant(const Scalar& expr) {
  return dynamic_cast<const ConstantScalar*>(&expr);
}
const SlotScalar* as_slot(const Scalar& expr) {
  return dynamic_cast<const SlotScalar*>(&expr);
}

void propagate_nulls(KernelCall& call) {
  for (const VectorView& view : call.arguments) {
    if (view.valid == nullptr) continue;
    if (view.constant && view.valid[0] != 0) continue;
    std::vector<uint8_t>& valid = call.out.valid;
    if (view.constant) {
      valid.assign(call.rows, 0);
      return;
    }
    if (valid.empty()) {
      valid.assign(view.valid, view.valid + call.rows);
    } else {
      for (size_t i = 0; i < call.rows; ++i) valid[i] = valid[i] & view.valid[i];
    }
  }
}

void nulls_for_nan(ColumnVector& column) {
  bool any = false;
  for (const double value : column.doubles) any |= value != value;
  if (!any) return;
  if (column.valid.empty()) column.valid.assign(column.doubles.size(), 1);
  for (size_t i = 0; i < column.doubles.size(); ++i) {
    if (!std::isnan(column.doubles[i])) continue;
    column.valid[i] = 0;
    column.doubles[i] = 0;
  }
}

void mark_null(ColumnVector& column, size_t row) {
  if (column.valid.empty()) column.valid.assign(column.size(), 1);
  column.valid[row] = 0;
}

void select_true(const VectorView& condition, size_t rows, std::vector<uint32_t>& selection) {
  selection.clear();
  if (condition.constant) {
    if (condition.is_valid(0) && condition.bools[0] != 0) {
      selection.resize(rows);
      std::iota(selection.begin(), selection.end(), 0U);
    }
    return;
  }
  selection.resize(rows);
  size_t count = 0;
  for (uint32_t row = 0; row < rows;
       ++row) {  // branch-free: the slot is overwritten when the row did not pass
    selection[count] = row;
    const bool passes =
        condition.bools[row] != 0 && (condition.valid == nullptr || condition.valid[row] != 0);
    count += passes ? 1 : 0;
  }
  selection.resize(count);
}

}  // namespace varve
