// Rows of one table from lines that all have the same fields, in the same order and of the same type, as a stream's lines
// do: values go straight to their columns, and a row's tags are the number of a set of tags (tag_sets.h). Made from the
// first such line; whoever fills it takes the row elsewhere when add() says that it does not fit.
// Names and tag values are borrowed from the body until finish(). Threads: belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ingest/decode/tag_sets.h"
#include "storage/model/row_batch.h"

namespace varve {

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

class LineBatch {
 public:
  // Whether rows of such fields can be taken: numbers, and their names stay where they are.
  static bool fits(std::span<const FieldItem> fields);

  LineBatch(std::string_view database, std::string_view table, std::span<const FieldItem> fields,
            size_t rows_expected);

  std::string_view table() const { return batch_.table; }
  size_t rows() const { return batch_.times.size(); }
  // Of line `line`; `set` is the number of its tags. False: it does not fit, and nothing was added. So it is also when the
  // rows have too few tags in common (is_too_sparse).
  bool add(uint32_t set, std::span<const LineTag> tags, std::span<const FieldItem> fields, int64_t time_ns,
           uint32_t line);

  struct Finished {
    RowBatch batch;
    std::vector<uint32_t> lines;  // of each row
  };
  Finished finish();  // the last call

 private:
  static constexpr uint32_t kNotSeen = UINT32_MAX;
  struct Tag {
    std::unordered_map<std::string_view, uint32_t> codes;
    std::vector<uint32_t> code_of_set;  // by number of this batch; short = absent
  };
  bool same_fields(std::span<const FieldItem> fields) const;
  bool add_set(uint32_t set, std::span<const LineTag> tags);
  size_t tag_column(size_t guess, std::string_view name);

  RowBatch batch_;  // codes are filled in by finish()
  std::vector<std::string_view> names_;
  std::vector<Tag> tags_;
  std::vector<uint32_t> number_of_set_;  // by number of the body, kNotSeen
  uint32_t sets_ = 0;
  std::vector<uint32_t> sets_of_rows_;  // this batch's numbers
  std::vector<uint32_t> lines_;
  size_t values_ = 0;  // of all rows
};

}  // namespace varve
