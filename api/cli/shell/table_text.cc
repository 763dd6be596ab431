#include "api/cli/shell/table_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "api/cli/terminal.h"
#include "storage/base/units.h"

namespace varve {
namespace {

constexpr size_t kSampleRows = 1000;  // more than anyone reads in a terminal
constexpr size_t kSampleBytesMax = 1 << 20;
constexpr size_t kFlushBytes = 64 << 10;
constexpr size_t kCellWidthMax = 200;  // without a terminal's width, as the server's own tables
constexpr size_t kTextWidthMin = 8;    // a column of text is not made narrower for the terminal
constexpr size_t kGap = 2;             // columns between two columns
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";

// "1536" -> "1.5 KiB" in a column that counts bytes.
std::string with_unit(const AnswerColumn& column, const std::string& value) {
  if (column.type != "int64" || (column.name != "bytes" && !column.name.ends_with("_bytes"))) return value;
  uint64_t bytes = 0;
  const char* const end = value.data() + value.size();
  const auto [at, error] = std::from_chars(value.data(), end, bytes);
  return error == std::errc() && at == end ? format_bytes(bytes) : value;
}

// At most `width` columns, the ellipsis included.
DisplayText fitted(std::string_view text, size_t width) {
  DisplayText whole = display_text(text, width);
  return whole.width <= width ? whole : display_text(text, width - 1);
}

}  // namespace

bool TableText::columns(const std::vector<AnswerColumn>& columns) {
  columns_ = columns;
  return true;
}

bool TableText::row(const AnswerRow& row) {
  ++rows_;
  if (row.size() != columns_.size()) return false;
  if (style_.expanded) {
    append_expanded(row);
    return flush(false);
  }
  if (!sample_written_) {
    for (const auto& cell : row) sample_bytes_ += sizeof(cell) + (cell ? cell->size() : 0);
    sample_.push_back(row);
    return sample_.size() < kSampleRows && sample_bytes_ < kSampleBytesMax ? true : write_sample();
  }
  std::vector<Cell> cells;
  for (size_t i = 0; i < row.size(); ++i) cells.push_back(make_cell(i, row[i], widths_[i]));
  append_line(cells);
  return flush(false);
}

bool TableText::finish(const AnswerEnd& end) {
  if (!style_.expanded && !sample_written_) write_sample();
  if (!end.error.empty()) {
    buffer_ += fmt::format("error: {}\n", display_text(end.error, kCellWidthMax).text);
  } else {
    const std::string text = fmt::format("({} row{}, {:.1f} ms)", grouped(end.row_count),
                                         end.row_count == 1 ? "" : "s", end.elapsed_ms);
    buffer_ += style_.colour ? fmt::format("{}{}{}\n", kDim, text, kReset) : text + "\n";
  }
  return flush(true);
}

TableText::Cell TableText::make_cell(size_t column, const std::optional<std::string>& value,
                                     size_t width_max) const {
  if (!value) return {display_text("NULL", kCellWidthMax), true};
  // A number cut short would be another number.
  const bool cut = columns_[column].type == "string";
  const std::string text = style_.units ? with_unit(columns_[column], *value) : *value;
  return {fitted(text, cut ? std::max<size_t>(width_max, kTextWidthMin) : kCellWidthMax), false};
}

// The widest columns of text give way until the table fits, or all of them are kTextWidthMin.
void TableText::choose_widths() {
  widths_.assign(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    widths_[i] = display_text(columns_[i].name, kCellWidthMax).width;
    for (const AnswerRow& row : sample_) {
      widths_[i] = std::max(widths_[i], make_cell(i, row[i], kCellWidthMax).shown.width);
    }
  }
  if (style_.width == 0) return;
  size_t total = kGap * (columns_.empty() ? 0 : columns_.size() - 1);
  for (const size_t width : widths_) total += width;
  while (total > style_.width) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].type != "string" || widths_[i] <= kTextWidthMin) continue;
      if (widest == columns_.size() || widths_[i] > widths_[widest]) widest = i;
    }
    if (widest == columns_.size()) return;
    --widths_[widest];
    --total;
  }
}

bool TableText::write_sample() {
  choose_widths();
  sample_written_ = true;
  if (columns_.empty()) return reader_is_there_;
  append_names();
  for (const AnswerRow& row : sample_) {
    std::vector<Cell> cells;
    for (size_t i = 0; i < row.size(); ++i) cells.push_back(make_cell(i, row[i], widths_[i]));
    append_line(cells);
    flush(false);
  }
  sample_ = {};
  return flush(false);
}

void TableText::append_names() {
  std::vector<Cell> rule;
  line_width_ = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    append_padded(fitted(columns_[i].name, std::max<size_t>(widths_[i], 1)), i, i + 1 == columns_.size(),
                  kBold);
    rule.push_back({{std::string(widths_[i], '-'), widths_[i]}, true});
  }
  buffer_.push_back('\n');
  append_line(rule);
}

void TableText::append_line(const std::vector<Cell>& cells) {
  line_width_ = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    append_padded(cells[i].shown, i, i + 1 == cells.size(), cells[i].null ? kDim : std::string_view());
  }
  buffer_.push_back('\n');
}

// Cells beyond the terminal's edge are left out: a line that wraps is harder to read than one that is cut (\x shows all).
void TableText::append_padded(const DisplayText& text, size_t column, bool last, std::string_view colour) {
  const size_t width = std::max(widths_[column], text.width);
  const size_t gap = column == 0 ? 0 : kGap;
  const size_t edge =
      last ? style_.width : style_.width - std::min(style_.width, kGap);  // room for the ellipsis
  if (style_.width != 0 && column > 0 && line_width_ + gap + width > edge) {
    if (line_width_ < style_.width) buffer_ += " \xe2\x80\xa6";
    line_width_ = style_.width;
    return;
  }
  line_width_ += gap + width;
  buffer_.append(gap, ' ');
  const size_t padding = width - text.width;
  const bool right = columns_[column].is_number();
  if (right) buffer_.append(padding, ' ');
  const bool coloured = style_.colour && !colour.empty();
  if (coloured) buffer_ += colour;
  buffer_ += text.text;
  if (coloured) buffer_ += kReset;
  if (!right && !last) buffer_.append(padding, ' ');
}

void TableText::append_expanded(const AnswerRow& row) {
  size_t names = 0;
  for (const AnswerColumn& column : columns_) {
    names = std::max(names, display_text(column.name, kCellWidthMax).width);
  }
  buffer_ += fmt::format("{}-[ row {} ]{:-<{}}{}\n", style_.colour ? kDim : "", rows_, "",
                         names > 10 ? names - 10 : 0, style_.colour ? kReset : "");
  const size_t room = style_.width > names + 3 + kTextWidthMin ? style_.width - names - 3 : kCellWidthMax;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const DisplayText name = display_text(columns_[i].name, kCellWidthMax);
    const Cell cell = make_cell(i, row[i], room);
    buffer_ += style_.colour ? fmt::format("{}{}{}", kBold, name.text, kReset) : name.text;
    buffer_.append(names - name.width, ' ');
    buffer_ += " | ";
    buffer_ +=
        style_.colour && cell.null ? fmt::format("{}{}{}", kDim, cell.shown.text, kReset) : cell.shown.text;
    buffer_.push_back('\n');
  }
}

bool TableText::flush(bool all) {
  if (buffer_.empty() || (!all && buffer_.size() < kFlushBytes)) return reader_is_there_;
  reader_is_there_ = reader_is_there_ && out_(buffer_);
  buffer_.clear();
  return reader_is_there_;
}

}  // namespace varve
