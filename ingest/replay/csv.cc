// Rows of a CSV file as JSON objects. The first record names the columns; names become lower-case with
// underscores
// ("Water Temperature" is water_temperature). A cell that is a JSON number stays one to the letter, true and
// false are booleans, empty cells are left out, everything else is a string. What cannot be read is still
// sent, so that nothing is dropped here and the consumer's quarantine tells about it: a row with the wrong
// number of cells as its raw text, a time that does not parse as the text it is.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ingest/decode/json_shape.h"
#include "ingest/decode/time_format.h"
#include "ingest/replay/csv_reader.h"
#include "ingest/replay/generator.h"
#include "ingest/replay/json_text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr std::string_view kTimeField = "ts";
// Files up to this size are read once more beforehand to know how many rows there are, half a second's work.
constexpr uint64_t kCountedFileBytesMax = 256ULL << 20;

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80;
}

// "Water Temperature (C)" -> "water_temperature_c"
std::string normalised_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (is_word(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != '_') {
      out.push_back('_');
    }
  }
  while (out.ends_with('_')) out.pop_back();
  return out;
}

// Unique, not empty, and none of them `reserved`.
std::vector<std::string> normalised_names(const std::vector<std::string>& header, std::string_view reserved) {
  std::vector<std::string> names;
  for (size_t i = 0; i < header.size(); ++i) {
    const std::string base = normalised_name(header[i]);
    std::string name = base.empty() ? fmt::format("column_{}", i + 1) : base;
    const std::string stem = name;
    for (int n = 2; name == reserved || std::find(names.begin(), names.end(), name) != names.end(); ++n) {
      name = fmt::format("{}_{}", stem, n);
    }
    names.push_back(std::move(name));
  }
  return names;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

void append_value(std::string& out, const std::string& cell) {
  if (is_json_number(cell)) {
    out += cell;
  } else if (equals_ignoring_case(cell, "true")) {
    out += "true";
  } else if (equals_ignoring_case(cell, "false")) {
    out += "false";
  } else {
    append_raw_json_string(out, cell);
  }
}

class CsvGenerator : public Generator {
 public:
  CsvGenerator(std::unique_ptr<CsvReader> reader, std::vector<std::string> names)
      : reader_(std::move(reader)), names_(std::move(names)) {}

  void set_time(size_t column, TimeParser parser) {
    time_column_ = column;
    time_parser_ = std::move(parser);
  }
  void set_key(size_t column) { key_column_ = column; }
  void set_total(uint64_t total) { total_ = total; }

  Result<bool> next(GeneratedMessage& message) override {
    VARVE_ASSIGN(const bool more, reader_->next());
    if (!more) return false;
    const std::vector<std::string>& cells = reader_->cells();
    message.key.assign(key_column_ < cells.size() ? cells[key_column_] : "");
    message.timestamp_ms = 0;
    if (cells.size() == names_.size() && reader_->complete()) {
      write_object(cells, message.value);
    } else {
      message.value.assign(reader_->raw());
    }
    return true;
  }

  std::optional<uint64_t> total() const override { return total_; }

 private:
  void write_object(const std::vector<std::string>& cells, std::string& out) const {
    out.assign("{");
    const auto name = [&out](std::string_view text) {
      if (out.size() > 1) out.push_back(',');
      append_raw_json_string(out, text);
      out.push_back(':');
    };
    if (time_column_ && !cells[*time_column_].empty()) {
      const std::string& cell = cells[*time_column_];
      const Result<int64_t> time = time_parser_->parse(cell);
      name(kTimeField);
      append_raw_json_string(out, time ? format_timestamp(*time) : cell);
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i == time_column_ || cells[i].empty()) continue;
      name(names_[i]);
      append_value(out, cells[i]);
    }
    out.push_back('}');
  }

  std::unique_ptr<CsvReader> reader_;
  std::vector<std::string> names_;
  std::optional<size_t> time_column_;
  std::optional<TimeParser> time_parser_;
  size_t key_column_ = 0;
  std::optional<uint64_t> total_;
};

// By the name in the file or the normalised one.
Result<size_t> find_column(const std::string& wanted, const std::vector<std::string>& header,
                           const std::vector<std::string>& names, const std::string& path) {
  for (const auto* list : {&header, &names}) {
    const auto at = std::find(list->begin(), list->end(), wanted);
    if (at != list->end()) return static_cast<size_t>(at - list->begin());
  }
  return invalid_argument(
      fmt::format("{} has no column \"{}\"; it has \"{}\"", path, wanted, fmt::join(header, "\", \"")));
}

Result<uint64_t> count_rows(const std::string& path) {
  VARVE_ASSIGN(auto reader, CsvReader::open(path));
  uint64_t rows = 0;
  while (true) {
    VARVE_ASSIGN(const bool more, reader->next());
    if (!more) return rows == 0 ? 0 : rows - 1;  // without the header
    ++rows;
  }
}

}  // namespace

Result<std::unique_ptr<Generator>> open_csv(const CsvOptions& options) {
  VARVE_ASSIGN(auto reader, CsvReader::open(options.path));
  VARVE_ASSIGN(const bool has_header, reader->next());
  if (!has_header) return invalid_argument(options.path + " is empty; its first line must name the columns");
  const std::vector<std::string> header = reader->cells();
  const bool with_time = !options.time_column.empty();
  std::vector<std::string> names = normalised_names(header, "");
  std::optional<size_t> time_column;
  if (with_time) {
    VARVE_ASSIGN(time_column, find_column(options.time_column, header, names, options.path));
    names = normalised_names(header, kTimeField);
  }
  size_t key_column = 0;
  if (!options.key_column.empty()) {
    VARVE_ASSIGN(key_column, find_column(options.key_column, header, names, options.path));
  }
  const bool countable = reader->file_bytes() <= kCountedFileBytesMax;

  auto generator = std::make_unique<CsvGenerator>(std::move(reader), std::move(names));
  generator->set_key(key_column);
  if (with_time) {
    const std::string format = options.time_format.empty() ? "auto" : options.time_format;
    VARVE_ASSIGN(auto parser, TimeParser::make(format, options.time_zone));
    generator->set_time(*time_column, std::move(parser));
  }
  if (countable) {
    // A record too long is reported when it is reached.
    if (const auto rows = count_rows(options.path)) generator->set_total(*rows);
  }
  return std::unique_ptr<Generator>(std::move(generator));
}

}  // namespace varve
