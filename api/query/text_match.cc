#include <fmt/format.h>
#include <re2/re2.h>

#include "api/query/operators.h"
#include "api/sql/text.h"

namespace varve {
namespace {

// What a pattern may hold: its compiled program (beyond it the pattern is refused) and the states it caches while it
// matches. Some 16,000 instructions.
constexpr int64_t kPatternMemoryBytesMax = 1 << 20;
// Matching takes text * instructions steps at worst (5 ns each, when the cache is too small for the states), and cannot
// be stopped within a text of up to 1 MiB: a pattern and a text that may take more are refused.
constexpr uint64_t kMatchStepsMax = 1 << 29;

// As for patterns: text * pattern steps at worst.
constexpr size_t kLikePatternBytesMax = 1000;

// Bytes of the UTF-8 character that starts at `at`.
size_t character_bytes(std::string_view text, size_t at) {
  size_t length = 1;
  while (at + length < text.size() && (static_cast<unsigned char>(text[at + length]) & 0xc0) == 0x80)
    ++length;
  return length;
}

tl::unexpected<QueryError> needs_string(const Scalar& operand, std::string_view what) {
  return tl::make_unexpected(invalid_query(
      "type_mismatch", fmt::format("{} needs a string, found {}", what, sql_type_name(operand.type)),
      operand.position, "cast it: cast(x as string)"));
}

QueryError limit_too_slow(size_t text_bytes, size_t position) {
  QueryError error = limit_error(
      "pattern_limit", fmt::format("the pattern is too complex for a text of {} bytes", text_bytes));
  error.position = position;
  error.hint = "use a shorter pattern, or LIKE";
  return error;
}

}  // namespace

// Greedy with one point to return to: % may be retried, so time is at most text * pattern and there is no recursion.
bool like_matches(std::string_view text, std::string_view pattern, int escape) {
  size_t t = 0;
  size_t p = 0;
  size_t retry_t = std::string_view::npos;
  size_t retry_p = 0;
  while (true) {
    if (p < pattern.size() && pattern[p] == '%' && escape != '%') {
      retry_p = ++p;
      retry_t = t;
      continue;
    }
    bool matched = false;
    if (p < pattern.size() && t < text.size()) {
      const bool escaped =
          escape >= 0 && static_cast<unsigned char>(pattern[p]) == escape && p + 1 < pattern.size();
      if (!escaped && pattern[p] == '_') {
        t += character_bytes(text, t);
        ++p;
        matched = true;
      } else if (ascii_lower(pattern[p + (escaped ? 1 : 0)]) == ascii_lower(text[t])) {
        p += escaped ? 2 : 1;
        ++t;
        matched = true;
      }
    }
    if (matched) continue;
    if (p == pattern.size() && t == text.size()) return true;
    if (retry_t == std::string_view::npos || retry_t >= text.size()) return false;
    retry_t += character_bytes(text, retry_t);
    t = retry_t;
    p = retry_p;
  }
}

QueryResult<ScalarPtr> bind_like(std::vector<ScalarPtr> operands, size_t position) {
  int escape = -1;
  for (ScalarPtr& operand : operands) {
    if (operand->type == SqlType::kNull) {
      return std::make_unique<ConstantScalar>(SqlType::kBool, position, Value{});
    }
    if (operand->type != SqlType::kString) return needs_string(*operand, "LIKE");
  }
  if (operands.size() == 3) {
    const ConstantScalar* constant = as_constant(*operands[2]);
    const std::string text =
        constant == nullptr || constant->is_null() ? std::string() : std::get<std::string>(constant->value());
    if (text.size() != 1) {
      return tl::make_unexpected(
          invalid_query("invalid_pattern", "ESCAPE needs one ASCII character", operands[2]->position));
    }
    escape = static_cast<unsigned char>(text[0]);
    operands.pop_back();
  }
  return std::make_unique<KernelScalar>(
      SqlType::kBool, position, std::move(operands),
      [escape](KernelCall& call) {
        const VectorView& text = call.arguments[0];
        const VectorView& pattern = call.arguments[1];
        call.out.bools.resize(call.rows);
        for (size_t i = 0; i < call.rows; ++i) {
          if (pattern.string(i).size() > kLikePatternBytesMax) {
            return call.context.fail(invalid_query(
                "invalid_pattern", fmt::format("a LIKE pattern may have {} bytes", kLikePatternBytesMax),
                call.position));
          }
          if (!call.context.spend(text.string(i).size() * pattern.string(i).size())) return;
          call.out.bools[i] = like_matches(text.string(i), pattern.string(i), escape) ? 1 : 0;
        }
        propagate_nulls(call);
      },
      true);
}

QueryResult<ScalarPtr> bind_regex(ScalarPtr text, ScalarPtr pattern, size_t position) {
  if (text->type == SqlType::kNull || pattern->type == SqlType::kNull) {
    return std::make_unique<ConstantScalar>(SqlType::kBool, position, Value{});
  }
  if (text->type != SqlType::kString) return needs_string(*text, "~");
  const ConstantScalar* constant = as_constant(*pattern);
  if (constant == nullptr || constant->type != SqlType::kString || constant->is_null()) {
    return tl::make_unexpected(
        invalid_query("invalid_pattern", "~ needs a constant string as its pattern", pattern->position));
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryBytesMax);
  const auto compiled = std::make_shared<const RE2>(std::get<std::string>(constant->value()), options);
  if (!compiled->ok()) {
    return tl::make_unexpected(invalid_query("invalid_pattern",
                                             fmt::format("the pattern is not valid: {}", compiled->error()),
                                             pattern->position));
  }
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(text));
  return std::make_unique<KernelScalar>(
      SqlType::kBool, position, std::move(operands),
      [compiled](KernelCall& call) {
        const VectorView& in = call.arguments[0];
        call.out.bools.resize(call.rows);
        for (size_t i = 0; i < call.rows; ++i) {
          const std::string_view row = in.string(i);
          const uint64_t steps = row.size() * static_cast<uint64_t>(compiled->ProgramSize());
          if (steps > kMatchStepsMax) {
            return call.context.fail(limit_too_slow(row.size(), call.position));
          }
          if (!call.context.spend(steps)) return;
          call.out.bools[i] = RE2::PartialMatch(re2::StringPiece(row.data(), row.size()), *compiled) ? 1 : 0;
        }
        propagate_nulls(call);
      },
      true);
}

}  // namespace varve
