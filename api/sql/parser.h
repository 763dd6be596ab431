// SQL text to syntax tree, by precedence climbing. Operators bind as in SQLite:
//   OR | AND | NOT | = <> IS IN LIKE BETWEEN ~ | < <= > >= | + - | * / % | || | unary + -
// Clauses in this order:
//   SELECT FROM WHERE | SAMPLE BY 5m [FILL(..)] [ALIGN TO CALENDAR [TIME ZONE 'z']] or LATEST BY tag, ... or GROUP BY keys
//   | HAVING | FILL(none|null|prev|linear|value, ..) | ORDER BY | LIMIT, after EXPLAIN [ANALYZE] or not
// Errors:  sql_syntax, sql_too_large, sql_too_deep, unsupported (understood SQL that varve does not do); all with the
//          byte position. Recursion is bounded by kExpressionDepthMax whatever the input.
// Threads: pure function.
#pragma once

#include <string_view>

#include "api/query/query_error.h"
#include "api/sql/ast.h"

namespace varve {

QueryResult<Statement> parse_sql(std::string_view sql);  // one statement, a trailing ; is allowed

}  // namespace varve
