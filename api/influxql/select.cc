#include "api/influxql/select.h"

#include "api/influxql/select_check.h"
#include "api/influxql/select_rows.h"

namespace varve::influxql {
namespace {

// Hands groups of rows to the sink of the answer, each series begun once.
class Answer {
 public:
  Answer(const SelectContext& context, const ResolvedSelect& select, ResultSink& sink)
      : context_(context), select_(select), sink_(sink) {}

  QueryResult<bool> take(RowGroup& group) {
    if (!begun_ || group.name != head_.name || group.tags != head_.tags) {
      head_.name = group.name;
      head_.tags = group.tags;
      head_.has_time = true;
      head_.columns = {select_.time_name};
      head_.columns.insert(head_.columns.end(), select_.columns.begin(), select_.columns.end());
      begun_ = true;
      if (!sink_.begin(head_)) return false;
    }
    SeriesRows batch;
    batch.rows = group.times.size();
    VARVE_QUERY_TRY(context_.budget.count_rows(batch.rows));
    batch.columns.emplace_back(FieldType::kInt64).ints = std::move(group.times);
    for (ColumnVector& column : group.columns) batch.columns.push_back(std::move(column));
    return sink_.rows(batch);
  }

 private:
  const SelectContext& context_;
  const ResolvedSelect& select_;
  ResultSink& sink_;
  SeriesHead head_;
  bool begun_ = false;
};

}  // namespace

QueryResult<std::shared_ptr<const TablePin>> TablePins::of(const Engine& engine, const std::string& database,
                                                           const std::string& table) {
  std::shared_ptr<const TablePin>& pin = pins_[{database, table}];
  if (pin != nullptr) return pin;
  auto now = engine.pin(database, table);
  if (!now) return tl::make_unexpected(from_storage(now.error()));
  return pin = std::move(*now);
}

QueryResult<void> run_select(const SelectContext& context, const SelectStatement& select, ResultSink& sink) {
  VARVE_QUERY_TRY(check_select(select));
  VARVE_QUERY_ASSIGN(const ResolvedSelect resolved,
                     resolve_select(context.engine, context.database, context.now_ns, select, nullptr));
  Answer answer(context, resolved, sink);
  return execute_select(context, resolved, [&](RowGroup& group) { return answer.take(group); });
}

}  // namespace varve::influxql
