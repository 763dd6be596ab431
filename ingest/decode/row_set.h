// Rows being decoded, by table, each remembering which message of the current poll it came from, so that a row the
// store refuses later can be quarantined with its message.
// Threads: a value; one thread.
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
  std::string reason;  // malformed_json, not_an_object, no_time, bad_time, no_field, type_conflict, bad_line ...
  std::string detail;  // one line for people: what, where, what to do
  uint32_t line = 0;   // from 1, for line-oriented input; 0 = not applicable
};

class RowSet {
 public:
  // Rows ended from now on belong to message `index`.
  void set_message(uint32_t index) { message_ = index; }

  // The builder of a table; the reference stays valid until take(). Call row_ended() after each end_row on it.
  RowBatchBuilder& table(std::string_view database, std::string_view table);
  void row_ended(std::string_view database, std::string_view table);

  size_t rows() const { return rows_; }
  size_t approximate_bytes() const;

  struct Taken {
    std::vector<RowBatch> batches;
    std::vector<std::vector<uint32_t>> messages;  // of each row of each batch
  };
  Taken take();  // leaves the set empty

 private:
  struct Entry {
    RowBatchBuilder builder;
    std::vector<uint32_t> messages;
  };
  Entry& entry(std::string_view database, std::string_view table);

  std::map<std::pair<std::string, std::string>, Entry, std::less<>> tables_;
  Entry* last_ = nullptr;  // streams repeat: the entry used last
  std::pair<std::string, std::string> last_key_;
  uint32_t message_ = 0;
  size_t rows_ = 0;
};

}  // namespace varve
