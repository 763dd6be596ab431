#include "api/grafana/rows.h"

#include <fmt/format.h>

#include "api/grafana/series.h"
#include "api/query/json_text.h"

namespace varve::grafana {

bool TableRows::begin(const std::vector<ResultColumn>& columns) {
  columns_ = columns;
  std::string& text = out_.text();
  text += "{\"type\":\"table\",\"refId\":";
  append_json_string(text, ref_id_);
  text += ",\"columns\":[";
  for (const ResultColumn& column : columns) {
    text += &column == columns.data() ? "{\"text\":" : ",{\"text\":";
    append_json_string(text, column.name);
    text += fmt::format(",\"type\":\"{}\"}}", grafana_type(column.type));
  }
  text += "],\"rows\":[";
  return out_.pass();
}

bool TableRows::rows(const ResultBatch& batch) {
  std::string& text = out_.text();
  for (size_t row = 0; row < batch.rows; ++row) {
    text += first_row_ ? "[" : ",[";
    first_row_ = false;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) text.push_back(',');
      append_json_cell(text, columns_[i].type, batch.columns[i], row);
    }
    text.push_back(']');
    if (!out_.pass()) return false;
  }
  return true;
}

bool TableRows::finish() {
  out_.text() += "]}";
  return out_.pass();
}

bool FrameRows::begin(const std::vector<ResultColumn>& columns) {
  columns_ = columns;
  return true;
}

bool FrameRows::rows(const ResultBatch& batch) {
  if (values_.empty()) {
    for (const ColumnVector& column : batch.columns) values_.emplace_back(column.type);
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    const ColumnVector& column = batch.columns[i];
    for (size_t row = 0; row < batch.rows; ++row) {
      if (column.type == FieldType::kString) text_bytes_ += column.strings[row].size();
      values_[i].push_from(column, row);
    }
  }
  cells_ += batch.rows * columns_.size();
  if (cells_ <= kPointsMax && text_bytes_ <= kCollectedTextBytesMax) return true;
  error_ = limit_error(
      "answer_too_large",
      fmt::format("the query gives more than {} values or {} MiB of text; choose a limit, or a table",
                  kPointsMax, kCollectedTextBytesMax >> 20));
  return false;
}

bool FrameRows::write(Output& out, std::string_view ref_id) const {
  std::string& text = out.text();
  text += "{\"refId\":";
  append_json_string(text, ref_id);
  text += ",\"fields\":[";
  for (size_t i = 0; i < columns_.size(); ++i) {
    text += i == 0 ? "{\"name\":" : ",{\"name\":";
    append_json_string(text, columns_[i].name);
    text += fmt::format(",\"type\":\"{}\",\"values\":[", grafana_type(columns_[i].type));
    const size_t rows = values_.empty() ? 0 : values_[i].size();
    for (size_t row = 0; row < rows; ++row) {
      if (row > 0) text.push_back(',');
      append_json_cell(text, columns_[i].type, values_[i], row);
      if (!out.pass()) return false;
    }
    text += "]}";
  }
  text += "]}";
  return out.pass();
}

}  // namespace varve::grafana
