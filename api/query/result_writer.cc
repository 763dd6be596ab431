#include "api/query/result_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/query/json_text.h"
#include "api/query/result_cell.h"
#include "api/query/text_value.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr size_t kFlushBytes = 64 << 10;  // handed to the socket at once
constexpr size_t kCellBytesMax = 40;  // of a JSON value that is no long string: a quoted time is the longest
static_assert(kCellBytesMax >= kTimeBytesMax + 2 && kCellBytesMax >= kNumberBytesMax);

// Collects text and hands it on in pieces; remembers when the reader has gone.
class PieceWriter : public ResultWriter {
 public:
  PieceWriter(TimeFormat time_format, Output out) : time_format_(time_format), out_(std::move(out)) {}

 protected:
  bool flush(bool all) {
    if (buffer_.empty() || (!all && buffer_.size() < kFlushBytes)) return reader_is_there_;
    reader_is_there_ = reader_is_there_ && out_(buffer_);
    buffer_.clear();
    return reader_is_there_;
  }
  // A JSON value, or null.
  void append_json_cell(const ColumnVector& column, ResultType type, size_t row) {
    if (type == ResultType::kString && column.is_valid(row)) {
      return append_json_string_cell(column.strings[row]);
    }
    char cell[kCellBytesMax];
    append_text({cell, write_json_cell(cell, column, type, row)});
  }
  // The same of anything but a string, where kCellBytesMax are free; returns its end.
  char* write_json_cell(char* to, const ColumnVector& column, ResultType type, size_t row) const {
    if (!column.is_valid(row)) return write_word(to, "null");
    switch (type) {
      case ResultType::kTimestamp:
        if (time_format_ != TimeFormat::kRfc3339) return write_time(to, time_format_, column.ints[row]);
        *to++ = '"';
        to = write_time(to, time_format_, column.ints[row]);
        *to++ = '"';
        return to;
      case ResultType::kDouble:
        if (!std::isfinite(column.doubles[row])) break;
        return write_double(to, column.doubles[row]);
      case ResultType::kInt64:
        return write_int(to, column.ints[row]);
      case ResultType::kBool:
        return write_word(to, column.bools[row] != 0 ? "true" : "false");
      case ResultType::kString:
        break;
    }
    return write_word(to, "null");
  }
  static char* write_word(char* to, std::string_view word) { return std::copy(word.begin(), word.end(), to); }
  void append_text(std::pair<const char*, const char*> text) { buffer_.append(text.first, text.second); }

  // Long text goes out in parts, cut between characters.
  void append_json_string_cell(std::string_view text) {
    if (text.size() <= kFlushBytes) return append_json_string(buffer_, text);
    buffer_.push_back('"');
    while (!text.empty()) {
      size_t part = std::min(text.size(), kFlushBytes);
      while (part < text.size() && part > kFlushBytes - 4 &&
             (static_cast<uint8_t>(text[part]) & 0xc0) == 0x80) {
        --part;
      }
      append_json_text(buffer_, text.substr(0, part));
      text.remove_prefix(part);
      flush(false);
    }
    buffer_.push_back('"');
  }

  void append_json_error(const QueryError& error) {
    buffer_ += "{\"code\":";
    append_json_string(buffer_, error.code);
    buffer_ += ",\"message\":";
    append_json_string(buffer_, error.message);
    buffer_.push_back('}');
  }

  const TimeFormat time_format_;
  std::vector<ResultColumn> columns_;
  std::string buffer_;

 private:
  Output out_;
  bool reader_is_there_ = true;
};

class JsonWriter : public PieceWriter {
 public:
  using PieceWriter::PieceWriter;

  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    buffer_ += "{\"columns\":[";
    for (const ResultColumn& column : columns) {
      if (&column != columns.data()) buffer_.push_back(',');
      buffer_ += "{\"name\":";
      append_json_string(buffer_, column.name);
      buffer_ += ",\"type\":";
      append_json_string(buffer_, result_type_name(column.type));
      buffer_.push_back('}');
    }
    buffer_ += "],\"rows\":[";
    return flush(false);
  }

  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      if (!first_row_) buffer_.push_back(',');
      first_row_ = false;
      append_row_of(batch, row);
      if (!flush(false)) return false;
    }
    return true;
  }

  bool finish(const QueryStats& stats) override {
    buffer_ += fmt::format("],\"row_count\":{},\"stats\":{{\"elapsed_ms\":", stats.row_count);
    append_double(buffer_, std::round(stats.elapsed_ms * 1000) / 1000);
    buffer_ += ",\"engine\":";
    append_json_string(buffer_, stats.engine);
    buffer_ += fmt::format(",\"rows_scanned\":{},\"blocks_decoded\":{},\"blocks_from_statistics\":{}",
                           stats.rows_scanned, stats.blocks_decoded, stats.blocks_from_statistics);
    for (const std::string& aggregate : stats.approximate) {
      buffer_ += &aggregate == stats.approximate.data() ? ",\"approximate\":[" : ",";
      append_json_string(buffer_, aggregate);
    }
    buffer_ += stats.approximate.empty() ? "}}" : "]}}";
    return flush(true);
  }
  void fail(const QueryError& error) override {
    buffer_ += "],\"error\":";
    append_json_error(error);
    buffer_ += "}\n";
    flush(true);
  }

 private:
  // Cells are put together in a place of their own: much of the time of a large answer goes into them.
  void append_row_of(const ResultBatch& batch, size_t row) {
    row_text_.resize(columns_.size() * (kCellBytesMax + 1) + 2);
    char* const begin = row_text_.data();
    char* to = begin;
    for (size_t i = 0; i < columns_.size(); ++i) {
      *to++ = i == 0 ? '[' : ',';
      const ColumnVector& column = batch.columns[i];
      if (columns_[i].type != ResultType::kString || !column.is_valid(row)) {
        to = write_json_cell(to, column, columns_[i].type, row);
        continue;
      }
      const std::string_view text = column.strings[row];
      if (text.size() + 2 <= kCellBytesMax && is_plain_json(text)) {
        *to++ = '"';
        to = write_word(to, text);
        *to++ = '"';
        continue;
      }
      append_text({begin, to});
      to = begin;
      append_json_string_cell(text);
      flush(false);
    }
    if (columns_.empty()) *to++ = '[';
    *to++ = ']';
    append_text({begin, to});
  }

  std::vector<char> row_text_;
  bool first_row_ = true;
};

class NdjsonWriter : public PieceWriter {
 public:
  using PieceWriter::PieceWriter;

  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    for (const ResultColumn& column : columns) {  // {"a": then ,"b": ...
      std::string& prefix = prefixes_.emplace_back(prefixes_.empty() ? "{" : ",");
      append_json_string(prefix, column.name);
      prefix.push_back(':');
    }
    return true;
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      begin_object();
      for (size_t i = 0; i < columns_.size(); ++i) {
        buffer_ += prefixes_[i];
        append_json_cell(batch.columns[i], columns_[i].type, row);
        flush(false);
      }
      end_object();
      if (!flush(false)) return false;
    }
    return true;
  }
  bool finish(const QueryStats&) override { return flush(true); }
  void fail(const QueryError& error) override {
    begin_object();
    buffer_ += "{\"error\":";
    append_json_error(error);
    end_object();
    finish({});
  }

 protected:
  virtual void begin_object() {}
  virtual void end_object() { buffer_ += "}\n"; }

 private:
  std::vector<std::string> prefixes_;
};

// [{"a":1}, ...]: what ndjson has a line for each, as one JSON array.
class ObjectsWriter : public NdjsonWriter {
 public:
  using NdjsonWriter::NdjsonWriter;

  bool begin(const std::vector<ResultColumn>& columns) override {
    buffer_.push_back('[');
    return NdjsonWriter::begin(columns);
  }
  bool finish(const QueryStats&) override {
    buffer_ += "]\n";
    return flush(true);
  }

 protected:
  void begin_object() override {
    if (any_) buffer_ += ",\n";
    any_ = true;
  }
  void end_object() override { buffer_.push_back('}'); }

 private:
  bool any_ = false;
};

class CsvWriter : public PieceWriter {
 public:
  using PieceWriter::PieceWriter;

  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    for (const ResultColumn& column : columns) {
      if (&column != columns.data()) buffer_.push_back(',');
      append_field(column.name);
    }
    buffer_ += "\r\n";
    return flush(false);
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) {
        if (i > 0) buffer_.push_back(',');
        const ColumnVector& column = batch.columns[i];
        if (!column.is_valid(row)) continue;
        if (columns_[i].type == ResultType::kString) {
          append_field(column.strings[row]);
        } else {
          append_cell(buffer_, columns_[i].type, time_format_, column, row);
        }
        flush(false);
      }
      buffer_ += "\r\n";
      if (!flush(false)) return false;
    }
    return true;
  }
  bool finish(const QueryStats&) override { return flush(true); }
  void fail(const QueryError& error) override {
    append_field("error: " + error.message);
    buffer_ += "\r\n";
    flush(true);
  }

 private:
  void append_field(std::string_view text) {
    const bool quote = text.empty() || text.find_first_of(",\"\r\n") != std::string_view::npos ||
                       text.front() == ' ' || text.back() == ' ';
    if (!quote) {
      for (; text.size() > kFlushBytes; text.remove_prefix(kFlushBytes)) {
        buffer_ += text.substr(0, kFlushBytes);
        flush(false);
      }
      buffer_ += text;
      return;
    }
    buffer_.push_back('"');
    for (const char c : text) {
      if (c == '"') buffer_.push_back('"');
      buffer_.push_back(c);
      flush(false);
    }
    buffer_.push_back('"');
  }
};

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

}  // namespace

char* write_time(char* to, TimeFormat format, int64_t ns) {
  switch (format) {
    case TimeFormat::kRfc3339: {
      thread_local std::string text;  // keeps its memory
      text.clear();
      append_timestamp(text, ns);
      return std::copy(text.begin(), text.end(), to);
    }
    case TimeFormat::kNs:
      return write_int(to, ns);
    case TimeFormat::kUs:
      return write_int(to, floor_divide(ns, kNsPerUs));
    case TimeFormat::kMs:
      return write_int(to, floor_divide(ns, kNsPerMs));
    case TimeFormat::kS:
      return write_int(to, floor_divide(ns, kNsPerSecond));
  }
  return to;
}

void append_time(std::string& out, TimeFormat format, int64_t ns) {
  char text[kTimeBytesMax];
  out.append(text, static_cast<size_t>(write_time(text, format, ns) - text));
}

void append_cell(std::string& out, ResultType type, TimeFormat format, const ColumnVector& column,
                 size_t row) {
  switch (type) {
    case ResultType::kTimestamp:
      return append_time(out, format, column.ints[row]);
    case ResultType::kDouble:
      return append_double(out, column.doubles[row]);
    case ResultType::kInt64:
      return append_int(out, column.ints[row]);
    case ResultType::kBool:
      out += column.bools[row] != 0 ? "true" : "false";
      return;
    case ResultType::kString:
      out += column.strings[row];
      return;
  }
}

std::string_view result_type_name(ResultType type) {
  switch (type) {
    case ResultType::kTimestamp:
      return "timestamp";
    case ResultType::kDouble:
      return "double";
    case ResultType::kInt64:
      return "int64";
    case ResultType::kBool:
      return "bool";
    case ResultType::kString:
      return "string";
  }
  return "unknown";
}

std::optional<ResultFormat> parse_result_format(std::string_view name) {
  if (name == "json") return ResultFormat::kJson;
  if (name == "csv") return ResultFormat::kCsv;
  if (name == "ndjson") return ResultFormat::kNdjson;
  if (name == "objects") return ResultFormat::kObjects;
  if (name == "table") return ResultFormat::kTable;
  return std::nullopt;
}

std::optional<TimeFormat> parse_time_format(std::string_view name) {
  if (name == "rfc3339") return TimeFormat::kRfc3339;
  if (name == "ns") return TimeFormat::kNs;
  if (name == "us") return TimeFormat::kUs;
  if (name == "ms") return TimeFormat::kMs;
  if (name == "s") return TimeFormat::kS;
  return std::nullopt;
}

std::string_view content_type(ResultFormat format) {
  switch (format) {
    case ResultFormat::kJson:
    case ResultFormat::kObjects:
      return "application/json";
    case ResultFormat::kCsv:
      return "text/csv; charset=utf-8";
    case ResultFormat::kNdjson:
      return "application/x-ndjson";
    case ResultFormat::kTable:
      return "text/plain; charset=utf-8";
  }
  return "application/octet-stream";
}

std::unique_ptr<ResultWriter> ResultWriter::make(ResultFormat format, TimeFormat time_format, Output out) {
  switch (format) {
    case ResultFormat::kJson:
      return std::make_unique<JsonWriter>(time_format, std::move(out));
    case ResultFormat::kCsv:
      return std::make_unique<CsvWriter>(time_format, std::move(out));
    case ResultFormat::kNdjson:
      return std::make_unique<NdjsonWriter>(time_format, std::move(out));
    case ResultFormat::kObjects:
      return std::make_unique<ObjectsWriter>(time_format, std::move(out));
    case ResultFormat::kTable:
      return make_table_writer(time_format, std::move(out));
  }
  return nullptr;
}

}  // namespace varve
