// InfluxDB line protocol: text to rows, and rows to text for the mirror.
//   measurement[,tag=value...] SP field=value[,field=value...] [SP timestamp] LF
// Reading follows InfluxDB 1.x where versions differ:
//   - "\" escapes , SP in measurements, and , SP = in tags and field keys; before anything else it stays a
//   byte
//   - in quoted strings \" and \\ are undone, other pairs stay; LF inside quotes is data
//   - numbers are doubles, with suffix i int64, with u int64 too when it fits (else out_of_range)
//   - blank lines and lines beginning with # are skipped; one CR before LF is dropped
//   - a missing timestamp is now, cut to the precision; the later of two fields of one name counts
// Unlike 1.x, which does so silently or stores the rest of the line:
//   - a line with a tag or field named "time" is refused (invalid_name), as are names and values over the
//   model's
//     limits (value_too_long), tables of the store's own, a name that is both tag and field (type_conflict),
//     and invalid UTF-8 (invalid_utf8)
//   - a quote that is never closed costs its own line, not all after it; "\" before LF does not join lines
// Other reasons: bad_line (with what was expected and where), duplicate_tag, bad_time, out_of_range.
// Threads: functions of their arguments; a writer belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/decode/decoder.h"
#include "ingest/decode/row_set.h"
#include "storage/model/row_batch.h"

namespace varve {

constexpr size_t kLineRejectsMax = 1000;  // refused lines named per request; the rest is counted

// As a precision: each timestamp by its size, as InfluxDB 3 does: |t| < 5e9 is s, < 5e12 ms, < 5e15 us, else ns.
constexpr int64_t kAutoPrecision = 0;

struct LineProtocolOptions {
  std::string database = std::string(kDefaultDatabase);
  int64_t precision_ns = 1;     // unit of timestamps, or kAutoPrecision
  int64_t now_ns = 0;           // for lines without one
  std::string_view table = {};  // of all rows; empty = each line's measurement
  std::vector<std::pair<std::string_view, std::string_view>> more_tags =
      {};                   // of rows that do not have them themselves
  bool number_rows = true;  // each row's message is its line number
};

struct LineReject {
  uint32_t line = 0;  // from 1
  std::string reason;
  std::string detail;
  std::string text;  // the first 256 bytes of the line, as valid UTF-8
};

// Adds the rows of `body`, each with its line number as message, and names the first kLineRejectsMax refused
// lines. Returns the lines accepted; `refused`, when given, becomes the number of lines refused.
size_t parse_line_protocol(std::string_view body, const LineProtocolOptions& options, RowSet& rows,
                           std::vector<LineReject>& rejects, size_t* refused = nullptr);

// n ns u us ms s m h, in ns.
std::optional<int64_t> precision_from_name(std::string_view name);

// For Kafka messages of line protocol. Of the mapping: `table` is "{measurement}", or one for all; `tags`
// may name parts of the message (a line's own tag of that name counts instead); `time_format` is the
// precision, "auto" for ns. A missing timestamp is the message's. Threads: one at a time.
Result<std::unique_ptr<Decoder>> make_line_decoder(const DecodeMapping& mapping);

// Writes rows of one batch. What line protocol cannot say is left out and counted: NaN and infinite doubles,
// and rows with no field left or with a name or tag value it has no escape for (LF in it, "\" at its end, a
// table beginning with # or a blank that readers skip).
class LineProtocolWriter {
 public:
  // `batch` is borrowed. With `integers_as_floats`, int64 values have no "i": the reader takes them for floats.
  explicit LineProtocolWriter(const RowBatch& batch, bool integers_as_floats = false);

  // Appends the row as one line with LF. False when it cannot be written; `out` is as before.
  bool append(size_t row, std::string& out);
  uint64_t skipped_values() const { return skipped_values_; }  // not finite
  uint64_t rounded_values() const { return rounded_values_; }  // integers that no float is equal to

 private:
  struct Tag {
    std::string key;  // ",key="
    const TagColumn* column;
    std::vector<std::string> values;  // escaped, by code; empty = not yet, or not writable
    std::vector<uint8_t> state;       // by code: 0 not yet seen, 1 escaped, 2 not writable
  };
  struct Field {
    std::string key;  // "key=", empty = not writable
    const FieldColumn* column;
  };
  bool append_tags(size_t row, std::string& out);

  const RowBatch& batch_;
  std::string measurement_;  // empty = not writable
  std::vector<Tag> tags_;    // sorted by name, as servers like them
  std::vector<Field> fields_;
  const bool integers_as_floats_;
  uint64_t skipped_values_ = 0;
  uint64_t rounded_values_ = 0;
};

}  // namespace varve
