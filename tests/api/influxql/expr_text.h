// Syntax trees as text, every operator in parentheses: (host = 'a' and time > now()).
#pragma once

#include <fmt/format.h>

#include "api/influxql/ast.h"

namespace varve::test {

inline std::string expr_text(const influxql::Expr& expr) {
  using influxql::Cast;
  using influxql::ExprKind;
  const char* const casts[] = {"",          "::field",    "::tag",    "::float",
                               "::integer", "::unsigned", "::string", "::boolean"};
  std::vector<std::string> children;
  for (const auto& child : expr.children) children.push_back(expr_text(*child));
  switch (expr.kind) {
    case ExprKind::kNumber:
      return fmt::format("{}f", std::get<double>(expr.value));
    case ExprKind::kInteger:
      return fmt::format("{}", std::get<int64_t>(expr.value));
    case ExprKind::kString:
      return "'" + std::get<std::string>(expr.value) + "'";
    case ExprKind::kBool:
      return std::get<bool>(expr.value) ? "true" : "false";
    case ExprKind::kDuration:
      return fmt::format("{}ns", std::get<int64_t>(expr.value));
    case ExprKind::kRegex:
      return "/" + expr.text + "/";
    case ExprKind::kName:
      return expr.text + casts[static_cast<int>(expr.cast)];
    case ExprKind::kWildcard:
      return std::string("*") + casts[static_cast<int>(expr.cast)];
    case ExprKind::kCall:
      return fmt::format("{}({})", expr.text, fmt::join(children, ", "));
    case ExprKind::kBinary:
      return fmt::format("({} {} {})", children[0], expr.op, children[1]);
    case ExprKind::kParen:
      return "[" + children[0] + "]";
  }
  return "?";
}

}  // namespace varve::test
