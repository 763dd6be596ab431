// The syntax tree of one statement, as written: names are not resolved, types not known.
// Trees are at most kExpressionDepthMax deep, so walking and destroying them by recursion is safe.
// Chains of AND or OR are one node with many children.
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/model/types.h"

namespace varve {

constexpr size_t kSqlBytesMax = 1 << 20;
constexpr uint32_t kExpressionDepthMax = 256;
// Every operator keeps a buffer of one chunk of rows (8 KiB), so this bounds a statement at about 80 MiB.
constexpr uint32_t kExpressionOperatorsMax = 10'000;
constexpr uint32_t kExpressionLiteralsMax = 100'000;  // a long IN list; about 25 MiB of syntax tree
constexpr size_t kSelectItemsMax = 4096;              // as many as a table may have columns

enum class AstKind {
  kLiteral,     // value; monostate is NULL
  kInterval,    // INTERVAL 'text': text in `name`
  kColumn,      // [qualifier.]name
  kParameter,   // $name
  kNegate,      // - a
  kArithmetic,  // a + - * / % || b, op is the symbol
  kCompare,     // a = <> < <= > >= b, normalised symbol in op
  kAnd,         // two or more children
  kOr,
  kNot,
  kIsNull,   // a IS [NOT] NULL
  kIsSame,   // a IS [NOT] b: NULL equals NULL
  kBetween,  // child 0 [NOT] BETWEEN child 1 AND child 2
  kIn,       // child 0 [NOT] IN (the rest)
  kLike,     // child 0 [NOT] LIKE child 1 [ESCAPE child 2]
  kRegex,    // child 0 ~ child 1, or !~
  kCase,     // [operand] (when, then)* [else]; see has_operand, has_else
  kCast,     // CAST(child AS name)
  kCall,     // name([DISTINCT] children), or name(*)
};

struct AstExpr;
using AstPtr = std::unique_ptr<AstExpr>;

struct AstExpr {
  AstKind kind = AstKind::kLiteral;
  size_t position = 0;  // first byte of its text
  size_t end = 0;       // one past the last
  uint32_t depth = 1;
  std::string op;
  std::string name;
  std::string qualifier;
  Value value;
  std::vector<AstPtr> children;
  bool negated = false;      // NOT IN, NOT LIKE, IS NOT, !~
  bool distinct = false;     // kCall
  bool star = false;         // kCall: count(*)
  bool quoted = false;       // kColumn: was written "name"
  bool has_operand = false;  // kCase
  bool has_else = false;     // kCase
};

struct SelectItem {
  AstPtr expr;            // null for * and t.*
  std::string qualifier;  // of t.*
  std::string alias;      // empty = none
  std::string text;       // as written, the column's name when there is no alias
  size_t position = 0;
};

struct TableName {
  std::string database;  // empty = bare
  std::string name;
  std::string alias;
  size_t position = 0;
};

struct OrderItem {
  AstPtr expr;
  bool descending = false;
  std::optional<bool> nulls_first;  // else: first when ascending, last when descending, as SQLite
};

// SAMPLE BY width [ALIGN TO CALENDAR [TIME ZONE 'name']]
struct SampleBy {
  AstPtr width;  // a string literal (also of a bare 5m), a parameter or an interval
  AstPtr zone;   // null = UTC
  size_t position = 0;
};

struct FillTerm {
  enum class Kind { kNone, kNull, kPrevious, kLinear, kValue };
  Kind kind = Kind::kNone;
  AstPtr value;  // kValue
  size_t position = 0;
};

struct SelectStatement {
  bool distinct = false;
  std::vector<SelectItem> items;
  std::optional<TableName> from;
  AstPtr where;
  std::optional<SampleBy> sample_by;
  std::vector<AstPtr> latest_by;  // also LATEST ON time PARTITION BY ...
  std::vector<AstPtr> group_by;
  AstPtr having;
  std::vector<FillTerm> fill;  // of GROUP BY or SAMPLE BY; empty = none was written
  std::vector<OrderItem> order_by;
  AstPtr limit;
  AstPtr offset;
};

struct ShowTablesStatement {};

struct DescribeStatement {
  TableName table;
};

struct DeleteStatement {
  TableName table;
  AstPtr where;  // never null
};

struct ExplainStatement {
  bool analyze = false;
  SelectStatement select;
};

using Statement =
    std::variant<SelectStatement, ShowTablesStatement, DescribeStatement, DeleteStatement, ExplainStatement>;

}  // namespace varve
