#include "api/influxql/select_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/influxql/select_check.h"

namespace varve::influxql {
namespace {

constexpr std::string_view kRetentionPolicy = "autogen";  // the only one

tl::unexpected<QueryError> refused(std::string message) {
  return tl::make_unexpected(influxql_error(std::move(message)));
}

// Of two types a name has in different sources, InfluxDB reads the one it lists first.
int rank(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return 1;
    case DataType::kInteger:
      return 2;
    case DataType::kString:
      return 3;
    case DataType::kBoolean:
      return 4;
    case DataType::kTag:
      return 5;
    case DataType::kUnknown:
      break;
  }
  return 6;
}

void add_field(SourceSchema& schema, const std::string& name, DataType type) {
  const auto [place, fresh] = schema.fields.try_emplace(name, type);
  if (!fresh && rank(type) < rank(place->second)) place->second = type;
}

Cast cast_of(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return Cast::kFloat;
    case DataType::kInteger:
      return Cast::kInteger;
    case DataType::kString:
      return Cast::kString;
    case DataType::kBoolean:
      return Cast::kBoolean;
    case DataType::kTag:
      return Cast::kTag;
    case DataType::kUnknown:
      break;
  }
  return Cast::kNone;
}

ExprPtr name_expr(const std::string& name, DataType type) {
  auto expr = std::make_unique<Expr>();
  expr->kind = ExprKind::kName;
  expr->text = name;
  expr->cast = cast_of(type);
  return expr;
}

bool is_in(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether `name(*)` takes in fields of this type.
bool expands_to(std::string_view function, DataType type) {
  if (type == DataType::kFloat || type == DataType::kInteger) return true;
  const bool any = is_in(function, {"count", "first", "last", "distinct", "elapsed", "mode", "sample"});
  if (type == DataType::kString) return any;
  return type == DataType::kBoolean && (any || function == "min" || function == "max");
}

// The words of InfluxDB's error for a function that cannot take the type.
QueryResult<void> check_argument_type(std::string_view function, DataType type) {
  if (type != DataType::kString && type != DataType::kBoolean) return {};
  if (expands_to(function, type)) return {};
  std::string name(function);
  if (name.starts_with("non_negative_")) name.erase(0, std::string_view("non_negative_").size());
  if (name.starts_with("holt_winters")) name = "holt_winters";
  std::replace(name.begin(), name.end(), '_', ' ');
  return refused(
      fmt::format("unsupported {} iterator type: *query.{}InterruptIterator", name, data_type_name(type)));
}

std::string default_name(const Expr& expr);

// What an operand gives to the name of a sum: nothing when it folds to a number.
std::string names_in(const Expr& expr) {
  const bool is_math = expr.kind == ExprKind::kCall && math_arguments(expr.text) > 0;
  const bool constant = is_math && std::all_of(expr.children.begin(), expr.children.end(),
                                               [](const ExprPtr& child) { return is_literal(*child); });
  return constant ? std::string() : default_name(expr);
}

std::string default_name(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kName:
    case ExprKind::kCall:
      return expr.text;
    case ExprKind::kParen:
      return default_name(*expr.children[0]);
    case ExprKind::kBinary: {
      std::string left = names_in(*expr.children[0]);
      std::string right = names_in(*expr.children[1]);
      return left.empty() ? right : right.empty() ? left : left + "_" + right;
    }
    default:
      return {};
  }
}

std::vector<std::string> column_names(const std::vector<Field>& fields) {
  std::vector<std::string> names(fields.size());
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].alias.empty()) continue;
    names[i] = fields[i].alias;
    seen[names[i]] = 1;
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].alias.empty()) continue;
    const std::string name = default_name(*fields[i].expr);
    names[i] = name;
    if (const auto known = seen.find(name); known != seen.end()) {
      size_t& count = known->second;
      while (seen.contains(fmt::format("{}_{}", name, count))) ++count;
      names[i] = fmt::format("{}_{}", name, count++);
    }
    ++seen[names[i]];
  }
  return names;
}

class Resolver {
 public:
  Resolver(const Engine& engine, const std::string& database, int64_t now_ns, const SelectStatement& select,
           const ResolvedSelect* outer)
      : engine_(engine), database_(database), now_ns_(now_ns), select_(select), outer_(outer) {}

  QueryResult<ResolvedSelect> run() {
    if (select_.into) return refused("SELECT ... INTO is not supported: write the points to /write instead");
    VARVE_QUERY_TRY(take_clauses());
    for (const Source& source : select_.sources) VARVE_QUERY_TRY(add_source(source));
    schema_ = schema_of(out_.sources);
    VARVE_QUERY_TRY(take_dimensions());
    VARVE_QUERY_TRY(expand_fields());
    VARVE_QUERY_TRY(type_fields());
    if (out_.condition) type_names(*out_.condition);
    out_.columns = column_names(out_.fields);
    return std::move(out_);
  }

 private:
  QueryResult<void> take_clauses() {
    if (!select_.time_zone.empty()) {
      auto zone = TimeZone::find(select_.time_zone);
      if (!zone) return refused("error parsing query: unable to find time zone " + select_.time_zone);
      out_.window.zone = *zone;
    }
    VARVE_QUERY_ASSIGN(SplitCondition condition,
                       split_condition(select_.condition.get(), now_ns_, out_.window.zone));
    out_.condition = std::move(condition.rest);
    out_.time = condition.time;
    if (select_.time_dimension && select_.time_dimension->interval_ns > 0) {
      out_.window.interval_ns = select_.time_dimension->interval_ns;
      out_.window.offset_ns = select_.time_dimension->offset_ns;
    }
    out_.fill = select_.fill;
    out_.descending = select_.descending;
    out_.limit = select_.limit;
    out_.offset = select_.offset;
    out_.series_limit = select_.series_limit;
    out_.series_offset = select_.series_offset;
    if (outer_ != nullptr) inherit();
    return {};
  }

  void inherit() {
    out_.time.narrow(outer_->time);
    out_.descending = outer_->descending;
    if (out_.window.none()) {
      const TimeZone zone = out_.window.zone;
      out_.window = outer_->window;
      out_.window.zone = zone;
    }
    // Rows of nulls go nowhere in the query around this one.
    if (out_.fill.kind == Fill::Kind::kDefault || out_.fill.kind == Fill::Kind::kNull) {
      out_.fill.kind = Fill::Kind::kNone;
    }
  }

  QueryResult<void> add_source(const Source& source) {
    if (source.subquery) {
      ResolvedSource resolved;
      // The inner query needs the outer one's dimensions only for grouping; they are joined when those are known.
      VARVE_QUERY_ASSIGN(ResolvedSelect inner,
                         resolve_select(engine_, database_, now_ns_, *source.subquery, &out_));
      resolved.select = std::make_unique<ResolvedSelect>(std::move(inner));
      out_.sources.push_back(std::move(resolved));
      return {};
    }
    const std::string& database = source.database.empty() ? database_ : source.database;
    const std::vector<TableInfo> tables = engine_.tables();
    const auto in_database = [&](const TableInfo& table) { return table.database == database; };
    if (!source.database.empty() && source.database != database_ &&
        std::none_of(tables.begin(), tables.end(), in_database)) {
      return refused("database not found: " + source.database);
    }
    if (!source.retention_policy.empty() && source.retention_policy != kRetentionPolicy) {
      return refused("retention policy not found: " + source.retention_policy);
    }
    std::optional<Regex> regex;
    if (source.is_regex) {
      VARVE_QUERY_ASSIGN(regex, Regex::compile(source.name));
    }
    for (const TableInfo& table : tables) {
      if (!in_database(table) || !(regex ? regex->matches(table.name) : table.name == source.name)) continue;
      out_.sources.emplace_back().table = table;
    }
    return {};
  }

  // GROUP BY of an outer query groups the inner one, too.
  static void add_dimensions(ResolvedSelect& select, const std::vector<std::string>& dimensions) {
    select.dimensions.insert(select.dimensions.end(), dimensions.begin(), dimensions.end());
    std::sort(select.dimensions.begin(), select.dimensions.end());
    const auto last = std::unique(select.dimensions.begin(), select.dimensions.end());
    select.dimensions.erase(last, select.dimensions.end());
    for (ResolvedSource& source : select.sources) {
      if (source.select) add_dimensions(*source.select, dimensions);
    }
  }

  QueryResult<void> take_dimensions() {
    for (const Dimension& dimension : select_.dimensions) {
      if (dimension.kind == Dimension::Kind::kTag) {
        out_.own_dimensions.push_back(dimension.text);
        continue;
      }
      dimension_wildcard_ = true;
      std::optional<Regex> regex;
      if (dimension.kind == Dimension::Kind::kRegex) {
        VARVE_QUERY_ASSIGN(regex, Regex::compile(dimension.text));
      }
      for (const std::string& tag : schema_.tags) {
        if (!regex || regex->matches(tag)) out_.own_dimensions.push_back(tag);
      }
    }
    add_dimensions(out_, out_.own_dimensions);
    return {};
  }

  // What `*` stands for: fields, and tags that GROUP BY does not take, by name.
  std::vector<std::pair<std::string, DataType>> wildcard_names() const {
    std::vector<std::pair<std::string, DataType>> names(schema_.fields.begin(), schema_.fields.end());
    if (!dimension_wildcard_ && !names.empty()) {
      for (const std::string& tag : schema_.tags) {
        const auto& taken = out_.own_dimensions;
        if (std::find(taken.begin(), taken.end(), tag) == taken.end())
          names.emplace_back(tag, DataType::kTag);
      }
    }
    std::stable_sort(names.begin(), names.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    return names;
  }

  QueryResult<void> expand_fields() {
    names_ = wildcard_names();
    for (const Field& field : select_.fields) {
      const Expr& expr = *field.expr;
      if (expr.kind == ExprKind::kName && expr.text == kTimeColumn) {
        if (!field.alias.empty()) out_.time_name = field.alias;
        continue;
      }
      if (expr.kind == ExprKind::kWildcard || expr.kind == ExprKind::kRegex) {
        VARVE_QUERY_TRY(expand_names(expr));
      } else if (expr.kind == ExprKind::kCall) {
        VARVE_QUERY_TRY(expand_call(field));
      } else {
        out_.fields.push_back({clone(expr), field.alias});
      }
    }
    return {};
  }

  QueryResult<void> expand_names(const Expr& wildcard) {
    std::optional<Regex> regex;
    if (wildcard.kind == ExprKind::kRegex) {
      VARVE_QUERY_ASSIGN(regex, Regex::compile(wildcard.text));
    }
    for (const auto& [name, type] : names_) {
      if (regex && !regex->matches(name)) continue;
      if (wildcard.cast == Cast::kField && type == DataType::kTag) continue;
      if (wildcard.cast == Cast::kTag && type != DataType::kTag) continue;
      out_.fields.push_back({name_expr(name, type), {}});
    }
    return {};
  }

  QueryResult<void> expand_call(const Field& field) {
    const Expr* innermost = field.expr.get();
    while (!innermost->children.empty() && innermost->children[0]->kind == ExprKind::kCall) {
      innermost = innermost->children[0].get();
    }
    const Expr* argument = innermost->children.empty() ? nullptr : innermost->children[0].get();
    if (argument == nullptr ||
        (argument->kind != ExprKind::kWildcard && argument->kind != ExprKind::kRegex)) {
      out_.fields.push_back({clone(*field.expr), field.alias});
      const Expr& call = *out_.fields.back().expr;
      if (call.text != "top" && call.text != "bottom") return {};
      for (size_t i = 1; i + 1 < call.children.size(); ++i) {  // each is a column of its own
        out_.fields.push_back({clone(*field.expr->children[i]), {}});
      }
      return {};
    }
    std::optional<Regex> regex;
    if (argument->kind == ExprKind::kRegex) {
      VARVE_QUERY_ASSIGN(regex, Regex::compile(argument->text));
    }
    const std::string prefix = field.alias.empty() ? default_name(*field.expr) : field.alias;
    for (const auto& [name, type] : names_) {
      if (type == DataType::kTag || !expands_to(innermost->text, type)) continue;
      if (regex && !regex->matches(name)) continue;
      ExprPtr copy = clone(*field.expr);
      Expr* at = copy.get();
      while (at->children[0]->kind == ExprKind::kCall) at = at->children[0].get();
      at->children[0] = name_expr(name, type);
      out_.fields.push_back({std::move(copy), prefix + "_" + name});
    }
    return {};
  }

  void type_names(Expr& expr) const {
    if (expr.kind == ExprKind::kName) {
      if (expr.cast == Cast::kNone) expr.cast = cast_of(schema_.type_of(expr.text));
      if (expr.cast == Cast::kField) {
        const auto field = schema_.fields.find(expr.text);
        // Not a tag by that name: a type no tag has keeps it apart.
        expr.cast = field == schema_.fields.end() ? Cast::kField : cast_of(field->second);
      }
    }
    for (ExprPtr& child : expr.children) type_names(*child);
  }

  QueryResult<DataType> call_type(const Expr& call) {
    const bool has_argument = !call.children.empty();
    DataType argument = DataType::kUnknown;
    if (has_argument) {
      const Expr& first = *call.children[0];
      if (first.kind == ExprKind::kCall) {
        VARVE_QUERY_ASSIGN(argument, call_type(first));
      } else {
        argument = type_of_name(first);
      }
      VARVE_QUERY_TRY(check_argument_type(call.text, argument));
    }
    if (call.text == "count" || call.text == "elapsed") return DataType::kInteger;
    if (is_in(call.text, {"mean", "median", "stddev", "integral", "derivative", "non_negative_derivative",
                          "moving_average", "holt_winters", "holt_winters_with_fit"})) {
      return DataType::kFloat;
    }
    return argument;
  }

  void collect_calls(const Expr& expr) {
    if (expr.kind == ExprKind::kCall && math_arguments(expr.text) == 0) {
      const std::string text = expr_text(expr);
      const bool known = std::any_of(out_.calls.begin(), out_.calls.end(),
                                     [&](const Expr* call) { return expr_text(*call) == text; });
      if (!known) out_.calls.push_back(&expr);
      return;
    }
    for (const ExprPtr& child : expr.children) collect_calls(*child);
  }

  QueryResult<void> type_fields() {
    for (Field& field : out_.fields) {
      type_names(*field.expr);
      VARVE_QUERY_ASSIGN(DataType type,
                         type_of_expr(*field.expr, [&](const Expr& leaf) -> QueryResult<DataType> {
                           if (leaf.kind == ExprKind::kCall) return call_type(leaf);
                           return type_of_name(leaf);
                         }));
      out_.types.push_back(type);
      collect_calls(*field.expr);
    }
    return {};
  }

  const Engine& engine_;
  const std::string& database_;
  const int64_t now_ns_;
  const SelectStatement& select_;
  const ResolvedSelect* outer_;
  ResolvedSelect out_;
  SourceSchema schema_;
  bool dimension_wildcard_ = false;
  std::vector<std::pair<std::string, DataType>> names_;
};

}  // namespace

TimeRange ResolvedSelect::range() const {
  return {time.min.value_or(kTimeMin), time.max.value_or(kTimeMax)};
}

DataType SourceSchema::type_of(const std::string& name) const {
  if (const auto field = fields.find(name); field != fields.end()) return field->second;
  return tags.contains(name) ? DataType::kTag : DataType::kUnknown;
}

SourceSchema schema_of(const std::vector<ResolvedSource>& sources) {
  SourceSchema schema;
  for (const ResolvedSource& source : sources) {
    if (source.table) {
      for (const ColumnInfo& column : source.table->columns) {
        if (column.kind == ColumnKind::kField) add_field(schema, column.name, data_type(column.type));
        if (column.kind == ColumnKind::kTag) schema.tags.insert(column.name);
      }
      continue;
    }
    const ResolvedSelect& select = *source.select;
    for (size_t i = 0; i < select.columns.size(); ++i) {
      if (select.types[i] == DataType::kTag) {
        schema.tags.insert(select.columns[i]);
      } else {
        add_field(schema, select.columns[i], select.types[i]);
      }
    }
    schema.tags.insert(select.own_dimensions.begin(), select.own_dimensions.end());
  }
  return schema;
}

QueryResult<ResolvedSelect> resolve_select(const Engine& engine, const std::string& database, int64_t now_ns,
                                           const SelectStatement& select, const ResolvedSelect* outer) {
  return Resolver(engine, database, now_ns, select, outer).run();
}

}  // namespace varve::influxql
