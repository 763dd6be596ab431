// The row being read, by the mapping of its source: what a name stands for, the tags and fields so far, its time
// and table, and why it is refused. Every format that names its values (JSON, CSV, Avro) reads into one.
// Names and texts are borrowed until add_row().
// Errors: make: kInvalidArgument when the mapping contradicts itself. Rows: false, and take_reject() says why:
//   no_time, bad_time   the time of the row           no_table        the field the table template names
//   no_field            a row without any field       invalid_name    empty, too long, "time" as a field
//   duplicate_key       the same name twice           value_too_long  beyond the model's limits
//   type_conflict       a tag and a field of one name invalid_utf8    a key or header that is no text
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/decode/decoder.h"
#include "ingest/decode/message_part.h"
#include "ingest/decode/row_set.h"
#include "ingest/decode/table_template.h"
#include "ingest/decode/time_pin.h"

namespace varve {

class RowMapper {
 public:
  enum class Role : uint8_t { kField, kTag, kTime, kTable };

  static Result<RowMapper> make(const DecodeMapping& mapping);

  Role role_of(std::string_view name) const;
  // Whether a column may be named so.
  bool check_name(std::string_view name, Role role);

  void begin_row() {
    items_.clear();
    has_time_ = false;
    has_table_ = false;
    fields_ = 0;
  }
  void add_double(std::string_view name, double value) { add_field(name, FieldType::kDouble).number = value; }
  void add_int(std::string_view name, int64_t value) { add_field(name, FieldType::kInt64).whole = value; }
  void add_bool(std::string_view name, bool value) { add_field(name, FieldType::kBool).boolean = value; }
  bool add_string(std::string_view name, std::string_view value);
  // What a tag, the table or the time (kTag, kTable, kTime) is given as.
  bool take_text(Role role, std::string_view name, std::string_view text);
  bool take_time_ns(std::string_view name, int64_t ns);
  // Ends the row: adds it to `rows`, with the parts of its message.
  bool add_row(const MessageContext& context, RowSet& rows);

  bool refuse(std::string_view reason, std::string detail);  // false
  DecodeReject take_reject();

  // Whether the mapping left the form of times open, so that a schema may say it.
  bool time_is_open() const { return time_.is_auto(); }
  const std::string& database() const { return database_; }
  // The table of the row so far; empty when a field names it and has not come.
  std::string_view table(const MessageContext& context) const;

 private:
  struct Item {
    std::string_view name;
    bool is_tag = false;
    FieldType type = FieldType::kDouble;
    union {
      double number = 0;
      int64_t whole;
      bool boolean;
    };
    std::string_view text;
  };
  struct Part {
    MessagePart part;
    Role role;
    std::string scratch;
  };
  RowMapper(const DecodeMapping& mapping, TableTemplate table, PinnedTime time)
      : database_(mapping.database),
        needs_field_(mapping.needs_field),
        table_(std::move(table)),
        time_(std::move(time)) {}
  Result<void> read_names(const DecodeMapping& mapping);
  Result<void> add_part(const std::string& text, Role role, std::string_view key);

  Item& add_field(std::string_view name, FieldType type) {
    Item& item = items_.emplace_back();
    ++fields_;
    item.name = name;
    item.type = type;
    return item;
  }
  bool take_time(std::string_view name, std::string_view text);
  bool take_parts(const MessageContext& context);
  bool take_part(Part& entry, const MessageContext& context);

  std::string database_;
  bool needs_field_;
  TableTemplate table_;
  PinnedTime time_;
  std::string time_name_;  // empty: a part of the message
  std::vector<std::string> tags_;
  std::vector<Part> parts_;
  std::string time_part_;  // "$key", for what is said about it

  std::vector<Item> items_;
  bool has_time_ = false;
  int64_t time_ns_ = 0;
  bool has_table_ = false;
  std::string_view table_name_;  // of table template {field:NAME}
  size_t fields_ = 0;
  DecodeReject reject_;
};

}  // namespace varve
