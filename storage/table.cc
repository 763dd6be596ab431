#include "storage/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/log.h"

namespace varve {
namespace {

// The append buffer before it is cut into a run: large enough that runs are few, small enough that sorting it for a
// reader stays under a few milliseconds.
constexpr size_t kRunRows = 64 * 1024;
constexpr size_t kRunBytes = 32 << 20;  // guessed: rows of 500 bytes

std::string_view name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kNameBytesMax) return "is longer than 255 bytes";
  if (name == kTimeColumn) return "is the name of the time column";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "holds a control character";
  }
  return {};
}

bool is_used(const TagColumn& tag) {
  return std::any_of(tag.codes.begin(), tag.codes.end(), [](uint32_t code) { return code != kAbsentTag; });
}

}  // namespace

struct Table::Refusals {
  std::vector<uint8_t> keep;
  size_t batch_number;
  std::vector<RejectedRow>& rejected;

  Refusals(size_t rows, size_t batch, std::vector<RejectedRow>& list)
      : keep(rows, 1), batch_number(batch), rejected(list) {}

  void refuse(size_t row, std::string_view reason, const std::string& detail) {
    if (keep[row] == 0) return;
    keep[row] = 0;
    rejected.push_back({batch_number, static_cast<uint32_t>(row), std::string(reason), detail});
  }
  void refuse_with_tag(const TagColumn& tag, std::string_view reason, const std::string& detail) {
    for (size_t row = 0; row < keep.size(); ++row) {
      if (tag.codes[row] != kAbsentTag) refuse(row, reason, detail);
    }
  }
  void refuse_with_field(const FieldColumn& field, std::string_view reason, const std::string& detail) {
    for (size_t row = 0; row < keep.size(); ++row) {
      if (field.data.is_valid(row)) refuse(row, reason, detail);
    }
  }
};

Table::Table(TableOptions options)
    : options_(std::move(options)), retention_ns_(options_.retention_ns), series_(options_.series_max) {}

// ---- schema ----

std::vector<ColumnInfo> Table::columns() const {
  std::vector<ColumnInfo> all{{std::string(kTimeColumn), ColumnKind::kTime, FieldType::kInt64}};
  const std::lock_guard lock(schema_mutex_);
  all.insert(all.end(), columns_.begin(), columns_.end());
  return all;
}

void Table::restore_columns(const std::vector<ColumnInfo>& columns) {
  const std::lock_guard lock(schema_mutex_);
  for (const ColumnInfo& column : columns) {
    columns_.push_back(column);
    if (column.kind == ColumnKind::kTag) {
      tag_positions_.emplace(column.name, columns_.size() - 1);
    } else {
      field_positions_.emplace(column.name, fields_.size());
      fields_.push_back({column.name, column.type});
    }
  }
}

std::optional<Table::FieldRef> Table::field(std::string_view name) const {
  const std::lock_guard lock(schema_mutex_);
  const auto found = field_positions_.find(std::string(name));
  if (found == field_positions_.end()) return std::nullopt;
  return FieldRef{found->second, fields_[found->second].type};
}

bool Table::add_column(std::string_view name, ColumnKind kind, FieldType type, Limits limits) {
  if (limits == Limits::kEnforced && columns_.size() >= options_.columns_max) return false;
  if (limits == Limits::kEnforced && kind == ColumnKind::kTag && tag_positions_.size() >= kTagColumnsMax)
    return false;
  columns_.push_back({std::string(name), kind, type});
  if (kind == ColumnKind::kTag) {
    tag_positions_.emplace(name, columns_.size() - 1);
  } else {
    field_positions_.emplace(name, fields_.size());
    fields_.push_back({std::string(name), type});
  }
  return true;
}

// ---- writes ----

void Table::check_tags(const RowBatch& batch, Limits limits, Refusals& refusals) {
  for (const TagColumn& tag : batch.tags) {
    for (size_t value = 0; value < tag.values.size(); ++value) {
      if (tag.values[value].size() <= kTagValueBytesMax) continue;
      for (size_t row = 0; row < tag.codes.size(); ++row) {
        if (tag.codes[row] != value) continue;
        refusals.refuse(row, "value_too_long",
                        fmt::format("tag `{}` is longer than {} bytes; store it as a field", tag.name,
                                    kTagValueBytesMax));
      }
    }
    if (tag_positions_.contains(tag.name)) continue;
    if (const std::string_view problem = name_problem(tag.name); !problem.empty()) {
      refusals.refuse_with_tag(tag, "invalid_name", fmt::format("tag name `{}` {}", tag.name, problem));
    } else if (field_positions_.contains(tag.name)) {
      refusals.refuse_with_tag(
          tag, "type_conflict",
          fmt::format("`{}` is a field of table `{}`, not a tag", tag.name, options_.name));
    } else if (is_used(tag) && !add_column(tag.name, ColumnKind::kTag, FieldType::kString, limits)) {
      const std::string had =
          tag_positions_.size() >= kTagColumnsMax
              ? fmt::format("{} tags, the most a table can have", kTagColumnsMax)
              : fmt::format("{} columns (storage.columns_per_table)", options_.columns_max);
      refusals.refuse_with_tag(
          tag, "column_limit",
          fmt::format("table `{}` has its {}; tag `{}` would be one more", options_.name, had, tag.name));
    }
  }
}

void Table::check_fields(const RowBatch& batch, Limits limits, Refusals& refusals,
                         std::vector<size_t>& field_indexes) {
  constexpr size_t kNoField = SIZE_MAX;
  for (const FieldColumn& field : batch.fields) {
    field_indexes.push_back(kNoField);
    if (field.data.type == FieldType::kString) {
      for (size_t row = 0; row < batch.rows(); ++row) {
        if (field.data.strings[row].size() <= kStringValueBytesMax) continue;
        refusals.refuse(row, "value_too_long",
                        fmt::format("field `{}` is longer than {} bytes", field.name, kStringValueBytesMax));
      }
    }
    auto known = field_positions_.find(field.name);
    if (known == field_positions_.end()) {
      const bool used =
          !field.data.has_nulls() ||
          std::any_of(field.data.valid.begin(), field.data.valid.end(), [](uint8_t v) { return v != 0; });
      if (!used) continue;
      if (const std::string_view problem = name_problem(field.name); !problem.empty()) {
        refusals.refuse_with_field(field, "invalid_name",
                                   fmt::format("field name `{}` {}", field.name, problem));
        continue;
      }
      if (tag_positions_.contains(field.name)) {
        refusals.refuse_with_field(
            field, "type_conflict",
            fmt::format("`{}` is a tag of table `{}`, not a field", field.name, options_.name));
        continue;
      }
      if (!add_column(field.name, ColumnKind::kField, field.data.type, limits)) {
        refusals.refuse_with_field(
            field, "column_limit",
            fmt::format(
                "table `{}` has its {} columns (storage.columns_per_table); field `{}` would be one more",
                options_.name, options_.columns_max, field.name));
        continue;
      }
      known = field_positions_.find(field.name);
    }
    Field& own = fields_[known->second];
    if (own.type == FieldType::kInt64 && field.data.type == FieldType::kDouble) {
      own.type = FieldType::kDouble;
      for (ColumnInfo& column : columns_) {
        if (column.name == own.name) column.type = FieldType::kDouble;
      }
    }
    const bool widened = own.type == FieldType::kDouble && field.data.type == FieldType::kInt64;
    if (own.type != field.data.type && !widened) {
      refusals.refuse_with_field(
          field, "type_conflict",
          fmt::format("field `{}` of table `{}` is {}, not {}", field.name, options_.name,
                      field_type_name(own.type), field_type_name(field.data.type)));
      continue;
    }
    field_indexes.back() = known->second;
  }
}

CheckedBatch Table::check_batch(RowBatch batch, size_t batch_number, std::vector<RejectedRow>& rejected,
                                Limits limits) {
  Refusals refusals(batch.rows(), batch_number, rejected);
  CheckedBatch checked;
  {
    const std::lock_guard lock(schema_mutex_);
    check_tags(batch, limits, refusals);
    check_fields(batch, limits, refusals, checked.field_indexes);
  }
  const bool all_have_field = std::any_of(batch.fields.begin(), batch.fields.end(),
                                          [](const FieldColumn& field) { return !field.data.has_nulls(); });
  if (!all_have_field) {
    for (size_t row = 0; row < batch.rows(); ++row) {
      const bool has_field = std::any_of(batch.fields.begin(), batch.fields.end(),
                                         [&](const FieldColumn& field) { return field.data.is_valid(row); });
      if (!has_field) refusals.refuse(row, "no_field", "the row has no field value");
    }
  }
  // Refused rows must not make series, so they go before series are resolved; then those beyond the limit go.
  std::vector<uint32_t> original;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    if (refusals.keep[row] != 0) original.push_back(row);
  }
  if (original.size() != batch.rows()) batch.filter(refusals.keep);
  std::erase_if(batch.tags, [](const TagColumn& tag) { return !is_used(tag); });
  std::string widest_tag;
  checked.series = series_.resolve(batch, limits == Limits::kEnforced, widest_tag);
  if (std::find(checked.series.begin(), checked.series.end(), kNoSeries) != checked.series.end()) {
    std::vector<uint8_t> keep(batch.rows(), 1);
    for (size_t row = 0; row < batch.rows(); ++row) {
      if (checked.series[row] != kNoSeries) continue;
      keep[row] = 0;
      refusals.refuse(
          original[row], "series_limit",
          fmt::format("table `{}` has its {} series (storage.series_per_table); tag `{}` has the most values",
                      options_.name, options_.series_max, widest_tag));
    }
    std::erase(checked.series, kNoSeries);
    batch.filter(keep);
  }
  checked.batch = std::move(batch);
  return checked;
}

void Table::insert(const CheckedBatch& checked, Lsn lsn, int64_t now_monotonic_ns) {
  const RowBatch& batch = checked.batch;
  if (batch.rows() == 0) return;
  const std::lock_guard one_at_a_time(write_mutex_);
  append(checked, lsn, now_monotonic_ns);
  // The memory of a full buffer serves the next one.
  if (buffer_.rows() >= kRunRows || buffer_.memory_bytes() >= kRunBytes)
    cut_buffer(buffer_.rows() >= kRunRows);
}

void Table::append(const CheckedBatch& checked, Lsn lsn, int64_t now_monotonic_ns) {
  const RowBatch& batch = checked.batch;
  const std::lock_guard lock(rows_mutex_);
  const size_t before = buffer_.rows();
  buffer_.series.insert(buffer_.series.end(), checked.series.begin(), checked.series.end());
  buffer_.times.insert(buffer_.times.end(), batch.times.begin(), batch.times.end());
  for (size_t i = 0; i < batch.fields.size(); ++i) {
    const size_t index = checked.field_indexes[i];
    const ColumnVector& data = batch.fields[i].data;
    if (index == SIZE_MAX) continue;  // no row has a value
    if (index >= buffer_.columns.size()) buffer_.columns.resize(index + 1);
    ColumnVector& column = buffer_.columns[index];
    if (column.size() == 0) column.type = data.type;
    if (column.type == FieldType::kInt64 && data.type == FieldType::kDouble) {
      column.widen_to_double();
      buffer_pieces_.clear();
    }
    if (column.size() < before) column.push_nulls(before - column.size());
    column.push_range(data, 0, data.size());
  }
  note_unflushed(lsn, now_monotonic_ns);
}

void Table::note_unflushed(Lsn lsn, int64_t now_monotonic_ns) {
  if (first_lsn_ == 0) {
    first_lsn_ = lsn;
    oldest_row_ns_ = now_monotonic_ns;
  }
  last_lsn_ = std::max(last_lsn_, lsn);
}

// Readers go on with the buffer while it is encoded.
void Table::cut_buffer(bool keep_memory) {
  if (buffer_.rows() == 0) {
    const std::lock_guard lock(rows_mutex_);
    if (!keep_memory) buffer_ = {};
    return;
  }
  auto sorted = [&] {
    const std::lock_guard lock(rows_mutex_);
    return buffer_pieces_.whole(buffer_);
  }();
  if (sorted == nullptr) sorted = std::make_shared<const SortedRun>(buffer_, by_key());
  const Lsn last_lsn = [&] {
    const std::lock_guard lock(rows_mutex_);
    return last_lsn_;  // a delete cuts the buffer, so nothing came after its newest row
  }();
  auto run = std::make_shared<const EncodedRun>(*sorted, last_lsn);
  const std::lock_guard lock(rows_mutex_);
  run_bytes_ += run->memory_bytes();
  run_rows_ += run->rows();
  runs_.push_back(std::move(run));
  if (keep_memory) {
    buffer_.clear();
  } else {
    buffer_ = {};
  }
  buffer_pieces_.clear();
}

SortedRun::SortByKey Table::by_key() const {
  return [this](std::vector<SeriesId>& series) { series_.sort_by_key(series); };
}

// ---- reads ----

TableVersion Table::version() const {
  const std::lock_guard lock(rows_mutex_);
  TableVersion version;
  version.segments = segments_;
  version.tombstones = tombstones_;
  version.runs = frozen_;
  version.runs.insert(version.runs.end(), runs_.begin(), runs_.end());
  if (buffer_.rows() != 0) version.newest = buffer_pieces_.update(buffer_, by_key());
  return version;
}

std::vector<std::shared_ptr<const StoredSegment>> Table::segments() const {
  const std::lock_guard lock(rows_mutex_);
  return segments_;
}

size_t Table::column_count() const {
  const std::lock_guard lock(schema_mutex_);
  return columns_.size();
}

size_t Table::tag_count() const {
  const std::lock_guard lock(schema_mutex_);
  return tag_positions_.size();
}

TableInfo Table::info() const {
  TableInfo info;
  info.database = options_.database;
  info.name = options_.name;
  info.retention_ns = retention_ns_;
  info.series = series_.size();
  info.columns = columns();
  TimeRange range{INT64_MAX, INT64_MIN};
  const TableVersion now = version();
  for (const auto& segment : now.segments) {
    HiddenRows hidden(now.tombstones, segment->record().applied_lsn, segment->time_range());
    if (hidden.cover(segment->time_range(), segment->series())) continue;
    info.rows += segment->rows();
    info.bytes += segment->bytes();
    range.min = std::min(range.min, segment->time_range().min);
    range.max = std::max(range.max, segment->time_range().max);
  }
  const auto count_run = [&](size_t rows, const TimeRange& times) {
    info.rows += rows;
    range.min = std::min(range.min, times.min);
    range.max = std::max(range.max, times.max);
  };
  for (const auto& run : now.runs) {
    HiddenRows hidden(now.tombstones, run->last_lsn(), run->time_range());
    if (!hidden.cover(run->time_range(), run->series())) count_run(run->rows(), run->time_range());
  }
  for (const auto& run : now.newest) count_run(run->rows(), run->time_range());
  if (!range.empty()) {
    info.time_min = range.min;
    info.time_max = range.max;
  }
  return info;
}

// ---- deletes ----

void Table::erase(std::shared_ptr<const Tombstone> tombstone, int64_t now_monotonic_ns) {
  const std::lock_guard no_writes(write_mutex_);
  cut_buffer(true);  // its run lies before the delete, the rows to come lie after it
  const std::lock_guard lock(rows_mutex_);
  note_unflushed(tombstone->lsn, now_monotonic_ns);
  const auto waits = [&](const auto& rows) {
    return tombstone->time.overlaps(rows->time_range().min, rows->time_range().max);
  };
  if (std::none_of(runs_.begin(), runs_.end(), waits) &&
      std::none_of(frozen_.begin(), frozen_.end(), waits) &&
      std::none_of(segments_.begin(), segments_.end(), waits)) {
    return;
  }
  auto list = tombstones_ == nullptr ? std::vector<std::shared_ptr<const Tombstone>>() : *tombstones_;
  list.push_back(std::move(tombstone));
  tombstones_ = make_tombstone_list(std::move(list));
}

TombstoneList Table::tombstones() const {
  const std::lock_guard lock(rows_mutex_);
  return tombstones_;
}

size_t Table::tombstone_count() const {
  const std::lock_guard lock(rows_mutex_);
  return tombstones_ == nullptr ? 0 : tombstones_->size();
}

std::vector<std::shared_ptr<const StoredSegment>> Table::hidden_segments() const {
  const TableVersion now = version();
  std::vector<std::shared_ptr<const StoredSegment>> hidden;
  if (now.tombstones == nullptr) return hidden;
  for (const auto& segment : now.segments) {
    HiddenRows rows(now.tombstones, segment->record().applied_lsn, segment->time_range());
    if (rows.cover(segment->time_range(), segment->series())) hidden.push_back(segment);
  }
  return hidden;
}

std::vector<uint64_t> Table::settle_tombstones() {
  // Looked at without the lock: what hides nothing now never will.
  const TableVersion now = version();
  std::vector<uint64_t> filed;
  std::vector<Lsn> unfiled;
  if (now.tombstones == nullptr) return filed;
  for (const auto& tombstone : *now.tombstones) {
    const auto hides_of_run = [&](const auto& run) {
      return tombstone->hides_some(run->last_lsn(), run->time_range(), run->series());
    };
    const auto hides_of_segment = [&](const auto& segment) {
      return tombstone->hides_some(segment->record().applied_lsn, segment->time_range(), segment->series());
    };
    if (std::any_of(now.runs.begin(), now.runs.end(), hides_of_run) ||
        std::any_of(now.segments.begin(), now.segments.end(), hides_of_segment)) {
      continue;
    }
    if (tombstone->id != 0) filed.push_back(tombstone->id);
    if (tombstone->id == 0) unfiled.push_back(tombstone->lsn);
  }
  const std::lock_guard lock(rows_mutex_);
  remove_tombstones([&](const Tombstone& tombstone) {
    return tombstone.id == 0 && std::binary_search(unfiled.begin(), unfiled.end(), tombstone.lsn);
  });
  return filed;
}

void Table::drop_tombstones(const std::vector<uint64_t>& ids) {
  const std::lock_guard lock(rows_mutex_);
  remove_tombstones([&](const Tombstone& tombstone) {
    return tombstone.id != 0 && std::find(ids.begin(), ids.end(), tombstone.id) != ids.end();
  });
}

template <class Condition>
void Table::remove_tombstones(Condition condition) {
  if (tombstones_ == nullptr) return;
  auto kept = *tombstones_;
  std::erase_if(kept, [&](const auto& tombstone) { return condition(*tombstone); });
  tombstones_ = make_tombstone_list(std::move(kept));
}

// ---- flush ----

uint64_t Table::memtable_rows() const {
  const std::lock_guard lock(rows_mutex_);
  return buffer_.rows() + run_rows_ + frozen_rows_;
}

uint64_t Table::memtable_bytes() const {
  const std::lock_guard lock(rows_mutex_);
  return buffer_.memory_bytes() * (buffer_pieces_.empty() ? 1 : 2) + run_bytes_ + frozen_bytes_;
}

int64_t Table::oldest_row_age_ns(int64_t now_monotonic_ns) const {
  const std::lock_guard lock(rows_mutex_);
  return first_lsn_ == 0 ? 0 : now_monotonic_ns - oldest_row_ns_;
}

std::optional<Lsn> Table::first_unflushed_lsn() const {
  const std::lock_guard lock(rows_mutex_);
  if (frozen_first_lsn_ != 0) return frozen_first_lsn_;
  if (first_lsn_ != 0) return first_lsn_;
  return std::nullopt;
}

std::optional<Lsn> Table::first_unflushed_lsn_beside(const FrozenMemtable& frozen) const {
  const std::lock_guard lock(rows_mutex_);
  VARVE_CHECK(frozen_first_lsn_ == frozen.first_lsn);
  return first_lsn_ != 0 ? std::optional(first_lsn_) : std::nullopt;
}

FrozenMemtable Table::begin_flush() {
  const std::lock_guard no_writes(write_mutex_);
  cut_buffer(false);
  const std::lock_guard lock(rows_mutex_);
  VARVE_CHECK(frozen_.empty());
  frozen_ = std::move(runs_);
  runs_.clear();
  frozen_bytes_ = std::exchange(run_bytes_, 0);
  frozen_rows_ = std::exchange(run_rows_, 0);
  frozen_first_lsn_ = std::exchange(first_lsn_, 0);
  return {frozen_, tombstones_, frozen_first_lsn_, last_lsn_, frozen_rows_};
}

void Table::publish_flush(const FrozenMemtable& frozen,
                          std::vector<std::shared_ptr<const StoredSegment>> segments,
                          std::vector<std::shared_ptr<const Tombstone>> filed) {
  const std::lock_guard lock(rows_mutex_);
  if (tombstones_ != nullptr) {
    for (const auto& tombstone : *tombstones_) {
      if (tombstone->id != 0 || tombstone->lsn > frozen.last_lsn) filed.push_back(tombstone);
    }
  }
  tombstones_ = make_tombstone_list(std::move(filed));
  segments_.insert(segments_.end(), segments.begin(), segments.end());
  frozen_.clear();
  frozen_bytes_ = 0;
  frozen_rows_ = 0;
  frozen_first_lsn_ = 0;
  flushed_lsn_ = frozen.last_lsn;
}

void Table::cancel_flush() {
  const std::lock_guard lock(rows_mutex_);
  runs_.insert(runs_.begin(), frozen_.begin(), frozen_.end());
  frozen_.clear();
  run_bytes_ += std::exchange(frozen_bytes_, 0);
  run_rows_ += std::exchange(frozen_rows_, 0);
  // Rows may have come since, also while there was nothing frozen.
  if (frozen_first_lsn_ != 0) first_lsn_ = std::exchange(frozen_first_lsn_, 0);
}

Lsn Table::flushed_lsn() const {
  const std::lock_guard lock(rows_mutex_);
  return flushed_lsn_;
}

void Table::restore_segments(std::vector<std::shared_ptr<const StoredSegment>> segments, Lsn flushed_lsn) {
  const std::lock_guard lock(rows_mutex_);
  segments_ = std::move(segments);
  sort_segments();
  flushed_lsn_ = flushed_lsn;
  last_lsn_ = flushed_lsn;
}

void Table::restore_tombstones(std::vector<std::shared_ptr<const Tombstone>> tombstones) {
  const std::lock_guard lock(rows_mutex_);
  tombstones_ = make_tombstone_list(std::move(tombstones));
}

bool Table::has_segments(const std::vector<uint64_t>& segment_ids) const {
  const std::lock_guard lock(rows_mutex_);
  return std::all_of(segment_ids.begin(), segment_ids.end(), [&](uint64_t id) {
    return std::any_of(segments_.begin(), segments_.end(),
                       [&](const auto& segment) { return segment->id() == id; });
  });
}

void Table::replace_segments(const std::vector<uint64_t>& segment_ids,
                             std::vector<std::shared_ptr<const StoredSegment>> by) {
  const std::lock_guard lock(rows_mutex_);
  std::erase_if(segments_, [&](const auto& segment) {
    const bool dropped =
        std::find(segment_ids.begin(), segment_ids.end(), segment->id()) != segment_ids.end();
    // A scan still reads it, and its file goes next. One that cannot be opened now fails that scan, with the reason.
    if (dropped && segment.use_count() > 1) {
      if (const auto held = segment->hold_file(); !held) log_warn("store", held.error().message);
    }
    return dropped;
  });
  segments_.insert(segments_.end(), by.begin(), by.end());
  sort_segments();
}

void Table::sort_segments() {
  std::stable_sort(segments_.begin(), segments_.end(),
                   [](const auto& a, const auto& b) { return a->record().last_lsn < b->record().last_lsn; });
}

}  // namespace varve
