// WHERE of the statements that look at series, not rows (SHOW ..., DROP SERIES, DELETE): a range of time, and what is
// asked of tags, as InfluxDB 1.x reads it:
//   tag = 'x', != 'x', =~ /x/, !~ /x/ with AND, OR and parentheses; a series without the tag has the empty string
//   comparisons of other things hold for every series (a field has no index)
//   a bound on time holds for the whole condition, wherever it stands
// Errors:  InfluxDB's: "invalid tag comparison operator" ...
// Threads: const methods from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/regex.h"
#include "storage/scan.h"

namespace varve::influxql {

// What one comparison asks of a tag.
struct TagTest {
  std::string tag;
  bool negated = false;  // != and !~
  std::string value;
  std::optional<Regex> regex;  // instead of `value`
  bool of_tag = true;          // false = a comparison of other things, which holds

  bool matches(std::string_view tag_value) const {  // without regard to `negated`
    return regex ? regex->matches(tag_value) : tag_value == value;
  }
};

class Condition {
 public:
  // `expr` may be null: every series of all times.
  static QueryResult<Condition> parse(const Expr* expr, int64_t now_ns);

  const TimeRange& time() const { return time_; }
  bool bounds_time() const { return bounds_time_; }
  bool asks_tags() const { return root_ != nullptr; }
  // Names of what is compared that tests do not know to be a tag: for those that must not be fields.
  const std::vector<TagTest>& tests() const { return tests_; }

  // Whether the condition holds, given what each test yields.
  bool holds(const std::function<bool(const TagTest&)>& test) const;
  bool holds(const SeriesTags& tags) const;

 private:
  struct Node;
  struct Parser;
  std::shared_ptr<const Node> root_;  // null = holds
  std::vector<TagTest> tests_;
  TimeRange time_;
  bool bounds_time_ = false;
};

}  // namespace varve::influxql
