#include "api/query/query_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/sql/text.h"
#include "storage/base/nearest.h"

namespace varve {

QueryError invalid_query(std::string_view code, std::string message, size_t position, std::string hint) {
  return {QueryErrorKind::kInvalid, std::string(code), std::move(message), position, std::move(hint)};
}

QueryError forbidden_query(std::string message, std::string hint) {
  return {QueryErrorKind::kForbidden, "forbidden", std::move(message), std::nullopt, std::move(hint)};
}

QueryError limit_error(std::string_view code, std::string message) {
  return {QueryErrorKind::kLimit, std::string(code), std::move(message), std::nullopt, {}};
}

QueryError from_storage(const Error& error) {
  const bool absent = error.code == ErrorCode::kNotFound;
  const QueryErrorKind kind = absent                                  ? QueryErrorKind::kNotFound
                              : error.code == ErrorCode::kUnavailable ? QueryErrorKind::kBusy
                              : error.code == ErrorCode::kExhausted   ? QueryErrorKind::kLimit
                                                                      : QueryErrorKind::kInternal;
  return {kind,
          absent ? "unknown_table" : std::string(error_code_name(error.code)),
          error.message,
          std::nullopt,
          {}};
}

std::string nearest_hint(std::string_view name, const std::vector<std::string>& candidates) {
  std::vector<std::string> lower;
  for (const std::string& candidate : candidates) lower.push_back(ascii_lower(candidate));
  const std::string best = nearest_name(ascii_lower(name), lower);
  if (best.empty()) return {};
  const auto index = std::find(lower.begin(), lower.end(), best) - lower.begin();
  return fmt::format("did you mean `{}`?", candidates[static_cast<size_t>(index)]);
}

}  // namespace varve
