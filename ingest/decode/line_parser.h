// Reads one body of line protocol, line after line, for parse_line_protocol(): what a line means is in line_protocol.h.
// Streams repeat, so each line is first held against what came before: its measurement and tags against those of
// earlier lines (tag_sets.h), each name against the one at that place of the last line.
//   line_protocol.cc  lines, names, tags, rows · line_values.cc  field values and times
// Threads: belongs to one thread. The body outlives it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/decode/line_batch.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/decode/tag_sets.h"
#include "storage/base/same_text.h"

namespace varve {

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
inline constexpr std::array<uint8_t, 256> kStops = make_stops();
inline uint8_t stop_of(char c) {
  return kStops[static_cast<unsigned char>(c)];
}

// Why a line is refused; reason empty = it is not.
struct Fault {
  std::string_view reason;
  std::string detail;
};

class LineParser {
 public:
  static constexpr size_t kStreamsMax = 16;    // tables of a body; Telegraf sends about a dozen (guessed)
  static constexpr int kBatchesMax = 3;        // of a stream: then its lines are not alike (guessed)
  static constexpr size_t kBatchRowsMin = 64;  // for fewer a batch of their own does not pay (guessed)
  static constexpr size_t kRowsExpectedMax = 16'384;  // memory taken before the rows are seen

  enum class Line { kRow, kNothing, kRefused };

  LineParser(std::string_view body, const LineProtocolOptions& options);

  bool at_end() const { return at_ == end_; }
  // Reads one line and leaves the parser after it. Its row may be added by a later call, or by finish().
  Line next(RowSet& rows);
  void finish(RowSet& rows);

  uint32_t line() const { return line_; }  // of the line read last, from 1
  const Fault& fault() const { return fault_; }
  std::string_view text() const { return {line_start_, static_cast<size_t>(line_end_ - line_start_)}; }

 private:
  bool read_line();
  bool read_known_tags();
  bool read_measurement();
  bool read_tags();
  bool read_fields();
  bool read_time();
  // The key before "=", at this position of the line's `keys`.
  bool read_name(std::vector<std::string_view>& keys, size_t position, std::string_view what,
                 std::string_view& name) {
    if (position == keys.size()) keys.emplace_back();
    const std::string_view guess = keys[position];
    const size_t bytes = guess.size();
    if (bytes == 0 || static_cast<size_t>(end_ - at_) <= bytes || at_[bytes] != '=' ||
        !same_bytes(at_, guess.data(), bytes)) {
      return read_new_name(keys[position], what, name);
    }
    at_ += bytes + 1;
    name = guess;
    return true;
  }
  bool read_new_name(std::string_view& guess, std::string_view what, std::string_view& name);
  std::string_view read_escaped(uint8_t stops, uint8_t escapable);
  bool read_value(FieldItem& item);
  bool read_string(FieldItem& item);
  bool read_bool(FieldItem& item);
  bool read_number(FieldItem& item);
  bool read_integer(FieldItem& item, std::string_view digits, bool negative, char suffix);
  bool read_double(FieldItem& item, std::string_view text);
  bool add_row(RowSet& rows);
  // A table whose lines have been alike.
  struct Stream {
    std::string_view table;  // of the body
    std::optional<LineBatch> batch;
    int begun = 0;  // how many batches
  };
  Stream* stream_of_table();
  void begin_batch();
  static void end_batch(Stream& stream, RowSet& rows);
  RowBatchBuilder::Add add_tags(RowBatchBuilder& builder);
  RowBatchBuilder::Add add_field(RowBatchBuilder& builder, const FieldItem& item);
  void remember_tags();
  void keep_last_of_each_field();

  bool ends_line(const char* p) const {
    return p == end_ || *p == '\n' || (*p == '\r' && (p + 1 == end_ || p[1] == '\n'));
  }
  bool ends_value(const char* p) const { return p == end_ || *p == ',' || *p == ' ' || ends_line(p); }
  bool refuse(std::string_view reason, std::string detail) {
    fault_ = {reason, std::move(detail)};
    return false;
  }
  bool bad_line(std::string_view why);
  const char* end_of_refused_line() const;

  static constexpr uint32_t kNoTagSet = UINT32_MAX;

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
  // Of the last line, as written; empty where escaped.
  std::vector<std::string_view> tag_keys_;
  std::vector<std::string_view> field_keys_;
  std::optional<TagSets> tag_sets_;  // made when the body has a second line
  std::vector<LineTag> new_tags_;    // of a line that is in none of them
  std::span<const LineTag> tags_;    // of the line
  uint32_t tag_set_ = kNoTagSet;     // their number in tag_sets_
  std::vector<Stream> streams_;
  std::vector<FieldItem> fields_;
  int64_t time_ns_ = 0;
  std::deque<std::string> unescaped_;  // memory of the line's texts that had escapes
  size_t unescaped_used_ = 0;
  std::string_view culprit_;  // tag or field that a batch refused
  bool culprit_is_tag_ = false;
  Fault fault_;
};

}  // namespace varve
