#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "api/query/json_text.h"
#include "api/query/result_cell.h"

namespace varve {
namespace {

struct Range {
  uint32_t from;
  uint32_t to;
};

// Rough but enough to keep columns straight: marks that take no place, and characters that take two
// (Unicode 15, East Asian Width W and F, joined where gaps are unassigned).
constexpr Range kZeroWidth[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                                {0x64b, 0x65f},   {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},
                                {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};
constexpr Range kDoubleWidth[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                  {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                  {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                  {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

template <size_t N>
bool in_ranges(const Range (&ranges)[N], uint32_t code_point) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& range) { return code_point >= range.from && code_point <= range.to; });
}

struct Cell {
  std::string text;
  size_t width = 0;
};

// Printable: control characters and bytes that are not UTF-8 are shown as escapes, long text is cut.
Cell printable(std::string_view text) {
  Cell cell;
  const auto escape = [&](std::string_view shown) {
    cell.text += shown;
    cell.width += shown.size();
  };
  for (size_t at = 0; at < text.size();) {
    if (cell.width >= kTableCellWidthMax) {
      cell.text += "\xe2\x80\xa6";  // ellipsis
      ++cell.width;
      break;
    }
    const Utf8Character character = decode_utf8(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (character.bytes == 0 || byte < 0x20 || byte == 0x7f ||
        (character.code_point >= 0x80 && character.code_point < 0xa0)) {
      escape(byte == '\n'   ? "\\n"
             : byte == '\t' ? "\\t"
             : byte == '\r' ? "\\r"
                            : fmt::format("\\x{:02x}", byte));
      at += std::max<size_t>(character.bytes, 1);
      continue;
    }
    cell.text += text.substr(at, character.bytes);
    if (in_ranges(kDoubleWidth, character.code_point)) {
      cell.width += 2;
    } else if (!in_ranges(kZeroWidth, character.code_point)) {
      cell.width += 1;
    }
    at += character.bytes;
  }
  return cell;
}

class TableWriter : public ResultWriter {
 public:
  TableWriter(TimeFormat time_format, Output out) : time_format_(time_format), out_(std::move(out)) {}

  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    for (const ResultColumn& column : columns) {
      widths_.push_back(0);
      add(printable(column.name), widths_.size() - 1);
    }
    return true;
  }

  bool rows(const ResultBatch& batch) override {
    std::string text;
    for (size_t row = 0; row < batch.rows && lines() < kTableRowsMax; ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        text.clear();
        if (batch.columns[i].is_valid(row)) {
          append_cell(text, columns_[i].type, time_format_, batch.columns[i], row);
        } else {
          text = "NULL";
        }
        add(printable(text), i);
      }
    }
    return true;
  }

  bool finish(const QueryStats& stats) override {
    std::string text;
    for (size_t first = 0; first < cells_.size(); first += columns_.size()) {
      append_line(text, first);
      if (first == 0) append_rule(text);
      if (text.size() > kFlushBytes) {
        if (!out_(text)) return false;
        text.clear();
      }
    }
    text += fmt::format("({} row{}", stats.row_count, stats.row_count == 1 ? "" : "s");
    if (lines() < stats.row_count) text += fmt::format(", the first {} shown", lines());
    text += fmt::format(", {:.1f} ms)\n", stats.elapsed_ms);
    return out_(text);
  }

 private:
  static constexpr size_t kFlushBytes = 64 << 10;

  size_t lines() const {
    return columns_.empty() ? 0 : cells_.size() / columns_.size() - 1;
  }  // without the header

  void add(Cell cell, size_t column) {
    widths_[column] = std::max(widths_[column], cell.width);
    cells_.push_back(std::move(cell));
  }

  bool right_aligned(size_t column) const {
    const ResultType type = columns_[column].type;
    const bool number = type == ResultType::kDouble || type == ResultType::kInt64;
    return number || (type == ResultType::kTimestamp && time_format_ != TimeFormat::kRfc3339);
  }

  void append_line(std::string& text, size_t first) const {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = cells_[first + i];
      const size_t padding = widths_[i] - cell.width;
      if (i > 0) text += "  ";
      if (right_aligned(i)) text.append(padding, ' ');
      text += cell.text;
      if (!right_aligned(i) && i + 1 < columns_.size()) text.append(padding, ' ');
    }
    text.push_back('\n');
  }

  void append_rule(std::string& text) const {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) text += "  ";
      text.append(widths_[i], '-');
    }
    text.push_back('\n');
  }

  const TimeFormat time_format_;
  Output out_;
  std::vector<ResultColumn> columns_;
  std::vector<size_t> widths_;
  std::vector<Cell> cells_;  // line after line, the header first
};

}  // namespace

std::unique_ptr<ResultWriter> make_table_writer(TimeFormat time_format, ResultWriter::Output out) {
  return std::make_unique<TableWriter>(time_format, std::move(out));
}

}  // namespace varve
