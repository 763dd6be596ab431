#include "api/grafana/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_set>

#include "api/grafana/catalog.h"
#include "api/grafana/events.h"
#include "api/grafana/filters.h"
#include "api/grafana/macros.h"
#include "api/grafana/rows.h"
#include "api/grafana/series.h"
#include "api/grafana/target.h"
#include "api/query/json_text.h"

namespace varve::grafana {
namespace {

// The rows of one target, in the form its format asks for; without one, the form its columns suggest.
class TargetRows : public ResultSink {
 public:
  TargetRows(const Target& target, Built built, Output& out, std::string& separator)
      : target_(target), built_(std::move(built)), out_(out), separator_(separator) {}

  bool begin(const std::vector<ResultColumn>& columns) override {
    auto roles = built_.roles ? built_.roles : roles_by_type(columns);
    const bool have_time = roles && std::find(roles->begin(), roles->end(), Role::kTime) != roles->end();
    Format format = built_.format.value_or(have_time ? Format::kTimeSeries : Format::kTable);
    const bool series = format == Format::kTimeSeries || (format == Format::kFrame && have_time);
    if (format == Format::kTimeSeries && !can_be_series(columns, have_time, roles)) return false;
    as_points_ = format == Format::kTimeSeries;
    if (format == Format::kTable) {
      out_.text() += separator_;
      separator_ = ",";
      table_ = std::make_unique<TableRows>(out_, target_.ref_id);
      sink_ = table_.get();
    } else if (format == Format::kAnnotations) {
      events_ = std::make_unique<EventRows>();
      sink_ = events_.get();
    } else if (series) {
      series_ = std::make_unique<SeriesRows>(std::move(*roles), built_.naming);
      sink_ = series_.get();
    } else {
      frame_ = std::make_unique<FrameRows>();
      sink_ = frame_.get();
    }
    return sink_->begin(columns);
  }
  bool rows(const ResultBatch& batch) override { return sink_->rows(batch); }

  std::optional<QueryError> error() const {
    if (error_) return error_;
    if (series_) return series_->error();
    if (frame_) return frame_->error();
    return events_ ? events_->error() : std::nullopt;
  }
  void finish() {
    if (table_) table_->finish();
    if (series_)
      as_points_ ? series_->write_datapoints(out_, target_.ref_id, separator_)
                 : series_->write_frames(out_, target_.ref_id, separator_);
    if (!frame_ && !events_) return;
    out_.text() += separator_;
    separator_ = ",";
    frame_ ? frame_->write(out_, target_.ref_id) : events_->write_frame(out_, target_.ref_id);
  }

 private:
  bool can_be_series(const std::vector<ResultColumn>& columns, bool have_time,
                     const std::optional<std::vector<Role>>& roles) {
    if (!have_time) {
      error_ = bad_request("a time series needs a column of times and one of numbers",
                           "SELECT time_bucket('1m', time) AS time, avg(x) ..., or the format table");
      return false;
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      if ((*roles)[i] != Role::kValue || columns[i].type != ResultType::kString) continue;
      error_ = bad_request(fmt::format("`{}` is text, and a time series has numbers", columns[i].name),
                           "choose the format frame or table, or the aggregate count");
      return false;
    }
    return true;
  }

  const Target& target_;
  const Built built_;
  Output& out_;
  std::string& separator_;
  ResultSink* sink_ = nullptr;
  bool as_points_ = false;
  std::unique_ptr<TableRows> table_;
  std::unique_ptr<SeriesRows> series_;
  std::unique_ptr<FrameRows> frame_;
  std::unique_ptr<EventRows> events_;
  std::optional<QueryError> error_;
};

// The first column of a result, or its columns __text and __value; each pair once.
class ChoiceRows : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == "__text") text_ = i;
      if (columns[i].name == "__value") value_ = i;
    }
    if (!text_) text_ = value_.value_or(0);
    if (!value_) value_ = text_;
    return true;
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      if (!batch.columns[*value_].is_valid(row)) continue;
      std::string text = cell_text(columns_[*text_].type, batch.columns[*text_], row);
      std::string value = cell_text(columns_[*value_].type, batch.columns[*value_], row);
      if (!seen_.insert(fmt::format("{}:{}{}", text.size(), text, value)).second) continue;
      if (choices.size() == kVariableValuesMax) {
        error = limit_error(
            "too_many_values",
            fmt::format("there are more than {} values to choose from; add a condition or a LIMIT",
                        kVariableValuesMax));
        return false;
      }
      choices.emplace_back(std::move(text), std::move(value));
    }
    return true;
  }

  std::vector<std::pair<std::string, std::string>> choices;
  std::optional<QueryError> error;

 private:
  std::vector<ResultColumn> columns_;
  std::optional<size_t> text_;
  std::optional<size_t> value_;
  std::unordered_set<std::string> seen_;
};

QueryError named(QueryError error, const std::string& ref_id) {
  if (!ref_id.empty()) error.message = fmt::format("{}: {}", ref_id, error.message);
  return error;
}

const Json* member(const Json& body, const char* key) {
  const auto found = body.find(key);
  return found == body.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

QueryResult<void> Service::run(const QueryRequest& request, Statement statement, ResultSink& sink) const {
  QueryRequest wanted = request;
  wanted.sql = std::move(statement.sql);
  wanted.parameters = std::move(statement.parameters);
  wanted.may_change = false;
  auto stats = queries_.run(wanted, sink);
  if (!stats) return tl::make_unexpected(std::move(stats.error()));
  return {};
}

QueryResult<void> Service::run_target(const QueryRequest& request, const Target& target,
                                      const QueryBody& body, Output& out, std::string& separator) const {
  VARVE_QUERY_ASSIGN(Built built, build(engine_, target, body));
  Statement statement = std::move(built.statement);
  TargetRows rows(target, std::move(built), out, separator);
  const auto outcome = run(request, std::move(statement), rows);
  if (auto error = rows.error())
    return tl::make_unexpected(std::move(*error));  // it stopped the query itself
  if (!outcome) return outcome;
  rows.finish();
  return {};
}

QueryResult<bool> Service::query(const QueryRequest& request, const QueryBody& body, const Put& put) const {
  Output out(put);
  out.text() += "[";
  std::string separator;
  for (const Target& target : body.targets) {
    const bool empty = target.target.empty() && target.payload.table.empty() && target.payload.sql.empty();
    if (empty) continue;  // a query just added in Grafana's editor
    if (auto done = run_target(request, target, body, out, separator); !done) {
      return tl::make_unexpected(named(std::move(done.error()), target.ref_id));
    }
  }
  out.text() += "]\n";
  return out.finish();
}

QueryResult<std::vector<Service::Choice>> Service::values_of_tag(const QueryRequest& request,
                                                                 const TableInfo& table,
                                                                 const std::string& tag,
                                                                 const std::vector<Filter>& filters) const {
  SqlBuilder sql;
  // With an aggregate, and no more than tags in the conditions, statistics of blocks answer it.
  sql.words("SELECT ").name(tag).words(", count(*) FROM ").name(table.database).words(".").name(table.name);
  sql.words(" WHERE ").name(tag).words(" IS NOT NULL AND ");
  VARVE_QUERY_TRY(append_filters(sql, filters, &table));
  sql.words(" GROUP BY 1 ORDER BY 1");
  ChoiceRows rows;
  const auto outcome = run(request, sql.take(), rows);
  if (rows.error) return tl::make_unexpected(std::move(*rows.error));
  if (!outcome) return tl::make_unexpected(outcome.error());
  std::vector<Choice> choices;
  for (auto& [text, value] : rows.choices) choices.push_back({std::move(text), std::move(value)});
  return choices;
}

QueryResult<std::vector<Service::Choice>> Service::choices(const QueryRequest& request,
                                                           const VariableQuery& wanted,
                                                           const QueryBody& context) const {
  using Kind = VariableQuery::Kind;
  std::vector<Choice> list;
  if (wanted.kind == Kind::kSql) {
    VARVE_QUERY_ASSIGN(Statement statement, expand_macros(engine_, wanted.sql, context));
    ChoiceRows rows;
    const auto outcome = run(request, std::move(statement), rows);
    if (rows.error) return tl::make_unexpected(std::move(*rows.error));
    if (!outcome) return tl::make_unexpected(outcome.error());
    for (auto& [text, value] : rows.choices) list.push_back({std::move(text), std::move(value)});
    return list;
  }
  if (wanted.kind == Kind::kTables) {
    const std::vector<TableInfo> tables = engine_.tables();
    for (const TableInfo& table : tables)
      list.push_back({shown_name(table, tables), shown_name(table, tables)});
    return list;
  }
  VARVE_QUERY_ASSIGN(const Named named, find_named(engine_, wanted.table));
  if (wanted.kind == Kind::kTagValues)
    return values_of_tag(request, named.table, wanted.tag, context.filters);
  const ColumnKind kind = wanted.kind == Kind::kFields ? ColumnKind::kField : ColumnKind::kTag;
  for (const ColumnInfo& column : named.table.columns) {
    if (column.kind == kind) list.push_back({column.name, column.name});
  }
  return list;
}

QueryResult<bool> Service::variable(const QueryRequest& request, const Json& body, const Put& put) const {
  VARVE_QUERY_ASSIGN(const QueryBody context, parse_context(body));
  const Json* const payload = member(body, "payload");
  VARVE_QUERY_ASSIGN(const VariableQuery wanted, parse_variable(payload == nullptr ? Json() : *payload));
  std::vector<Choice> list;
  if (wanted.kind == VariableQuery::Kind::kName) {
    return tl::make_unexpected(
        bad_request("this variable is not understood",
                    "SQL, tables(), fields(TABLE), tag_keys(TABLE) or tag_values(TABLE, KEY)"));
  }
  if (wanted.kind != VariableQuery::Kind::kNothing) {
    VARVE_QUERY_ASSIGN(list, choices(request, wanted, context));
  }
  Output out(put);
  std::string& text = out.text();
  text += "[";
  for (const Choice& choice : list) {
    text += &choice == list.data() ? "{\"__text\":" : ",{\"__text\":";
    append_json_string(text, choice.text);
    text += ",\"__value\":";
    append_json_string(text, choice.value);
    text.push_back('}');
    if (!out.pass()) return false;
  }
  text += "]\n";
  return out.finish();
}

QueryResult<bool> Service::search(const QueryRequest& request, const Json& body, const Put& put) const {
  VARVE_QUERY_ASSIGN(const QueryBody context, parse_context(body));
  VARVE_QUERY_ASSIGN(const std::string target, text_of(body, "target"));
  VARVE_QUERY_ASSIGN(const VariableQuery wanted, parse_variable_text(target));
  std::vector<Choice> list;
  if (wanted.kind == VariableQuery::Kind::kNothing || wanted.kind == VariableQuery::Kind::kName) {
    for (std::string& name : metric_names(engine_)) {
      if (list.size() == kMetricsMax) break;
      if (name.find(wanted.sql) != std::string::npos) list.push_back({name, name});
    }
  } else {
    VARVE_QUERY_ASSIGN(list, choices(request, wanted, context));
  }
  Output out(put);
  std::string& text = out.text();
  text += "[";
  for (const Choice& choice : list) {
    if (&choice != list.data()) text.push_back(',');
    if (choice.text == choice.value) {
      append_json_string(text, choice.text);
    } else {
      text += "{\"text\":";
      append_json_string(text, choice.text);
      text += ",\"value\":";
      append_json_string(text, choice.value);
      text.push_back('}');
    }
    if (!out.pass()) return false;
  }
  text += "]\n";
  return out.finish();
}

QueryResult<bool> Service::annotations(const QueryRequest& request, const Json& body, const Put& put) const {
  VARVE_QUERY_ASSIGN(const QueryBody context, parse_context(body));
  const Json* const annotation = member(body, "annotation");
  if (annotation == nullptr || !annotation->is_object()) {
    return tl::make_unexpected(bad_request("the request has no annotation"));
  }
  VARVE_QUERY_ASSIGN(std::string text, text_of(*annotation, "query"));
  Target target;
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return tl::make_unexpected(bad_request("the annotation has no query",
                                           R"(SQL, a table, table.field, or {"table":...,"text":...})"));
  }
  if (text[text.find_first_not_of(" \t\r\n")] == '{') {
    VARVE_QUERY_ASSIGN(target.payload, parse_payload(Json(text)));
  } else {
    target.target = std::move(text);
  }
  target.payload.format = Format::kAnnotations;
  VARVE_QUERY_ASSIGN(Built built, build(engine_, target, context));
  EventRows rows;
  const auto outcome = run(request, std::move(built.statement), rows);
  if (rows.error()) return tl::make_unexpected(*rows.error());
  if (!outcome) return tl::make_unexpected(outcome.error());
  Output out(put);
  rows.write_events(out, annotation->dump(-1, ' ', false, Json::error_handler_t::replace));
  out.text() += "\n";
  return out.finish();
}

QueryResult<bool> Service::tag_values(const QueryRequest& request, const Json& body, const Put& put) const {
  VARVE_QUERY_ASSIGN(const QueryBody context, parse_context(body));
  VARVE_QUERY_ASSIGN(const std::string key, text_of(body, "key"));
  if (key.empty()) return tl::make_unexpected(bad_request("the request names no key", R"({"key": "site"})"));
  std::vector<Filter> others;  // the values left by the filters already chosen
  for (const Filter& filter : context.filters) {
    if (filter.key != key) others.push_back(filter);
  }
  std::map<std::string, std::string> values;
  for (const TableInfo& table : engine_.tables()) {
    const ColumnInfo* const column = find_column(table, key);
    if (column == nullptr || column->kind != ColumnKind::kTag) continue;
    VARVE_QUERY_ASSIGN(const std::vector<Choice> found, values_of_tag(request, table, column->name, others));
    for (const Choice& choice : found) values.emplace(choice.value, choice.text);
    if (values.size() > kTagValuesMax) {
      return tl::make_unexpected(limit_error(
          "too_many_values", fmt::format("the tag {} has more than {} values", key, kTagValuesMax)));
    }
  }
  Output out(put);
  std::string& text = out.text();
  text += "[";
  for (const auto& [value, shown] : values) {
    text += text.size() == 1 ? "{\"text\":" : ",{\"text\":";
    append_json_string(text, value);
    text.push_back('}');
  }
  text += "]\n";
  return out.finish();
}

}  // namespace varve::grafana
