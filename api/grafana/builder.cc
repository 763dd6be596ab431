#include "api/grafana/builder.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/grafana/bucket.h"
#include "api/grafana/events.h"
#include "api/grafana/filters.h"
#include "api/grafana/macros.h"
#include "api/grafana/target.h"
#include "storage/base/nearest.h"
#include "storage/base/timestamp.h"

namespace varve::grafana {
namespace {

struct AggregateSql {
  Aggregate name;
  Words open;
  Words close;
};
constexpr AggregateSql kAggregates[] = {
    {{"avg", "average"}, "avg(", ")"},
    {{"mean", "average"}, "avg(", ")"},
    {{"min", "smallest"}, "min(", ")"},
    {{"max", "largest"}, "max(", ")"},
    {{"sum", "sum"}, "sum(", ")"},
    {{"count", "count"}, "count(", ")"},
    {{"first", "first"}, "first(", ")"},
    {{"last", "last"}, "last(", ")"},
    {{"median", "median"}, "median(", ")"},
    {{"p90", "90th percentile"}, "percentile(", ", 90)"},
    {{"p95", "95th percentile"}, "percentile(", ", 95)"},
    {{"p99", "99th percentile"}, "percentile(", ", 99)"},
    {{"stddev", "standard deviation"}, "stddev(", ")"},
    {{"spread", "largest - smallest"}, "spread(", ")"},
    {{"rate", "rate a second, of a counter"}, "rate(", ")"},
    {{"increase", "increase, of a counter"}, "increase(", ")"},
    {{"delta", "last - first"}, "delta(", ")"},
};
constexpr std::string_view kNone = "none";

QueryResult<const AggregateSql*> find_aggregate(const std::string& name) {
  for (const AggregateSql& aggregate : kAggregates) {
    if (aggregate.name.name == name) return &aggregate;
  }
  std::vector<std::string> names{std::string(kNone)};
  for (const AggregateSql& aggregate : kAggregates) names.emplace_back(aggregate.name.name);
  const std::string nearest = nearest_name(name, names);
  return tl::make_unexpected(bad_request(
      "unknown aggregate " + name,
      nearest.empty() ? fmt::format("one of {}", fmt::join(names, ", ")) : "did you mean " + nearest + "?"));
}

// The SELECT of one target's options.
class OptionsBuilder {
 public:
  OptionsBuilder(Named named, const Payload& payload, const QueryBody& context)
      : table_(std::move(named.table)), payload_(payload), context_(context), fields_(payload.fields) {
    if (fields_.empty() && !named.field.empty()) fields_.push_back(named.field);
  }

  QueryResult<Built> build() {
    built_.format = payload_.format.value_or(Format::kTimeSeries);
    built_.naming.table = table_.name;
    built_.naming.alias = payload_.alias;
    built_.roles.emplace();
    if (built_.format == Format::kAnnotations) {
      VARVE_QUERY_TRY(annotations());
    } else if (raw()) {
      VARVE_QUERY_TRY(stored_rows());
    } else {
      VARVE_QUERY_TRY(aggregated());
    }
    built_.statement = sql_.take();
    return std::move(built_);
  }

 private:
  bool table() const { return built_.format == Format::kTable; }
  bool raw() const {
    if (payload_.aggregate == kNone) return true;
    return table() && payload_.aggregate.empty() && payload_.interval.empty() && payload_.group_by.empty();
  }

  void from() { sql_.words(" FROM ").name(table_.database).words(".").name(table_.name); }

  QueryResult<void> where() {
    sql_.words(" WHERE ");
    if (context_.range) {
      sql_.name(kTimeColumn).words(" >= ").value(format_timestamp(context_.range->from_ns));
      sql_.words(" AND ")
          .name(kTimeColumn)
          .words(" <= ")
          .value(format_timestamp(context_.range->to_ns))
          .words(" AND ");
    }
    VARVE_QUERY_TRY(append_filters(sql_, payload_.filters, &table_));
    if (context_.filters.empty()) return {};
    sql_.words(" AND ");
    return append_filters(sql_, context_.filters, &table_);
  }

  // A column of the answer.
  void begin_column(Role role) {
    sql_.words(built_.roles->empty() ? Words("SELECT ") : Words(", "));
    built_.roles->push_back(role);
  }

  std::vector<std::string> all_tags() const {
    std::vector<std::string> names;
    for (const ColumnInfo& column : table_.columns) {
      if (column.kind == ColumnKind::kTag) names.push_back(column.name);
    }
    return names;
  }

  QueryResult<void> choose_fields(bool numbers_only) {
    if (!fields_.empty()) return {};
    for (const ColumnInfo& column : table_.columns) {
      const bool number = column.type == FieldType::kDouble || column.type == FieldType::kInt64;
      if (column.kind == ColumnKind::kField && (number || !numbers_only)) fields_.push_back(column.name);
    }
    if (fields_.empty()) {
      return tl::make_unexpected(bad_request(
          fmt::format("table `{}` has no field{}", table_.name, numbers_only ? " of numbers" : ""),
          "name one in `field`, with aggregate last or count"));
    }
    if (fields_.size() > kFieldsDefaultMax) {
      return tl::make_unexpected(
          bad_request(fmt::format("table `{}` has {} fields", table_.name, fields_.size()),
                      "choose some of them in `field`"));
    }
    return {};
  }

  void order_and_limit(bool newest_first, std::optional<uint64_t> limit) {
    if (limit || newest_first) {
      sql_.words(" ORDER BY 1 DESC");
    } else {
      sql_.words(" ORDER BY 1");
    }
    if (limit) sql_.words(" LIMIT ").value(static_cast<int64_t>(*limit));
  }

  QueryResult<void> stored_rows() {
    VARVE_QUERY_TRY(choose_fields(!table()));
    begin_column(Role::kTime);
    sql_.name(kTimeColumn);
    for (const std::string& tag : payload_.group_by.empty() ? all_tags() : payload_.group_by) {
      begin_column(Role::kLabel);
      sql_.name(tag);
    }
    for (const std::string& field : fields_) {
      begin_column(Role::kValue);
      sql_.name(field);
    }
    from();
    VARVE_QUERY_TRY(where());
    const auto limit = payload_.limit ? payload_.limit
                       : table()      ? std::optional<uint64_t>(kTableRowsDefault)
                                      : std::nullopt;
    order_and_limit(table(), limit);
    return {};
  }

  // Whether the answer is cut into buckets of time, and their width as SQL.
  QueryResult<std::optional<std::string>> bucket() const {
    const std::string& interval = payload_.interval;
    const bool whole_range = interval == kNone || (table() && interval.empty());
    if (whole_range) {
      if (table()) return std::optional<std::string>();
      return tl::make_unexpected(
          bad_request("a time series needs an interval", "auto or a width like 5m; or the format table"));
    }
    if (!interval.empty() && interval != "auto") return std::optional<std::string>(interval);
    if (!context_.range) {
      return tl::make_unexpected(
          bad_request("the automatic interval needs a range of time, and this request has none"));
    }
    return std::optional<std::string>(
        interval_text(automatic_bucket_ns(*context_.range, context_.interval_ns, context_.max_data_points)));
  }

  QueryResult<void> value_columns() {
    const std::string name = payload_.aggregate.empty() ? "avg" : payload_.aggregate;
    VARVE_QUERY_ASSIGN(const AggregateSql* const aggregate, find_aggregate(name));
    built_.naming.aggregate = name;
    if (name == "count" && fields_.empty()) {
      begin_column(Role::kValue);
      sql_.words("count(*) AS ").name("count");
      built_.naming.fields.emplace_back("count");
      return {};
    }
    VARVE_QUERY_TRY(choose_fields(true));
    const bool plain = aggregate->name.label == "average";
    const bool renamed = table() && fields_.size() == 1 && !payload_.alias.empty();
    for (const std::string& field : fields_) {
      begin_column(Role::kValue);
      sql_.words(aggregate->open).name(field).words(aggregate->close).words(" AS ");
      sql_.name(renamed ? payload_.alias : plain ? field : fmt::format("{}({})", name, field));
      built_.naming.fields.push_back(field);
    }
    return {};
  }

  QueryResult<void> fill() {
    const std::string& fill = payload_.fill;
    if (fill.empty() || fill == kNone) return {};
    if (fill == "null") {
      sql_.words(" FILL(null)");
    } else if (fill == "prev" || fill == "previous") {
      sql_.words(" FILL(prev)");
    } else if (fill == "linear") {
      sql_.words(" FILL(linear)");
    } else {
      double number = 0;
      const auto [end, error] = std::from_chars(fill.data(), fill.data() + fill.size(), number);
      if (error != std::errc() || end != fill.data() + fill.size() || !std::isfinite(number)) {
        return tl::make_unexpected(
            bad_request("unknown fill", "one of none, null, prev, linear, or a number"));
      }
      sql_.words(" FILL(").number(number).words(")");
    }
    return {};
  }

  QueryResult<void> aggregated() {
    VARVE_QUERY_ASSIGN(const std::optional<std::string> width, bucket());
    if (width) {
      begin_column(Role::kTime);
      sql_.words("time_bucket(").value(*width).words(", ").name(kTimeColumn).words(") AS ").name(kTimeColumn);
    }
    for (const std::string& tag : payload_.group_by) {
      begin_column(Role::kLabel);
      sql_.name(tag);
    }
    const size_t keys = built_.roles->size();
    VARVE_QUERY_TRY(value_columns());
    from();
    VARVE_QUERY_TRY(where());
    for (size_t i = 1; i <= keys; ++i) sql_.words(i == 1 ? Words(" GROUP BY ") : Words(", ")).position(i);
    if (width) {
      VARVE_QUERY_TRY(fill());
      order_and_limit(false, payload_.limit);
      return {};
    }
    for (size_t i = 1; i <= keys; ++i) sql_.words(i == 1 ? Words(" ORDER BY ") : Words(", ")).position(i);
    if (payload_.limit) sql_.words(" LIMIT ").value(static_cast<int64_t>(*payload_.limit));
    return {};
  }

  QueryResult<void> annotations() {
    const std::string text = !payload_.text.empty() ? payload_.text
                             : fields_.empty()      ? std::string()
                                                    : fields_[0];
    begin_column(Role::kTime);
    sql_.name(kTimeColumn);
    const auto column = [&](const std::string& name, Words as) {
      if (name.empty()) return;
      begin_column(Role::kValue);
      sql_.name(name).words(as);
    };
    column(text, " AS text");
    column(payload_.title, " AS title");
    column(payload_.time_end, " AS time_end");
    for (const std::string& tag : payload_.tags.empty() ? all_tags() : payload_.tags) {
      if (tag == text || tag == payload_.title) continue;
      begin_column(Role::kLabel);
      sql_.words("cast(").name(tag).words(" AS string)");
    }
    from();
    VARVE_QUERY_TRY(where());
    if (!text.empty()) sql_.words(" AND ").name(text).words(" IS NOT NULL");
    order_and_limit(true, payload_.limit.value_or(kAnnotationsDefault));
    return {};
  }

  const TableInfo table_;
  const Payload& payload_;
  const QueryBody& context_;
  std::vector<std::string> fields_;
  SqlBuilder sql_;
  Built built_;
};

}  // namespace

const std::vector<Aggregate>& aggregates() {
  static const std::vector<Aggregate> all = [] {
    std::vector<Aggregate> list;
    for (const AggregateSql& aggregate : kAggregates) {
      if (aggregate.name.name != "mean") list.push_back(aggregate.name);  // avg, as InfluxDB calls it
    }
    list.push_back({kNone, "none: stored rows"});
    return list;
  }();
  return all;
}

QueryResult<Built> build(const Engine& engine, const Target& target, const QueryBody& context) {
  const Payload& payload = target.payload;
  const bool target_is_sql = payload.table.empty() && is_sql(target.target);
  if (!payload.sql.empty() || target_is_sql) {
    Built built;
    VARVE_QUERY_ASSIGN(built.statement,
                       expand_macros(engine, payload.sql.empty() ? target.target : payload.sql, context));
    built.format = payload.format;
    built.naming.alias = payload.alias;
    return built;
  }
  const std::string& name = payload.table.empty() ? target.target : payload.table;
  if (name.empty()) {
    return tl::make_unexpected(bad_request("the query names no table",
                                           "choose a metric, or give {\"table\": ...} or {\"sql\": ...}"));
  }
  VARVE_QUERY_ASSIGN(Named named, find_named(engine, name));
  return OptionsBuilder(std::move(named), payload, context).build();
}

}  // namespace varve::grafana
