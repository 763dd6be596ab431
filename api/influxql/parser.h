// InfluxQL text to syntax trees: everything InfluxDB 1.x parses.
// Errors:  code influxql_syntax with the byte position, the message that of InfluxDB 1.x: "error parsing query: found
//          FOO, expected SELECT, DELETE, ... at line 1, char 1"; influxql_too_large and influxql_too_deep. Recursion is
//          bounded by kExpressionDepthMax whatever the input.
// Threads: pure function.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/lexer.h"
#include "api/query/query_error.h"

namespace varve::influxql {

// What stands for a $name: the token it is replaced by. kBad = the request gave something no token can be, `text` says
// what.
struct Parameter {
  TokenKind kind = TokenKind::kString;
  std::string text;
};
using Parameters = std::map<std::string, Parameter, std::less<>>;  // by name without the $

// Statements are separated by ; empty ones are skipped.
QueryResult<std::vector<Statement>> parse_influxql(std::string_view text, const Parameters& parameters = {});

}  // namespace varve::influxql
