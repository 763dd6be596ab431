#include "api/influxql/select_expr.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace varve::influxql {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == quote || c == '\\') out += '\\';
    out += c;
  }
  return out + quote;
}

std::string identifier(std::string_view name) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const bool bare = !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
                    std::all_of(name.begin(), name.end(), plain);
  // Words of the language are quoted, too; of those only these are common names.
  static constexpr std::array kWords = {"on",  "key",   "name", "in",    "by",
                                        "all", "stats", "user", "limit", "offset"};
  const bool word = std::find(kWords.begin(), kWords.end(), name) != kWords.end();
  return bare && !word ? std::string(name) : quoted(name, '"');
}

std::string_view cast_name(Cast cast) {
  switch (cast) {
    case Cast::kField:
      return "field";
    case Cast::kTag:
      return "tag";
    case Cast::kFloat:
      return "float";
    case Cast::kInteger:
      return "integer";
    case Cast::kUnsigned:
      return "unsigned";
    case Cast::kString:
      return "string";
    case Cast::kBoolean:
      return "boolean";
    case Cast::kNone:
      break;
  }
  return {};
}

std::string with_cast(std::string text, Cast cast) {
  if (cast == Cast::kNone) return text;
  return text + "::" + std::string(cast_name(cast));
}

std::string literal_text(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return fmt::format("{:.3f}", std::get<double>(expr.value));
    case ExprKind::kInteger:
      return fmt::format("{}", std::get<int64_t>(expr.value));
    case ExprKind::kString:
      return quoted(std::get<std::string>(expr.value), '\'');
    case ExprKind::kBool:
      return std::get<bool>(expr.value) ? "true" : "false";
    default:
      return interval_text(std::get<int64_t>(expr.value));
  }
}

// What an operator gives for two types; nullopt = they do not go together.
std::optional<DataType> operator_type(std::string_view op, DataType left, DataType right) {
  const auto number = [](DataType type) { return type == DataType::kFloat || type == DataType::kInteger; };
  if (op == "&" || op == "|" || op == "^") {
    if (left != right || (left != DataType::kInteger && left != DataType::kBoolean)) return std::nullopt;
    return left;
  }
  if (!number(left) || !number(right)) return std::nullopt;
  if (op == "/" || left == DataType::kFloat || right == DataType::kFloat) return DataType::kFloat;
  return DataType::kInteger;
}

}  // namespace

QueryError influxql_error(std::string message) {
  return {QueryErrorKind::kInvalid, "influxql", std::move(message), std::nullopt, {}};
}

std::string_view data_type_name(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return "float";
    case DataType::kInteger:
      return "integer";
    case DataType::kString:
      return "string";
    case DataType::kBoolean:
      return "boolean";
    case DataType::kTag:
      return "tag";
    case DataType::kUnknown:
      break;
  }
  return "unknown";
}

DataType data_type(FieldType type) {
  switch (type) {
    case FieldType::kInt64:
      return DataType::kInteger;
    case FieldType::kBool:
      return DataType::kBoolean;
    case FieldType::kString:
      return DataType::kString;
    case FieldType::kDouble:
      break;
  }
  return DataType::kFloat;
}

FieldType field_type(DataType type) {
  switch (type) {
    case DataType::kInteger:
      return FieldType::kInt64;
    case DataType::kBoolean:
      return FieldType::kBool;
    case DataType::kString:
    case DataType::kTag:
      return FieldType::kString;
    default:
      return FieldType::kDouble;
  }
}

ExprPtr clone(const Expr& expr) {
  auto copy = std::make_unique<Expr>();
  copy->kind = expr.kind;
  copy->position = expr.position;
  copy->depth = expr.depth;
  copy->text = expr.text;
  copy->op = expr.op;
  copy->cast = expr.cast;
  copy->value = expr.value;
  for (const ExprPtr& child : expr.children) copy->children.push_back(clone(*child));
  return copy;
}

std::string interval_text(int64_t ns) {
  static constexpr std::pair<int64_t, std::string_view> kUnits[] = {
      {604'800'000'000'000, "w"},
      {86'400'000'000'000, "d"},
      {3'600'000'000'000, "h"},
      {60'000'000'000, "m"},
      {1'000'000'000, "s"},
      {1'000'000, "ms"},
      {1'000, "u"},
  };
  if (ns == 0) return "0s";
  for (const auto& [size, unit] : kUnits) {
    if (ns % size == 0) return fmt::format("{}{}", ns / size, unit);
  }
  return fmt::format("{}ns", ns);
}

std::string expr_text(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kName:
      return with_cast(identifier(expr.text), expr.cast);
    case ExprKind::kWildcard:
      return with_cast("*", expr.cast);
    case ExprKind::kRegex:
      return "/" + expr.text + "/";
    case ExprKind::kParen:
      return "(" + expr_text(*expr.children[0]) + ")";
    case ExprKind::kBinary: {
      const std::string op = expr.op == "and" ? "AND" : expr.op == "or" ? "OR" : expr.op;
      return fmt::format("{} {} {}", expr_text(*expr.children[0]), op, expr_text(*expr.children[1]));
    }
    case ExprKind::kCall: {
      std::string text = expr.text + "(";
      for (size_t i = 0; i < expr.children.size(); ++i) {
        if (i > 0) text += ", ";
        text += expr_text(*expr.children[i]);
      }
      return text + ")";
    }
    default:
      return literal_text(expr);
  }
}

std::string_view go_type(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return "*influxql.NumberLiteral";
    case ExprKind::kInteger:
      return "*influxql.IntegerLiteral";
    case ExprKind::kString:
      return "*influxql.StringLiteral";
    case ExprKind::kBool:
      return "*influxql.BooleanLiteral";
    case ExprKind::kDuration:
      return "*influxql.DurationLiteral";
    case ExprKind::kRegex:
      return "*influxql.RegexLiteral";
    case ExprKind::kName:
      return "*influxql.VarRef";
    case ExprKind::kWildcard:
      return "*influxql.Wildcard";
    case ExprKind::kCall:
      return "*influxql.Call";
    case ExprKind::kParen:
      return "*influxql.ParenExpr";
    case ExprKind::kBinary:
      break;
  }
  return "*influxql.BinaryExpr";
}

bool is_literal(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kInteger:
    case ExprKind::kString:
    case ExprKind::kBool:
    case ExprKind::kDuration:
    case ExprKind::kRegex:
      return true;
    default:
      return false;
  }
}

int64_t clamped_int64(double value) {
  constexpr double kBound = 9'223'372'036'854'774'784.0;  // the largest double below 2^63
  return static_cast<int64_t>(std::clamp(value, -kBound, kBound));
}

const Expr& without_parens(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == ExprKind::kParen) inner = inner->children[0].get();
  return *inner;
}

size_t math_arguments(std::string_view name) {
  static constexpr std::array kOne = {"abs", "sin",  "cos",   "tan",  "asin",  "acos", "atan", "exp",
                                      "ln",  "log2", "log10", "sqrt", "floor", "ceil", "round"};
  static constexpr std::array kTwo = {"atan2", "log", "pow"};
  if (std::find(kOne.begin(), kOne.end(), name) != kOne.end()) return 1;
  return std::find(kTwo.begin(), kTwo.end(), name) != kTwo.end() ? 2 : 0;
}

DataType type_of_name(const Expr& name) {
  switch (name.cast) {
    case Cast::kFloat:
      return DataType::kFloat;
    case Cast::kInteger:
    case Cast::kUnsigned:
      return DataType::kInteger;
    case Cast::kString:
      return DataType::kString;
    case Cast::kBoolean:
      return DataType::kBoolean;
    case Cast::kTag:
      return DataType::kTag;
    default:
      return DataType::kUnknown;
  }
}

QueryResult<DataType> type_of_expr(const Expr& expr, const TypeOf& type_of) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return DataType::kFloat;
    case ExprKind::kInteger:
      return DataType::kInteger;
    case ExprKind::kString:
      return DataType::kString;
    case ExprKind::kBool:
      return DataType::kBoolean;
    case ExprKind::kParen:
      return type_of_expr(*expr.children[0], type_of);
    case ExprKind::kCall: {
      if (math_arguments(expr.text) == 0) return type_of(expr);
      for (const ExprPtr& child : expr.children) VARVE_QUERY_TRY(type_of_expr(*child, type_of));
      VARVE_QUERY_ASSIGN(const DataType first, type_of_expr(*expr.children[0], type_of));
      const bool keeps =
          expr.text == "abs" || expr.text == "floor" || expr.text == "ceil" || expr.text == "round";
      return keeps && first == DataType::kInteger ? DataType::kInteger : DataType::kFloat;
    }
    case ExprKind::kBinary: {
      VARVE_QUERY_ASSIGN(const DataType left, type_of_expr(*expr.children[0], type_of));
      VARVE_QUERY_ASSIGN(const DataType right, type_of_expr(*expr.children[1], type_of));
      if (left == DataType::kUnknown) return right;
      if (right == DataType::kUnknown) return left;
      if (const auto type = operator_type(expr.op, left, right)) return *type;
      return tl::make_unexpected(
          influxql_error(fmt::format("type error: {}: incompatible types: {} and {}", expr_text(expr),
                                     data_type_name(left), data_type_name(right))));
    }
    default:
      return type_of(expr);
  }
}

}  // namespace varve::influxql
