// A syntax tree as SQL text, for plans and messages: normalised spacing and keywords, parentheses where they are needed.
// Threads: pure functions.
#pragma once

#include <string>

#include "api/sql/ast.h"

namespace varve {

// Long texts (an IN list of 1,000 values) are cut at about `bytes_max` with "...".
std::string sql_text(const AstExpr& expr, size_t bytes_max = 400);
std::string sql_text(const FillTerm& term);

}  // namespace varve
