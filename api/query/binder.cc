#include "api/query/binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/query/functions.h"
#include "api/query/interval.h"
#include "api/query/operators.h"
#include "api/sql/text.h"

namespace varve {
namespace {

// What SAMPLE BY's key stands for in the rest of the statement.
const AstExpr& time_column() {
  static const AstExpr column = [] {
    AstExpr made;
    made.kind = AstKind::kColumn;
    made.name = kTimeColumn;
    return made;
  }();
  return column;
}

bool mentions_column(const AstExpr& expr) {
  return expr.kind == AstKind::kColumn ||
         std::any_of(expr.children.begin(), expr.children.end(),
                     [](const AstPtr& child) { return mentions_column(*child); });
}

SqlType value_type(const Value& value) {
  if (std::holds_alternative<double>(value)) return SqlType::kDouble;
  if (std::holds_alternative<int64_t>(value)) return SqlType::kInt64;
  if (std::holds_alternative<bool>(value)) return SqlType::kBool;
  if (std::holds_alternative<std::string>(value)) return SqlType::kString;
  return SqlType::kNull;
}

CompareOp compare_op(std::string_view symbol) {
  if (symbol == "=") return CompareOp::kEqual;
  if (symbol == "<>") return CompareOp::kNotEqual;
  if (symbol == "<") return CompareOp::kLess;
  if (symbol == "<=") return CompareOp::kLessEqual;
  if (symbol == ">") return CompareOp::kGreater;
  return CompareOp::kGreaterEqual;
}

// Each compiled pattern may take a megabyte or two.
constexpr uint32_t kPatternsMax = 64;

}  // namespace

Binder::Binder(const BindInput& input, SelectPlan& plan) : input_(input), plan_(plan) {
  plan_.slots.push_back({ColumnKind::kTime, std::string(kTimeColumn), 0});
}

std::vector<std::string> Binder::column_names() const {
  std::vector<std::string> names;
  if (input_.table == nullptr) return names;
  for (const ColumnInfo& column : input_.table->columns) names.push_back(column.name);
  return names;
}

const ColumnInfo* Binder::find_column(std::string_view name) const {
  if (input_.table == nullptr) return nullptr;
  const std::vector<ColumnInfo>& columns = input_.table->columns;
  const ColumnInfo* folded = nullptr;
  size_t folded_count = 0;
  for (const ColumnInfo& column : columns) {
    if (column.name == name) return &column;
    if (equal_ignoring_case(column.name, name)) {
      folded = &column;
      ++folded_count;
    }
  }
  if (folded_count > 0) return folded_count == 1 ? folded : nullptr;
  if (!equal_ignoring_case(name, "timestamp")) return nullptr;
  const auto time = std::find_if(columns.begin(), columns.end(),
                                 [](const ColumnInfo& column) { return column.kind == ColumnKind::kTime; });
  return time == columns.end() ? nullptr : &*time;
}

const AstExpr* Binder::find_alias(const AstExpr& name) const {
  if (name.kind != AstKind::kColumn || !name.qualifier.empty() || input_.items == nullptr) return nullptr;
  for (const SelectItem& item : *input_.items) {
    if (item.expr && !item.alias.empty() && equal_ignoring_case(item.alias, name.name))
      return item.expr.get();
  }
  return nullptr;
}

bool Binder::same_expression(const AstExpr& a, const AstExpr& b) const {
  if (a.kind != b.kind || a.children.size() != b.children.size() || a.value != b.value) return false;
  if (a.op != b.op || a.negated != b.negated || a.distinct != b.distinct || a.star != b.star) return false;
  if (a.has_operand != b.has_operand || a.has_else != b.has_else) return false;
  if (a.kind == AstKind::kColumn) {
    const ColumnInfo* column = find_column(a.name);
    return column != nullptr && column == find_column(b.name);
  }
  if (a.name != b.name) return false;
  for (size_t i = 0; i < a.children.size(); ++i) {
    if (!same_expression(*a.children[i], *b.children[i])) return false;
  }
  return true;
}

ScalarPtr Binder::column_slot(const ColumnInfo& column, size_t position) {
  const SqlType type = column.kind == ColumnKind::kTime  ? SqlType::kTimestamp
                       : column.kind == ColumnKind::kTag ? SqlType::kString
                                                         : sql_type_of(column.type);
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    if (plan_.slots[slot].kind == column.kind && plan_.slots[slot].name == column.name) {
      return std::make_unique<SlotScalar>(type, position, slot);
    }
  }
  plan_.slots.push_back({column.kind, column.name, plan_.fields.size()});
  if (column.kind == ColumnKind::kField) {
    plan_.fields.push_back(column.name);
    plan_.field_types.push_back(column.type);
  }
  return std::make_unique<SlotScalar>(type, position, plan_.slots.size() - 1);
}

QueryError Binder::unknown_column(const AstExpr& expr, const Scope& scope) const {
  if (input_.table == nullptr) {
    return invalid_query("unknown_column", fmt::format("no column `{}`: there is no FROM", expr.name),
                         expr.position, expr.quoted ? "strings are written in single quotes" : "");
  }
  if (!expr.qualifier.empty() && find_column(expr.name) != nullptr) {
    return invalid_query("unknown_table", fmt::format("no table `{}` in this statement", expr.qualifier),
                         expr.position, nearest_hint(expr.qualifier, {input_.table->name}));
  }
  std::vector<std::string> names = column_names();
  if (scope.aliases == Aliases::kYes && input_.items != nullptr) {
    for (const SelectItem& item : *input_.items) {
      if (!item.alias.empty()) names.push_back(item.alias);
    }
  }
  std::string hint = nearest_hint(expr.name, names);
  if (hint.empty() && expr.quoted) hint = "strings are written in single quotes";
  return invalid_query("unknown_column",
                       fmt::format("table `{}` has no column `{}`", input_.table->name, expr.name),
                       expr.position, std::move(hint));
}

QueryResult<ScalarPtr> Binder::bind_column(const AstExpr& expr, const Scope& scope) {
  const bool qualifier_fits =
      expr.qualifier.empty() || equal_ignoring_case(expr.qualifier, input_.table_alias) ||
      (input_.table != nullptr && equal_ignoring_case(expr.qualifier, input_.table->name));
  const ColumnInfo* column = qualifier_fits ? find_column(expr.name) : nullptr;
  const AstExpr* alias = column == nullptr && scope.aliases == Aliases::kYes ? find_alias(expr) : nullptr;
  if (alias != nullptr) return bind(*alias, {scope.grouped, Aliases::kNo, scope.clause});
  if (column == nullptr) return tl::make_unexpected(unknown_column(expr, scope));
  if (!scope.grouped) return column_slot(*column, expr.position);
  const AstExpr* same_alias = scope.aliases == Aliases::kYes ? find_alias(expr) : nullptr;
  if (same_alias != nullptr) return bind(*same_alias, {true, Aliases::kNo, scope.clause});
  return tl::make_unexpected(invalid_query(
      "not_grouped", fmt::format("`{}` is neither in GROUP BY nor inside an aggregate", column->name),
      expr.position,
      plan_.keys.empty() ? fmt::format("add GROUP BY {0}, or use last({0})", column->name)
                         : fmt::format("add it to GROUP BY, or use last({})", column->name)));
}

QueryResult<ScalarPtr> Binder::bind_parameter(const AstExpr& expr) const {
  const auto found = input_.parameters->find(expr.name);
  if (found == input_.parameters->end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : *input_.parameters) names.push_back(name);
    return tl::make_unexpected(invalid_query("missing_parameter", fmt::format("no value for ${}", expr.name),
                                             expr.position, nearest_hint(expr.name, names)));
  }
  return std::make_unique<ConstantScalar>(value_type(found->second), expr.position, found->second);
}

QueryResult<ScalarPtr> Binder::bind_row(const AstExpr& expr, std::string_view clause, Aliases aliases) {
  return bind(expr, {false, aliases, clause});
}

QueryResult<ScalarPtr> Binder::bind_group(const AstExpr& expr, Aliases aliases) {
  return bind(expr, {true, aliases, {}});
}

bool Binder::has_bucket_key() const {
  return std::any_of(plan_.keys.begin(), plan_.keys.end(),
                     [](const GroupKey& key) { return key.kind == GroupKey::Kind::kBucket; });
}

bool Binder::is_known_key(const AstExpr& expr) const {
  return std::any_of(key_asts_.begin(), key_asts_.end(),
                     [&](const KeyAst& known) { return same_expression(*known.expr, expr); });
}

QueryResult<void> Binder::add_key(const AstExpr& expr) {
  if (is_known_key(expr)) return {};
  VARVE_QUERY_ASSIGN(ScalarPtr bound, bind_row(expr, "GROUP BY", Aliases::kYes));
  GroupKey key;
  const std::vector<size_t> slots = bound->slots();
  const bool only_tags = std::all_of(slots.begin(), slots.end(),
                                     [&](size_t slot) { return plan_.slots[slot].kind == ColumnKind::kTag; });
  const auto* bucket = dynamic_cast<const BucketScalar*>(bound.get());
  if (only_tags) {
    key.kind = GroupKey::Kind::kSeries;
  } else if (bucket != nullptr && !has_bucket_key()) {
    const SlotScalar* time = as_slot(*bucket->children[0]);
    if (time != nullptr && time->slot == kTimeSlot) {
      key.kind = GroupKey::Kind::kBucket;
      key.bucket = bucket->rule;
    }
  }
  key.expr = std::move(bound);
  key_asts_.push_back({&expr, plan_.keys.size()});
  plan_.keys.push_back(std::move(key));
  return {};
}

QueryResult<void> Binder::add_sample_key(const SampleBy& sample) {
  FunctionCall call{"SAMPLE BY", {}, sample.position, input_.now_ns};
  if (sample.width->kind == AstKind::kInterval) {  // as text, for it may be months
    call.arguments.push_back(
        std::make_unique<ConstantScalar>(SqlType::kString, sample.width->position, sample.width->name));
  } else {
    VARVE_QUERY_ASSIGN(ScalarPtr width, bind_row(*sample.width, "SAMPLE BY", Aliases::kNo));
    call.arguments.push_back(std::move(width));
  }
  call.arguments.push_back(std::make_unique<SlotScalar>(SqlType::kTimestamp, sample.position, kTimeSlot));
  if (sample.zone) {
    VARVE_QUERY_ASSIGN(ScalarPtr zone, bind_row(*sample.zone, "TIME ZONE", Aliases::kNo));
    call.arguments.push_back(std::move(zone));
  }
  VARVE_QUERY_ASSIGN(ScalarPtr bound, bind_time_bucket(call));
  GroupKey key;
  key.kind = GroupKey::Kind::kBucket;
  key.bucket = static_cast<const BucketScalar&>(*bound).rule;
  key.expr = std::move(bound);
  key_asts_.push_back({&time_column(), plan_.keys.size()});
  plan_.keys.push_back(std::move(key));
  return {};
}

bool Binder::mentions_time(const AstExpr& expr) const {
  if (expr.kind == AstKind::kColumn) {
    const ColumnInfo* column = find_column(expr.name);
    return column != nullptr && column->kind == ColumnKind::kTime;
  }
  return std::any_of(expr.children.begin(), expr.children.end(),
                     [&](const AstPtr& child) { return mentions_time(*child); });
}

QueryResult<void> Binder::add_implied_keys(const AstExpr& item) {
  if (is_known_key(item)) return {};
  if (item.kind == AstKind::kCall && (item.name == "time_bucket" || item.name == "date_bin")) {
    // The same buckets, written out.
    VARVE_QUERY_ASSIGN(const ScalarPtr bound, bind_row(item, "SELECT", Aliases::kNo));
    const auto* bucket = dynamic_cast<const BucketScalar*>(bound.get());
    const bool same = bucket != nullptr && as_slot(*bucket->children[0]) != nullptr &&
                      bucket->rule == plan_.keys.front().bucket;
    if (same) {
      key_asts_.push_back({&item, 0});
      return {};
    }
  }
  if (!mentions_column(item)) return {};
  if (!mentions_time(item)) return add_key(item);
  if (item.kind == AstKind::kColumn) return {};
  for (const AstPtr& child : item.children) VARVE_QUERY_TRY(add_implied_keys(*child));
  return {};
}

QueryResult<ScalarPtr> Binder::bind(const AstExpr& expr, const Scope& scope) {
  // Aliases and CASE operands are bound where they are used, so a small statement could grow without this bound.
  if (++nodes_ > 2 * (kExpressionOperatorsMax + kExpressionLiteralsMax)) {
    return tl::make_unexpected(
        invalid_query("sql_too_large", "the statement's expressions are too large", expr.position));
  }
  if (scope.grouped) {
    for (const KeyAst& known : key_asts_) {
      if (!same_expression(*known.expr, expr)) continue;
      return std::make_unique<SlotScalar>(plan_.keys[known.key].expr->type, expr.position, known.key);
    }
  }
  VARVE_QUERY_ASSIGN(ScalarPtr bound, bind_node(expr, scope));
  VARVE_QUERY_ASSIGN(bound, fold(std::move(bound)));
  return limit_constant(std::move(bound));
}

QueryResult<ScalarPtr> Binder::limit_constant(ScalarPtr bound) {
  const ConstantScalar* constant = as_constant(*bound);
  if (constant == nullptr || physical_type(constant->type) != FieldType::kString || constant->is_null()) {
    return bound;
  }
  constant_bytes_ += constant->bytes();
  if (constant_bytes_ <= kConstantBytesMax) return bound;
  QueryError error = limit_error("memory_limit", "the statement's constants need more than 64 MiB");
  error.position = bound->position;
  return tl::make_unexpected(std::move(error));
}

QueryResult<ScalarPtr> Binder::bind_node(const AstExpr& expr, const Scope& scope) {
  switch (expr.kind) {
    case AstKind::kLiteral:
      return std::make_unique<ConstantScalar>(value_type(expr.value), expr.position, expr.value);
    case AstKind::kInterval: {
      const Result<int64_t> ns = parse_interval(expr.name);
      if (!ns)
        return tl::make_unexpected(invalid_query("invalid_interval", ns.error().message, expr.position));
      return std::make_unique<ConstantScalar>(SqlType::kInterval, expr.position, *ns);
    }
    case AstKind::kParameter:
      return bind_parameter(expr);
    case AstKind::kColumn:
      return bind_column(expr, scope);
    case AstKind::kCall:
      return bind_call(expr, scope);
    case AstKind::kCase:
      return bind_case_of(expr, scope);
    default:
      break;
  }
  std::vector<ScalarPtr> operands;
  for (const AstPtr& child : expr.children) {
    VARVE_QUERY_ASSIGN(ScalarPtr operand, bind(*child, scope));
    operands.push_back(std::move(operand));
  }
  return bind_operator(expr, std::move(operands));
}

QueryResult<ScalarPtr> Binder::bind_operator(const AstExpr& expr, std::vector<ScalarPtr> operands) {
  const size_t position = expr.position;
  QueryResult<ScalarPtr> bound;
  switch (expr.kind) {
    case AstKind::kNegate:
      if (expr.op == "-") return bind_negate(std::move(operands[0]), position);
      return std::move(operands[0]);
    case AstKind::kArithmetic:
      if (expr.op == "||") return bind_function({"||", std::move(operands), position, input_.now_ns});
      return bind_arithmetic(expr.op, std::move(operands[0]), std::move(operands[1]), position);
    case AstKind::kCompare:
      return bind_compare(compare_op(expr.op), std::move(operands[0]), std::move(operands[1]), position);
    case AstKind::kIsSame:
      return bind_is_same(std::move(operands[0]), std::move(operands[1]), expr.negated, position);
    case AstKind::kIsNull:
      return bind_is_null(std::move(operands[0]), expr.negated, position);
    case AstKind::kNot:
      return bind_not(std::move(operands[0]), position);
    case AstKind::kAnd:
      return bind_logic(true, std::move(operands), position);
    case AstKind::kOr:
      return bind_logic(false, std::move(operands), position);
    case AstKind::kCast: {
      VARVE_QUERY_ASSIGN(const SqlType type, cast_type(expr.name, position));
      return bind_cast(std::move(operands[0]), type);
    }
    case AstKind::kBetween:
      bound = bind_between(std::move(operands), position);
      break;
    case AstKind::kIn:
      bound = bind_in(std::move(operands), position);
      break;
    case AstKind::kLike:
      bound = bind_like(std::move(operands), position);
      break;
    default:
      if (++patterns_ > kPatternsMax) {
        return tl::make_unexpected(
            invalid_query("sql_too_large", fmt::format("a statement may have {} patterns", kPatternsMax),
                          position, "join them with | to one"));
      }
      bound = bind_regex(std::move(operands[0]), std::move(operands[1]), position);
      break;
  }
  if (!bound || !expr.negated) return bound;
  VARVE_QUERY_ASSIGN(ScalarPtr folded, fold(std::move(*bound)));
  return bind_not(std::move(folded), position);
}

QueryResult<ScalarPtr> Binder::bind_case_of(const AstExpr& expr, const Scope& scope) {
  std::vector<ScalarPtr> operands;
  const size_t first = expr.has_operand ? 1 : 0;
  for (size_t i = first; i < expr.children.size(); ++i) {
    VARVE_QUERY_ASSIGN(ScalarPtr operand, bind(*expr.children[i], scope));
    const bool is_otherwise = expr.has_else && i + 1 == expr.children.size();
    if (expr.has_operand && (i - first) % 2 == 0 && !is_otherwise) {
      VARVE_QUERY_ASSIGN(ScalarPtr subject, bind(*expr.children[0], scope));
      const size_t position = operand->position;
      VARVE_QUERY_ASSIGN(operand,
                         bind_compare(CompareOp::kEqual, std::move(subject), std::move(operand), position));
    }
    operands.push_back(std::move(operand));
  }
  return bind_case(std::move(operands), expr.position);
}

QueryResult<ScalarPtr> Binder::bind_call(const AstExpr& expr, const Scope& scope) {
  if (find_aggregate(expr.name) != nullptr) {
    if (scope.grouped) return bind_aggregate(expr);
    return tl::make_unexpected(invalid_query(
        "misplaced_aggregate", fmt::format("{}() cannot be used in {}", expr.name, scope.clause),
        expr.position, scope.clause == "WHERE" ? "filter groups with HAVING" : ""));
  }
  if (expr.star || expr.distinct) {
    return tl::make_unexpected(invalid_query(
        "sql_syntax", fmt::format("{}() is no aggregate: it takes neither * nor DISTINCT", expr.name),
        expr.position));
  }
  FunctionCall call{expr.name, {}, expr.position, input_.now_ns};
  const bool takes_width = expr.name == "time_bucket" || expr.name == "date_bin";
  for (const AstPtr& child : expr.children) {
    if (takes_width && call.arguments.empty() &&
        child->kind == AstKind::kInterval) {  // as text: may be months
      call.arguments.push_back(
          std::make_unique<ConstantScalar>(SqlType::kString, child->position, child->name));
      continue;
    }
    VARVE_QUERY_ASSIGN(ScalarPtr argument, bind(*child, scope));
    call.arguments.push_back(std::move(argument));
  }
  QueryResult<ScalarPtr> bound = bind_function(std::move(call));
  if (!bound && bound.error().code == "unknown_function") {
    std::vector<std::string> names = function_names();
    const std::vector<std::string> aggregates = aggregate_names();
    names.insert(names.end(), aggregates.begin(), aggregates.end());
    bound.error().hint = nearest_hint(expr.name, names);
  }
  return bound;
}

}  // namespace varve
