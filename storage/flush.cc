#include "storage/flush.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "storage/base/check.h"
#include "storage/merge/run_source.h"
#include "storage/merge/series_merger.h"
#include "storage/segment/writer.h"

namespace varve {
namespace {

// A flush of rows spread over more partitions than this writes wider ones: files must stay few.
constexpr size_t kPartitionsPerFlushMax = 1000;

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The smallest multiple of the configured width (by doubling) that puts the rows into few enough partitions.
int64_t partition_width(const FrozenMemtable& frozen, int64_t width) {
  while (true) {
    std::vector<int64_t> partitions;
    for (const auto& run : frozen.runs) {
      int64_t last = 0;
      bool any = false;
      for (const int64_t time : run->times()) {
        const int64_t partition = floor_div(time, width);
        if (any && partition == last) continue;
        any = true;
        last = partition;
        partitions.push_back(partition);
      }
      std::sort(partitions.begin(), partitions.end());
      partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
    }
    if (partitions.size() <= kPartitionsPerFlushMax || width > INT64_MAX / 2) return width;
    width *= 2;
  }
}

struct FieldSelection {
  std::vector<std::optional<size_t>> indexes;
  std::vector<FieldType> types;
  std::vector<SegmentField> schema;
};

// The fields that have a value in these runs.
FieldSelection select_fields(const Table& table, const FrozenMemtable& frozen) {
  FieldSelection selection;
  for (const ColumnInfo& column : table.columns()) {
    if (column.kind != ColumnKind::kField) continue;
    const auto field = table.field(column.name);
    VARVE_CHECK(field.has_value());
    const bool used = std::any_of(frozen.runs.begin(), frozen.runs.end(),
                                  [&](const auto& run) { return run->column(field->index) != nullptr; });
    if (!used) continue;
    selection.indexes.emplace_back(field->index);
    selection.types.push_back(field->type);
    selection.schema.push_back({column.name, field->type});
  }
  return selection;
}

// The series of the runs in order of their keys.
std::vector<std::pair<std::string, SeriesId>> series_in_key_order(const SeriesSnapshot& snapshot,
                                                                  const FrozenMemtable& frozen) {
  std::vector<SeriesId> all;
  for (const auto& run : frozen.runs) all.insert(all.end(), run->series().begin(), run->series().end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<std::pair<std::string, SeriesId>> keyed;
  keyed.reserve(all.size());
  for (const SeriesId series : all) keyed.emplace_back(snapshot.key(series), series);
  std::sort(keyed.begin(), keyed.end());
  return keyed;
}

// One open segment writer per partition.
class PartitionWriters {
 public:
  PartitionWriters(const Table& table, const FrozenMemtable& frozen, const FlushTarget& target,
                   const SeriesSnapshot& series, std::vector<SegmentField> fields)
      : table_(table),
        frozen_(frozen),
        target_(target),
        series_(series),
        fields_(std::move(fields)),
        width_(partition_width(frozen, target.partition_ns)) {}

  // Rows of one series, ascending; series come in order of their keys.
  Result<void> append(SeriesId series, std::string_view key, const MergedRows& rows) {
    for (size_t from = 0; from < rows.times.size();) {
      const int64_t partition = floor_div(rows.times[from], width_);
      size_t to = from + 1;
      while (to < rows.times.size() && floor_div(rows.times[to], width_) == partition) ++to;
      VARVE_ASSIGN(Open * open, writer(partition));
      if (open->rows == 0 || open->series != series) {
        VARVE_TRY(open->writer->begin_series(key));
        open->series = series;
      }
      VARVE_TRY(open->writer->append(rows.times, rows.columns, from, to));
      open->rows += to - from;
      if (open->writer->estimated_bytes() >= kSegmentBytesMax) VARVE_TRY(finish(partition));
      from = to;
    }
    return {};
  }

  Result<std::vector<std::shared_ptr<const StoredSegment>>> finish_all(SeriesIndex& index) {
    while (!open_.empty()) VARVE_TRY(finish(open_.begin()->first));
    VARVE_TRY(target_.file_system.sync_directory(target_.segment_directory));
    std::vector<std::shared_ptr<const StoredSegment>> segments;
    for (const CatalogSegment& record : written_) {
      VARVE_ASSIGN(auto stored, StoredSegment::open(target_.file_system, path_of(record.file), record, index));
      segments.push_back(std::move(stored));
    }
    return segments;
  }

  void remove_written() {
    for (const CatalogSegment& record : written_) (void)target_.file_system.remove(path_of(record.file));
  }

 private:
  struct Open {
    std::unique_ptr<SegmentWriter> writer;
    uint64_t id = 0;
    SeriesId series = 0;
    uint64_t rows = 0;
  };

  std::string path_of(const std::string& file) const { return join_path(target_.segment_directory, file); }

  Result<Open*> writer(int64_t partition) {
    Open& open = open_[partition];
    if (open.writer != nullptr) return &open;
    VARVE_ASSIGN(open.id, target_.next_segment_id());
    SegmentSchema schema;
    schema.database = table_.options().database;
    schema.table = table_.options().name;
    schema.fields = fields_;
    open.writer = std::make_unique<SegmentWriter>(schema, open.id, frozen_.first_lsn, frozen_.last_lsn);
    return &open;
  }

  Result<void> finish(int64_t partition) {
    const auto found = open_.find(partition);
    Open open = std::move(found->second);
    open_.erase(found);
    VARVE_ASSIGN(const SegmentImage image, open.writer->finish());
    CatalogSegment record = image.record;
    record.file = segment_file_name(open.id);
    const std::string temporary = path_of(record.file) + ".tmp";
    {
      VARVE_ASSIGN(auto file, target_.file_system.create(temporary));
      VARVE_TRY(file->append(image.bytes));
      VARVE_TRY(file->sync());
    }
    VARVE_TRY(target_.file_system.rename(temporary, path_of(record.file)));
    written_.push_back(std::move(record));
    return {};
  }

  const Table& table_;
  const FrozenMemtable& frozen_;
  const FlushTarget& target_;
  const SeriesSnapshot& series_;
  const std::vector<SegmentField> fields_;
  const int64_t width_;
  std::map<int64_t, Open> open_;
  std::vector<CatalogSegment> written_;
};

}  // namespace
}  // namespace varve
