#include "api/influxql/select_rows.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "api/influxql/select_filter.h"

namespace varve::influxql {
namespace {

// Where a column of the groups comes from, within one source.
struct Origin {
  enum class Kind { kNull, kField, kTag };
  Kind kind = Kind::kNull;
  size_t field = 0;  // kField: of the source's columns
  std::string tag;   // kTag
};

// Appends value `row` of `from`, as the type of `to` where InfluxDB casts.
void append_cast(ColumnVector& to, const ColumnVector& from, size_t row) {
  if (!from.is_valid(row)) return to.push_null();
  if (from.type == FieldType::kDouble && !std::isfinite(from.doubles[row])) return to.push_null();
  if (from.type == to.type || (from.type == FieldType::kInt64 && to.type == FieldType::kDouble)) {
    return to.push_from(from, row);
  }
  if (from.type == FieldType::kDouble && to.type == FieldType::kInt64) {
    return to.push_int(clamped_int64(from.doubles[row]));
  }
  to.push_null();
}

bool casts(FieldType from, FieldType to) {
  const auto number = [](FieldType type) { return type == FieldType::kDouble || type == FieldType::kInt64; };
  return from == to || (number(from) && number(to));
}

bool has_value(const ColumnVector& column, size_t row) {
  return column.is_valid(row) && (column.type != FieldType::kDouble || std::isfinite(column.doubles[row]));
}

bool all_present(const ColumnVector& column, size_t rows) {
  if (column.has_nulls()) return false;
  if (column.type != FieldType::kDouble) return true;
  for (size_t row = 0; row < rows; ++row) {
    if (!std::isfinite(column.doubles[row])) return false;
  }
  return true;
}

template <class T>
void permute(std::vector<T>& values, const std::vector<uint32_t>& order) {
  if (values.empty()) return;
  std::vector<T> moved;
  moved.reserve(values.size());
  for (const uint32_t row : order) moved.push_back(values[row]);
  values = std::move(moved);
}

void permute(ColumnVector& column, const std::vector<uint32_t>& order) {
  permute(column.doubles, order);
  permute(column.ints, order);
  permute(column.bools, order);
  permute(column.valid, order);
  if (column.strings.size() == 0) return;
  StringColumn moved;
  for (const uint32_t row : order) moved.push_back(column.strings[row]);
  column.strings = std::move(moved);
}

void sort_by_time(RowGroup& group) {
  if (std::is_sorted(group.times.begin(), group.times.end())) return;
  std::vector<uint32_t> order(group.times.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return group.times[a] < group.times[b]; });
  permute(group.times, order);
  for (ColumnVector& column : group.columns) permute(column, order);
}

// Collects groups from all sources.
class Collector {
 public:
  Collector(const SelectContext& context, const ResolvedSelect& select, const std::vector<ColumnRef>& columns,
            const TimeRange& range, MemoryUse& memory)
      : context_(context), select_(select), columns_(columns), range_(range), memory_(memory) {}

  QueryResult<std::vector<RowGroup>> run(std::span<const ResolvedSource> sources) {
    for (const ResolvedSource& source : sources) {
      VARVE_QUERY_TRY(source.table ? read_table(*source.table) : read_select(*source.select));
    }
    return finish();
  }

  size_t all_groups() const { return groups_.size(); }

 private:
  size_t group_of(const std::string& name, const RowFilter::TagOf& tag_of) {
    key_.first = name;
    key_.second.clear();
    for (const std::string& dimension : select_.dimensions)
      key_.second.emplace_back(dimension, tag_of(dimension));
    const auto [place, fresh] = numbers_.try_emplace(key_, groups_.size());
    if (fresh) {
      RowGroup& group = groups_.emplace_back();
      group.name = name;
      group.tags = key_.second;
      for (const ColumnRef& column : columns_) group.columns.emplace_back(field_type(column.type));
    }
    return place->second;
  }

  // Rows of one series: `fields` are the source's columns, `origins` say which go where.
  QueryResult<void> append(RowGroup& group, std::span<const int64_t> times,
                           const std::vector<const ColumnVector*>& fields, const std::vector<Origin>& origins,
                           const RowFilter::TagOf& tag_of, RowFilter& filter) {
    selected_.clear();
    if (filter.has_row_part()) {
      filter.select(fields, times.size(), selected_);
    } else {
      selected_.resize(times.size());
      std::iota(selected_.begin(), selected_.end(), 0U);
    }
    drop_empty_rows(times.size(), fields, origins);
    if (selected_.empty()) return {};
    for (const uint32_t row : selected_) group.times.push_back(times[row]);
    for (size_t i = 0; i < origins.size(); ++i) append_column(group.columns[i], fields, origins[i], tag_of);
    bytes_ += selected_.size() * (sizeof(int64_t) + origins.size() * sizeof(double));
    return memory_.set(bytes_);
  }

  void drop_empty_rows(size_t rows, const std::vector<const ColumnVector*>& fields,
                       const std::vector<Origin>& origins) {
    for (const Origin& origin : origins) {
      if (origin.kind == Origin::Kind::kField && all_present(*fields[origin.field], rows)) return;
    }
    std::erase_if(selected_, [&](uint32_t row) {
      return std::none_of(origins.begin(), origins.end(), [&](const Origin& origin) {
        return origin.kind == Origin::Kind::kField && has_value(*fields[origin.field], row);
      });
    });
  }

  void append_column(ColumnVector& to, const std::vector<const ColumnVector*>& fields, const Origin& origin,
                     const RowFilter::TagOf& tag_of) {
    if (origin.kind == Origin::Kind::kNull) return to.push_nulls(selected_.size());
    if (origin.kind == Origin::Kind::kTag) {
      const std::string_view value = tag_of(origin.tag);
      if (value.empty()) return to.push_nulls(selected_.size());
      for (size_t i = 0; i < selected_.size(); ++i) to.push_string(value);
      bytes_ += selected_.size() * value.size();
      return;
    }
    const ColumnVector& from = *fields[origin.field];
    if (from.type == FieldType::kString) bytes_ += from.strings.bytes.size();
    const bool run = selected_.back() - selected_.front() + 1 == selected_.size();
    if (run && from.type == to.type && (from.type != FieldType::kDouble || all_present(from, from.size()))) {
      return to.push_range(from, selected_.front(), selected_.back() + 1);
    }
    for (const uint32_t row : selected_) append_cast(to, from, row);
  }

  QueryResult<void> read_table(const TableInfo& table) {
    if (range_.empty()) return {};
    ScanRequest request;
    request.database = table.database;
    request.table = table.name;
    request.time = range_;
    const auto info = [&](const std::string& name, ColumnKind kind) -> const ColumnInfo* {
      const auto found =
          std::find_if(table.columns.begin(), table.columns.end(),
                       [&](const ColumnInfo& column) { return column.kind == kind && column.name == name; });
      return found == table.columns.end() ? nullptr : &*found;
    };
    const auto scanned = [&](const std::string& name) {
      const auto found = std::find(request.fields.begin(), request.fields.end(), name);
      if (found != request.fields.end()) return static_cast<size_t>(found - request.fields.begin());
      request.fields.push_back(name);
      return request.fields.size() - 1;
    };
    std::vector<Origin> origins;
    bool any_field = false;
    for (const ColumnRef& column : columns_) {
      Origin& origin = origins.emplace_back();
      if (column.type == DataType::kTag && info(column.name, ColumnKind::kTag) != nullptr) {
        if (column.argument) continue;
        origin.kind = Origin::Kind::kTag;
        origin.tag = column.name;
      } else if (column.type != DataType::kTag) {
        const ColumnInfo* field = info(column.name, ColumnKind::kField);
        if (field == nullptr || !casts(field->type, field_type(column.type))) continue;
        origin.kind = Origin::Kind::kField;
        origin.field = scanned(column.name);
        any_field = true;
      }
    }
    if (!any_field) return {};
    const auto place_of = [&](const Expr& name) -> RowFilter::Place {
      if (name.cast == Cast::kField) return {};
      if (name.cast != Cast::kTag && info(name.text, ColumnKind::kField) != nullptr) {
        return {RowFilter::Where::kField, scanned(name.text)};
      }
      return {RowFilter::Where::kTag, 0};
    };
    VARVE_QUERY_ASSIGN(RowFilter filter, RowFilter::make(select_.condition.get(), place_of));
    return scan_table(std::move(request), origins, filter);
  }

  QueryResult<void> scan_table(ScanRequest request, const std::vector<Origin>& origins, RowFilter& filter) {
    const std::string name = request.table;
    QueryResult<void> checked;
    uint64_t series_seen = 0;
    request.series_filter = [&](const SeriesTags& tags) {
      constexpr uint64_t kSeriesPerCheck = 1024;
      if (++series_seen % kSeriesPerCheck == 0 && checked) checked = context_.budget.check();
      if (!checked) return false;
      const auto tag_of = [&](const std::string& tag) { return tags.value(tag); };
      if (!filter.series_passes(tag_of)) return false;
      group_of(name, tag_of);  // SLIMIT counts series without rows, too
      return true;
    };
    VARVE_QUERY_ASSIGN(request.pin, context_.pins->of(context_.engine, request.database, request.table));
    auto scan = context_.engine.scan(std::move(request));
    if (!scan) return tl::make_unexpected(from_storage(scan.error()));
    ScanBlock block;
    std::optional<SeriesId> series;
    size_t group = 0;
    std::vector<const ColumnVector*> fields;
    while (true) {
      VARVE_QUERY_TRY(context_.budget.check());
      const Result<bool> more = (*scan)->next(block);
      if (!checked) return checked;
      if (!more) return tl::make_unexpected(from_storage(more.error()));
      if (!*more) return {};
      context_.budget.add_scanned(block.rows);
      const SeriesTags& tags = (*scan)->tags(block.series);
      const auto tag_of = [&](const std::string& tag) { return tags.value(tag); };
      filter.series_passes(tag_of);  // the scan may have asked about other series since
      if (series != block.series) group = group_of(name, tag_of);
      series = block.series;
      fields.clear();
      for (const ColumnVector& column : block.columns) fields.push_back(&column);
      VARVE_QUERY_TRY(append(groups_[group], block.times, fields, origins, tag_of, filter));
    }
  }

  QueryResult<void> read_select(const ResolvedSelect& inner) {
    const auto output = [&](const std::string& name) -> std::optional<size_t> {
      const auto found = std::find(inner.columns.begin(), inner.columns.end(), name);
      if (found == inner.columns.end()) return std::nullopt;
      return static_cast<size_t>(found - inner.columns.begin());
    };
    const auto is_tag = [&](const std::string& name) {
      return std::find(inner.own_dimensions.begin(), inner.own_dimensions.end(), name) !=
             inner.own_dimensions.end();
    };
    std::vector<Origin> origins;
    for (const ColumnRef& column : columns_) {
      Origin& origin = origins.emplace_back();
      if (const auto field = output(column.name)) {
        origin.kind = Origin::Kind::kField;
        origin.field = *field;
      } else if (is_tag(column.name)) {
        origin.kind = Origin::Kind::kTag;
        origin.tag = column.name;
      }
    }
    const auto place_of = [&](const Expr& name) -> RowFilter::Place {
      if (const auto field = output(name.text)) return {RowFilter::Where::kField, *field};
      if (is_tag(name.text)) return {RowFilter::Where::kTag, 0};
      return {};
    };
    VARVE_QUERY_ASSIGN(RowFilter filter, RowFilter::make(select_.condition.get(), place_of));
    return execute_select(context_, inner, [&](RowGroup& rows) -> QueryResult<bool> {
      const auto tag_of = [&](const std::string& tag) -> std::string_view {
        for (const auto& [name, value] : rows.tags) {
          if (name == tag) return value;
        }
        return {};
      };
      if (!filter.series_passes(tag_of)) return true;
      std::vector<const ColumnVector*> fields;
      for (const ColumnVector& column : rows.columns) fields.push_back(&column);
      const size_t group = group_of(rows.name, tag_of);
      VARVE_QUERY_TRY(append(groups_[group], rows.times, fields, origins, tag_of, filter));
      return true;
    });
  }

  QueryResult<std::vector<RowGroup>> finish() {
    // By name and tags: the order of the map.
    std::vector<RowGroup> sorted;
    std::string measurement;
    int64_t of_measurement = 0;
    for (const auto& [key, number] : numbers_) {
      if (key.first != measurement) of_measurement = 0;
      measurement = key.first;
      const int64_t place = of_measurement++;
      const bool limited = select_.series_limit > 0 || select_.series_offset > 0;
      if (limited && place < select_.series_offset) continue;
      if (select_.series_limit > 0 && place >= select_.series_offset + select_.series_limit) continue;
      if (groups_[number].times.empty()) continue;
      sort_by_time(groups_[number]);
      sorted.push_back(std::move(groups_[number]));
    }
    return sorted;
  }

  const SelectContext& context_;
  const ResolvedSelect& select_;
  const std::vector<ColumnRef>& columns_;
  const TimeRange range_;
  MemoryUse& memory_;
  std::map<std::pair<std::string, TagSet>, size_t> numbers_;
  std::pair<std::string, TagSet> key_;
  std::vector<RowGroup> groups_;
  std::vector<uint32_t> selected_;
  uint64_t bytes_ = 0;
};

}  // namespace

QueryResult<std::vector<RowGroup>> read_rows(const SelectContext& context, const ResolvedSelect& select,
                                             std::span<const ResolvedSource> sources,
                                             const std::vector<ColumnRef>& columns, const TimeRange& range,
                                             MemoryUse& memory, size_t* all_groups) {
  Collector collector(context, select, columns, range, memory);
  VARVE_QUERY_ASSIGN(std::vector<RowGroup> groups, collector.run(sources));
  if (all_groups != nullptr) *all_groups = collector.all_groups();
  return groups;
}

void reverse_rows(RowGroup& group) {
  std::vector<uint32_t> order(group.times.size());
  std::iota(order.rbegin(), order.rend(), 0U);
  permute(group.times, order);
  for (ColumnVector& column : group.columns) permute(column, order);
}

}  // namespace varve::influxql
