// The JSON of /api/v1/query, row by row as it arrives, so that an answer of any length takes the memory of one row.
// Cells are text as people read them: numbers as the server spelled them, nullopt for NULL.
// Errors:  finish(): kUnavailable when the answer stopped short or is not varve's; an answer the server broke off with an
//          error has it in AnswerEnd::error.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

struct AnswerColumn {
  std::string name;
  std::string type;  // timestamp | double | int64 | bool | string

  bool is_number() const { return type == "double" || type == "int64"; }
};

using AnswerRow = std::vector<std::optional<std::string>>;

struct AnswerEnd {
  uint64_t row_count = 0;
  uint64_t rows_scanned = 0;
  double elapsed_ms = 0;
  std::string engine;
  std::string error;  // empty = the answer is whole
};

// What takes an answer; false = no more of it is wanted.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual bool columns(const std::vector<AnswerColumn>& columns) = 0;
  virtual bool row(const AnswerRow& row) = 0;
  virtual bool finish(const AnswerEnd& end) = 0;
};

class AnswerReader {
 public:
  explicit AnswerReader(AnswerSink& sink) : sink_(sink) {}

  bool feed(std::string_view piece);  // false = the sink wants no more
  Result<AnswerEnd> finish();         // also tells the sink; after all pieces

 private:
  enum class Place { kHead, kRows, kTail };

  bool take_head();
  bool take_row();

  AnswerSink& sink_;
  Place place_ = Place::kHead;
  std::string text_;  // of the head, of the row begun, or of the tail
  int depth_ = 0;     // of brackets and braces
  bool in_string_ = false;
  bool escaped_ = false;
  bool bad_ = false;  // not an answer of varve's
};

}  // namespace varve
