// Acknowledged rows as the text of server-sent events, filtered and cut to the columns that were asked for.
// Errors:  make: as queries have them, with the position in `where`; add: a row the filter cannot be computed for.
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/process/expression.h"
#include "api/query/result_writer.h"
#include "storage/row_watch.h"

namespace varve {

constexpr size_t kLiveEventRowsMax = 1000;
constexpr size_t kLiveEventBytesMax = 128 << 10;  // then the next row begins a new event

struct LiveRequest {
  std::string database, table;      // as the store has them
  std::string where;                // an SQL condition; empty = every row
  std::vector<std::string> fields;  // columns, in this order; none = those the rows have
  TimeFormat time_format = TimeFormat::kRfc3339;
};

class LiveEvents {
 public:
  static QueryResult<std::unique_ptr<LiveEvents>> make(const LiveRequest& request, const TableInfo& table);

  // Rows of one record; complete events go to `out`.
  QueryResult<void> add(const WatchedRows& rows, std::vector<std::string>& out);
  void flush(std::vector<std::string>& out);

 private:
  // A column of the current batch: one of the pointers, or none for the time or where the batch lacks the column.
  struct Source {
    const TagColumn* tag = nullptr;
    const FieldColumn* field = nullptr;
    bool is_time = false;
    ResultType type = ResultType::kString;
    std::string_view name;
  };
  LiveEvents(const LiveRequest& request, std::vector<ColumnInfo> chosen);

  void choose_columns(const RowBatch& batch);
  void append_row(const RowBatch& batch, size_t row);
  void close_event(std::vector<std::string>& out);

  const TimeFormat time_format_;
  const std::vector<ColumnInfo> chosen_;  // none = all
  std::optional<RowExpression> where_;
  std::vector<Source> sources_;
  std::string columns_;  // of the event being written, as JSON
  std::string rows_;     // likewise
  size_t row_count_ = 0;
  Lsn lsn_ = 0;         // of its last row
  Lsn closed_lsn_ = 0;  // of the event before
  size_t parts_ = 1;    // events with that LSN
};

// event: NAME, data: JSON.
std::string named_event(std::string_view name, std::string_view json);

}  // namespace varve
