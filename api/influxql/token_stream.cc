#include "api/influxql/token_stream.h"

#include <fmt/format.h>

#include <charconv>

#include "api/influxql/regex.h"
#include "storage/base/clock.h"

namespace varve::influxql {
namespace {

constexpr std::string_view kSyntax = "influxql_syntax";

// A name that begins with another comes before it.
struct Unit {
  std::string_view name;
  int64_t ns;
};
constexpr std::array<Unit, 9> kUnits{{{"ns", 1},
                                      {"ms", kNsPerMs},
                                      {"u", 1000},
                                      {"\xc2\xb5", 1000},
                                      {"m", 60 * kNsPerSecond},
                                      {"s", kNsPerSecond},
                                      {"h", 3600 * kNsPerSecond},
                                      {"d", kNsPerDay},
                                      {"w", 7 * kNsPerDay}}};

bool is_bare(std::string_view name) {
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  // A keyword is no name without quotes.
  return !name.empty() && Lexer(name).next().kind == TokenKind::kName;
}

}  // namespace

const Token& TokenStream::next() {
  if (back_ > 0) {
    --back_;
    return newest();
  }
  at_ = (at_ + 1) % tokens_.size();
  Token token = lexer_.next();
  if (token.kind == TokenKind::kParameter) {
    const auto found = parameters_.find(token.text);
    if (found != parameters_.end() && found->second.kind != TokenKind::kBad) {
      token.kind = found->second.kind;
      token.text = found->second.text;
    }
  }
  tokens_[at_] = std::move(token);
  return tokens_[at_];
}

const Token& TokenStream::next_word() {
  while (next().kind == TokenKind::kSpace) {
  }
  return newest();
}

void TokenStream::back() {
  ++back_;
}

void TokenStream::skip_space() {
  if (next().kind != TokenKind::kSpace) back();
}

bool TokenStream::take_keyword(std::string_view upper_case) {
  if (next_word().is_keyword(upper_case)) return true;
  back();
  return false;
}

bool TokenStream::take_operator(std::string_view symbol) {
  if (next_word().is_operator(symbol)) return true;
  back();
  return false;
}

QueryResult<void> TokenStream::expect_keyword(std::string_view upper_case) {
  if (next_word().is_keyword(upper_case)) return {};
  return unexpected({upper_case});
}

QueryResult<void> TokenStream::expect_operator(std::string_view symbol) {
  if (next_word().is_operator(symbol)) return {};
  return unexpected({symbol});
}

QueryResult<std::string> TokenStream::expect_name() {
  if (next_word().kind == TokenKind::kName) return newest().text;
  return unexpected({"identifier"});
}

QueryResult<std::string> TokenStream::expect_string() {
  if (next_word().kind == TokenKind::kString) return newest().text;
  return unexpected({"string"});
}

// Beyond int64 it is the largest there is, as in InfluxDB.
QueryResult<int64_t> TokenStream::expect_integer() {
  const Token& token = next_word();
  if (token.kind != TokenKind::kInteger) return unexpected({"integer"});
  int64_t value = 0;
  const auto [end, problem] =
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
  if (problem == std::errc::result_out_of_range) return INT64_MAX;
  return value;
}

QueryResult<int64_t> TokenStream::expect_duration() {
  const Token& token = next_word();
  if (token.is_keyword("INF")) return 0;
  if (token.kind != TokenKind::kDuration) return unexpected({"duration"});
  return duration_ns(token);
}

QueryResult<std::optional<std::string>> TokenStream::take_regex() {
  const char first = peek();
  if (first == ' ' || first == '\t' || first == '\n' || first == '\r') skip_space();
  const char c = peek();
  if (c == '$') {
    if (next().kind == TokenKind::kRegex) return newest().text;
    back();
    return std::nullopt;
  }
  if (c != '/') return std::nullopt;
  if (back_ > 0) {  // something stands between
    next();
    return unexpected({"regex"});
  }
  at_ = (at_ + 1) % tokens_.size();
  tokens_[at_] = lexer_.regex();
  const Token& token = tokens_[at_];
  if (token.kind == TokenKind::kBadRegex) return error(token, "bad regex: ");
  if (auto compiled = Regex::compile(token.text); !compiled) return error(token, compiled.error().message);
  return token.text;
}

QueryResult<std::vector<std::string>> TokenStream::names() {
  std::vector<std::string> names(1);
  VARVE_QUERY_ASSIGN(names.back(), expect_name());
  while (true) {
    if (!next().is_operator(".")) {
      back();
      break;
    }
    const char c = peek();
    if (c == '/' || c == ':') break;
    names.emplace_back();
    if (c == '.') continue;
    VARVE_QUERY_ASSIGN(names.back(), expect_name());
  }
  if (names.size() > 3) {
    return error(fmt::format("too many segments in {} at line 1, char 1", quoted_names(names)));
  }
  return names;
}

tl::unexpected<QueryError> TokenStream::unexpected(const Token& found,
                                                   std::initializer_list<std::string_view> expected) {
  return error(found, fmt::format("found {}, expected {}", found.shown(), fmt::join(expected, ", ")));
}

tl::unexpected<QueryError> TokenStream::error(const Token& where, std::string_view message) {
  return tl::make_unexpected(invalid_query(
      kSyntax,
      fmt::format("error parsing query: {} at line {}, char {}", message, where.line + 1, where.column + 1),
      where.position));
}

tl::unexpected<QueryError> TokenStream::error(std::string message) const {
  return tl::make_unexpected(
      invalid_query(kSyntax, "error parsing query: " + std::move(message), newest().position));
}

std::string TokenStream::problem_of(const std::string& parameter) const {
  const auto found = parameters_.find(parameter);
  return found == parameters_.end() ? parameter : found->second.text;
}

QueryResult<int64_t> duration_ns(const Token& token) {
  const auto invalid = [&](std::string message) {
    return tl::make_unexpected(
        invalid_query(kSyntax, "error parsing query: " + std::move(message), token.position));
  };
  std::string_view rest = token.text;
  int64_t total = 0;
  if (rest.empty()) return invalid("invalid duration");
  while (!rest.empty()) {
    int64_t count = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (problem != std::errc()) return invalid("invalid duration");
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (unit == nullptr && rest.starts_with(candidate.name)) unit = &candidate;
    }
    if (unit == nullptr) return invalid("invalid duration");
    int64_t part = 0;
    if (__builtin_mul_overflow(count, unit->ns, &part) || __builtin_add_overflow(total, part, &total)) {
      return invalid(
          fmt::format("overflowed duration {}{}: choose a smaller duration or INF", count, unit->name));
    }
    rest.remove_prefix(unit->name.size());
  }
  return total;
}

std::string quoted_names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    if (i > 0) text += '.';
    if (names[i].empty()) continue;
    if (last && is_bare(names[i])) {
      text += names[i];
      continue;
    }
    text += '"';
    for (const char c : names[i]) {
      if (c == '\n') {
        text += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text;
}

}  // namespace varve::influxql
