// One level of recursion in a parser or translator of SQL, left by the destructor.
// Errors:  sql_too_deep, naming the limit, at the position given.
// Threads: one thread.
#pragma once

#include <fmt/format.h>

#include "api/query/query_error.h"
#include "api/sql/ast.h"

namespace varve {

class Nesting {
 public:
  explicit Nesting(uint32_t& level) : level_(level) { ++level_; }
  ~Nesting() { --level_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

  bool too_deep() const { return level_ > kExpressionDepthMax; }
  static tl::unexpected<QueryError> error(size_t position) {
    return tl::make_unexpected(invalid_query(
        "sql_too_deep", fmt::format("the statement is nested more than {} deep", kExpressionDepthMax),
        position));
  }

 private:
  uint32_t& level_;
};

}  // namespace varve
