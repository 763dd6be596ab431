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

using RowIterator = decltype(MemoryEngine::Series::rows)::const_iterator;

// Rows of one series that are handed out together.
struct MemoryBlock {
  size_t series = 0;
  RowIterator begin, end;
};

struct MemoryPart : ScanPart {
  std::vector<MemoryBlock> blocks;
};

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
  }

  std::span<const std::optional<FieldType>> field_types() const override { return types_; }
  const SeriesTags& tags(SeriesId series) const override { return tags_[series]; }
  const ScanCounters& counters() const override { return counters_; }

  Result<bool> next(ScanBlock& block) override {
    if (!engine_.scan_failure.empty() && counters_.rows > 0) return corruption(engine_.scan_failure);
    while (true) {
      if (next_block_ == blocks_.size()) {
        if (!next_series()) return false;
        continue;
      }
      const MemoryBlock& rows = blocks_[next_block_++];
      fill(rows);
      block = {};
      block.series = static_cast<SeriesId>(rows.series);
      block.rows = times_.size();
      block.time_min = times_.front();
      block.time_max = times_.back();
      const Wanted wanted = rows_wanted();
      if (wanted == Wanted::kNone) {
        ++counters_.blocks_pruned;
        continue;
      }
      block.all_wanted = wanted == Wanted::kAll;
      counters_.rows += block.rows;
      if (block.all_wanted && request_.may_use_statistics && engine_.offer_statistics && one_bucket() &&
          make_statistics()) {
        ++counters_.blocks_from_statistics;
        block.from_statistics = true;
        block.statistics = statistics_;
      } else {
        hand_out_rows(block);
      }
      return true;
    }
  }

  Result<const ColumnVector*> column(size_t field) override { return &columns_[field]; }
  Result<void> load_rows(ScanBlock& block) override {
    VARVE_CHECK(block.from_statistics && request_.columns_on_demand);
    --counters_.blocks_from_statistics;
    hand_out_rows(block);
    return {};
  }
  void skip_series() override {
    const size_t series = blocks_[next_block_ - 1].series;
    while (next_block_ < blocks_.size() && blocks_[next_block_].series == series) ++next_block_;
  }

  std::vector<ScanExtent> extents() const override {
    std::vector<ScanExtent> all;
    for (const auto& series : table_.series) {
      if (series.rows.empty()) continue;
      const TimeRange time{series.rows.begin()->first, series.rows.rbegin()->first};
      if (request_.time.overlaps(time.min, time.max)) all.push_back({time, series.rows.size()});
    }
    return all;
  }
  void restart(TimeRange time) override {
    request_.time = time;
    next_series_ = 0;
    blocks_.clear();
    next_block_ = 0;
  }

  Result<std::unique_ptr<ScanPart>> cut(uint64_t rows, bool whole_series) override {
    auto part = std::make_unique<MemoryPart>();
    for (uint64_t taken = 0; taken < rows;) {
      if (next_block_ == blocks_.size() && !next_series()) break;
      while (next_block_ < blocks_.size() && (taken < rows || whole_series)) {
        const MemoryBlock& block = blocks_[next_block_++];
        taken += static_cast<uint64_t>(std::distance(block.begin, block.end));
        part->blocks.push_back(block);
      }
    }
    if (part->blocks.empty()) return std::unique_ptr<ScanPart>();
    return std::unique_ptr<ScanPart>(std::move(part));
  }
  Result<std::unique_ptr<Scan>> helper() const override {
    auto scan = std::make_unique<MemoryScan>(engine_, table_, request_);
    scan->types_ = types_;
    scan->next_series_ = table_.series.size();
    return std::unique_ptr<Scan>(std::move(scan));
  }
  void read(std::unique_ptr<ScanPart> part) override {
    blocks_ = std::move(static_cast<MemoryPart&>(*part).blocks);
    next_block_ = 0;
  }

 private:
  bool next_series() {
    blocks_.clear();
    next_block_ = 0;
    while (next_series_ < table_.series.size() && blocks_.empty()) {
      const size_t series = next_series_++;
      if (request_.series_filter && !request_.series_filter(tags_[series])) continue;
      const auto& rows = table_.series[series].rows;
      const auto end = rows.upper_bound(request_.time.max);
      for (auto at = rows.lower_bound(request_.time.min); at != end;) {
        const auto begin = at;
        for (size_t count = 0; at != end && count < engine_.block_rows; ++count) ++at;
        blocks_.push_back({series, begin, at});
      }
    }
    if (request_.newest_first) std::reverse(blocks_.begin(), blocks_.end());
    return !blocks_.empty();
  }

  void fill(const MemoryBlock& block) {
    times_.clear();
    columns_.clear();
    for (const auto& type : types_) columns_.emplace_back(type.value_or(FieldType::kDouble));
    for (auto at = block.begin; at != block.end; ++at) {
      times_.push_back(at->first);
      for (size_t i = 0; i < columns_.size(); ++i) {
        const auto found = at->second.find(request_.fields[i]);
        columns_[i].push_value(found == at->second.end() ? Value{} : found->second);
      }
    }
  }

  void hand_out_rows(ScanBlock& block) {
    ++counters_.blocks_decoded;
    block.from_statistics = false;
    block.statistics = {};
    block.times = times_;
    if (!request_.columns_on_demand) block.columns = columns_;
  }

  enum class Wanted { kNone, kSome, kAll };
  Wanted rows_wanted() const {
    Wanted wanted = Wanted::kAll;
    for (const FieldRange& range : request_.field_ranges) {
      const ColumnVector& column = columns_[range.field];
      size_t inside = 0;
      for (size_t row = 0; row < column.size(); ++row) {
        if (!column.is_valid(row)) continue;
        inside += column.type == FieldType::kInt64
                      ? column.ints[row] >= range.min_int && column.ints[row] <= range.max_int
                      : column.doubles[row] >= range.min && column.doubles[row] <= range.max;
      }
      if (engine_.offer_statistics && inside == 0) return Wanted::kNone;
      if (!engine_.offer_statistics || inside < column.size()) wanted = Wanted::kSome;
    }
    return wanted;
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
  ScanRequest request_;
  std::vector<std::optional<FieldType>> types_;
  std::vector<MapTags> tags_;
  size_t next_series_ = 0;
  std::vector<MemoryBlock> blocks_;  // of the current series, or of a part
  size_t next_block_ = 0;
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
