// The syntax tree of InfluxQL 1.x statements, as written: measurements and regexes are not resolved, wildcards not
// expanded, types not known. (Language: the InfluxQL specification of InfluxDB 1.8.)
// Trees are at most kExpressionDepthMax deep (api/sql/ast.h), so walking and destroying them by recursion is safe.
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "storage/model/types.h"

namespace varve::influxql {

constexpr size_t kStatementsMax = 1000;  // of one request (guessed: clients send a handful)

enum class ExprKind {
  kNumber,    // value: double
  kInteger,   // value: int64
  kString,    // value: string; beside `time` it is a time
  kBool,      // value: bool
  kDuration,  // value: int64 ns, as 10s
  kRegex,     // text: the pattern without its slashes
  kName,      // text: field, tag or `time`, perhaps with a cast (`::tag`)
  kWildcard,  // *, perhaps with a cast (`*::field`)
  kCall,      // text: lower-case name; children: the arguments. now() is one, too; distinct x is distinct(x)
  kBinary,    // op: + - * / % & | ^ = != < <= > >= =~ !~ and or (lower case; <> is !=)
  kParen,     // one child; kept, because column names follow the text
};

enum class Cast { kNone, kField, kTag, kFloat, kInteger, kUnsigned, kString, kBoolean };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::kNumber;
  size_t position = 0;  // first byte in the request's text
  uint32_t depth = 1;
  std::string text;
  std::string op;
  Cast cast = Cast::kNone;
  Value value;
  std::vector<ExprPtr> children;
};

struct Field {
  ExprPtr expr;
  std::string alias;  // empty = none
};

struct SelectStatement;

// FROM: a measurement by name or regex, or a sub-query.
struct Source {
  std::string database;  // empty = the request's
  std::string retention_policy;
  std::string name;
  bool is_regex = false;  // name is the pattern
  std::unique_ptr<SelectStatement> subquery;
  size_t position = 0;
};

struct TimeDimension {
  int64_t interval_ns = 0;     // 0 or less = as without
  int64_t offset_ns = 0;       // may be negative
  bool offset_is_now = false;  // time(1h, now()): the service sets offset_ns before the statement runs
};

struct Dimension {  // of GROUP BY, beside time()
  enum class Kind { kTag, kRegex, kAll };
  Kind kind = Kind::kTag;
  std::string text;
};

struct Fill {
  enum class Kind { kDefault, kNone, kNull, kPrevious, kLinear, kNumber };
  Kind kind = Kind::kDefault;
  double number = 0;
  bool whole = false;  // was written as an integer
};

struct SelectStatement {
  std::vector<Field> fields;
  std::vector<Source> sources;
  ExprPtr condition;  // null = none
  std::optional<TimeDimension> time_dimension;
  std::vector<Dimension> dimensions;
  std::string
      dimension_error;  // GROUP BY parses but means nothing: an error of execution, which the service tells
  Fill fill;
  bool descending = false;
  int64_t limit = 0;  // 0 = none, as for the three below
  int64_t offset = 0;
  int64_t series_limit = 0;
  int64_t series_offset = 0;
  std::string time_zone;  // empty = UTC
  bool into = false;      // SELECT ... INTO, which is refused by name
};

enum class ShowWhat {
  kDatabases,
  kMeasurements,
  kTagKeys,
  kTagValues,
  kFieldKeys,
  kSeries,
  kRetentionPolicies,
  kUsers,
  kQueries,
  kContinuousQueries,
  kSubscriptions,
  kShards,
  kShardGroups,
  kGrants,
  kStats,
  kDiagnostics,
  kSeriesCardinality,
  kMeasurementCardinality,
  kTagKeyCardinality,
  kTagValuesCardinality,
  kFieldKeyCardinality,
};

struct ShowStatement {
  ShowWhat what = ShowWhat::kDatabases;
  std::string database;         // ON; empty = the request's
  std::vector<Source> sources;  // FROM, or WITH MEASUREMENT (=, =~)
  // WITH KEY =, !=, =~, !~, IN (...): one name, one pattern or several names.
  std::string key_op;
  std::vector<std::string> keys;
  ExprPtr condition;
  bool exact = false;                 // of cardinality
  std::vector<Dimension> dimensions;  // GROUP BY of a cardinality
  bool by_time = false;               // the same with time(), which is refused
  int64_t limit = 0;
  int64_t offset = 0;
};

struct CreateDatabaseStatement {
  std::string name;
  bool with_policy = false;  // WITH DURATION, REPLICATION ...: retention is the store's matter
};

// DROP DATABASE / MEASUREMENT / SERIES, DELETE: rows go; which statement it was is kept for errors.
struct DropStatement {
  enum class What { kDatabase, kMeasurement, kSeries, kDelete };
  What what = What::kMeasurement;
  std::string name;
  std::vector<Source> sources;
  ExprPtr condition;
};

struct KillQueryStatement {
  uint64_t id = 0;
};

struct ExplainStatement {
  std::unique_ptr<SelectStatement> select;
  bool analyze = false;
};

// Understood, without a meaning here: CREATE / ALTER / DROP RETENTION POLICY, users, grants.
struct AcceptedStatement {
  std::string text;    // names the statement: CREATE USER
  std::string reason;  // why it is refused, an error of execution; empty = it is accepted and does nothing
};

using Statement = std::variant<SelectStatement, ShowStatement, CreateDatabaseStatement, DropStatement,
                               KillQueryStatement, ExplainStatement, AcceptedStatement>;

}  // namespace varve::influxql
