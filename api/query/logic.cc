#include <fmt/format.h>

#include <algorithm>

#include "api/query/operators.h"

namespace varve {
namespace {

// CASE WHEN: each result is computed only for the rows that take it, so an overflow or error elsewhere does no harm.
class CaseScalar : public Scalar {
 public:
  CaseScalar(SqlType sql_type, size_t text_position, std::vector<ScalarPtr> operands)
      : Scalar(sql_type, text_position, std::move(operands)), out_(physical_type(sql_type)) {
    for (const ScalarPtr& child : children) child_slots_.push_back(child->slots());
  }

  VectorView evaluate(const Chunk& chunk, EvalContext& context) override {
    std::vector<uint32_t> open(chunk.rows);  // rows no condition has taken yet
    for (uint32_t row = 0; row < chunk.rows; ++row) open[row] = row;
    std::vector<ColumnVector> taken;
    std::vector<std::pair<uint32_t, uint32_t>> source(chunk.rows, {kNoBranch, 0});  // branch, entry in it
    for (size_t i = 0; i < children.size() && !open.empty(); i += 2) {
      const bool otherwise = i + 1 == children.size();
      std::vector<uint32_t> passed = open;
      if (!otherwise) split(i, chunk, context, open, passed);
      if (passed.empty()) continue;
      const size_t result = otherwise ? i : i + 1;
      const VectorView values = evaluate_on(result, chunk, passed, context);
      if (context.failed()) break;
      ColumnVector& branch = taken.emplace_back(out_.type);
      append_entries(branch, values, 0, passed.size());
      for (uint32_t k = 0; k < passed.size(); ++k)
        source[passed[k]] = {static_cast<uint32_t>(taken.size() - 1), k};
      if (otherwise) open.clear();
    }
    out_.clear();
    for (const auto& [branch, entry] : source) {
      if (branch == kNoBranch) {
        out_.push_null();
      } else {
        out_.push_from(taken[branch], entry);
      }
    }
    return view_of(out_);
  }

 private:
  static constexpr uint32_t kNoBranch = UINT32_MAX;

  VectorView evaluate_on(size_t child, const Chunk& chunk, const std::vector<uint32_t>& rows,
                         EvalContext& context) {
    if (rows.size() == chunk.rows) return children[child]->evaluate(chunk, context);
    return children[child]->evaluate(compacted_.assign(chunk, rows, child_slots_[child]), context);
  }

  // Moves the rows of `open` where condition `child` is true to `passed`.
  void split(size_t child, const Chunk& chunk, EvalContext& context, std::vector<uint32_t>& open,
             std::vector<uint32_t>& passed) {
    const VectorView condition = evaluate_on(child, chunk, open, context);
    passed.clear();
    if (context.failed()) return;
    std::vector<uint32_t> rest;
    for (size_t k = 0; k < open.size(); ++k) {
      const bool is_true = condition.is_valid(k) && condition.bools[condition.entry(k)] != 0;
      (is_true ? passed : rest).push_back(open[k]);
    }
    open = std::move(rest);
  }

  std::vector<std::vector<size_t>> child_slots_;
  ColumnVector out_;
  CompactedChunk compacted_;
};

std::vector<ScalarPtr> one(ScalarPtr operand) {
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(operand));
  return operands;
}

}  // namespace

LogicScalar::LogicScalar(bool all_of, size_t text_position, std::vector<ScalarPtr> operands)
    : Scalar(SqlType::kBool, text_position, std::move(operands)), is_and(all_of), out_(FieldType::kBool) {}

VectorView LogicScalar::operand_on_undecided(Scalar& operand, const Chunk& chunk, EvalContext& context) {
  undecided_rows_.clear();
  for (uint32_t row = 0; row < chunk.rows; ++row) {
    if (decided_[row] == 0) undecided_rows_.push_back(row);
  }
  if (undecided_rows_.empty()) return {};
  return operand.evaluate(undecided_.assign(chunk, undecided_rows_, operand.slots()), context);
}

VectorView LogicScalar::evaluate(const Chunk& chunk, EvalContext& context) {
  decided_.assign(chunk.rows, 0);  // a false in AND, a true in OR
  unknown_.assign(chunk.rows, 0);  // a NULL met
  const uint8_t deciding = is_and ? 0 : 1;
  bool constant = true;
  bool first = true;
  for (const ScalarPtr& child : children) {
    if (!first && child->can_fail()) {
      const VectorView view = operand_on_undecided(*child, chunk, context);
      if (context.failed() || undecided_rows_.empty()) break;
      constant = constant && view.constant;
      for (size_t k = 0; k < undecided_rows_.size(); ++k) {
        const uint32_t row = undecided_rows_[k];
        const bool known = view.is_valid(k);
        unknown_[row] |= known ? 0 : 1;
        decided_[row] |= known && view.bools[view.entry(k)] == deciding ? 1 : 0;
      }
      continue;
    }
    first = false;
    const VectorView view = child->evaluate(chunk, context);
    if (context.failed()) break;
    constant = constant && view.constant;
    if (!view.constant && view.valid == nullptr) {
      for (size_t row = 0; row < chunk.rows; ++row) decided_[row] |= view.bools[row] == deciding ? 1 : 0;
      continue;
    }
    for (size_t row = 0; row < chunk.rows; ++row) {
      const bool known = view.is_valid(row);
      unknown_[row] |= known ? 0 : 1;
      decided_[row] |= known && view.bools[view.entry(row)] == deciding ? 1 : 0;
    }
  }
  const size_t rows = constant ? 1 : chunk.rows;
  out_.clear();
  out_.bools.resize(rows);
  for (size_t row = 0; row < rows; ++row) {
    out_.bools[row] = decided_[row] != 0 ? deciding : 1 - deciding;
    if (decided_[row] == 0 && unknown_[row] != 0) mark_null(out_, row);
  }
  return view_of(out_, constant);
}

QueryResult<ScalarPtr> bind_condition(ScalarPtr operand) {
  if (operand->type == SqlType::kBool) return operand;
  if (operand->type == SqlType::kNull) {
    return std::make_unique<ConstantScalar>(SqlType::kBool, operand->position, Value{});
  }
  if (is_number(operand->type)) return bind_cast(std::move(operand), SqlType::kBool);
  return tl::make_unexpected(invalid_query(
      "type_mismatch", fmt::format("expected a condition, found a {}", sql_type_name(operand->type)),
      operand->position));
}

QueryResult<ScalarPtr> bind_logic(bool is_and, std::vector<ScalarPtr> operands, size_t position) {
  for (ScalarPtr& operand : operands) {
    VARVE_QUERY_ASSIGN(operand, bind_condition(std::move(operand)));
  }
  return std::make_unique<LogicScalar>(is_and, position, std::move(operands));
}

QueryResult<ScalarPtr> bind_not(ScalarPtr operand, size_t position) {
  VARVE_QUERY_ASSIGN(operand, bind_condition(std::move(operand)));
  return std::make_unique<KernelScalar>(SqlType::kBool, position, one(std::move(operand)),
                                        [](KernelCall& call) {
                                          call.out.bools.resize(call.rows);
                                          for (size_t i = 0; i < call.rows; ++i)
                                            call.out.bools[i] = call.arguments[0].bools[i] != 0 ? 0 : 1;
                                          propagate_nulls(call);
                                        });
}

ScalarPtr bind_is_null(ScalarPtr operand, bool negated, size_t position) {
  return std::make_unique<KernelScalar>(
      SqlType::kBool, position, one(std::move(operand)), [negated](KernelCall& call) {
        call.out.bools.resize(call.rows);
        for (size_t i = 0; i < call.rows; ++i)
          call.out.bools[i] = call.arguments[0].is_valid(i) == negated ? 1 : 0;
      });
}

QueryResult<ScalarPtr> bind_case(std::vector<ScalarPtr> operands, size_t position) {
  std::vector<ScalarPtr*> results;
  for (size_t i = 0; i < operands.size(); i += 2) {
    if (i + 1 == operands.size()) {
      results.push_back(&operands[i]);
    } else {
      VARVE_QUERY_ASSIGN(operands[i], bind_condition(std::move(operands[i])));
      results.push_back(&operands[i + 1]);
    }
  }
  VARVE_QUERY_ASSIGN(const SqlType type, unify_types(results, "the results of CASE"));
  return std::make_unique<CaseScalar>(type, position, std::move(operands));
}

QueryResult<ScalarPtr> fold(ScalarPtr expr) {
  const bool foldable = !expr->children.empty() &&
                        std::all_of(expr->children.begin(), expr->children.end(),
                                    [](const ScalarPtr& child) { return as_constant(*child) != nullptr; });
  if (!foldable) return expr;
  EvalContext context(kConstantBytesMax);
  const Chunk one_row{1, {}};
  const VectorView view = expr->evaluate(one_row, context);
  if (context.failed()) return tl::make_unexpected(context.error());
  ColumnVector column(view.type);
  append_entry(column, view, 0);
  return std::make_unique<ConstantScalar>(expr->type, expr->position, column.value(0));
}

}  // namespace varve
