// An answer as an aligned table for people: numbers to the right, NULL visible, text too wide for the terminal cut with
// an ellipsis; or, expanded, one "name | value" a line. The first kSampleRows rows decide the widths; later rows go out
// as they come, out of line where they are wider.
// Units:   columns of whole numbers named `bytes` or *_bytes are shown as "1.5 MiB" when `units` is on.
// Threads: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/cli/shell/answer_reader.h"
#include "api/query/display_text.h"

namespace varve {

struct TableStyle {
  size_t width = 0;       // columns of the terminal; 0 = no limit
  bool colour = false;    // bold names, dim NULLs and rules
  bool expanded = false;  // \x
  bool units = false;     // bytes as KiB, MiB ...
};

class TableText : public AnswerSink {
 public:
  using Output = std::function<bool(std::string_view)>;  // false = the reader is gone
  TableText(const TableStyle& style, Output out) : style_(style), out_(std::move(out)) {}

  bool columns(const std::vector<AnswerColumn>& columns) override;
  bool row(const AnswerRow& row) override;
  bool finish(const AnswerEnd& end) override;

 private:
  struct Cell {
    DisplayText shown;
    bool null = false;
  };

  Cell make_cell(size_t column, const std::optional<std::string>& value, size_t width_max) const;
  bool write_sample();
  void choose_widths();
  void append_names();
  void append_line(const std::vector<Cell>& cells);
  void append_expanded(const AnswerRow& row);
  void append_padded(const DisplayText& text, size_t column, bool last, std::string_view colour);
  bool flush(bool all);

  const TableStyle style_;
  Output out_;
  std::vector<AnswerColumn> columns_;
  std::vector<size_t> widths_;
  std::vector<AnswerRow> sample_;
  size_t sample_bytes_ = 0;
  bool sample_written_ = false;
  size_t line_width_ = 0;  // of the line being appended
  uint64_t rows_ = 0;
  std::string buffer_;
  bool reader_is_there_ = true;
};

}  // namespace varve
