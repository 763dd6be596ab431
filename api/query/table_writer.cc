#include <fmt/format.h>

#include <algorithm>

#include "api/query/display_text.h"
#include "api/query/result_cell.h"

namespace varve {
namespace {

using Cell = DisplayText;

Cell printable(std::string_view text) {
  return display_text(text, kTableCellWidthMax);
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
