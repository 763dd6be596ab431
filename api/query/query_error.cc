#include "api/query/query_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/sql/text.h"

namespace varve {
namespace {

constexpr size_t kDistanceNameBytesMax = 64;  // names longer than this are not typed by hand

// Levenshtein with neighbouring swaps counted as one edit.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

QueryError invalid_query(std::string_view code, std::string message, size_t position, std::string hint) {
  return {QueryErrorKind::kInvalid, std::string(code), std::move(message), position, std::move(hint)};
}

QueryError limit_error(std::string_view code, std::string message) {
  return {QueryErrorKind::kLimit, std::string(code), std::move(message), std::nullopt, {}};
}

QueryError from_storage(const Error& error) {
  const bool absent = error.code == ErrorCode::kNotFound;
  return {absent ? QueryErrorKind::kNotFound : QueryErrorKind::kInternal,
          absent ? "unknown_table" : std::string(error_code_name(error.code)), error.message, std::nullopt, {}};
}

std::string nearest_hint(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kDistanceNameBytesMax) return {};
  const std::string wanted = ascii_lower(name);
  const std::string* best = nullptr;
  size_t best_distance = wanted.size() / 3 + 2;  // a third of the letters wrong, or one in a short name
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kDistanceNameBytesMax) continue;
    const size_t distance = edit_distance(wanted, ascii_lower(candidate));
    if (distance < best_distance && distance < std::max(wanted.size(), candidate.size())) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::string() : fmt::format("did you mean `{}`?", *best);
}

}  // namespace varve
