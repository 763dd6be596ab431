#include "ingest/decode/line_protocol.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <unordered_set>

#include "ingest/decode/decimal.h"
#include "ingest/decode/json.h"
#include "ingest/decode/printable.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr size_t kRejectTextBytesMax = 256;
constexpr int64_t kTimeNsMax = INT64_MAX - 1;  // InfluxDB's range; its ends are marks of its own
constexpr int64_t kTimeNsMin = -kTimeNsMax;

// Bytes where the scan of a name or value stops to look.
enum Stop : uint8_t { kComma = 1, kSpace = 2, kEquals = 4, kLineEnd = 8, kBackslash = 16 };
constexpr std::array<uint8_t, 256> make_stops() {
  std::array<uint8_t, 256> stops{};
  stops[','] = kComma;
  stops[' '] = kSpace;
  stops['='] = kEquals;
  stops['\n'] = kLineEnd;
  stops['\\'] = kBackslash;
  return stops;
}
constexpr std::array<uint8_t, 256> kStops = make_stops();
uint8_t stop_of(char c) {
  return kStops[static_cast<unsigned char>(c)];
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Powers of ten that a double holds exactly.
constexpr double kExactPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr uint64_t kExactMantissaMax = uint64_t{1} << 53;

// Of a timestamp's absolute value, for kAutoPrecision.
int64_t unit_of(int64_t time) {
  if (time < 5'000'000'000) return kNsPerSecond;
  if (time < 5'000'000'000'000) return kNsPerMs;
  return time < 5'000'000'000'000'000 ? kNsPerUs : 1;
}

struct FieldItem {
  std::string_view name;
  FieldType type = FieldType::kDouble;
  bool boolean = false;
  union {
    double number = 0;
    int64_t whole;
  };
  std::string_view text;
};

// Why a line is refused; reason empty = it is not.
struct Fault {
  std::string_view reason;
  std::string detail;
};

class LineParser {
 public:
  enum class Line { kRow, kNothing, kRefused };

  LineParser(std::string_view body, const LineProtocolOptions& options)
      : at_(body.data()),
        end_(body.data() + body.size()),
        options_(options),
        all_utf8_(simdjson::validate_utf8(body.data(), body.size())) {}

  bool at_end() const { return at_ == end_; }
  // Reads one line and leaves the parser after it.
  Line next(RowSet& rows);

  uint32_t line() const { return line_; }  // of the line read last, from 1
  const Fault& fault() const { return fault_; }
  std::string_view text() const { return {line_start_, static_cast<size_t>(line_end_ - line_start_)}; }

 private:
  bool read_line();
  bool read_measurement();
  bool read_tags();
  bool read_fields();
  bool read_time();
  bool read_name(size_t position, uint8_t stops, std::string_view what, std::string_view& name);
  std::string_view read_escaped(uint8_t stops, uint8_t escapable);
  bool read_value(FieldItem& item);
  bool read_string(FieldItem& item);
  bool read_bool(FieldItem& item);
  bool read_number(FieldItem& item);
  bool read_integer(FieldItem& item, std::string_view digits, bool negative, char suffix);
  bool read_double(FieldItem& item, std::string_view text);
  bool add_row(RowSet& rows);
  void keep_last_of_each_field();

  bool ends_line(const char* p) const {
    return p == end_ || *p == '\n' || (*p == '\r' && (p + 1 == end_ || p[1] == '\n'));
  }
  bool ends_value(const char* p) const { return p == end_ || *p == ',' || *p == ' ' || ends_line(p); }
  bool refuse(std::string_view reason, std::string detail) {
    fault_ = {reason, std::move(detail)};
    return false;
  }
  bool bad_line(std::string_view why) {
    return refuse("bad_line", fmt::format("{} at byte {}", why, at_ - line_start_ + 1));
  }
  const char* end_of_refused_line() const;

  const char* at_;
  const char* const end_;
  const LineProtocolOptions& options_;
  const bool all_utf8_;

  const char* line_start_ = nullptr;
  const char* line_end_ = nullptr;
  uint32_t line_ = 0;
  uint32_t next_line_ = 1;
  bool has_line_feed_ = false;  // a string of the line holds one

  std::string_view table_;
  std::string_view raw_table_;  // as written in the last line
  std::vector<std::string_view>
      keys_;             // of tags and fields of the last line, as written; empty where escaped
  size_t position_ = 0;  // in keys_
  std::vector<std::pair<std::string_view, std::string_view>> tags_;
  std::vector<FieldItem> fields_;
  int64_t time_ns_ = 0;
  std::deque<std::string> unescaped_;  // memory of the line's texts that had escapes
  size_t unescaped_used_ = 0;
  Fault fault_;
};

LineParser::Line LineParser::next(RowSet& rows) {
  line_ = next_line_++;
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\0')) ++at_;
  line_start_ = at_;
  if (ends_line(at_) || *at_ == '#') {
    const void* lf = at_ == end_ ? nullptr : std::memchr(at_, '\n', static_cast<size_t>(end_ - at_));
    at_ = lf == nullptr ? end_ : static_cast<const char*>(lf) + 1;
    return Line::kNothing;
  }
  const bool ok = read_line();
  line_end_ = ok ? at_ : end_of_refused_line();
  // Strings may hold line feeds; the next line's number counts them.
  if (has_line_feed_ || !ok) next_line_ += static_cast<uint32_t>(std::count(line_start_, line_end_, '\n'));
  at_ = line_end_;
  if (at_ != end_ && *at_ == '\r') ++at_;
  if (at_ != end_) ++at_;  // the LF
  if (!ok || !add_row(rows)) return Line::kRefused;
  return Line::kRow;
}

bool LineParser::read_line() {
  tags_.clear();
  fields_.clear();
  unescaped_used_ = 0;
  position_ = 0;
  has_line_feed_ = false;
  return read_measurement() && read_tags() && read_fields() && read_time();
}

// The end of a line that cannot be read: the first LF outside quotes, judging quotes as far as a line is well
// formed. When a quote is never closed, the first LF at all.
const char* LineParser::end_of_refused_line() const {
  bool in_fields = false;
  bool quoted = false;
  for (const char* p = line_start_; p != end_; ++p) {
    if (*p == '\\' && p + 1 != end_ && p[1] != '\n') {
      ++p;
    } else if (*p == ' ') {
      in_fields = true;
    } else if (*p == '"' && in_fields && (quoted || p[-1] == '=')) {
      quoted = !quoted;
    } else if (*p == '\n' && !quoted) {
      return p;
    }
  }
  if (!quoted) return end_;
  const void* lf = std::memchr(line_start_, '\n', static_cast<size_t>(end_ - line_start_));
  return lf == nullptr ? end_ : static_cast<const char*>(lf);
}

// Reads up to one of `stops` (or the end of the line) that has no "\" before it, and undoes the escapes.
std::string_view LineParser::read_escaped(uint8_t stops, uint8_t escapable) {
  const char* const start = at_;
  const char* p = at_;
  bool escaped = false;
  stops |= kLineEnd;
  for (; p != end_; ++p) {
    const uint8_t stop = stop_of(*p);
    if (stop == 0) continue;
    if ((stop & stops) != 0) break;
    if (stop == kBackslash && p + 1 != end_ && (stop_of(p[1]) & escapable) != 0) {
      escaped = true;
      ++p;
    }
  }
  at_ = p;
  const auto bytes = static_cast<size_t>(p - start);
  if (!escaped) return {start, bytes};
  if (unescaped_used_ == unescaped_.size()) unescaped_.emplace_back();
  std::string& text = unescaped_[unescaped_used_++];
  text.clear();
  for (const char* c = start; c != p; ++c) {
    if (*c == '\\' && c + 1 != p && (stop_of(c[1]) & escapable) != 0) ++c;
    text.push_back(*c);
  }
  return text;
}

bool LineParser::read_measurement() {
  // Streams repeat: the same bytes, then a comma or space, are the same measurement.
  const size_t bytes = raw_table_.size();
  if (bytes > 0 && static_cast<size_t>(end_ - at_) > bytes && (at_[bytes] == ',' || at_[bytes] == ' ') &&
      std::memcmp(at_, raw_table_.data(), bytes) == 0) {
    at_ += bytes;
    table_ = raw_table_;
    return true;
  }
  const char* const start = at_;
  table_ = read_escaped(kComma | kSpace, kComma | kSpace);
  if (table_.empty()) return bad_line("expected a measurement");
  if (const std::string_view fault = table_name_fault(table_); !fault.empty()) {
    return refuse("invalid_name",
                  fmt::format("measurement '{}': {}", printable(table_, kNameBytesMax), fault));
  }
  if (ends_line(at_)) return bad_line("expected a field");
  raw_table_ = table_.data() == start ? table_ : std::string_view{};
  return true;
}

// The key before "=", at this position of the line.
bool LineParser::read_name(size_t position, uint8_t stops, std::string_view what, std::string_view& name) {
  if (position == keys_.size()) keys_.emplace_back();
  std::string_view& guess = keys_[position];
  const size_t bytes = guess.size();
  if (bytes > 0 && static_cast<size_t>(end_ - at_) > bytes && at_[bytes] == '=' &&
      std::memcmp(at_, guess.data(), bytes) == 0) {
    at_ += bytes + 1;
    name = guess;
    return true;
  }
  const char* const start = at_;
  name = read_escaped(stops, kComma | kSpace | kEquals);
  if (at_ == end_ || *at_ != '=') return bad_line(fmt::format("expected = after the {}'s name", what));
  if (name.empty()) return bad_line(fmt::format("expected the name of a {}", what));
  if (name.size() > kNameBytesMax || name == kTimeColumn) {
    return refuse("invalid_name", fmt::format("{} '{}': a name has at most {} bytes and is not 'time'", what,
                                              printable(name, kNameBytesMax), kNameBytesMax));
  }
  guess = name.data() == start ? name : std::string_view{};
  ++at_;
  return true;
}

bool LineParser::read_tags() {
  while (at_ != end_ && *at_ == ',') {
    ++at_;
    if (position_ == kFieldsPerRowMax) return bad_line("too many tags");
    std::string_view name;
    if (!read_name(position_++, kComma | kSpace | kEquals, "tag", name)) return false;
    const std::string_view value = read_escaped(kComma | kSpace | kEquals, kComma | kSpace | kEquals);
    if (value.empty()) return bad_line("expected a tag's value");
    if (at_ != end_ && *at_ == '=') return bad_line("unescaped = in a tag's value");
    if (value.size() > kTagValueBytesMax) {
      return refuse("value_too_long", fmt::format("tag '{}' has {} bytes; a tag may have {}", name,
                                                  value.size(), kTagValueBytesMax));
    }
    tags_.emplace_back(name, value);
  }
  if (at_ == end_ || *at_ != ' ') return bad_line("expected a field");
  while (at_ != end_ && *at_ == ' ') ++at_;
  if (ends_line(at_)) return bad_line("expected a field");
  return true;
}

bool LineParser::read_fields() {
  while (true) {
    if (position_ == kFieldsPerRowMax) return bad_line("too many fields");
    FieldItem& item = fields_.emplace_back();
    if (!read_name(position_++, kComma | kSpace | kEquals, "field", item.name) || !read_value(item))
      return false;
    if (at_ == end_ || *at_ != ',') return true;
    ++at_;
  }
}

bool LineParser::read_value(FieldItem& item) {
  if (at_ == end_) return bad_line("expected a value");
  const char c = *at_;
  if (is_digit(c) || c == '-' || c == '.') return read_number(item);
  if (c == '"') return read_string(item);
  return read_bool(item);
}

bool LineParser::read_bool(FieldItem& item) {
  const char* p = at_;
  while (!ends_value(p)) ++p;
  const std::string_view word(at_, static_cast<size_t>(p - at_));
  const bool yes = word == "t" || word == "T" || word == "true" || word == "True" || word == "TRUE";
  const bool no = word == "f" || word == "F" || word == "false" || word == "False" || word == "FALSE";
  if (!yes && !no) return bad_line("expected a number, true, false or a quoted string");
  item.type = FieldType::kBool;
  item.boolean = yes;
  at_ = p;
  return true;
}

bool LineParser::read_string(FieldItem& item) {
  const char* const start = ++at_;
  const char* p = start;
  bool escaped = false;
  for (; p != end_ && *p != '"'; ++p) {
    has_line_feed_ |= *p == '\n';
    if (*p != '\\' || p + 1 == end_ || (p[1] != '"' && p[1] != '\\')) continue;
    escaped = true;
    ++p;
  }
  if (p == end_) return bad_line("expected a closing quote for the string");
  item.type = FieldType::kString;
  item.text = {start, static_cast<size_t>(p - start)};
  if (escaped) {
    if (unescaped_used_ == unescaped_.size()) unescaped_.emplace_back();
    std::string& text = unescaped_[unescaped_used_++];
    text.clear();
    for (const char* c = start; c != p; ++c) {
      if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) ++c;
      text.push_back(*c);
    }
    item.text = text;
  }
  at_ = p + 1;
  if (!ends_value(at_)) return bad_line("expected a comma, space or end of line after the string");
  if (item.text.size() > kStringValueBytesMax) {
    return refuse("value_too_long", fmt::format("field '{}' has {} bytes; a string may have {}", item.name,
                                                item.text.size(), kStringValueBytesMax));
  }
  return true;
}

bool LineParser::read_number(FieldItem& item) {
  const char* p = at_;
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const digits = p;
  uint64_t mantissa = 0;  // meaningless past 19 digits, and then not used
  while (p != end_ && is_digit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
  auto digit_count = static_cast<size_t>(p - digits);
  if (p != end_ && (*p == 'i' || *p == 'u') && digit_count > 0) {
    const char suffix = *p;
    if (!ends_value(p + 1)) return bad_line("expected a number");
    at_ = p + 1;
    return read_integer(item, {digits, digit_count}, negative, suffix);
  }
  size_t decimals = 0;
  if (p != end_ && *p == '.') {
    const char* const point = ++p;
    while (p != end_ && is_digit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
    decimals = static_cast<size_t>(p - point);
    digit_count += decimals;
  }
  if (digit_count == 0) return bad_line("expected a number");
  const char* const number = at_;
  if (ends_value(p)) {
    at_ = p;
    // Clinger, "How to Read Floating Point Numbers Accurately", 1990: both operands exact, one rounding.
    if (digit_count <= 19 && mantissa <= kExactMantissaMax && decimals < std::size(kExactPowers)) {
      const double magnitude = static_cast<double>(mantissa) / kExactPowers[decimals];
      item.number = negative ? -magnitude : magnitude;
      return true;
    }
    return read_double(item, {number, static_cast<size_t>(p - number)});
  }
  if (*p != 'e' && *p != 'E') return bad_line("expected a number");
  ++p;
  if (p != end_ && (*p == '+' || *p == '-')) ++p;
  const char* const exponent = p;
  while (p != end_ && is_digit(*p)) ++p;
  if (p == exponent || !ends_value(p)) return bad_line("expected a number");
  at_ = p;
  return read_double(item, {number, static_cast<size_t>(p - number)});
}

bool LineParser::read_integer(FieldItem& item, std::string_view digits, bool negative, char suffix) {
  const auto out_of_range = [&] {
    return refuse("out_of_range", fmt::format("field '{}': {}{}{} does not fit in int64", item.name,
                                              negative ? "-" : "", digits.substr(0, 40), suffix));
  };
  if (suffix == 'u' && negative) return out_of_range();
  uint64_t value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
      return out_of_range();
    }
  }
  const uint64_t max = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (value > max) return out_of_range();
  item.type = FieldType::kInt64;
  item.whole = static_cast<int64_t>(negative ? 0 - value : value);
  return true;
}

bool LineParser::read_double(FieldItem& item, std::string_view text) {
  if (parse_decimal(text, item.number)) return true;
  return refuse("out_of_range",
                fmt::format("field '{}': {} does not fit in a double", item.name, text.substr(0, 40)));
}

bool LineParser::read_time() {
  while (at_ != end_ && *at_ == ' ') ++at_;
  if (ends_line(at_)) {
    const int64_t unit = std::max<int64_t>(options_.precision_ns, 1);
    const int64_t rest = options_.now_ns % unit;
    time_ns_ = options_.now_ns - (rest < 0 ? rest + unit : rest);
    return true;
  }
  const char* const start = at_;
  const char* p = at_;
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const digits = p;
  int64_t value = 0;
  bool overflow = false;
  for (; p != end_ && is_digit(*p); ++p) {
    overflow |= __builtin_mul_overflow(value, int64_t{10}, &value);
    overflow |= __builtin_add_overflow(value, static_cast<int64_t>(*p - '0'), &value);
  }
  const char* after = p;
  while (after != end_ && *after == ' ') ++after;
  if (p == digits || !ends_line(after)) return refuse("bad_time", "the timestamp is not a whole number");
  const int64_t unit = options_.precision_ns == kAutoPrecision ? unit_of(value) : options_.precision_ns;
  overflow |= __builtin_mul_overflow(value, unit, &value);
  if (overflow || value > kTimeNsMax) {
    const std::string_view text(start, static_cast<size_t>(p - start));
    return refuse("bad_time",
                  fmt::format("timestamp {} is outside 1677-09-21 to 2262-04-11 at this precision",
                              text.substr(0, 40)));
  }
  static_assert(kTimeNsMin == -kTimeNsMax);
  time_ns_ = negative ? -value : value;
  at_ = after;
  return true;
}

bool LineParser::add_row(RowSet& rows) {
  if (!all_utf8_ && !simdjson::validate_utf8(text().data(), text().size())) {
    return refuse("invalid_utf8", "the line is not valid UTF-8");
  }
  using Add = RowBatchBuilder::Add;
  std::string_view culprit;
  bool is_tag = false;
  const auto fill = [&](RowBatchBuilder& builder) {
    for (const auto& [name, value] : tags_) {
      const Add outcome = builder.tag(name, value);
      if (outcome == Add::kOk) continue;
      culprit = name;
      is_tag = true;
      return outcome;
    }
    for (const auto& [name, value] : options_.more_tags) {
      if (builder.tag(name, value) != Add::kTypeConflict) continue;
      culprit = name;
      is_tag = true;
      return Add::kTypeConflict;
    }
    for (const FieldItem& item : fields_) {
      Add outcome = Add::kOk;
      switch (item.type) {
        case FieldType::kDouble:
          outcome = builder.field_double(item.name, item.number);
          break;
        case FieldType::kInt64:
          outcome = builder.field_int(item.name, item.whole);
          break;
        case FieldType::kBool:
          outcome = builder.field_bool(item.name, item.boolean);
          break;
        case FieldType::kString:
          outcome = builder.field_string(item.name, item.text);
          break;
      }
      if (outcome == Add::kOk) continue;
      culprit = item.name;
      is_tag = false;
      return outcome;
    }
    return Add::kOk;
  };
  if (options_.number_rows) rows.set_message(line_);
  const std::string_view table = options_.table.empty() ? table_ : options_.table;
  Add outcome = rows.add_row(options_.database, table, time_ns_, fill);
  if (outcome == Add::kDuplicate && !is_tag) {
    keep_last_of_each_field();
    outcome = rows.add_row(options_.database, table, time_ns_, fill);
  }
  if (outcome == Add::kOk) return true;
  if (outcome == Add::kDuplicate)
    return refuse("duplicate_tag", fmt::format("tag '{}' is given twice", culprit));
  return refuse(
      "type_conflict",
      fmt::format("'{}' is both a tag and a field, or has another type than in the rows around it", culprit));
}

void LineParser::keep_last_of_each_field() {
  std::unordered_set<std::string_view> seen;
  std::vector<FieldItem> kept;
  for (size_t i = fields_.size(); i-- > 0;) {
    if (seen.insert(fields_[i].name).second) kept.push_back(fields_[i]);
  }
  fields_.assign(kept.rbegin(), kept.rend());
}

}  // namespace

size_t parse_line_protocol(std::string_view body, const LineProtocolOptions& options, RowSet& rows,
                           std::vector<LineReject>& rejects, size_t* refused) {
  size_t accepted = 0;
  size_t refused_count = 0;
  for (LineParser parser(body, options); !parser.at_end();) {
    switch (parser.next(rows)) {
      case LineParser::Line::kRow:
        ++accepted;
        break;
      case LineParser::Line::kNothing:
        break;
      case LineParser::Line::kRefused:
        if (++refused_count > kLineRejectsMax) break;
        rejects.push_back({parser.line(), std::string(parser.fault().reason), parser.fault().detail,
                           printable(parser.text(), kRejectTextBytesMax)});
        break;
    }
  }
  if (refused != nullptr) *refused = refused_count;
  return accepted;
}

std::optional<int64_t> precision_from_name(std::string_view name) {
  if (name == "n" || name == "ns") return 1;
  if (name == "u" || name == "us") return kNsPerUs;
  if (name == "ms") return kNsPerMs;
  if (name == "s") return kNsPerSecond;
  if (name == "m") return 60 * kNsPerSecond;
  if (name == "h") return 3600 * kNsPerSecond;
  return std::nullopt;
}

}  // namespace varve
