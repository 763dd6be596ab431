#include "api/sql/print.h"

#include <fmt/format.h>

namespace varve {
namespace {

class Printer {
 public:
  explicit Printer(size_t bytes_max) : bytes_max_(bytes_max) {}

  void print(const AstExpr& expr) {
    if (full()) return;
    switch (expr.kind) {
      case AstKind::kLiteral:
        return literal(expr.value);
      case AstKind::kInterval:
        out_ += "INTERVAL ";
        return quoted(expr.name, '\'');
      case AstKind::kColumn:
        if (!expr.qualifier.empty()) out_ += expr.qualifier + ".";
        if (expr.quoted) return quoted(expr.name, '"');
        out_ += expr.name;
        return;
      case AstKind::kParameter:
        out_ += "$" + expr.name;
        return;
      case AstKind::kNegate:
        out_ += expr.op;
        return operand(*expr.children[0]);
      case AstKind::kArithmetic:
      case AstKind::kCompare:
        return joined(expr, " " + expr.op + " ");
      case AstKind::kAnd:
        return joined(expr, " AND ");
      case AstKind::kOr:
        return joined(expr, " OR ");
      case AstKind::kNot:
        out_ += "NOT ";
        return operand(*expr.children[0]);
      case AstKind::kIsNull:
        operand(*expr.children[0]);
        out_ += expr.negated ? " IS NOT NULL" : " IS NULL";
        return;
      case AstKind::kIsSame:
        return joined(expr, expr.negated ? " IS NOT " : " IS ");
      case AstKind::kRegex:
        return joined(expr, expr.negated ? " !~ " : " ~ ");
      case AstKind::kBetween:
      case AstKind::kIn:
      case AstKind::kLike:
        return test(expr);
      case AstKind::kCase:
        return case_of(expr);
      case AstKind::kCast:
        out_ += "cast(";
        print(*expr.children[0]);
        out_ += " as " + expr.name + ")";
        return;
      case AstKind::kCall:
        out_ += expr.name + (expr.star ? "(*" : expr.distinct ? "(DISTINCT " : "(");
        list(expr, 0);
        out_ += ")";
        return;
    }
  }

  std::string take() {
    if (!full()) return std::move(out_);
    size_t cut = bytes_max_;
    while (cut > 0 && (static_cast<unsigned char>(out_[cut]) & 0xc0) == 0x80)
      --cut;  // whole UTF-8 characters
    return out_.substr(0, cut) + "...";
  }

 private:
  bool full() const { return out_.size() > bytes_max_; }

  void quoted(std::string_view text, char quote) {
    out_.push_back(quote);
    for (const char c : text.substr(0, bytes_max_)) {
      if (c == quote) out_.push_back(quote);
      out_.push_back(c);
    }
    out_.push_back(quote);
  }

  void literal(const Value& value) {
    if (const auto* whole = std::get_if<int64_t>(&value)) {
      out_ += fmt::format("{}", *whole);
    } else if (const auto* real = std::get_if<double>(&value)) {
      out_ += fmt::format("{}", *real);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      out_ += *flag ? "true" : "false";
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      quoted(*text, '\'');
    } else {
      out_ += "NULL";
    }
  }

  // In parentheses unless nothing around it can tear it apart.
  void operand(const AstExpr& expr) {
    const bool whole = expr.kind == AstKind::kLiteral || expr.kind == AstKind::kColumn ||
                       expr.kind == AstKind::kParameter || expr.kind == AstKind::kCall ||
                       expr.kind == AstKind::kCast || expr.kind == AstKind::kInterval ||
                       expr.kind == AstKind::kCase;
    if (!whole) out_ += "(";
    print(expr);
    if (!whole) out_ += ")";
  }

  void joined(const AstExpr& expr, const std::string& by) {
    for (size_t i = 0; i < expr.children.size() && !full(); ++i) {
      if (i > 0) out_ += by;
      operand(*expr.children[i]);
    }
  }

  void list(const AstExpr& expr, size_t from) {
    for (size_t i = from; i < expr.children.size() && !full(); ++i) {
      if (i > from) out_ += ", ";
      print(*expr.children[i]);
    }
  }

  void test(const AstExpr& expr) {
    operand(*expr.children[0]);
    if (expr.negated) out_ += " NOT";
    if (expr.kind == AstKind::kIn) {
      out_ += " IN (";
      list(expr, 1);
      out_ += ")";
      return;
    }
    const bool between = expr.kind == AstKind::kBetween;
    out_ += between ? " BETWEEN " : " LIKE ";
    operand(*expr.children[1]);
    if (expr.children.size() < 3) return;
    out_ += between ? " AND " : " ESCAPE ";
    operand(*expr.children[2]);
  }

  void case_of(const AstExpr& expr) {
    out_ += "CASE";
    size_t i = 0;
    if (expr.has_operand) {
      out_ += " ";
      print(*expr.children[i++]);
    }
    for (; i + 1 < expr.children.size() && !full(); i += 2) {
      out_ += " WHEN ";
      print(*expr.children[i]);
      out_ += " THEN ";
      print(*expr.children[i + 1]);
    }
    if (expr.has_else) {
      out_ += " ELSE ";
      print(*expr.children.back());
    }
    out_ += " END";
  }

  size_t bytes_max_;
  std::string out_;
};

}  // namespace

std::string sql_text(const AstExpr& expr, size_t bytes_max) {
  Printer printer(bytes_max);
  printer.print(expr);
  return printer.take();
}

std::string sql_text(const FillTerm& term) {
  switch (term.kind) {
    case FillTerm::Kind::kNone:
      return "none";
    case FillTerm::Kind::kNull:
      return "null";
    case FillTerm::Kind::kPrevious:
      return "prev";
    case FillTerm::Kind::kLinear:
      return "linear";
    case FillTerm::Kind::kValue:
      return sql_text(*term.value);
  }
  return {};
}

}  // namespace varve
