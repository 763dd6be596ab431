// JSON on its way out: collected, and handed on in pieces.
// Threads: one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/query/query.h"

namespace varve::grafana {

using Put = std::function<bool(std::string_view)>;  // false = stop, the reader is gone

class Output {
 public:
  explicit Output(Put put) : put_(std::move(put)) {}
  std::string& text() { return text_; }  // append to it, then pass()
  bool pass() { return text_.size() < kPieceBytes ? there_ : finish(); }
  bool finish();  // false: the reader is gone

 private:
  static constexpr size_t kPieceBytes = 64 << 10;
  Put put_;
  std::string text_;
  bool there_ = true;
};

// Times in ms, rounded down; NULL, NaN and infinities are null.
void append_json_cell(std::string& out, ResultType type, const ColumnVector& column, size_t row);
// A cell as people read it; empty when NULL.
std::string cell_text(ResultType type, const ColumnVector& column, size_t row);
int64_t floor_ms(int64_t ns);
// "time", "number", "boolean", "string", as Grafana names the types of columns.
std::string_view grafana_type(ResultType type);

}  // namespace varve::grafana
