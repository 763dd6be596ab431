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
    if (cell.width >= kTableCellWidthMax || cell.text.size() >= 4 * kTableCellWidthMax) {
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
    widths_.resize(columns.size());
    for (size_t i = 0; i < columns.size(); ++i) add_to_sample(printable(columns[i].name), i);
    return true;
  }

  bool rows(const ResultBatch& batch) override {
    std::string text;
    std::vector<Cell> line(columns_.size());
    for (size_t row = 0; row < batch.rows; ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        const ColumnVector& column = batch.columns[i];
        if (!column.is_valid(row)) {
          line[i] = printable("NULL");
        } else if (columns_[i].type == ResultType::kString) {
          line[i] = printable(column.strings[row]);
        } else {
          text.clear();
          append_cell(text, columns_[i].type, time_format_, column, row);
          line[i] = printable(text);
        }
      }
      if (!add_line(line)) return false;
    }
    return true;
  }

  bool finish(const QueryStats& stats) override {
    write_sample();
    buffer_ += fmt::format("({} row{}, {:.1f} ms)\n", stats.row_count, stats.row_count == 1 ? "" : "s",
                           stats.elapsed_ms);
    return flush(true);
  }

  void fail(const QueryError& error) override {
    write_sample();
    buffer_ += fmt::format("error: {}\n", error.message);
    flush(true);
  }

 private:
  static constexpr size_t kFlushBytes = 64 << 10;

  bool flush(bool all) {
    if (buffer_.empty() || (!all && buffer_.size() < kFlushBytes)) return reader_is_there_;
    reader_is_there_ = reader_is_there_ && out_(buffer_);
    buffer_.clear();
    return reader_is_there_;
  }

  void add_to_sample(Cell cell, size_t column) {
    widths_[column] = std::max(widths_[column], cell.width);
    sample_bytes_ += sizeof(Cell) + cell.text.size();
    sample_.push_back(std::move(cell));
  }

  bool add_line(std::vector<Cell>& line) {
    if (sample_written_) {
      append_line(line.data());
      return flush(false);
    }
    for (size_t i = 0; i < line.size(); ++i) add_to_sample(std::move(line[i]), i);
    const bool enough = sample_.size() >= (kTableSampleRows + 1) * columns_.size() ||  // and the header
                        sample_bytes_ > kTableSampleBytesMax;
    return !enough || write_sample();
  }

  bool write_sample() {
    if (sample_written_) return reader_is_there_;
    for (size_t first = 0; first < sample_.size(); first += columns_.size()) {
      append_line(&sample_[first]);
      if (first == 0) append_rule();
      flush(false);
    }
    sample_written_ = true;
    sample_ = {};
    return reader_is_there_;
  }

  bool right_aligned(size_t column) const {
    const ResultType type = columns_[column].type;
    const bool number = type == ResultType::kDouble || type == ResultType::kInt64;
    return number || (type == ResultType::kTimestamp && time_format_ != TimeFormat::kRfc3339);
  }

  void append_line(const Cell* cells) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = cells[i];
      const size_t padding = widths_[i] - std::min(widths_[i], cell.width);
      if (i > 0) buffer_ += "  ";
      if (right_aligned(i)) buffer_.append(padding, ' ');
      buffer_ += cell.text;
      if (!right_aligned(i) && i + 1 < columns_.size()) buffer_.append(padding, ' ');
    }
    buffer_.push_back('\n');
  }

  void append_rule() {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) buffer_ += "  ";
      buffer_.append(widths_[i], '-');
    }
    buffer_.push_back('\n');
  }

  const TimeFormat time_format_;
  Output out_;
  std::vector<ResultColumn> columns_;
  std::vector<size_t> widths_;
  std::vector<Cell> sample_;  // line after line, the header first
  size_t sample_bytes_ = 0;
  bool sample_written_ = false;
  std::string buffer_;
  bool reader_is_there_ = true;
};

}  // namespace

std::unique_ptr<ResultWriter> make_table_writer(TimeFormat time_format, ResultWriter::Output out) {
  return std::make_unique<TableWriter>(time_format, std::move(out));
}

}  // namespace varve
