#include "api/cli/shell/answer_reader.h"

#include <nlohmann/json.hpp>

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRowsKey = ",\"rows\":[";
constexpr int kRowsDepth = 2;  // inside the list of rows

std::optional<std::string> cell_text(const Json& cell) {
  if (cell.is_null()) return std::nullopt;
  if (cell.is_string()) return cell.get<std::string>();
  return cell.dump();
}

}  // namespace

bool AnswerReader::feed(std::string_view piece) {
  for (const char c : piece) {
    const bool between_rows = place_ == Place::kRows && depth_ == kRowsDepth;
    if (!between_rows || c == '[') text_.push_back(c);
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    switch (c) {
      case '"':
        in_string_ = true;
        break;
      case '[':
      case '{':
        ++depth_;
        if (place_ == Place::kHead && c == '[' && text_.ends_with(kRowsKey) && !take_head()) return false;
        break;
      case ']':
      case '}':
        --depth_;
        if (place_ != Place::kRows) break;
        if (depth_ == kRowsDepth && !take_row()) return false;
        if (depth_ < kRowsDepth) place_ = Place::kTail;
        break;
      default:
        break;
    }
  }
  return true;
}

bool AnswerReader::take_head() {
  text_.resize(text_.size() - kRowsKey.size());
  text_.push_back('}');
  const Json head = Json::parse(text_, nullptr, false);
  text_.clear();
  place_ = Place::kRows;
  if (!head.is_object() || !head.contains("columns") || !head["columns"].is_array()) {
    bad_ = true;
    return false;
  }
  std::vector<AnswerColumn> columns;
  for (const Json& column : head["columns"]) {
    if (!column.is_object()) continue;
    columns.push_back({column.value("name", ""), column.value("type", "")});
  }
  return sink_.columns(columns);
}

bool AnswerReader::take_row() {
  const Json cells = Json::parse(text_, nullptr, false);
  text_.clear();
  if (!cells.is_array()) {
    bad_ = true;
    return false;
  }
  AnswerRow row;
  row.reserve(cells.size());
  for (const Json& cell : cells) row.push_back(cell_text(cell));
  return sink_.row(row);
}

Result<AnswerEnd> AnswerReader::finish() {
  if (bad_ || place_ != Place::kTail || depth_ != 0) {
    return unavailable("the server's answer is not a whole answer of varve's");
  }
  // What followed the list of rows: ,"row_count":3,"stats":{...}}
  const size_t first = text_.find_first_not_of(", \n");
  const Json tail =
      Json::parse("{" + (first == std::string::npos ? "}" : text_.substr(first)), nullptr, false);
  if (!tail.is_object()) return unavailable("the end of the server's answer is not varve's");
  AnswerEnd end;
  end.row_count = tail.value("row_count", uint64_t{0});
  if (const auto stats = tail.find("stats"); stats != tail.end() && stats->is_object()) {
    end.elapsed_ms = stats->value("elapsed_ms", 0.0);
    end.rows_scanned = stats->value("rows_scanned", uint64_t{0});
    end.engine = stats->value("engine", "");
  }
  if (const auto error = tail.find("error"); error != tail.end() && error->is_object()) {
    end.error = error->value("message", "the query failed");
  }
  (void)sink_.finish(end);
  return end;
}

}  // namespace varve
