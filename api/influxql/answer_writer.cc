#include "api/influxql/answer_writer.h"

#include <fmt/format.h>

#include <optional>

#include "api/influxql/go_text.h"
#include "storage/base/check.h"

namespace varve::influxql {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

void append_int(std::string& out, int64_t value) {
  const fmt::format_int text(value);
  out.append(text.data(), text.size());
}

// Text that leaves in pieces; what did not leave yet can be taken back.
class PieceBuffer {
 public:
  explicit PieceBuffer(AnswerWriter::Put put) : put_(std::move(put)) {}

  std::string text;

  bool flush_when_full() { return text.size() < kPieceBytes || flush(); }
  bool flush() {
    if (text.empty()) return !gone_;
    gone_ = gone_ || !put_(text);
    text.clear();
    mark_.reset();
    return !gone_;
  }
  void mark() { mark_ = text.size(); }
  bool take_back() {  // to the mark, when it is still here
    if (!mark_) return false;
    text.resize(*mark_);
    return true;
  }

 private:
  AnswerWriter::Put put_;
  bool gone_ = false;
  std::optional<size_t> mark_;
};

// JSON as Go marshals it, compact or indented by four spaces.
class JsonText {
 public:
  JsonText(std::string& out, bool pretty) : out_(out), pretty_(pretty) {}

  void open(char bracket) {
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) new_line();
    first_ = false;
    out_ += bracket;
  }
  void item() {
    if (!first_) out_ += ',';
    first_ = false;
    new_line();
  }
  void key(std::string_view name) {
    item();
    append_json_string(out_, name);
    out_ += pretty_ ? ": " : ":";
  }
  void text(std::string_view value) { append_json_string(out_, value); }
  void strings(const std::vector<std::string>& values) {
    open('[');
    for (const std::string& value : values) {
      item();
      text(value);
    }
    close(']');
  }

  struct Place {
    size_t depth = 0;
    bool first = true;
  };
  Place place() const { return {depth_, first_}; }
  void go_back(const Place& place) {
    depth_ = place.depth;
    first_ = place.first;
  }

 private:
  void new_line() {
    if (!pretty_) return;
    out_ += '\n';
    out_.append(4 * depth_, ' ');
  }

  std::string& out_;
  const bool pretty_;
  size_t depth_ = 0;
  bool first_ = true;
};

class JsonAnswer final : public AnswerWriter {
 public:
  JsonAnswer(const AnswerOptions& options, Put put)
      : options_(options),
        pieces_(std::move(put)),
        json_(pieces_.text, options.format == AnswerOptions::Format::kPrettyJson) {}

  void begin_statement(size_t id, TimeText times) override {
    id_ = id;
    times_ = std::move(times);
    if (!chunked() && !document_open_) open_document();
    pieces_.mark();
    before_ = json_.place();
    series_count_ = 0;
    if (!chunked()) open_result();
  }

  bool begin(const SeriesHead& head) override {
    if (chunked() && series_count_ > 0) close_chunk(false);
    if (chunked()) {
      open_document();
      open_result();
    } else if (series_count_ > 0) {
      close_series(false);
    }
    if (chunked() || series_count_ == 0) {
      json_.key("series");
      json_.open('[');
    }
    ++series_count_;
    head_ = head;
    open_series();
    return pieces_.flush_when_full();
  }

  bool rows(const SeriesRows& batch) override {
    VARVE_CHECK(batch.columns.size() == head_.columns.size());
    for (size_t row = 0; row < batch.rows; ++row) {
      if (chunked() && rows_in_chunk_ == options_.chunk_rows) {
        close_chunk(true);
        open_document();
        open_result();
        json_.key("series");
        json_.open('[');
        open_series();
      }
      append_row(batch, row);
      if (!pieces_.flush_when_full()) return false;
    }
    return true;
  }

  bool end_statement(std::string_view error, std::string_view warning) override {
    if (!error.empty() && pieces_.take_back()) {
      json_.go_back(before_);
      series_count_ = 0;
      document_open_ = !chunked();
      if (!chunked()) open_result();
    }
    if (chunked() && series_count_ == 0) {
      open_document();
      open_result();
    }
    if (series_count_ > 0) close_series(false);
    if (series_count_ > 0) json_.close(']');
    if (!warning.empty()) append_message(warning);
    if (!error.empty()) {
      json_.key("error");
      json_.text(error);
    }
    json_.close('}');
    if (chunked()) close_document();
    return pieces_.flush_when_full();
  }

  bool finish() override {
    if (!chunked()) {
      if (!document_open_) {
        pieces_.text += "{}\n";
      } else {
        close_document();
      }
    }
    return pieces_.flush();
  }

 private:
  bool chunked() const { return options_.chunk_rows != 0; }

  void open_document() {
    document_open_ = true;
    json_.go_back({});
    json_.open('{');
    json_.key("results");
    json_.open('[');
  }

  void close_document() {
    json_.close(']');
    json_.close('}');
    pieces_.text += '\n';
    document_open_ = false;
  }

  void open_result() {
    json_.item();
    json_.open('{');
    json_.key("statement_id");
    append_int(pieces_.text, static_cast<int64_t>(id_));
  }

  void open_series() {
    json_.item();
    json_.open('{');
    if (!head_.name.empty()) {
      json_.key("name");
      json_.text(head_.name);
    }
    if (!head_.tags.empty()) {
      json_.key("tags");
      json_.open('{');
      for (const auto& [name, value] : head_.tags) {
        json_.key(name);
        json_.text(value);
      }
      json_.close('}');
    }
    json_.key("columns");
    json_.strings(head_.columns);
    rows_in_chunk_ = 0;
  }

  void close_series(bool partial) {
    if (rows_in_chunk_ > 0) json_.close(']');
    if (partial) {
      json_.key("partial");
      pieces_.text += "true";
    }
    json_.close('}');
  }

  // A document of which more comes: of its series, or another series.
  void close_chunk(bool of_series) {
    close_series(of_series);
    json_.close(']');
    json_.key("partial");
    pieces_.text += "true";
    json_.close('}');
    close_document();
  }

  void append_row(const SeriesRows& batch, size_t row) {
    if (rows_in_chunk_++ == 0) {
      json_.key("values");
      json_.open('[');
    }
    json_.item();
    json_.open('[');
    for (size_t column = 0; column < batch.columns.size(); ++column) {
      json_.item();
      append_cell(batch.columns[column], row, head_.has_time && column == 0);
    }
    json_.close(']');
  }

  void append_cell(const ColumnVector& column, size_t row, bool is_time) {
    std::string& out = pieces_.text;
    if (!column.is_valid(row)) {
      out += "null";
      return;
    }
    switch (column.type) {
      case FieldType::kDouble:
        return append_json_number(out, column.doubles[row]);
      case FieldType::kInt64:
        return is_time ? append_time(column.ints[row]) : append_int(out, column.ints[row]);
      case FieldType::kBool:
        out += column.bools[row] != 0 ? "true" : "false";
        return;
      case FieldType::kString:
        return append_json_string(out, column.strings[row]);
    }
  }

  void append_time(int64_t ns) {
    std::string& out = pieces_.text;
    if (times_.unit_ns != 0) return append_int(out, ns / times_.unit_ns);
    out += '"';
    append_rfc3339(out, ns, times_.zone_offset ? times_.zone_offset(ns) : 0);
    out += '"';
  }

  void append_message(std::string_view warning) {
    json_.key("messages");
    json_.open('[');
    json_.item();
    json_.open('{');
    json_.key("level");
    json_.text("warning");
    json_.key("text");
    json_.text(warning);
    json_.close('}');
    json_.close(']');
  }

  const AnswerOptions options_;
  PieceBuffer pieces_;
  JsonText json_;
  size_t id_ = 0;
  TimeText times_;
  JsonText::Place before_;  // the statement
  SeriesHead head_;
  size_t series_count_ = 0;     // of the statement
  uint64_t rows_in_chunk_ = 0;  // of the series; all its rows when there are no chunks
  bool document_open_ = false;
};

// Errors and warnings have no place in it, as in InfluxDB.
class CsvAnswer final : public AnswerWriter {
 public:
  explicit CsvAnswer(Put put) : pieces_(std::move(put)) {}

  void begin_statement(size_t, TimeText times) override {
    times_ = std::move(times);
    headed_ = false;
    pieces_.mark();
  }

  bool begin(const SeriesHead& head) override {
    std::string& out = pieces_.text;
    if (!headed_) {
      if (any_) out += '\n';
      out += "name,tags";
      for (const std::string& column : head.columns) {
        out += ',';
        append_csv_field(out, column);
      }
      out += '\n';
    }
    headed_ = any_ = true;
    has_time_ = head.has_time;
    prefix_.clear();
    append_csv_field(prefix_, head.name);
    prefix_ += ',';
    append_csv_field(prefix_, tags_text(head));
    return pieces_.flush_when_full();
  }

  bool rows(const SeriesRows& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      pieces_.text += prefix_;
      for (size_t column = 0; column < batch.columns.size(); ++column) {
        pieces_.text += ',';
        append_cell(batch.columns[column], row, has_time_ && column == 0);
      }
      pieces_.text += '\n';
      if (!pieces_.flush_when_full()) return false;
    }
    return true;
  }

  bool end_statement(std::string_view, std::string_view) override { return pieces_.flush_when_full(); }
  bool finish() override { return pieces_.flush(); }

 private:
  static std::string tags_text(const SeriesHead& head) {
    std::string text;
    const auto escaped = [&](std::string_view part) {
      for (const char c : part) {
        if (c == ',' || c == '=' || c == ' ') text += '\\';
        text += c;
      }
    };
    for (const auto& [name, value] : head.tags) {
      if (value.empty()) continue;
      if (!text.empty()) text += ',';
      escaped(name);
      text += '=';
      escaped(value);
    }
    return text;
  }

  void append_cell(const ColumnVector& column, size_t row, bool is_time) {
    std::string& out = pieces_.text;
    if (!column.is_valid(row)) return;
    switch (column.type) {
      case FieldType::kDouble:
        return append_plain_number(out, column.doubles[row]);
      case FieldType::kInt64:
        return append_int(
            out, is_time && times_.unit_ns != 0 ? column.ints[row] / times_.unit_ns : column.ints[row]);
      case FieldType::kBool:
        out += column.bools[row] != 0 ? "true" : "false";
        return;
      case FieldType::kString:
        return append_csv_field(out, column.strings[row]);
    }
  }

  PieceBuffer pieces_;
  TimeText times_;
  std::string prefix_;  // name and tags of the series' rows
  bool has_time_ = false;
  bool headed_ = false;  // the statement has its line of columns
  bool any_ = false;     // some statement had
};

}  // namespace

std::unique_ptr<AnswerWriter> AnswerWriter::make(const AnswerOptions& options, Put put) {
  if (options.format == AnswerOptions::Format::kCsv) return std::make_unique<CsvAnswer>(std::move(put));
  return std::make_unique<JsonAnswer>(options, std::move(put));
}

}  // namespace varve::influxql
