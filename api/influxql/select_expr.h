// Expressions of InfluxQL as a SELECT evaluates them: text for names and errors, types, and values row by row.
//   Numbers: int64 wraps; a field's int64 / int64 is a double (a condition's an int64); division by zero is 0.
//   Null in, null out, but for comparisons, which are false then. NaN and infinities are null.
//   Comparing values of different kinds is false, `!=` too; strings and booleans only know = and !=.
// Errors:  influxql, in InfluxDB 1.x's words (type error: ..., undefined function ...).
// Threads: a Program belongs to one thread; the rest are pure functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/regex.h"
#include "api/query/query_error.h"

namespace varve::influxql {

// An error of execution in InfluxDB's words.
QueryError influxql_error(std::string message);

enum class DataType { kUnknown, kFloat, kInteger, kString, kBoolean, kTag };
std::string_view data_type_name(DataType type);
DataType data_type(FieldType type);
FieldType field_type(DataType type);  // tags and unknown are strings and doubles

ExprPtr clone(const Expr& expr);
// As InfluxDB prints it, with the types that names carry: usage::float + 1
std::string expr_text(const Expr& expr);
std::string_view go_type(const Expr& expr);  // *influxql.StringLiteral
std::string interval_text(int64_t ns);       // 1m30s is 90s there
bool is_literal(const Expr& expr);
int64_t clamped_int64(double value);  // towards zero
const Expr& without_parens(const Expr& expr);

// The functions of math, by name; 0 = no such.
size_t math_arguments(std::string_view name);

// usage::float: names in a resolved SELECT carry their type as a cast; kNone = unknown.
DataType type_of_name(const Expr& name);

// The type of a field's expression. `type_of` gives the types of calls and names.
using TypeOf = std::function<QueryResult<DataType>(const Expr&)>;
QueryResult<DataType> type_of_expr(const Expr& expr, const TypeOf& type_of);

// Compiled for many rows: names and calls are numbered once.
class Program {
 public:
  enum class Use { kField, kCondition };
  // The slot of a name or a call that is no math function.
  using SlotOf = std::function<size_t(const Expr&)>;
  using SlotValue = std::function<const Value&(size_t)>;

  static QueryResult<Program> compile(const Expr& expr, Use use, const SlotOf& slot_of);
  Value evaluate(const SlotValue& slots) const;
  bool is_true(const SlotValue& slots) const;
  // The expression is one slot and nothing else.
  std::optional<size_t> only_slot() const;

 private:
  struct Node;
  explicit Program(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  static QueryResult<std::shared_ptr<Node>> build(const Expr& expr, Use use, const SlotOf& slot_of);
  std::shared_ptr<const Node> root_;
};

}  // namespace varve::influxql
