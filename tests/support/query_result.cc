#include "tests/support/query_result.h"

#include <fmt/format.h>

#include "api/query/text_value.h"
#include "storage/base/timestamp.h"

namespace varve {

std::string CollectedResult::line(size_t row) const {
  std::string text;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) text += " | ";
    const Value& value = values[row][i];
    if (std::holds_alternative<std::monostate>(value)) {
      text += "NULL";
    } else if (columns[i].type == ResultType::kTimestamp) {
      append_timestamp(text, std::get<int64_t>(value));
    } else if (const auto* real = std::get_if<double>(&value)) {
      append_double(text, *real);
    } else if (const auto* whole = std::get_if<int64_t>(&value)) {
      append_int(text, *whole);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      text += *flag ? "true" : "false";
    } else {
      text += std::get<std::string>(value);
    }
  }
  return text;
}

std::vector<std::string> CollectedResult::lines() const {
  std::vector<std::string> all;
  for (size_t row = 0; row < values.size(); ++row) all.push_back(line(row));
  return all;
}

std::string CollectedResult::outcome() const {
  if (!error) return "ok";
  std::string text = error->code;
  if (error->position) text += fmt::format(" at {}", *error->position);
  text += ": " + error->message;
  if (!error->hint.empty()) text += fmt::format(" ({})", error->hint);
  return text;
}

CollectedResult run_query(Engine& engine, const std::string& sql, const QueryParameters& parameters,
                          const QueryOptions& options) {
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  CollectedResult result;
  auto outcome = service.run({sql, parameters, true}, result);
  if (outcome) {
    result.stats = *outcome;
  } else {
    result.error = outcome.error();
  }
  return result;
}

}  // namespace varve
