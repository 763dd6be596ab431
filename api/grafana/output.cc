#include "api/grafana/output.h"

#include <cmath>

#include "api/query/json_text.h"
#include "api/query/result_cell.h"
#include "api/query/text_value.h"

namespace varve::grafana {

bool Output::finish() {
  there_ = there_ && (text_.empty() || put_(text_));
  text_.clear();
  return there_;
}

void append_json_cell(std::string& out, ResultType type, const ColumnVector& column, size_t row) {
  const bool number =
      column.is_valid(row) && (type != ResultType::kDouble || std::isfinite(column.doubles[row]));
  if (!number) {
    out += "null";
  } else if (type == ResultType::kString) {
    append_json_string(out, column.strings[row]);
  } else {
    append_cell(out, type, TimeFormat::kMs, column, row);
  }
}

std::string cell_text(ResultType type, const ColumnVector& column, size_t row) {
  std::string text;
  if (column.is_valid(row)) append_cell(text, type, TimeFormat::kRfc3339, column, row);
  return text;
}

int64_t floor_ms(int64_t ns) {
  return ns / kNsPerMs - (ns % kNsPerMs < 0 ? 1 : 0);
}

std::string_view grafana_type(ResultType type) {
  switch (type) {
    case ResultType::kTimestamp:
      return "time";
    case ResultType::kDouble:
    case ResultType::kInt64:
      return "number";
    case ResultType::kBool:
      return "boolean";
    case ResultType::kString:
      return "string";
  }
  return "other";
}

}  // namespace varve::grafana
