// The rows of a table for a virtual table's cursor: either streamed from a scan of the store, or from a copy of what a
// scan gave, kept because SQLite asks for the same rows again and again (the inner side of a join, a correlated
// sub-query). The copy is sorted by (hash of the columns looked up by, time).
// Errors:  into StatementContext::error.
// Threads: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/query/sqlite/row_conditions.h"
#include "api/query/sqlite/source_tables.h"
#include "api/query/sqlite/statement_context.h"

namespace varve {

// One tag must be one of these texts, or must be absent or present.
struct TagCondition {
  std::string tag;
  ConditionOp op = ConditionOp::kEqual;
  std::vector<std::string> texts;  // of kEqual and kIn
};

struct RowsWanted {
  const SourceTable* table = nullptr;
  std::vector<std::string> fields;
  std::vector<FieldType> field_types;  // as declared; the scan must agree
  std::vector<std::string> tags;
  TimeRange time;
  std::vector<TagCondition> tag_conditions;
  std::vector<FieldCondition> field_conditions;
  bool nothing = false;
};

// Where the rows of the current block lie.
struct RowsView {
  const int64_t* times = nullptr;
  const ColumnVector* fields = nullptr;
  const std::vector<std::string>* tags = nullptr;  // of this block's series; empty = absent
  SeriesId series = 0;
};

class StreamedRows {
 public:
  StreamedRows(RowsWanted wanted, StatementContext& context) : wanted_(std::move(wanted)), context_(context) {}
  ~StreamedRows();
  StreamedRows(const StreamedRows&) = delete;
  StreamedRows& operator=(const StreamedRows&) = delete;

  bool open();
  bool next();  // the next row; false at the end or on an error
  size_t row() const { return has_selection_ ? selection_[at_] : at_; }
  const RowsView& view() const { return view_; }

 private:
  bool next_block();
  bool series_passes(const SeriesTags& tags);

  const RowsWanted wanted_;
  StatementContext& context_;
  std::unique_ptr<Scan> scan_;
  ScanBlock block_;
  RowsView view_;
  std::vector<std::string> tags_;
  std::optional<SeriesId> tags_of_;
  std::vector<uint32_t> selection_;
  bool has_selection_ = false;
  size_t at_ = 0;
  size_t count_ = 0;
  uint64_t series_seen_ = 0;
};

class CopiedRows {
 public:
  // By which the copy is looked up: places among the wanted tags and fields.
  struct Keys {
    std::vector<size_t> tags;
    std::vector<size_t> fields;
  };
  // Null when the copy would take too much memory (then the rows are streamed again each time) or on an error.
  static std::unique_ptr<CopiedRows> make(const RowsWanted& wanted, const Keys& keys, StatementContext& context);
  ~CopiedRows() { context_.memory.give_back(bytes_); }
  CopiedRows(const CopiedRows&) = delete;
  CopiedRows& operator=(const CopiedRows&) = delete;

  struct Found {
    size_t from = 0;
    size_t to = 0;
  };
  Found find(uint64_t hash, const TimeRange& time) const;
  size_t row(size_t place) const { return order_[place].row; }
  RowsView view(size_t place) const;

 private:
  struct Entry {
    uint64_t hash = 0;
    uint32_t row = 0;
  };
  explicit CopiedRows(StatementContext& context) : context_(context) {}
  void add(const StreamedRows& rows);
  uint64_t hash_of_row(const Keys& keys, size_t row) const;
  bool account();

  StatementContext& context_;
  uint64_t bytes_ = 0;
  std::vector<int64_t> times_;
  std::vector<ColumnVector> fields_;
  std::vector<uint32_t> tag_sets_;  // of each row
  std::vector<std::vector<std::string>> tags_;
  std::vector<SeriesId> series_;  // of each tag set
  uint64_t tag_bytes_ = 0;
  std::vector<Entry> order_;
};

}  // namespace varve
