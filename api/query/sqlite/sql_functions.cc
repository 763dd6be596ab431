#include "api/query/sqlite/sql_functions.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "api/query/operators.h"
#include "api/query/text_value.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

// As for the native engine's patterns (api/query/text_match.cc).
constexpr int64_t kPatternMemoryBytesMax = 8 << 20;
constexpr size_t kPatternBytesMax = 1000;
constexpr size_t kTrimBytesMax = 1000;  // each character of the text is looked for among these

// Of a value that is not NULL.
std::string_view text_of(sqlite3_value* value) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_value_bytes(value))};
}

bool is_null(sqlite3_value* value) {
  return sqlite3_value_type(value) == SQLITE_NULL;
}

void give_text(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void fail(sqlite3_context* context, QueryError error) {
  sqlite3_result_error(context, error.message.c_str(), -1);
  static_cast<StatementContext*>(sqlite3_user_data(context))->fail(std::move(error));
}

QueryError runtime_error(std::string_view code, std::string message) {
  return {QueryErrorKind::kInvalid, std::string(code), std::move(message), std::nullopt, {}};
}

// varve_bucket(number of the grid, time)
void time_bucket(sqlite3_context* context, int, sqlite3_value** values) {
  const auto& statement = *static_cast<const StatementContext*>(sqlite3_user_data(context));
  const auto index = static_cast<size_t>(sqlite3_value_int64(values[0]));
  if (is_null(values[1]) || index >= statement.buckets.size()) return;
  sqlite3_result_int64(context, statement.buckets[index].start_of(sqlite3_value_int64(values[1])));
}

// A time as ns: numbers are that already, text is parsed.
void as_time(sqlite3_context* context, int, sqlite3_value** values) {
  switch (sqlite3_value_type(values[0])) {
    case SQLITE_INTEGER:
      return sqlite3_result_int64(context, sqlite3_value_int64(values[0]));
    case SQLITE_TEXT: {
      const Result<int64_t> ns = parse_timestamp(text_of(values[0]));
      if (!ns) return fail(context, runtime_error("invalid_time", ns.error().message));
      return sqlite3_result_int64(context, *ns);
    }
    case SQLITE_FLOAT:
      return fail(context, runtime_error("type_mismatch", "a double stands where a time is wanted"));
    default:
      return;
  }
}

// varve_text(value, 'timestamp' | 'bool' | 'double'): as the native engine writes it.
void as_text(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const std::string_view type = text_of(values[1]);
  std::string text;
  if (type == "timestamp") {
    append_timestamp(text, sqlite3_value_int64(values[0]));
  } else if (type == "bool") {
    text = sqlite3_value_int64(values[0]) != 0 ? "true" : "false";
  } else {
    append_double(text, sqlite3_value_double(values[0]));
  }
  give_text(context, text);
}

void as_bool(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const bool is_text = sqlite3_value_type(values[0]) == SQLITE_TEXT;
  const bool says_true = is_text && sqlite3_stricmp(text_of(values[0]).data(), "true") == 0;
  sqlite3_result_int(context, says_true || sqlite3_value_double(values[0]) != 0 ? 1 : 0);
}

void concat(sqlite3_context* context, int count, sqlite3_value** values) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    if (!is_null(values[i])) text += text_of(values[i]);
  }
  give_text(context, text);
}

void forget_pattern(void* pattern) {
  delete static_cast<RE2*>(pattern);
}

// The compiled pattern is kept while the argument stays the same constant.
const RE2* compiled(sqlite3_context* context, int argument, const std::string& pattern) {
  if (auto* kept = static_cast<RE2*>(sqlite3_get_auxdata(context, argument))) return kept;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryBytesMax);
  auto made = std::make_unique<RE2>(pattern, options);
  if (!made->ok()) {
    fail(context, runtime_error("invalid_pattern", fmt::format("the pattern is not valid: {}", made->error())));
    return nullptr;
  }
  sqlite3_set_auxdata(context, argument, made.release(), forget_pattern);
  return static_cast<RE2*>(sqlite3_get_auxdata(context, argument));
}

bool pattern_fits(sqlite3_context* context, std::string_view pattern, std::string_view what) {
  if (pattern.size() <= kPatternBytesMax) return true;
  fail(context, runtime_error("invalid_pattern", fmt::format("a {} pattern may have {} bytes", what, kPatternBytesMax)));
  return false;
}

// regexp(pattern, text): `text REGEXP pattern`.
void regexp(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const RE2* pattern = compiled(context, 0, std::string(text_of(values[0])));
  if (pattern == nullptr) return;
  const std::string_view text = text_of(values[1]);
  sqlite3_result_int(context, RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern) ? 1 : 0);
}

// like(pattern, text [, escape])
void like(sqlite3_context* context, int count, sqlite3_value** values) {
  for (int i = 0; i < count; ++i) {
    if (is_null(values[i])) return;
  }
  const std::string_view pattern = text_of(values[0]);
  if (!pattern_fits(context, pattern, "LIKE")) return;
  int escape = -1;
  if (count == 3) {
    const std::string_view text = text_of(values[2]);
    if (text.size() != 1) {
      return fail(context, runtime_error("invalid_pattern", "ESCAPE needs one ASCII character"));
    }
    escape = static_cast<unsigned char>(text[0]);
  }
  sqlite3_result_int(context, like_matches(text_of(values[1]), pattern, escape) ? 1 : 0);
}

// * and ? and [a-z] [^a] of GLOB as a regular expression.
std::string regex_of_glob(std::string_view glob) {
  std::string regex = "(?s)^";
  for (size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '*') {
      regex += ".*";
    } else if (glob[i] == '?') {
      regex += '.';
    } else if (glob[i] == '[') {
      size_t end = i + 1;
      if (end < glob.size() && glob[end] == '^') ++end;
      if (end < glob.size() && glob[end] == ']') ++end;  // one that stands first is meant
      while (end < glob.size() && glob[end] != ']') ++end;
      if (end == glob.size()) return "[^\\x{0}-\\x{10FFFF}]";  // SQLite: nothing matches
      regex += '[';
      for (size_t k = i + 1; k < end; ++k) {
        if (glob[k] == '\\' || glob[k] == '[' || glob[k] == ']' || (glob[k] == '^' && k > i + 1)) regex += '\\';
        regex += glob[k];
      }
      regex += ']';
      i = end;
    } else {
      regex += RE2::QuoteMeta(re2::StringPiece(&glob[i], 1));
    }
  }
  return regex + "$";
}

void glob(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const std::string_view written = text_of(values[0]);
  if (!pattern_fits(context, written, "GLOB")) return;
  const RE2* pattern = compiled(context, 0, regex_of_glob(written));
  if (pattern == nullptr) return;
  const std::string_view text = text_of(values[1]);
  sqlite3_result_int(context, RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern) ? 1 : 0);
}

// In linear time, where std::string_view::find may need the product of the lengths.
size_t find_text(std::string_view text, std::string_view part, size_t from) {
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// instr(text, part): the character it begins at, from 1; 0 = not there.
void instr(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const std::string_view text = text_of(values[0]);
  const size_t found = find_text(text, text_of(values[1]), 0);
  int64_t characters = 0;
  if (found != std::string_view::npos) {
    for (size_t i = 0; i < found; ++i) characters += starts_character(text[i]) ? 1 : 0;
    ++characters;
  }
  sqlite3_result_int64(context, characters);
}

void replace(sqlite3_context* context, int, sqlite3_value** values) {
  for (int i = 0; i < 3; ++i) {
    if (is_null(values[i])) return;
  }
  const std::string_view text = text_of(values[0]);
  const std::string_view part = text_of(values[1]);
  const std::string_view by = text_of(values[2]);
  if (part.empty()) return give_text(context, text);
  const auto bytes_max = static_cast<size_t>(
      sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1));
  std::string out;
  size_t at = 0;
  for (size_t found = find_text(text, part, 0); found != std::string_view::npos; found = find_text(text, part, at)) {
    out.append(text, at, found - at);
    out += by;
    at = found + part.size();
    if (out.size() > bytes_max) return sqlite3_result_error_toobig(context);
  }
  out.append(text, at);
  give_text(context, out);
}

constexpr int kTrimLeft = 1;
constexpr int kTrimRight = 2;

template <int sides>
void trim(sqlite3_context* context, int count, sqlite3_value** values) {
  for (int i = 0; i < count; ++i) {
    if (is_null(values[i])) return;
  }
  std::string_view text = text_of(values[0]);
  const std::string_view set = count == 2 ? text_of(values[1]) : std::string_view(" ");
  if (set.size() > kTrimBytesMax) {
    return fail(context, runtime_error("wrong_arguments",
                                       fmt::format("trim takes a set of at most {} bytes", kTrimBytesMax)));
  }
  const auto in_set = [&](std::string_view character) {
    for (size_t at = 0; at < set.size();) {
      size_t end = at + 1;
      while (end < set.size() && !starts_character(set[end])) ++end;
      if (set.substr(at, end - at) == character) return true;
      at = end;
    }
    return false;
  };
  while ((sides & kTrimLeft) != 0 && !text.empty()) {
    size_t bytes = 1;
    while (bytes < text.size() && !starts_character(text[bytes])) ++bytes;
    if (!in_set(text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  while ((sides & kTrimRight) != 0 && !text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && !starts_character(text[at])) --at;
    if (!in_set(text.substr(at))) break;
    text.remove_suffix(text.size() - at);
  }
  give_text(context, text);
}

using ScalarFunction = void (*)(sqlite3_context*, int, sqlite3_value**);

template <ScalarFunction f>
void guarded(sqlite3_context* context, int count, sqlite3_value** values) {
  try {
    f(context, count, values);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  }
}

}  // namespace

bool register_functions(sqlite3* database, StatementContext& context) {
  constexpr int kAlways = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  struct Function {
    const char* name;
    int arguments;
    ScalarFunction call;
  };
  constexpr Function kFunctions[] = {
      {"varve_bucket", 2, guarded<time_bucket>},
      {"varve_time", 1, guarded<as_time>},
      {"varve_text", 2, guarded<as_text>},
      {"varve_bool", 1, guarded<as_bool>},
      {"concat", -1, guarded<concat>},
      {"regexp", 2, guarded<regexp>},
      {"like", 2, guarded<like>},
      {"like", 3, guarded<like>},
      {"glob", 2, guarded<glob>},
      {"instr", 2, guarded<instr>},
      {"replace", 3, guarded<replace>},
      {"trim", 1, guarded<trim<kTrimLeft | kTrimRight>>},
      {"trim", 2, guarded<trim<kTrimLeft | kTrimRight>>},
      {"ltrim", 1, guarded<trim<kTrimLeft>>},
      {"ltrim", 2, guarded<trim<kTrimLeft>>},
      {"rtrim", 1, guarded<trim<kTrimRight>>},
      {"rtrim", 2, guarded<trim<kTrimRight>>},
  };
  for (const Function& function : kFunctions) {
    if (sqlite3_create_function(database, function.name, function.arguments, kAlways, &context, function.call, nullptr,
                                nullptr) != SQLITE_OK) {
      return false;
    }
  }
  return true;
}

}  // namespace varve
