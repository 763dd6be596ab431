// One SQL expression of a source's processing: parsed once, bound to each schema of rows it meets, evaluated over
// columns. When a chunk fails, its rows are evaluated one by one, so that only the ones at fault are refused.
// Errors:  parse: kInvalidArgument, the message with the text and a caret. Rows: in `faults`.
// Threads: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/query/plan.h"
#include "api/sql/ast.h"
#include "ingest/decode/decoder.h"
#include "storage/model/row_batch.h"

namespace varve {

class RowExpression {
 public:
  enum class Form { kCondition, kAssignment };  // "expression", "name = expression"
  // Schemas bound at a time; beyond it all are bound again as they come (guessed: a source has a handful).
  static constexpr size_t kSchemasMax = 256;

  static Result<RowExpression> parse(const std::string& text, Form form);
  // A condition on rows of a known table: names of columns it does not have are errors. Errors carry the position.
  static QueryResult<RowExpression> parse_condition(const std::string& text, const TableInfo& table);

  const std::string& target() const { return target_; }  // of an assignment

  struct Fault {
    size_t row;
    DecodeReject reject;
  };
  struct Answer {
    SqlType type = SqlType::kNull;
    ColumnVector values;  // one per row; of a row at fault, NULL
    std::vector<Fault> faults;
  };
  // `as_text`: the result is cast to a string, as tags are.
  Answer evaluate(RowBatch& batch, bool as_text);

 private:
  struct Bound {
    SelectPlan plan;
    ScalarPtr expr;
    std::optional<DecodeReject> fault;  // it cannot be computed for any row of this schema
  };
  QueryResult<AstPtr> parse_text();
  QueryResult<void> check(const TableInfo& table, bool null_for_absent);
  Bound bind(const RowBatch& batch, bool as_text);
  Bound& bound_for(const RowBatch& batch, bool as_text);

  std::string text_;
  Form form_ = Form::kCondition;
  std::string target_;
  std::unordered_map<std::string, std::unique_ptr<Bound>> bound_;  // by schema
};

}  // namespace varve
