#include "api/process/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/process/rules.h"
#include "api/query/binder.h"
#include "api/query/operators.h"
#include "api/sql/expression_parser.h"
#include "api/sql/text.h"
#include "storage/engine.h"

namespace varve {
namespace {

const QueryParameters kNoParameters;

class ProcessParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  QueryResult<AstPtr> parse(RowExpression::Form form, std::string& target) {
    VARVE_QUERY_TRY(start());
    if (form == RowExpression::Form::kAssignment) {
      if (!is_name()) return expected("the name of a column, as in \"temp_f = temp_c * 9 / 5 + 32\"");
      target = current().unquoted();
      if (equal_ignoring_case(target, kTimeColumn)) {
        return tl::make_unexpected(
            invalid_query("invalid_name", "the time of a row cannot be set", current().position));
      }
      VARVE_QUERY_TRY(advance());
      if (!symbol("=")) return expected("= after the column's name");
      VARVE_QUERY_TRY(advance());
    }
    VARVE_QUERY_ASSIGN(AstPtr expr, expression());
    if (current().kind != TokenKind::kEnd) return expected("an operator or the end of the expression");
    VARVE_QUERY_TRY(failure());
    return expr;
  }
};

// Reads of the clock would give another answer when the message is read again.
QueryResult<void> refuse_unstable(const AstExpr& expr) {
  if (expr.kind == AstKind::kColumn && !expr.qualifier.empty()) {
    return tl::make_unexpected(invalid_query(
        "unknown_table", fmt::format("no table `{}` here: columns are those of the row", expr.qualifier),
        expr.position, "write the column's name alone"));
  }
  if (expr.kind == AstKind::kCall &&
      (equal_ignoring_case(expr.name, "now") || equal_ignoring_case(expr.name, "random"))) {
    return tl::make_unexpected(invalid_query(
        "unknown_function",
        fmt::format("{}() is not available here: the same row must always give the same answer", expr.name),
        expr.position, "`time` is the time of the row"));
  }
  for (const AstPtr& child : expr.children) VARVE_QUERY_TRY(refuse_unstable(*child));
  return {};
}

// Columns the rows do not have are NULL.
void absent_to_null(AstExpr& expr, const Binder& binder) {
  if (expr.kind == AstKind::kColumn && binder.find_column(expr.name) == nullptr) {
    expr.kind = AstKind::kLiteral;
    expr.value = Value{};
    expr.name.clear();
  }
  for (const AstPtr& child : expr.children) absent_to_null(*child, binder);
}

std::string with_caret(const std::string& text, const QueryError& error) {
  std::string message = error.message;
  if (!error.hint.empty()) message += "; " + error.hint;
  const size_t position = std::min(error.position.value_or(0), text.size());
  // The line of the place, and a caret below it; bytes that continue a UTF-8 character take no column.
  const size_t begin = position == 0 ? 0 : text.rfind('\n', position - 1) + 1;
  const size_t end = std::min(text.find('\n', position), text.size());
  std::string pad;
  for (size_t i = begin; i < position; ++i) {
    if (text[i] == '\t') {
      pad += '\t';
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      pad += ' ';
    }
  }
  return fmt::format("{}\n  {}\n  {}^", message, text.substr(begin, end - begin), pad);
}

TableInfo table_of(const RowBatch& batch) {
  TableInfo table;
  table.database = batch.database;
  table.name = batch.table;
  table.columns.push_back({std::string(kTimeColumn), ColumnKind::kTime, FieldType::kInt64});
  for (const TagColumn& tag : batch.tags)
    table.columns.push_back({tag.name, ColumnKind::kTag, FieldType::kString});
  for (const FieldColumn& field : batch.fields) {
    table.columns.push_back({field.name, ColumnKind::kField, field.data.type});
  }
  return table;
}

// Names are at most 255 bytes and hold no NUL.
std::string schema_of(const RowBatch& batch, bool as_text) {
  std::string key(1, as_text ? 't' : 'f');
  key.append(batch.table).push_back('\0');
  for (const TagColumn& tag : batch.tags) key.append("#").append(tag.name).push_back('\0');
  for (const FieldColumn& field : batch.fields) {
    key.push_back(static_cast<char>('0' + static_cast<int>(field.data.type)));
    key.append(field.name).push_back('\0');
  }
  return key;
}

// The slots of a plan as views of a batch, a chunk at a time.
class BatchChunks {
 public:
  BatchChunks(RowBatch& batch, const SelectPlan& plan) : batch_(batch) {
    for (const SlotSource& slot : plan.slots) {
      Column column;
      if (slot.kind == ColumnKind::kTag) {
        column.tag = &*std::find_if(batch.tags.begin(), batch.tags.end(),
                                    [&](const TagColumn& tag) { return tag.name == slot.name; });
        column.text = ColumnVector(FieldType::kString);
      } else if (slot.kind == ColumnKind::kField) {
        FieldColumn& field = *std::find_if(batch.fields.begin(), batch.fields.end(),
                                           [&](const FieldColumn& f) { return f.name == slot.name; });
        if (field.data.type == FieldType::kDouble) nulls_for_nan(field.data);
        column.field = &field.data;
      }
      columns_.push_back(std::move(column));
    }
    chunk_.slots.resize(columns_.size());
    whole_.slots.resize(columns_.size());
  }

  const Chunk& at(size_t from, size_t rows) {
    whole_.rows = rows;
    for (size_t i = 0; i < columns_.size(); ++i) {
      Column& column = columns_[i];
      if (column.tag != nullptr) {
        column.text.clear();
        for (size_t row = from; row < from + rows; ++row) {
          const uint32_t code = column.tag->codes[row];
          if (code == kAbsentTag) {
            column.text.push_null();
          } else {
            column.text.push_string(column.tag->values[code]);
          }
        }
        whole_.slots[i] = view_of(column.text);
      } else if (column.field != nullptr) {
        whole_.slots[i] = view_of(*column.field).from(from);
      } else {
        whole_.slots[i] = {};
        whole_.slots[i].type = FieldType::kInt64;
        whole_.slots[i].ints = batch_.times.data() + from;
      }
    }
    return whole_;
  }
  // One row of the chunk at() gave last.
  const Chunk& row(size_t row) {
    chunk_.rows = 1;
    for (size_t i = 0; i < columns_.size(); ++i) chunk_.slots[i] = whole_.slots[i].from(row);
    return chunk_;
  }

 private:
  struct Column {
    const TagColumn* tag = nullptr;
    ColumnVector text;
    const ColumnVector* field = nullptr;
  };
  RowBatch& batch_;
  std::vector<Column> columns_;
  Chunk whole_, chunk_;
};

}  // namespace

QueryResult<AstPtr> RowExpression::parse_text() {
  ProcessParser parser(text_);
  return parser.parse(form_, target_);
}

Result<RowExpression> RowExpression::parse(const std::string& text, Form form) {
  RowExpression made;
  made.text_ = text;
  made.form_ = form;
  // With every column unknown: what is wrong now is wrong for all rows.
  const auto checked = made.check(table_of(RowBatch()), true);
  if (!checked) return invalid_argument(with_caret(text, checked.error()));
  return made;
}

QueryResult<RowExpression> RowExpression::parse_condition(const std::string& text, const TableInfo& table) {
  RowExpression made;
  made.text_ = text;
  VARVE_QUERY_TRY(made.check(table, false));
  return made;
}

QueryResult<void> RowExpression::check(const TableInfo& table, bool null_for_absent) {
  VARVE_QUERY_ASSIGN(AstPtr ast, parse_text());
  VARVE_QUERY_TRY(refuse_unstable(*ast));
  SelectPlan plan;
  Binder binder({&table, {}, &kNoParameters, nullptr, 0}, plan);
  if (null_for_absent) absent_to_null(*ast, binder);
  VARVE_QUERY_ASSIGN(ScalarPtr bound, binder.bind_row(*ast, form_ == Form::kCondition ? "where" : "set",
                                                      Binder::Aliases::kNo));
  if (form_ == Form::kCondition) VARVE_QUERY_TRY(bind_condition(std::move(bound)));
  return {};
}

RowExpression::Bound RowExpression::bind(const RowBatch& batch, bool as_text) {
  Bound bound;
  const TableInfo table = table_of(batch);
  const auto make = [&]() -> QueryResult<ScalarPtr> {
    VARVE_QUERY_ASSIGN(AstPtr ast, parse_text());
    Binder binder({&table, {}, &kNoParameters, nullptr, 0}, bound.plan);
    absent_to_null(*ast, binder);
    VARVE_QUERY_ASSIGN(ScalarPtr expr, binder.bind_row(*ast, form_ == Form::kCondition ? "where" : "set",
                                                       Binder::Aliases::kNo));
    if (form_ == Form::kCondition) return bind_condition(std::move(expr));
    if (as_text && expr->type != SqlType::kString) return bind_cast(std::move(expr), SqlType::kString);
    return expr;
  };
  QueryResult<ScalarPtr> made = make();
  if (made) {
    bound.expr = std::move(*made);
  } else {
    bound.fault = DecodeReject{made.error().code, fmt::format("{}: {}", text_, made.error().message), 0};
  }
  return bound;
}

RowExpression::Bound& RowExpression::bound_for(const RowBatch& batch, bool as_text) {
  std::string schema = schema_of(batch, as_text);
  const auto found = bound_.find(schema);
  if (found != bound_.end()) return *found->second;
  if (bound_.size() >= kSchemasMax) bound_.clear();
  auto made = std::make_unique<Bound>(bind(batch, as_text));
  return *bound_.emplace(std::move(schema), std::move(made)).first->second;
}

RowExpression::Answer RowExpression::evaluate(RowBatch& batch, bool as_text) {
  Answer answer;
  Bound& bound = bound_for(batch, as_text);
  if (bound.fault) {
    for (size_t row = 0; row < batch.rows(); ++row) answer.faults.push_back({row, *bound.fault});
    answer.values = ColumnVector(FieldType::kString);
    answer.values.push_nulls(batch.rows());
    return answer;
  }
  answer.type = bound.expr->type;
  answer.values = ColumnVector(physical_type(answer.type));
  BatchChunks chunks(batch, bound.plan);
  for (size_t from = 0; from < batch.rows(); from += kChunkRows) {
    const Chunk& chunk = chunks.at(from, std::min(kChunkRows, batch.rows() - from));
    EvalContext context;
    const VectorView view = bound.expr->evaluate(chunk, context);
    if (!context.failed()) {
      append_entries(answer.values, view, 0, chunk.rows);
      continue;
    }
    for (size_t row = 0; row < chunk.rows; ++row) {
      EvalContext one;
      const VectorView value = bound.expr->evaluate(chunks.row(row), one);
      if (!one.failed()) {
        append_entry(answer.values, value, 0);
        continue;
      }
      answer.values.push_null();
      answer.faults.push_back(
          {from + row, {one.error().code, fmt::format("{}: {}", text_, one.error().message), 0}});
    }
  }
  return answer;
}

Result<void> check_condition(const std::string& text) {
  VARVE_TRY(RowExpression::parse(text, RowExpression::Form::kCondition));
  return {};
}

Result<void> check_assignment(const std::string& text) {
  VARVE_ASSIGN(const RowExpression parsed, RowExpression::parse(text, RowExpression::Form::kAssignment));
  const std::string_view name = parsed.target();
  if (name.empty() || name.size() > kNameBytesMax || name.find('\0') != std::string_view::npos) {
    return invalid_argument(fmt::format("a column's name has 1 to {} bytes", kNameBytesMax));
  }
  return {};
}

}  // namespace varve
