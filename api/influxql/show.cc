#include "api/influxql/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/influxql/go_text.h"
#include "api/influxql/series.h"
#include "storage/base/clock.h"

namespace varve::influxql {
namespace {

constexpr size_t kBatchRows = 4096;
// A distinct value in a set, beyond its text.
constexpr uint64_t kSetNodeBytes = 80;

tl::unexpected<QueryError> refused(std::string message) {
  return tl::make_unexpected(invalid_query("influxql", std::move(message), 0));
}

// The rows of one series, handed on in batches; LIMIT and OFFSET cut them. A series without rows is not begun.
class Rows {
 public:
  Rows(ResultSink& sink, std::string name, std::vector<std::string> columns, std::vector<FieldType> types,
       const ShowStatement* limits = nullptr)
      : sink_(sink), skip_(limits == nullptr ? 0 : limits->offset), left_(limit_of(limits)) {
    head_.name = std::move(name);
    head_.columns = std::move(columns);
    for (const FieldType type : types) batch_.columns.emplace_back(type);
  }

  void set_tags(std::vector<std::pair<std::string, std::string>> tags) { head_.tags = std::move(tags); }

  // False = no more rows are wanted.
  bool add(const std::vector<Value>& values) {
    if (skip_ > 0) {
      --skip_;
      return true;
    }
    if (left_ == 0 || stopped_) return false;
    --left_;
    for (size_t i = 0; i < values.size(); ++i) batch_.columns[i].push_value(values[i]);
    if (++batch_.rows == kBatchRows) flush();
    return !stopped_;
  }

  // Also a series without rows, which has columns alone.
  void begin() {
    if (!begun_ && !sink_.begin(head_)) stopped_ = true;
    begun_ = true;
  }

  bool finish() {
    if (batch_.rows > 0) flush();
    return !stopped_;
  }

 private:
  static int64_t limit_of(const ShowStatement* limits) {
    return limits == nullptr || limits->limit == 0 ? INT64_MAX : limits->limit;
  }

  void flush() {
    begin();
    if (!stopped_ && !sink_.rows(batch_)) stopped_ = true;
    for (ColumnVector& column : batch_.columns) column.clear();
    batch_.rows = 0;
  }

  ResultSink& sink_;
  SeriesHead head_;
  SeriesRows batch_;
  int64_t skip_;
  int64_t left_;
  bool begun_ = false;
  bool stopped_ = false;
};

const std::vector<FieldType> kOneString{FieldType::kString};
const std::vector<FieldType> kTwoStrings{FieldType::kString, FieldType::kString};

std::string_view influx_type(FieldType type) {
  switch (type) {
    case FieldType::kDouble:
      return "float";
    case FieldType::kInt64:
      return "integer";
    case FieldType::kBool:
      return "boolean";
    case FieldType::kString:
      break;
  }
  return "string";
}

// A key or value of a series in line protocol.
void append_escaped(std::string& out, std::string_view text, bool measurement) {
  for (const char c : text) {
    if (c == ',' || c == ' ' || (c == '=' && !measurement)) out += '\\';
    out += c;
  }
}

class Show {
 public:
  Show(const ShowContext& context, const ShowStatement& show, ResultSink& sink)
      : context_(context), show_(show), sink_(sink), memory_(context.budget) {}

  QueryResult<void> run();

 private:
  using Tables = std::vector<TableInfo>;
  using TagList = std::vector<std::pair<std::string, std::string>>;
  struct Count {
    uint64_t series = 0;
    std::set<std::pair<std::string, std::string>> texts;  // tag keys, or keys with values
  };
  using Counts = std::map<TagList, Count>;  // by the tags of GROUP BY

  QueryResult<void> databases();
  QueryResult<void> queries();
  QueryResult<void> policies();
  QueryResult<void> per_database(std::vector<std::string> columns);
  QueryResult<void> empty(std::vector<std::string> columns);
  QueryResult<void> measurements();
  QueryResult<Tables> matching_measurements();
  QueryResult<bool> measurement_holds(const TableInfo& table, const Condition& condition) const;
  QueryResult<void> tag_keys();
  QueryResult<std::set<std::string>> tag_keys_of(const TableInfo& table, const Condition& condition);
  QueryResult<void> tag_values();
  QueryResult<std::set<std::pair<std::string, std::string>>> tag_values_of(const TableInfo& table,
                                                                           const Condition& condition);
  QueryResult<void> field_keys();
  QueryResult<void> series();
  QueryResult<void> cardinality();
  QueryResult<std::vector<std::string>> grouped_by(const TableInfo& table) const;
  QueryResult<Counts> counts_of(const TableInfo& table, const Condition& condition);
  uint64_t counted(const TableInfo& table, const Count& count) const;
  bool give_count(const std::string& name, const TagList& tags, uint64_t count);
  QueryResult<void> estimate();

  // The database the statement is about: its ON, else of its sources when `by_source`, else the request's. It must exist.
  QueryResult<std::string> database(bool by_source = false) const;
  QueryResult<Tables> tables(bool by_source = false);
  QueryResult<Condition> condition() const {
    return Condition::parse(show_.condition.get(), context_.now_ns);
  }
  QueryResult<std::vector<std::string>> wanted_keys(const TableInfo& table) const;
  QueryResult<void> remember(uint64_t bytes) { return memory_.set(remembered_ += bytes); }
  void forget() { (void)memory_.set(remembered_ = 0); }

  const ShowContext& context_;
  const ShowStatement& show_;
  ResultSink& sink_;
  MemoryUse memory_;
  uint64_t remembered_ = 0;
};

QueryResult<void> Show::run() {
  switch (show_.what) {
    case ShowWhat::kDatabases:
      return databases();
    case ShowWhat::kMeasurements:
      return measurements();
    case ShowWhat::kTagKeys:
      return tag_keys();
    case ShowWhat::kTagValues:
      return tag_values();
    case ShowWhat::kFieldKeys:
      return field_keys();
    case ShowWhat::kSeries:
      return series();
    case ShowWhat::kRetentionPolicies:
      return policies();
    case ShowWhat::kUsers:
      return empty({"user", "admin"});
    case ShowWhat::kQueries:
      return queries();
    case ShowWhat::kContinuousQueries:
      return per_database({"name", "query"});
    case ShowWhat::kSubscriptions:
      return {};
    case ShowWhat::kShards:
      return per_database({"id", "database", "retention_policy", "shard_group", "start_time", "end_time",
                           "expiry_time", "owners"});
    case ShowWhat::kShardGroups:
      return empty({"id", "database", "retention_policy", "start_time", "end_time", "expiry_time"});
    case ShowWhat::kGrants:
      return refused("user not found");
    case ShowWhat::kStats:
    case ShowWhat::kDiagnostics:
      return refused("SHOW STATS and SHOW DIAGNOSTICS are not supported: see /metrics and /api/v1/status");
    case ShowWhat::kSeriesCardinality:
    case ShowWhat::kMeasurementCardinality:
    case ShowWhat::kTagKeyCardinality:
    case ShowWhat::kTagValuesCardinality:
    case ShowWhat::kFieldKeyCardinality:
      return cardinality();
  }
  return {};
}

QueryResult<std::string> Show::database(bool by_source) const {
  std::string name = show_.database.empty() ? context_.database : show_.database;
  if (by_source) {
    for (const Source& source : show_.sources) {
      if (!source.database.empty()) name = source.database;
    }
  }
  if (name.empty()) return refused("database name required");
  VARVE_QUERY_ASSIGN(const bool exists, context_.databases.exists(name));
  if (!exists) return refused("database not found: " + name);
  if (by_source) {
    for (const Source& source : show_.sources) {
      const std::string& policy = source.retention_policy;
      if (!policy.empty() && policy != "autogen") return refused("retention policy not found: " + policy);
    }
  }
  return name;
}

QueryResult<Show::Tables> Show::tables(bool by_source) {
  VARVE_QUERY_ASSIGN(const std::string name, database(by_source));
  return find_tables(context_.engine, name, show_.sources);
}

QueryResult<void> Show::databases() {
  VARVE_QUERY_ASSIGN(const auto names, context_.databases.names());
  Rows rows(sink_, "databases", {"name"}, kOneString);
  for (const std::string& name : names) rows.add({name});
  rows.finish();
  return {};
}

QueryResult<void> Show::queries() {
  Rows rows(
      sink_, "", {"qid", "query", "database", "duration", "status"},
      {FieldType::kInt64, FieldType::kString, FieldType::kString, FieldType::kString, FieldType::kString});
  for (const RunningQuery& query : context_.queries.running()) {
    auto ns = static_cast<int64_t>(query.elapsed_ms * kNsPerMs);
    const int64_t unit = ns >= kNsPerSecond ? kNsPerSecond : ns >= kNsPerMs ? kNsPerMs : kNsPerUs;
    if (ns >= kNsPerUs) ns -= ns % unit;
    rows.add({static_cast<int64_t>(query.id), query.sql, std::string(), duration_text(ns),
              std::string("running")});
  }
  rows.finish();
  return {};
}

QueryResult<void> Show::policies() {
  VARVE_QUERY_TRY(database());
  Rows rows(
      sink_, "", {"name", "duration", "shardGroupDuration", "replicaN", "default"},
      {FieldType::kString, FieldType::kString, FieldType::kString, FieldType::kInt64, FieldType::kBool});
  rows.add({std::string("autogen"), std::string("0s"), std::string("168h0m0s"), int64_t{1}, true});
  rows.finish();
  return {};
}

QueryResult<void> Show::per_database(std::vector<std::string> columns) {
  VARVE_QUERY_ASSIGN(const auto names, context_.databases.names());
  for (const std::string& name : names) Rows(sink_, name, columns, {}).begin();
  return {};
}

QueryResult<void> Show::empty(std::vector<std::string> columns) {
  Rows(sink_, show_.what == ShowWhat::kShardGroups ? "shard groups" : "", std::move(columns), {}).begin();
  return {};
}

QueryResult<void> Show::measurements() {
  VARVE_QUERY_ASSIGN(const Tables found, matching_measurements());
  Rows rows(sink_, "measurements", {"name"}, kOneString, &show_);
  for (const TableInfo& table : found) {
    if (!rows.add({table.name})) break;
  }
  rows.finish();
  return {};
}

// A database without rows, known or not, has no measurements.
QueryResult<Show::Tables> Show::matching_measurements() {
  VARVE_QUERY_ASSIGN(const Condition where, condition());
  if (where.bounds_time()) return refused("SHOW MEASUREMENTS doesn't support time in WHERE clause");
  for (const TagTest& test : where.tests()) {
    if (!test.of_tag) return refused("right side of '=' must be a tag value string");
  }
  const std::string& name = show_.database.empty() ? context_.database : show_.database;
  if (name.empty()) return refused("database name required");
  VARVE_QUERY_ASSIGN(Tables found, find_tables(context_.engine, name, show_.sources));
  Tables matching;
  for (TableInfo& table : found) {
    VARVE_QUERY_ASSIGN(const bool holds, measurement_holds(table, where));
    if (holds) matching.push_back(std::move(table));
  }
  return matching;
}

// Each comparison asks the measurement, not a series of it: some value of the tag is that, or none is.
QueryResult<bool> Show::measurement_holds(const TableInfo& table, const Condition& where) const {
  if (!where.asks_tags()) return true;
  std::set<const TagTest*> met;
  VARVE_QUERY_TRY(for_each_series(context_.engine, table, Condition(), context_.budget,
                                  [&](const SeriesTags& tags) -> QueryResult<void> {
                                    for (const TagTest& test : where.tests()) {
                                      const std::string_view value = tags.value(test.tag);
                                      if (!value.empty() && test.matches(value)) met.insert(&test);
                                    }
                                    return {};
                                  }));
  const std::vector<std::string> tags = tag_names(table);
  return where.holds([&](const TagTest& test) {
    return std::binary_search(tags.begin(), tags.end(), test.tag) && met.contains(&test) != test.negated;
  });
}

QueryResult<void> Show::tag_keys() {
  VARVE_QUERY_ASSIGN(const Tables found, tables());
  VARVE_QUERY_ASSIGN(const Condition where, condition());
  for (const TableInfo& table : found) {
    VARVE_QUERY_ASSIGN(const auto keys, tag_keys_of(table, where));
    Rows rows(sink_, table.name, {"tagKey"}, kOneString, &show_);
    for (const std::string& key : keys) {
      if (!rows.add({key})) break;
    }
    if (!rows.finish()) break;
  }
  return {};
}

QueryResult<std::set<std::string>> Show::tag_keys_of(const TableInfo& table, const Condition& where) {
  const std::vector<std::string> names = tag_names(table);
  if (show_.condition == nullptr) return std::set<std::string>(names.begin(), names.end());
  std::set<std::string> keys;
  VARVE_QUERY_TRY(for_each_series(context_.engine, table, where, context_.budget,
                                  [&](const SeriesTags& tags) -> QueryResult<void> {
                                    for (const std::string& name : names) {
                                      if (!tags.value(name).empty()) keys.insert(name);
                                    }
                                    return {};
                                  }));
  return keys;
}

QueryResult<std::vector<std::string>> Show::wanted_keys(const TableInfo& table) const {
  std::vector<std::string> names = tag_names(table);
  const std::string& op = show_.key_op;
  std::optional<Regex> regex;
  if (op == "=~" || op == "!~") {
    VARVE_QUERY_ASSIGN(regex, Regex::compile(show_.keys[0]));
  }
  const bool negated = op == "!=" || op == "!~";
  std::erase_if(names, [&](const std::string& name) {
    const bool named = regex ? regex->matches(name)
                             : std::find(show_.keys.begin(), show_.keys.end(), name) != show_.keys.end();
    return named == negated;
  });
  return names;
}

QueryResult<std::set<std::pair<std::string, std::string>>> Show::tag_values_of(const TableInfo& table,
                                                                               const Condition& where) {
  std::set<std::pair<std::string, std::string>> values;
  VARVE_QUERY_ASSIGN(const std::vector<std::string> keys, wanted_keys(table));
  if (keys.empty()) return values;
  const auto collect = [&](const SeriesTags& tags) -> QueryResult<void> {
    for (const std::string& key : keys) {
      const std::string_view value = tags.value(key);
      if (value.empty() || !values.emplace(key, value).second) continue;
      VARVE_QUERY_TRY(remember(kSetNodeBytes + key.size() + value.size()));
    }
    return {};
  };
  VARVE_QUERY_TRY(for_each_series(context_.engine, table, where, context_.budget, collect));
  return values;
}

QueryResult<void> Show::tag_values() {
  VARVE_QUERY_ASSIGN(const Tables found, tables());
  VARVE_QUERY_ASSIGN(const Condition where, condition());
  for (const TableInfo& table : found) {
    VARVE_QUERY_ASSIGN(const auto values, tag_values_of(table, where));
    Rows rows(sink_, table.name, {"key", "value"}, kTwoStrings, &show_);
    for (const auto& [key, value] : values) {
      if (!rows.add({key, value})) break;
    }
    if (!rows.finish()) break;
    forget();
  }
  return {};
}

QueryResult<void> Show::field_keys() {
  VARVE_QUERY_ASSIGN(const Tables found, tables(true));
  for (const TableInfo& table : found) {
    Rows rows(sink_, table.name, {"fieldKey", "fieldType"}, kTwoStrings, &show_);
    for (const ColumnInfo& field : fields(table)) {
      if (!rows.add({field.name, std::string(influx_type(field.type))})) break;
    }
    if (!rows.finish()) break;
  }
  return {};
}

QueryResult<void> Show::series() {
  VARVE_QUERY_ASSIGN(const Tables found, tables(true));
  VARVE_QUERY_ASSIGN(const Condition where, condition());
  Rows rows(sink_, "", {"key"}, kOneString, &show_);
  for (const TableInfo& table : found) {
    const std::vector<std::string> names = tag_names(table);
    std::vector<std::string> keys;
    const auto add_key = [&](const SeriesTags& tags) -> QueryResult<void> {
      std::string& key = keys.emplace_back();
      append_escaped(key, table.name, true);
      for (const std::string& name : names) {
        const std::string_view value = tags.value(name);
        if (value.empty()) continue;
        key += ',';
        append_escaped(key, name, false);
        key += '=';
        append_escaped(key, value, false);
      }
      return remember(sizeof(std::string) + key.size());
    };
    VARVE_QUERY_TRY(for_each_series(context_.engine, table, where, context_.budget, add_key));
    std::sort(keys.begin(), keys.end());
    for (const std::string& key : keys) {
      if (!rows.add({key})) {
        rows.finish();
        return {};
      }
    }
    forget();
  }
  rows.finish();
  return {};
}

// InfluxDB counts roughly when nothing but the database is named, and answers with another column then.
QueryResult<void> Show::estimate() {
  const std::string& name = show_.database.empty() ? context_.database : show_.database;
  if (name.empty()) return refused("database name required");
  VARVE_QUERY_ASSIGN(const Tables found, find_tables(context_.engine, name, {}));
  uint64_t count = found.size();
  if (show_.what == ShowWhat::kSeriesCardinality) {
    count = 0;
    for (const TableInfo& table : found) count += table.series;
  }
  Rows rows(sink_, "", {"cardinality estimation"}, {FieldType::kInt64});
  rows.add({static_cast<int64_t>(count)});
  rows.finish();
  return {};
}

// The tags a measurement's series are grouped by, by name.
QueryResult<std::vector<std::string>> Show::grouped_by(const TableInfo& table) const {
  std::set<std::string> names;
  for (const Dimension& dimension : show_.dimensions) {
    if (dimension.kind == Dimension::Kind::kTag) {
      names.insert(dimension.text);
      continue;
    }
    std::optional<Regex> regex;
    if (dimension.kind == Dimension::Kind::kRegex) {
      VARVE_QUERY_ASSIGN(regex, Regex::compile(dimension.text));
    }
    for (const std::string& name : tag_names(table)) {
      if (!regex || regex->matches(name)) names.insert(name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

// Of each group of the measurement's series: what there is to count, as a number or as different texts.
QueryResult<Show::Counts> Show::counts_of(const TableInfo& table, const Condition& where) {
  Counts counts;
  VARVE_QUERY_ASSIGN(const std::vector<std::string> names, grouped_by(table));
  std::vector<std::string> keys = tag_names(table);
  if (show_.what == ShowWhat::kTagValuesCardinality) {
    VARVE_QUERY_ASSIGN(keys, wanted_keys(table));
  }
  const auto count = [&](const SeriesTags& tags) -> QueryResult<void> {
    TagList group;
    for (const std::string& name : names) group.emplace_back(name, tags.value(name));
    const auto [place, fresh] = counts.try_emplace(std::move(group));
    Count& of = place->second;
    uint64_t bytes = fresh ? kSetNodeBytes * (1 + names.size()) : 0;
    ++of.series;
    const bool of_keys = show_.what == ShowWhat::kTagKeyCardinality;
    for (const std::string& key : keys) {
      if (!of_keys && show_.what != ShowWhat::kTagValuesCardinality) break;
      const std::string_view value = tags.value(key);
      if (value.empty() || !of.texts.emplace(key, of_keys ? std::string_view() : value).second) continue;
      bytes += kSetNodeBytes + key.size() + value.size();
    }
    return bytes == 0 ? QueryResult<void>() : remember(bytes);
  };
  VARVE_QUERY_TRY(for_each_series(context_.engine, table, where, context_.budget, count));
  return counts;
}

uint64_t Show::counted(const TableInfo& table, const Count& count) const {
  switch (show_.what) {
    case ShowWhat::kFieldKeyCardinality:
      return fields(table).size();
    case ShowWhat::kTagKeyCardinality:
    case ShowWhat::kTagValuesCardinality:
      return count.texts.size();
    default:
      return count.series;
  }
}

// A series of the answer with one number.
bool Show::give_count(const std::string& name, const TagList& tags, uint64_t count) {
  Rows rows(sink_, name, {"count"}, {FieldType::kInt64}, &show_);
  rows.set_tags(tags);
  rows.add({static_cast<int64_t>(count)});
  return rows.finish();
}

QueryResult<void> Show::cardinality() {
  if (show_.by_time) return refused("a cardinality can be grouped by tags only");
  const bool of_measurements = show_.what == ShowWhat::kMeasurementCardinality;
  const bool plain = !show_.exact && show_.sources.empty() && show_.condition == nullptr &&
                     show_.dimensions.empty() && show_.limit == 0 && show_.offset == 0;
  if (plain && (of_measurements || show_.what == ShowWhat::kSeriesCardinality)) return estimate();
  VARVE_QUERY_ASSIGN(const Tables found, tables(true));
  VARVE_QUERY_ASSIGN(const Condition where, condition());
  std::map<TagList, uint64_t> measurements;
  for (const TableInfo& table : found) {
    VARVE_QUERY_ASSIGN(const Counts counts, counts_of(table, where));
    for (const auto& [tags, count] : counts) {
      if (of_measurements) {
        ++measurements[tags];
        continue;
      }
      const uint64_t number = counted(table, count);
      if (number > 0 && !give_count(table.name, tags, number)) return {};
    }
    if (!of_measurements) forget();
  }
  for (const auto& [tags, count] : measurements) {
    if (!give_count("", tags, count)) return {};
  }
  return {};
}

}  // namespace

QueryResult<void> run_show(const ShowContext& context, const ShowStatement& show, ResultSink& sink) {
  return Show(context, show, sink).run();
}

}  // namespace varve::influxql
