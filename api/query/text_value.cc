#include "api/query/text_value.h"

#include <charconv>
#include <cmath>

#include "storage/base/timestamp.h"

namespace varve {

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "Inf" : "-Inf";
    return;
  }
  char text[40];
  const auto [end, failed] = std::to_chars(text, text + sizeof(text), value);
  const std::string_view written(text, static_cast<size_t>(end - text));
  out += written;
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_int(std::string& out, int64_t value) {
  char text[24];
  const auto [end, failed] = std::to_chars(text, text + sizeof(text), value);
  out.append(text, static_cast<size_t>(end - text));
}

void append_text(std::string& out, SqlType type, const VectorView& view, size_t row) {
  const size_t i = view.entry(row);
  switch (view.type) {
    case FieldType::kDouble:
      return append_double(out, view.doubles[i]);
    case FieldType::kInt64:
      if (type == SqlType::kTimestamp) return append_timestamp(out, view.ints[i]);
      return append_int(out, view.ints[i]);
    case FieldType::kBool:
      out += view.bools[i] != 0 ? "true" : "false";
      return;
    case FieldType::kString:
      out += view.string(row);
      return;
  }
}

}  // namespace varve
