// Tokens with a way back of three, what a parser expects of them, and errors in InfluxDB's words.
// Threads: a value of one parser.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/lexer.h"
#include "api/influxql/parser.h"

namespace varve::influxql {

class TokenStream {
 public:
  TokenStream(std::string_view text, const Parameters& parameters) : lexer_(text), parameters_(parameters) {}

  const Token& next();  // white space, too
  const Token& next_word();
  void back();                           // one token, at most three in a row
  char peek() { return lexer_.peek(); }  // of what no token was made of yet
  void skip_space();

  // Takes the next word when it is this one.
  bool take_keyword(std::string_view upper_case);
  bool take_operator(std::string_view symbol);
  QueryResult<void> expect_keyword(std::string_view upper_case);
  QueryResult<void> expect_operator(std::string_view symbol);
  QueryResult<std::string> expect_name();
  QueryResult<std::string> expect_string();
  QueryResult<int64_t> expect_integer();
  QueryResult<int64_t> expect_duration();  // INF is 0

  // A regex that begins at the next character but space, checked; nothing when there is none.
  QueryResult<std::optional<std::string>> take_regex();
  // a, a.b, a..b, "a"."b": as far as the dots go; a regex or : may follow the last dot.
  QueryResult<std::vector<std::string>> names();

  // "found X, expected A, B at line 1, char 5"
  tl::unexpected<QueryError> unexpected(std::initializer_list<std::string_view> expected) const {
    return unexpected(newest(), expected);
  }
  static tl::unexpected<QueryError> unexpected(const Token& found,
                                               std::initializer_list<std::string_view> expected);
  static tl::unexpected<QueryError> error(const Token& where, std::string_view message);  // with its place
  tl::unexpected<QueryError> error(std::string message) const;                            // without
  // Why a $name stands for nothing.
  std::string problem_of(const std::string& parameter) const;
  const Token& newest() const { return tokens_[(at_ + tokens_.size() - back_) % tokens_.size()]; }

 private:
  Lexer lexer_;
  const Parameters& parameters_;
  std::array<Token, 3> tokens_;  // a ring; `back_` of them are to come again
  size_t at_ = 0;
  size_t back_ = 0;
};

QueryResult<int64_t> duration_ns(const Token& token);
// "a"."b c", as messages show names: quoted but a last one that needs no quotes.
std::string quoted_names(const std::vector<std::string>& names);

}  // namespace varve::influxql
