#include "ingest/decode/line_protocol.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "ingest/decode/json.h"
#include "ingest/decode/line_parser.h"
#include "ingest/decode/printable.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr size_t kRejectTextBytesMax = 256;

}  // namespace

LineParser::LineParser(std::string_view body, const LineProtocolOptions& options)
    : at_(body.data()),
      end_(body.data() + body.size()),
      options_(options),
      all_utf8_(simdjson::validate_utf8(body.data(), body.size())) {}

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

bool LineParser::bad_line(std::string_view why) {
  return refuse("bad_line", fmt::format("{} at byte {}", why, at_ - line_start_ + 1));
}

bool LineParser::read_line() {
  fields_.clear();
  unescaped_used_ = 0;
  has_line_feed_ = false;
  if (!read_known_tags() && !(read_measurement() && read_tags())) return false;
  if (at_ == end_ || *at_ != ' ') return bad_line("expected a field");
  while (at_ != end_ && *at_ == ' ') ++at_;
  if (ends_line(at_)) return bad_line("expected a field");
  return read_fields() && read_time();
}

// The same bytes up to a space that ended the tags before are the same measurement and tags.
bool LineParser::read_known_tags() {
  TagSet known;
  if (!tag_sets_ || !tag_sets_->find({at_, static_cast<size_t>(end_ - at_)}, known)) return false;
  at_ += known.text.size();
  table_ = raw_table_ = known.table;
  tags_ = known.tags;
  tag_set_ = known.number;
  return true;
}

// To be found by the lines to come; what had escapes is in memory of this line only.
void LineParser::remember_tags() {
  tag_set_ = kNoTagSet;
  if (line_ == 1 || raw_table_.empty() || unescaped_used_ > 0 || at_ == end_ || *at_ != ' ') return;
  if (!tag_sets_) tag_sets_.emplace();
  TagSet set{{line_start_, static_cast<size_t>(at_ - line_start_)}, raw_table_, tags_};
  if (tag_sets_->add(set)) tag_set_ = set.number;
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

bool LineParser::read_new_name(std::string_view& guess, std::string_view what, std::string_view& name) {
  const char* const start = at_;
  name = read_escaped(kComma | kSpace | kEquals, kComma | kSpace | kEquals);
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
  new_tags_.clear();
  while (at_ != end_ && *at_ == ',') {
    ++at_;
    if (new_tags_.size() == kFieldsPerRowMax) return bad_line("too many tags");
    std::string_view name;
    if (!read_name(tag_keys_, new_tags_.size(), "tag", name)) return false;
    const std::string_view value = read_escaped(kComma | kSpace | kEquals, kComma | kSpace | kEquals);
    if (value.empty()) return bad_line("expected a tag's value");
    if (at_ != end_ && *at_ == '=') return bad_line("unescaped = in a tag's value");
    if (value.size() > kTagValueBytesMax) {
      return refuse("value_too_long", fmt::format("tag '{}' has {} bytes; a tag may have {}", name,
                                                  value.size(), kTagValueBytesMax));
    }
    new_tags_.emplace_back(name, value);
  }
  tags_ = new_tags_;
  remember_tags();
  return true;
}

bool LineParser::add_row(RowSet& rows) {
  if (!all_utf8_ && !simdjson::validate_utf8(text().data(), text().size())) {
    return refuse("invalid_utf8", "the line is not valid UTF-8");
  }
  Stream* const stream = stream_of_table();
  if (stream != nullptr && stream->batch) {
    if (tag_set_ != kNoTagSet && stream->batch->add(tag_set_, tags_, fields_, time_ns_, line_)) return true;
    end_batch(*stream, rows);
  }
  using Add = RowBatchBuilder::Add;
  const auto fill = [&](RowBatchBuilder& builder) {
    Add outcome = add_tags(builder);
    for (size_t i = 0; outcome == Add::kOk && i < fields_.size(); ++i) {
      outcome = add_field(builder, fields_[i]);
    }
    return outcome;
  };
  if (options_.number_rows) rows.set_message(line_);
  const std::string_view table = options_.table.empty() ? table_ : options_.table;
  Add outcome = rows.add_row(options_.database, table, time_ns_, fill);
  if (outcome == Add::kDuplicate && !culprit_is_tag_) {
    keep_last_of_each_field();
    outcome = rows.add_row(options_.database, table, time_ns_, fill);
  }
  if (outcome == Add::kOk) {
    begin_batch();
    return true;
  }
  if (outcome == Add::kDuplicate)
    return refuse("duplicate_tag", fmt::format("tag '{}' is given twice", culprit_));
  return refuse("type_conflict",
                fmt::format("'{}' is both a tag and a field, or has another type than in the rows around it",
                            culprit_));
}

LineParser::Stream* LineParser::stream_of_table() {
  for (Stream& stream : streams_) {
    if (same_text(stream.table, table_)) return &stream;
  }
  return nullptr;
}

// For the rows to come, when they are many and like this one. Not for the lines of Kafka messages: each message would
// bring batches of its own.
void LineParser::begin_batch() {
  if (!options_.number_rows || !options_.more_tags.empty() || raw_table_.empty()) return;
  const auto line_bytes = static_cast<size_t>(line_end_ - line_start_) + 1;
  const size_t expected = static_cast<size_t>(end_ - at_) / line_bytes;
  if (expected < kBatchRowsMin || unescaped_used_ > 0 || !LineBatch::fits(fields_)) return;
  Stream* stream = stream_of_table();
  if (stream == nullptr) {
    if (streams_.size() == kStreamsMax) return;
    stream = &streams_.emplace_back();
    stream->table = raw_table_;
  }
  if (stream->begun == kBatchesMax) return;
  ++stream->begun;
  stream->batch.emplace(options_.database, table_, fields_, std::min(expected, kRowsExpectedMax));
}

void LineParser::end_batch(Stream& stream, RowSet& rows) {
  LineBatch::Finished finished = stream.batch->finish();
  stream.batch.reset();
  if (finished.batch.rows() > 0) rows.add_batch(std::move(finished.batch), std::move(finished.lines));
}

void LineParser::finish(RowSet& rows) {
  for (Stream& stream : streams_) {
    if (stream.batch) end_batch(stream, rows);
  }
}

RowBatchBuilder::Add LineParser::add_tags(RowBatchBuilder& builder) {
  using Add = RowBatchBuilder::Add;
  for (const auto& [name, value] : tags_) {
    const Add outcome = builder.tag(name, value);
    if (outcome == Add::kOk) continue;
    culprit_ = name;
    culprit_is_tag_ = true;
    return outcome;
  }
  for (const auto& [name, value] : options_.more_tags) {
    if (builder.tag(name, value) != Add::kTypeConflict) continue;
    culprit_ = name;
    culprit_is_tag_ = true;
    return Add::kTypeConflict;
  }
  return Add::kOk;
}

RowBatchBuilder::Add LineParser::add_field(RowBatchBuilder& builder, const FieldItem& item) {
  using Add = RowBatchBuilder::Add;
  const Add outcome = fill_field(builder, item);
  if (outcome != Add::kOk) {
    culprit_ = item.name;
    culprit_is_tag_ = false;
  }
  return outcome;
}

void LineParser::keep_last_of_each_field() {
  std::unordered_set<std::string_view> seen;
  std::vector<FieldItem> kept;
  for (size_t i = fields_.size(); i-- > 0;) {
    if (seen.insert(fields_[i].name).second) kept.push_back(fields_[i]);
  }
  fields_.assign(kept.rbegin(), kept.rend());
}

size_t parse_line_protocol(std::string_view body, const LineProtocolOptions& options, RowSet& rows,
                           std::vector<LineReject>& rejects, size_t* refused) {
  size_t accepted = 0;
  size_t refused_count = 0;
  LineParser parser(body, options);
  while (!parser.at_end()) {
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
  parser.finish(rows);
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
