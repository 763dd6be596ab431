#include "api/query/sqlite/typed_rows.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>

#include "api/query/text_value.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr size_t kSampledRows = 1024;
constexpr size_t kBatchRows = 1024;
constexpr uint64_t kBatchBytes = 1 << 20;

Value value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_NULL:
      return {};
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      if (text == nullptr) return std::string();
      return std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

SqlType type_of_values(const std::vector<std::vector<Value>>& rows, size_t column) {
  SqlType type = SqlType::kNull;
  for (const auto& row : rows) {
    const Value& value = row[column];
    if (std::holds_alternative<std::string>(value)) return SqlType::kString;
    if (std::holds_alternative<double>(value)) type = SqlType::kDouble;
    if (std::holds_alternative<int64_t>(value) && type == SqlType::kNull) type = SqlType::kInt64;
  }
  return type == SqlType::kNull ? SqlType::kString : type;
}

std::string text_of(const Value& value) {
  std::string text;
  if (const auto* whole = std::get_if<int64_t>(&value)) append_int(text, *whole);
  if (const auto* real = std::get_if<double>(&value)) append_double(text, *real);
  if (const auto* known = std::get_if<std::string>(&value)) text = *known;
  return text;
}

}  // namespace

tl::unexpected<QueryError> TypedRows::wrong_type(size_t column, std::string_view found) const {
  return tl::make_unexpected(QueryError{
      QueryErrorKind::kInvalid, "type_mismatch",
      fmt::format("column `{}` is {}, but a row has {}", outputs_[column].name, sql_type_name(*outputs_[column].type),
                  found),
      std::nullopt, "cast it to one type"});
}

QueryResult<void> TypedRows::begin() {
  begun_ = true;
  std::vector<ResultColumn> columns;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    NamedType& output = outputs_[i];
    if (!output.type || output.type == SqlType::kNull) output.type = type_of_values(sampled_, i);
    columns.push_back({output.name, result_type_of(*output.type)});
    batch_.columns.emplace_back(physical_type(*output.type));
  }
  if (!sink_.begin(columns)) budget_.cancel();
  return budget_.check();
}

QueryResult<void> TypedRows::put(size_t column, const Value& value) {
  ColumnVector& out = batch_.columns[column];
  if (std::holds_alternative<std::monostate>(value)) {
    out.push_null();
    return {};
  }
  const SqlType type = *outputs_[column].type;
  const auto* whole = std::get_if<int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  switch (out.type) {
    case FieldType::kString:
      out.push_string(text_of(value));
      batch_bytes_ += out.strings[out.strings.size() - 1].size();
      return {};
    case FieldType::kDouble:
      if (text != nullptr) return wrong_type(column, "a string");
      out.push_double(whole != nullptr ? static_cast<double>(*whole) : *real);
      return {};
    case FieldType::kBool:
      if (text != nullptr) return wrong_type(column, "a string");
      out.push_bool(whole != nullptr ? *whole != 0 : *real != 0);
      return {};
    case FieldType::kInt64:
      break;
  }
  if (whole != nullptr) {
    out.push_int(*whole);
  } else if (real != nullptr && std::fabs(*real) >= 0x1p63) {
    return tl::make_unexpected(QueryError{QueryErrorKind::kInvalid, "overflow",
                                          fmt::format("column `{}`: the result is beyond the range of int64",
                                                      outputs_[column].name),
                                          std::nullopt, "cast an operand to double"});
  } else if (real != nullptr) {
    return wrong_type(column, "a double");
  } else if (type == SqlType::kTimestamp) {
    const Result<int64_t> ns = parse_timestamp(*text);
    if (!ns) return wrong_type(column, "a string");
    out.push_int(*ns);
  } else {
    return wrong_type(column, "a string");
  }
  return {};
}

QueryResult<void> TypedRows::send() {
  if (batch_.rows == 0) return {};
  VARVE_QUERY_TRY(budget_.count_rows(batch_.rows));
  if (!sink_.rows(batch_)) budget_.cancel();
  rows_sent_ += batch_.rows;
  for (ColumnVector& column : batch_.columns) column.clear();
  batch_.rows = 0;
  batch_bytes_ = 0;
  return budget_.check();
}

QueryResult<void> TypedRows::add(sqlite3_stmt* statement) {
  if (!begun_) {
    auto& row = sampled_.emplace_back();
    for (size_t i = 0; i < outputs_.size(); ++i) {
      row.push_back(value_of(statement, static_cast<int>(i)));
      if (const auto* text = std::get_if<std::string>(&row.back())) sampled_bytes_ += text->size();
    }
    if (sampled_.size() < kSampledRows && sampled_bytes_ < kBatchBytes) return {};
    return finish();
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    VARVE_QUERY_TRY(put(i, value_of(statement, static_cast<int>(i))));
  }
  ++batch_.rows;
  if (batch_.rows < kBatchRows && batch_bytes_ < kBatchBytes) return {};
  return send();
}

QueryResult<void> TypedRows::finish() {
  if (!begun_) {
    VARVE_QUERY_TRY(begin());
    for (const auto& row : sampled_) {
      for (size_t i = 0; i < row.size(); ++i) VARVE_QUERY_TRY(put(i, row[i]));
      ++batch_.rows;
    }
    sampled_ = {};
  }
  return send();
}

}  // namespace varve
