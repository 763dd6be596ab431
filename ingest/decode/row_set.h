// Rows being decoded, by table, each remembering which message of the current poll it came from, so that a
// row the store refuses later can be quarantined with its message. Rows whose types contradict each other go
// to different batches of the same table: the store then judges each by its schema, and a wrong first row
// cannot make the right ones after it unwelcome. Threads: a value; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/model/row_batch.h"

namespace varve {

// Why a message, or one row of it, was refused. `reason` is a short stable word for metrics and SQL.
struct DecodeReject {
  std::string
      reason;  // malformed_json, not_an_object, no_time, bad_time, no_field, type_conflict, bad_line ...
  std::string detail;  // one line for people: what, where, what to do
  uint32_t line = 0;   // from 1, for line-oriented input; 0 = not applicable
};

// Gives the builder a decoded field: its name, type, and the value of that type as number, whole, boolean or text.
template <class Item>
RowBatchBuilder::Add fill_field(RowBatchBuilder& builder, const Item& item) {
  switch (item.type) {
    case FieldType::kDouble:
      return builder.field_double(item.name, item.number);
    case FieldType::kInt64:
      return builder.field_int(item.name, item.whole);
    case FieldType::kBool:
      return builder.field_bool(item.name, item.boolean);
    case FieldType::kString:
      return builder.field_string(item.name, item.text);
  }
  return RowBatchBuilder::Add::kTypeConflict;  // not a type
}

class RowSet {
 public:
  // Batches of one table kept for rows of contradicting types (four types; more would be an attack).
  static constexpr size_t kVariantsMax = 4;

  // Rows added from now on belong to message `index`.
  void set_message(uint32_t index) { message_ = index; }

  // Adds a row of a table. `fill(RowBatchBuilder&)` gives the builder the row's tags and fields and returns
  // the first outcome that is not kOk; it may be called up to kVariantsMax times, and the row is added when
  // it returns kOk.
  template <class Fill>
  RowBatchBuilder::Add add_row(std::string_view database, std::string_view table, int64_t time_ns,
                               Fill&& fill) {
    Entry& rows_of_table = entry(database, table);
    for (size_t i = 0;; ++i) {
      if (i == rows_of_table.variants.size()) rows_of_table.add_variant();
      Variant& variant = rows_of_table.variants[i];
      variant.builder.begin_row();
      const RowBatchBuilder::Add outcome = fill(variant.builder);
      if (outcome == RowBatchBuilder::Add::kOk) {
        variant.builder.end_row(time_ns);
        variant.messages.push_back(message_);
        ++rows_;
        if (variant.builder.too_sparse()) rows_of_table.finish_variants();
        return outcome;
      }
      variant.builder.abandon_row();
      if (outcome == RowBatchBuilder::Add::kDuplicate || i + 1 == kVariantsMax) return outcome;
    }
  }

  // Rows of one table that are a batch already; `messages` says which message each came from. They come after those
  // added before and before those added later.
  void add_batch(RowBatch batch, std::vector<uint32_t> messages);

  size_t rows() const { return rows_; }
  size_t approximate_bytes() const;

  struct Taken {
    std::vector<RowBatch> batches;
    std::vector<std::vector<uint32_t>> messages;  // of each row of each batch
  };
  Taken take();  // leaves the set empty

 private:
  struct Variant {
    RowBatchBuilder builder;
    std::vector<uint32_t> messages;
  };
  struct Entry {
    std::string database;
    std::string table;
    std::vector<Variant> variants;
    std::vector<RowBatch> done;  // before the rows of the variants
    std::vector<std::vector<uint32_t>> messages_of_done;
    void finish_variants();
    void add_variant() { variants.push_back({RowBatchBuilder(database, table), {}}); }
  };
  Entry& entry(std::string_view database, std::string_view table) {
    if (last_ != nullptr && last_->table == table && last_->database == database) return *last_;
    return find_entry(database, table);
  }
  Entry& find_entry(std::string_view database, std::string_view table);

  // By database, then table; nodes stay where they are.
  std::map<std::string, std::map<std::string, Entry, std::less<>>, std::less<>> tables_;
  Entry* last_ = nullptr;  // streams repeat: the entry used last
  uint32_t message_ = 0;
  size_t rows_ = 0;
};

}  // namespace varve
