// A statement put together from words of ours, quoted names and parameters: no text of a client becomes SQL.
// Threads: a value.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "api/query/query.h"

namespace varve::grafana {

// A text known when this program is compiled.
struct Words {
  std::string_view text;
  template <size_t N>
  consteval Words(const char (&literal)[N]) : text(literal, N - 1) {}  // NOLINT
};

struct Statement {
  std::string sql;
  QueryParameters parameters;
};

class SqlBuilder {
 public:
  SqlBuilder& words(Words words) {
    statement_.sql += words.text;
    return *this;
  }
  SqlBuilder& name(std::string_view name) {
    statement_.sql.push_back('"');
    for (const char c : name) {
      if (c == '"') statement_.sql.push_back('"');
      statement_.sql.push_back(c);
    }
    statement_.sql.push_back('"');
    return *this;
  }
  SqlBuilder& value(Value value) {
    // Grafana's macros and the people who write SQL use no such names.
    std::string name = fmt::format("__{}", statement_.parameters.size());
    statement_.sql += "$" + name;
    statement_.parameters.emplace(std::move(name), std::move(value));
    return *this;
  }
  SqlBuilder& number(double number) {
    statement_.sql += fmt::format("{}", number);
    return *this;
  }
  SqlBuilder& position(size_t number) {  // of a column, from 1
    statement_.sql += fmt::format("{}", number);
    return *this;
  }
  const std::string& sql() const { return statement_.sql; }
  Statement take() { return std::move(statement_); }

 private:
  Statement statement_;
};

}  // namespace varve::grafana
