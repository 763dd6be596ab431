// A SELECT as people write it for varve, as the SELECT that SQLite runs over our virtual tables. Inside SQLite a time is
// an INTEGER of ns, a bool 0 or 1; so this reads the whole grammar of SELECT, infers the type of every expression, and
//   - makes numbers of string literals that stand beside times and durations ('2025-01-01', INTERVAL '1 hour', now())
//   - makes text of times, bools and doubles where text is wanted (||, concat, CAST AS text), as the native engine would
//   - names the tables by their modules, the columns by their quoted names, parameters by their values
//   - turns ~ and :: into what SQLite has
// and remembers what the result's columns are called and, where it can tell, their types.
// Rules that carry a type: plain columns, sub-queries and CTEs, arithmetic, CASE, min max first last lag lead ... of a
// column, coalesce and its kin, CAST. Elsewhere the type is unknown and the values decide (typed_rows.h).
// Errors:  sql_syntax, unknown_table, unknown_column, unknown_function, type_mismatch, invalid_time, ... with position.
// Threads: one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/query/sqlite/scope.h"
#include "api/query/sqlite/source_tables.h"
#include "api/query/sqlite/token_text.h"
#include "api/query/time_buckets.h"

namespace varve {

struct TranslatedSelect {
  std::string sql;
  std::vector<NamedType> outputs;
  TokenText text;  // for position_of()
  std::vector<BucketRule> buckets;
};

QueryResult<TranslatedSelect> translate_select(std::string_view sql, SourceTables& tables,
                                               const QueryParameters& parameters, int64_t now_ns);

}  // namespace varve
