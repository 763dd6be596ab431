#include "tests/support/memory_engine.h"

#include <algorithm>
#include <cmath>

#include "api/query/interval.h"
#include "storage/base/check.h"

namespace varve {
namespace {

class MapTags : public SeriesTags {
 public:
  explicit MapTags(const MemoryEngine::Series& series) : series_(series) {}
  std::string_view value(std::string_view tag_name) const override {
    const auto found = series_.tags.find(tag_name);
    return found == series_.tags.end() ? std::string_view() : std::string_view(found->second);
  }

 private:
  const MemoryEngine::Series& series_;
};

FieldType type_of(const Value& value) {
  if (std::holds_alternative<int64_t>(value)) return FieldType::kInt64;
  if (std::holds_alternative<bool>(value)) return FieldType::kBool;
  if (std::holds_alternative<std::string>(value)) return FieldType::kString;
  return FieldType::kDouble;
}

// False when the column must not come as statistics: a NaN, or a sum beyond int64.
bool statistics_of(const ColumnVector& column, ColumnStatistics& out) {
  for (size_t row = 0; row < column.size(); ++row) {
    if (!column.is_valid(row)) continue;
    const bool first = out.count++ == 0;
    if (column.type == FieldType::kDouble) {
      const double value = column.doubles[row];
      if (std::isnan(value)) return false;
      out.min = first ? value : std::min(out.min, value);
      out.max = first ? value : std::max(out.max, value);
      out.sum += value;
      if (first) out.first = value;
      out.last = value;
    } else if (column.type == FieldType::kInt64) {
      const int64_t value = column.ints[row];
      out.min_int = first ? value : std::min(out.min_int, value);
      out.max_int = first ? value : std::max(out.max_int, value);
      if (__builtin_add_overflow(out.sum_int, value, &out.sum_int)) return false;
      if (first) out.first_int = value;
      out.last_int = value;
    }
  }
  return true;
}

class MemoryScan : public Scan {
 public:
  MemoryScan(const MemoryEngine& engine, const MemoryEngine::Table& table, ScanRequest request)
      : engine_(engine), table_(table), request_(std::move(request)) {
    for (const std::string& field : request_.fields) {
      std::optional<FieldType> type;
      for (const ColumnInfo& column : table.info.columns) {
        if (column.name == field && column.kind == ColumnKind::kField) type = column.type;
      }
      types_.push_back(type);
    }
    if (engine.scans_with_other_types > 0) {
      --engine.scans_with_other_types;
      for (auto& type : types_) type = type == FieldType::kDouble ? FieldType::kInt64 : FieldType::kDouble;
    }
    for (const auto& series : table.series) tags_.emplace_back(series);
    enter_series(0);
  }

  std::span<const std::optional<FieldType>> field_types() const override { return types_; }
  const SeriesTags& tags(SeriesId series) const override { return tags_[series]; }
  const ScanCounters& counters() const override { return counters_; }

  Result<bool> next(ScanBlock& block) override {
    if (!engine_.scan_failure.empty() && counters_.rows > 0) return corruption(engine_.scan_failure);
    while (series_ < table_.series.size() && at_ == end_) enter_series(series_ + 1);
    if (series_ >= table_.series.size()) return false;
    fill();
    block = {};
    block.series = static_cast<SeriesId>(series_);
    block.rows = times_.size();
    block.time_min = times_.front();
    block.time_max = times_.back();
    counters_.rows += block.rows;
    if (request_.may_use_statistics && engine_.offer_statistics && one_bucket() && make_statistics()) {
      ++counters_.blocks_from_statistics;
      block.from_statistics = true;
      block.statistics = statistics_;
    } else {
      ++counters_.blocks_decoded;
      block.times = times_;
      block.columns = columns_;
    }
    return true;
  }

 private:
  using RowIterator = decltype(MemoryEngine::Series::rows)::const_iterator;

  void enter_series(size_t index) {
    for (series_ = index; series_ < table_.series.size(); ++series_) {
      if (request_.series_filter && !request_.series_filter(tags_[series_])) continue;
      const auto& rows = table_.series[series_].rows;
      at_ = rows.lower_bound(request_.time.min);
      end_ = rows.upper_bound(request_.time.max);
      return;
    }
  }

  void fill() {
    times_.clear();
    columns_.clear();
    for (const auto& type : types_) columns_.emplace_back(type.value_or(FieldType::kDouble));
    for (; at_ != end_ && times_.size() < engine_.block_rows; ++at_) {
      times_.push_back(at_->first);
      for (size_t i = 0; i < columns_.size(); ++i) {
        const auto found = at_->second.find(request_.fields[i]);
        columns_[i].push_value(found == at_->second.end() ? Value{} : found->second);
      }
    }
  }

  bool one_bucket() const {
    if (request_.bucket_width_ns == 0) return true;
    return bucket_start(times_.front(), request_.bucket_width_ns, request_.bucket_origin_ns) ==
           bucket_start(times_.back(), request_.bucket_width_ns, request_.bucket_origin_ns);
  }

  bool make_statistics() {
    statistics_.assign(columns_.size(), {});
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!statistics_of(columns_[i], statistics_[i])) return false;
    }
    return true;
  }

  const MemoryEngine& engine_;
  const MemoryEngine::Table& table_;
  const ScanRequest request_;
  std::vector<std::optional<FieldType>> types_;
  std::vector<MapTags> tags_;
  size_t series_ = 0;
  RowIterator at_, end_;
  std::vector<int64_t> times_;
  std::vector<ColumnVector> columns_;
  std::vector<ColumnStatistics> statistics_;
  ScanCounters counters_;
};

}  // namespace

MemoryEngine::Table& MemoryEngine::table(std::string_view database, std::string_view name) {
  const auto [place, fresh] = tables_.try_emplace({std::string(database), std::string(name)});
  if (fresh) {
    place->second.info.database = database;
    place->second.info.name = name;
    place->second.info.columns.push_back({std::string(kTimeColumn), ColumnKind::kTime, FieldType::kInt64});
  }
  return place->second;
}

void MemoryEngine::declare(std::string_view database, std::string_view name,
                           std::vector<ColumnInfo> columns) {
  auto& into = table(database, name).info.columns;
  into.insert(into.end(), columns.begin(), columns.end());
}

void MemoryEngine::insert(std::string_view database, std::string_view name, int64_t time, const Tags& tags,
                          const Fields& fields) {
  Table& into = table(database, name);
  const auto declare_missing = [&](const std::string& column, ColumnKind kind, FieldType type) {
    const bool known = std::any_of(into.info.columns.begin(), into.info.columns.end(),
                                   [&](const ColumnInfo& info) { return info.name == column; });
    if (!known) into.info.columns.push_back({column, kind, type});
  };
  Series wanted;
  for (const auto& [tag, value] : tags) {
    declare_missing(tag, ColumnKind::kTag, FieldType::kString);
    if (!value.empty()) wanted.tags[tag] = value;
  }
  auto series = std::find_if(into.series.begin(), into.series.end(),
                             [&](const Series& known) { return known.tags == wanted.tags; });
  if (series == into.series.end()) series = into.series.insert(into.series.end(), wanted);
  auto& row = series->rows[time];
  for (const auto& [field, value] : fields) {
    declare_missing(field, ColumnKind::kField, type_of(value));
    if (!std::holds_alternative<std::monostate>(value)) row[field] = value;
  }
}

AdmittedWrite MemoryEngine::admit(std::vector<RowBatch>) {
  VARVE_CHECK(false);  // tests fill it with insert()
}

Result<void> MemoryEngine::append(AdmittedWrite&&, AppendDone) {
  return unavailable("this engine only reads");
}

Result<DeleteOutcome> MemoryEngine::erase(DeleteRequest request) {
  const auto found = tables_.find({request.database, request.table});
  if (found == tables_.end()) return not_found("no such table");
  DeleteOutcome outcome;
  std::vector<Series*> matching;
  for (Series& series : found->second.series) {
    bool matches = true;
    if (request.series_filter) {
      VARVE_ASSIGN(matches, request.series_filter(MapTags(series)));
    }
    if (matches) matching.push_back(&series);
  }
  if (request.time.empty() || matching.empty()) return outcome;
  outcome.series = matching.size();
  outcome.lsn = ++deletes_;
  for (Series* series : matching) {
    auto& rows = series->rows;
    rows.erase(rows.lower_bound(request.time.min), rows.upper_bound(request.time.max));
  }
  return outcome;
}

Result<std::unique_ptr<LogCursor>> MemoryEngine::open_cursor(std::string_view) {
  return unavailable("this engine has no log");
}

std::vector<TableInfo> MemoryEngine::tables() const {
  std::vector<TableInfo> all;
  for (const auto& [name, table] : tables_) {
    TableInfo& info = all.emplace_back(table.info);
    info.series = table.series.size();
    for (const Series& series : table.series) {
      if (series.rows.empty()) continue;
      const int64_t first = series.rows.begin()->first;
      const int64_t last = series.rows.rbegin()->first;
      info.time_min = info.rows == 0 ? first : std::min(info.time_min, first);
      info.time_max = info.rows == 0 ? last : std::max(info.time_max, last);
      info.rows += series.rows.size();
    }
  }
  return all;
}

Result<TableInfo> MemoryEngine::describe(std::string_view database, std::string_view name) const {
  for (TableInfo& info : tables()) {
    if (info.database == database && info.name == name) return std::move(info);
  }
  return not_found("no such table");
}

Result<std::unique_ptr<Scan>> MemoryEngine::scan(ScanRequest request) const {
  const auto found = tables_.find({request.database, request.table});
  if (found == tables_.end()) return not_found("no such table");
  return std::unique_ptr<Scan>(std::make_unique<MemoryScan>(*this, found->second, std::move(request)));
}

}  // namespace varve
