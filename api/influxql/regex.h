// A regular expression of InfluxQL (re2, Go's syntax): it matches when it is found anywhere in the text.
// Errors:  influxql_regex, in Go's words: error parsing regexp: missing closing ): `(`
// Threads: const methods from any.
#pragma once

#include <memory>
#include <string_view>

#include "api/query/query_error.h"

namespace varve::influxql {

class Regex {
 public:
  static QueryResult<Regex> compile(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace varve::influxql
