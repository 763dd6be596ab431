#include "api/http/live_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/query/json_text.h"
#include "api/query/result_cell.h"
#include "api/query/text_value.h"

namespace varve {
namespace {

void append_field(std::string& out, const ColumnVector& column, size_t row) {
  if (!column.is_valid(row)) {
    out += "null";
    return;
  }
  switch (column.type) {
    case FieldType::kDouble:
      if (std::isfinite(column.doubles[row])) return append_double(out, column.doubles[row]);
      out += "null";
      return;
    case FieldType::kInt64:
      return append_int(out, column.ints[row]);
    case FieldType::kBool:
      out += column.bools[row] != 0 ? "true" : "false";
      return;
    case FieldType::kString:
      return append_json_string(out, column.strings[row]);
  }
}

ResultType type_of(const ColumnInfo& column) {
  if (column.kind == ColumnKind::kTime) return ResultType::kTimestamp;
  return column.kind == ColumnKind::kTag ? ResultType::kString : result_type_of(sql_type_of(column.type));
}

const ColumnInfo* find_column(const TableInfo& table, std::string_view name) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const ColumnInfo& column) { return column.name == name; });
  return found == table.columns.end() ? nullptr : &*found;
}

}  // namespace

std::string named_event(std::string_view name, std::string_view json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

LiveEvents::LiveEvents(const LiveRequest& request, std::vector<ColumnInfo> chosen)
    : time_format_(request.time_format), chosen_(std::move(chosen)) {}

QueryResult<std::unique_ptr<LiveEvents>> LiveEvents::make(const LiveRequest& request,
                                                          const TableInfo& table) {
  std::vector<ColumnInfo> chosen;
  if (!request.fields.empty() &&
      std::find(request.fields.begin(), request.fields.end(), kTimeColumn) == request.fields.end()) {
    chosen.push_back({std::string(kTimeColumn), ColumnKind::kTime, FieldType::kInt64});
  }
  for (const std::string& name : request.fields) {
    const ColumnInfo* const column = find_column(table, name);
    if (column == nullptr) {
      std::vector<std::string> names;
      for (const ColumnInfo& known : table.columns) names.push_back(known.name);
      QueryError error;
      error.code = "unknown_column";
      error.message = fmt::format("no column `{}` in table `{}`", name, table.name);
      error.hint = nearest_hint(name, names);
      return tl::make_unexpected(std::move(error));
    }
    chosen.push_back(*column);
  }
  std::unique_ptr<LiveEvents> events(new LiveEvents(request, std::move(chosen)));
  if (!request.where.empty()) {
    VARVE_QUERY_ASSIGN(events->where_, RowExpression::parse_condition(request.where, table));
  }
  return events;
}

void LiveEvents::choose_columns(const RowBatch& batch) {
  sources_.clear();
  const auto add = [&](std::string_view name, ResultType type) -> Source& {
    sources_.push_back({nullptr, nullptr, false, type, name});
    return sources_.back();
  };
  if (chosen_.empty()) {
    add(kTimeColumn, ResultType::kTimestamp).is_time = true;
    for (const TagColumn& tag : batch.tags) add(tag.name, ResultType::kString).tag = &tag;
    for (const FieldColumn& field : batch.fields) {
      add(field.name, result_type_of(sql_type_of(field.data.type))).field = &field;
    }
    return;
  }
  for (const ColumnInfo& column : chosen_) {
    Source& source = add(column.name, type_of(column));
    source.is_time = column.kind == ColumnKind::kTime;
    for (const TagColumn& tag : batch.tags) {
      if (tag.name == column.name) source.tag = &tag;
    }
    for (const FieldColumn& field : batch.fields) {
      if (field.name != column.name) continue;
      source.field = &field;
      source.type = result_type_of(sql_type_of(field.data.type));
    }
  }
}

void LiveEvents::append_row(const RowBatch& batch, size_t row) {
  rows_ += row_count_++ == 0 ? "[" : ",[";
  for (const Source& source : sources_) {
    if (&source != sources_.data()) rows_.push_back(',');
    if (source.is_time) {
      const bool quoted = time_format_ == TimeFormat::kRfc3339;
      if (quoted) rows_.push_back('"');
      append_time(rows_, time_format_, batch.times[row]);
      if (quoted) rows_.push_back('"');
    } else if (source.field != nullptr) {
      append_field(rows_, source.field->data, row);
    } else if (source.tag != nullptr && source.tag->codes[row] != kAbsentTag) {
      append_json_string(rows_, source.tag->values[source.tag->codes[row]]);
    } else {
      rows_ += "null";
    }
  }
  rows_.push_back(']');
}

QueryResult<void> LiveEvents::add(const WatchedRows& rows, std::vector<std::string>& out) {
  const RowBatch& batch = *rows.batch;
  ColumnVector wanted;
  if (where_) {
    RowBatch copy = batch;  // the expression turns NaN into NULL in its own
    RowExpression::Answer answer = where_->evaluate(copy, false);
    if (!answer.faults.empty()) {
      const DecodeReject& reject = answer.faults.front().reject;
      return tl::make_unexpected(QueryError{QueryErrorKind::kInvalid, reject.reason, reject.detail, {}, {}});
    }
    wanted = std::move(answer.values);
  }
  choose_columns(batch);
  std::string columns;
  for (const Source& source : sources_) {
    columns += columns.empty() ? "{\"name\":" : ",{\"name\":";
    append_json_string(columns, source.name);
    columns += fmt::format(",\"type\":\"{}\"}}", result_type_name(source.type));
  }
  if (columns != columns_) close_event(out);
  columns_ = std::move(columns);
  for (size_t row = 0; row < batch.rows(); ++row) {
    if (where_ && (!wanted.is_valid(row) || wanted.bools[row] == 0)) continue;
    if (row_count_ >= kLiveEventRowsMax || rows_.size() >= kLiveEventBytesMax) close_event(out);
    append_row(batch, row);
    lsn_ = rows.lsn;
  }
  return {};
}

void LiveEvents::close_event(std::vector<std::string>& out) {
  if (row_count_ == 0) return;
  parts_ = lsn_ == closed_lsn_ ? parts_ + 1 : 1;
  closed_lsn_ = lsn_;
  const std::string id = parts_ == 1 ? std::to_string(lsn_) : fmt::format("{}-{}", lsn_, parts_);
  out.push_back(fmt::format("id: {}\ndata: {{\"columns\":[{}],\"rows\":[{}]}}\n\n", id, columns_, rows_));
  rows_.clear();
  row_count_ = 0;
}

void LiveEvents::flush(std::vector<std::string>& out) {
  close_event(out);
}

}  // namespace varve
