#include "ingest/decode/csv.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "ingest/decode/csv_text.h"
#include "ingest/decode/decimal.h"
#include "ingest/decode/json.h"
#include "ingest/decode/printable.h"
#include "ingest/decode/row_mapper.h"

namespace varve {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kPinnedTablesMax = 10'000;  // as many as a store has; beyond it the pins start over
constexpr size_t kDetailTextBytesMax = 64;   // of what is quoted in a refusal

using Role = RowMapper::Role;

enum class Pin : uint8_t { kNone, kInt, kDouble, kBool, kString };

Pin pin_of(FieldType type) {
  switch (type) {
    case FieldType::kDouble:
      return Pin::kDouble;
    case FieldType::kInt64:
      return Pin::kInt;
    case FieldType::kBool:
      return Pin::kBool;
    case FieldType::kString:
      break;
  }
  return Pin::kString;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

bool is_nothing(std::string_view text) {
  return text == "NaN" || text == "nan" || text == "NULL" || text == "null";
}

enum class Shape { kText, kWhole, kDecimal };

// JSON's numbers, and decimals without digits on one side of the point.
Shape shape_of(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t first = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - first;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const size_t first = at;
  const size_t whole = digits();
  if (whole > 1 && text[first] == '0') return Shape::kText;
  if (at == text.size()) return whole > 0 ? Shape::kWhole : Shape::kText;
  size_t decimals = 0;
  if (text[at] == '.') {
    ++at;
    decimals = digits();
  }
  if (whole + decimals == 0) return Shape::kText;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return Shape::kText;
  }
  return at == text.size() ? Shape::kDecimal : Shape::kText;
}

class CsvDecoder : public Decoder {
 public:
  CsvDecoder(const DecodeMapping& mapping, RowMapper row, StoredTypes stored_types)
      : has_header_(mapping.csv_header),
        delimiter_(mapping.csv_delimiter),
        mapper_(std::move(row)),
        stored_types_(std::move(stored_types)) {}

  // False, and the mapper says why, when these cannot name columns.
  bool set_columns(const std::vector<std::string_view>& names);
  DecodeReject take_reject() { return mapper_.take_reject(); }

  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override;

 private:
  struct Column {
    std::string name;
    Role role;
  };
  bool read_header();
  bool read_record(const MessageContext& context, RowSet& rows);
  bool add_cell(const std::string& name, std::string_view cell, Pin& pin);
  bool add_number(const std::string& name, std::string_view text, Shape shape, Pin& pin);
  std::vector<Pin*>& pins_of(std::string_view table);

  const bool has_header_;
  const char delimiter_;
  RowMapper mapper_;
  const StoredTypes stored_types_;
  CsvText text_;
  bool all_utf8_ = true;

  std::string header_;  // the line the columns are from
  std::vector<Column> columns_;
  std::map<std::string, std::map<std::string, Pin>> pins_;  // by table, column
  // The pins of columns_, by table; points into pins_.
  std::unordered_map<std::string, std::vector<Pin*>> column_pins_;
  std::string last_table_;
  std::vector<Pin*>* last_pins_ = nullptr;
};

bool CsvDecoder::set_columns(const std::vector<std::string_view>& names) {
  std::vector<Column> columns;
  for (const std::string_view name : names) {
    const Role role = mapper_.role_of(name);
    if (!mapper_.check_name(name, role)) return false;
    const auto same = [&](const Column& column) { return column.name == name; };
    if (std::any_of(columns.begin(), columns.end(), same)) {
      return mapper_.refuse("invalid_name", fmt::format("column '{}' is named twice", name));
    }
    columns.push_back({std::string(name), role});
  }
  if (columns.size() > kFieldsPerRowMax) {
    return mapper_.refuse("too_many_fields", fmt::format("a row may have {} columns", kFieldsPerRowMax));
  }
  columns_ = std::move(columns);
  column_pins_.clear();
  last_pins_ = nullptr;
  return true;
}

void CsvDecoder::decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                        std::vector<DecodeReject>& rejects) {
  if (payload.size() > kMessageBytesMax) {
    rejects.push_back({"message_too_large",
                       fmt::format("{} bytes; a message may have {}", payload.size(), kMessageBytesMax), 0});
    return;
  }
  if (payload.starts_with(kByteOrderMark)) payload.remove_prefix(kByteOrderMark.size());
  all_utf8_ = simdjson::validate_utf8(payload.data(), payload.size());
  text_.start(payload, delimiter_);
  if (!text_.next()) {
    rejects.push_back({"empty_message", "the payload is empty", 0});
    return;
  }
  if (has_header_) {
    if (!read_header()) {
      rejects.push_back(mapper_.take_reject());
      rejects.back().reason = "bad_header";
      rejects.back().line = text_.line();
      return;
    }
    if (!text_.next()) return;
  }
  size_t refused = 0;
  do {
    if (read_record(context, rows)) continue;
    DecodeReject reject = mapper_.take_reject();
    if (++refused > kRejectsPerMessageMax) continue;
    reject.line = text_.line();
    rejects.push_back(std::move(reject));
  } while (text_.next());
  if (refused > kRejectsPerMessageMax) rejects.push_back(more_refused(refused - kRejectsPerMessageMax));
}

bool CsvDecoder::read_header() {
  if (text_.raw() == header_ && !columns_.empty()) return true;
  if (!text_.complete()) return mapper_.refuse("", "the line of names ends inside quotes");
  if (!simdjson::validate_utf8(text_.raw().data(), text_.raw().size())) {
    return mapper_.refuse("", "the line of names is not valid UTF-8");
  }
  std::vector<std::string_view> names;
  for (const std::string_view cell : text_.cells()) names.push_back(trim(cell));
  if (!set_columns(names)) return false;
  header_ = text_.raw();
  return true;
}

bool CsvDecoder::read_record(const MessageContext& context, RowSet& rows) {
  const std::vector<std::string_view>& cells = text_.cells();
  if (!text_.complete()) return mapper_.refuse("malformed_csv", "quotes are opened and never closed");
  if (cells.size() != columns_.size()) {
    return mapper_.refuse("column_count", fmt::format("the row has {} cells, and there are {} names",
                                                      cells.size(), columns_.size()));
  }
  if (!all_utf8_ && !simdjson::validate_utf8(text_.raw().data(), text_.raw().size())) {
    return mapper_.refuse("invalid_utf8", "the row is not valid UTF-8");
  }
  mapper_.begin_row();
  for (size_t i = 0; i < cells.size(); ++i) {
    const Column& column = columns_[i];
    if (column.role == Role::kField || cells[i].empty()) continue;
    const std::string_view cell = column.role == Role::kTime ? trim(cells[i]) : cells[i];
    if (!cell.empty() && !mapper_.take_text(column.role, column.name, cell)) return false;
  }
  const std::vector<Pin*>& pins = pins_of(mapper_.table(context));
  for (size_t i = 0; i < cells.size(); ++i) {
    const Column& column = columns_[i];
    if (column.role != Role::kField || cells[i].empty()) continue;
    if (!add_cell(column.name, cells[i], *pins[i])) return false;
  }
  return mapper_.add_row(context, rows);
}

std::vector<Pin*>& CsvDecoder::pins_of(std::string_view table) {
  if (last_pins_ != nullptr && last_table_ == table) return *last_pins_;
  last_table_ = table;
  auto known = column_pins_.find(last_table_);
  if (known == column_pins_.end()) {
    if (pins_.size() >= kPinnedTablesMax && !pins_.contains(last_table_)) {
      pins_.clear();
      column_pins_.clear();
    }
    const auto [at, is_new] = pins_.try_emplace(last_table_);
    if (is_new && stored_types_) {
      for (const auto& [name, type] : stored_types_(mapper_.database(), table))
        at->second[name] = pin_of(type);
    }
    if (at->second.size() > kFieldsPerRowMax) at->second.clear();  // names without end: not worth remembering
    std::vector<Pin*> pins;
    for (const Column& column : columns_) pins.push_back(&at->second.try_emplace(column.name).first->second);
    known = column_pins_.emplace(last_table_, std::move(pins)).first;
  }
  last_pins_ = &known->second;
  return *last_pins_;
}

bool CsvDecoder::add_cell(const std::string& name, std::string_view cell, Pin& pin) {
  if (pin == Pin::kString) return mapper_.add_string(name, cell);
  const std::string_view text = trim(cell);
  if (text.empty() || is_nothing(text)) return true;
  const Shape shape = shape_of(text);
  if (shape != Shape::kText) return add_number(name, text, shape, pin);
  const bool truth = equals_ignoring_case(text, "true");
  if (truth || equals_ignoring_case(text, "false")) {
    if (pin == Pin::kNone) pin = Pin::kBool;
    mapper_.add_bool(name, truth);
    return true;
  }
  if (pin == Pin::kNone) pin = Pin::kString;
  return mapper_.add_string(name, cell);
}

bool CsvDecoder::add_number(const std::string& name, std::string_view text, Shape shape, Pin& pin) {
  const auto out_of_range = [&] {
    return mapper_.refuse("out_of_range", fmt::format("column '{}': {} does not fit", name,
                                                      text.substr(0, kDetailTextBytesMax)));
  };
  if (shape == Shape::kWhole && pin != Pin::kDouble) {
    int64_t whole = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (parsed.ec != std::errc{}) return out_of_range();
    if (pin == Pin::kNone) pin = Pin::kInt;
    mapper_.add_int(name, whole);
    return true;
  }
  double number = 0;
  if (!parse_decimal(text, number)) return out_of_range();
  if (pin == Pin::kNone || pin == Pin::kInt) pin = Pin::kDouble;
  mapper_.add_double(name, number);
  return true;
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_csv_decoder(const DecodeMapping& mapping,
                                                  const StoredTypes& stored_types) {
  VARVE_ASSIGN(auto mapper, RowMapper::make(mapping));
  if (mapping.csv_header != mapping.csv_columns.empty()) {
    return invalid_argument(
        "csv_columns: give the names of the columns here, or csv_header = true when each message begins with "
        "them");
  }
  if (mapping.csv_delimiter == '"' || mapping.csv_delimiter == '\n' || mapping.csv_delimiter == '\r') {
    return invalid_argument("csv_delimiter: a quote or line end cannot separate cells");
  }
  auto decoder = std::make_unique<CsvDecoder>(mapping, std::move(mapper), stored_types);
  if (!mapping.csv_header &&
      !decoder->set_columns({mapping.csv_columns.begin(), mapping.csv_columns.end()})) {
    return invalid_argument("csv_columns: " + decoder->take_reject().detail);
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace varve
