#include "api/influxql/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace varve::influxql {
namespace {

// A pattern may hold at most this much compiled program; beyond it is an error, not memory.
constexpr int64_t kPatternMemoryBytesMax = 8 << 20;

std::string_view go_words(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "internal error";
  }
}

}  // namespace

struct Regex::Compiled {
  explicit Compiled(std::string_view pattern, const RE2::Options& options)
      : program(re2::StringPiece(pattern.data(), pattern.size()), options) {}
  RE2 program;
};

QueryResult<Regex> Regex::compile(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryBytesMax);
  auto compiled = std::make_shared<const Compiled>(pattern, options);
  if (!compiled->program.ok()) {
    return tl::make_unexpected(
        invalid_query("influxql_regex",
                      fmt::format("error parsing regexp: {}: `{}`", go_words(compiled->program.error_code()),
                                  compiled->program.error_arg()),
                      0));
  }
  return Regex(std::move(compiled));
}

bool Regex::matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->program);
}

}  // namespace varve::influxql
