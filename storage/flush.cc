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
  PartitionWriters(const FlushTarget& target, SegmentSchema schema, SegmentIdentity identity, int64_t width)
      : target_(target), schema_(std::move(schema)), identity_(std::move(identity)), width_(width) {}

  // Rows of one series, ascending; series come in order of their keys.
  Result<void> append(std::string_view key, const std::vector<TagPair>& tags, const MergedRows& rows) {
    for (size_t from = 0; from < rows.times.size();) {
      const int64_t partition = floor_div(rows.times[from], width_);
      size_t to = from + 1;
      while (to < rows.times.size() && floor_div(rows.times[to], width_) == partition) ++to;
      VARVE_ASSIGN(Open * open, writer(partition));
      if (open->rows == 0 || open->series_key != key) {
        VARVE_TRY(open->writer->begin_series(tags));
        open->series_key = key;
      }
      VARVE_TRY(open->writer->append(rows.times, rows.columns, from, to));
      open->rows += to - from;
      if (open->writer->estimated_bytes() >= kSegmentBytesMax) VARVE_TRY(finish(partition));
      from = to;
    }
    return {};
  }

  Result<std::vector<CatalogSegment>> finish_all() {
    while (!open_.empty()) VARVE_TRY(finish(open_.begin()->first));
    VARVE_TRY(target_.file_system.sync_directory(target_.segment_directory));
    return written_;
  }

  void remove_written() {
    for (const CatalogSegment& record : written_) {
      if (const auto removed = target_.file_system.remove(path_of(record.file)); !removed) {
        log_warn("store", removed.error().message);
      }
    }
  }

 private:
  struct Open {
    std::unique_ptr<SegmentWriter> writer;
    SegmentIdentity identity;
    std::string series_key;
    uint64_t rows = 0;
  };

  std::string path_of(const std::string& file) const { return join_path(target_.segment_directory, file); }

  Result<Open*> writer(int64_t partition) {
    Open& open = open_[partition];
    if (open.writer != nullptr) return &open;
    open.identity = identity_;
    VARVE_ASSIGN(open.identity.id, target_.next_segment_id());
    open.writer = std::make_unique<SegmentWriter>(schema_, open.identity);
    return &open;
  }

  Result<void> finish(int64_t partition) {
    const auto found = open_.find(partition);
    Open open = std::move(found->second);
    open_.erase(found);
    VARVE_ASSIGN(const std::string image, open.writer->finish());
    CatalogSegment record = describe(image, open);
    const std::string temporary = path_of(record.file) + ".tmp";
    {
      VARVE_ASSIGN(auto file, target_.file_system.create(temporary));
      VARVE_TRY(file->append(image));
      VARVE_TRY(file->sync());
    }
    VARVE_TRY(target_.file_system.rename(temporary, path_of(record.file)));
    written_.push_back(std::move(record));
    return {};
  }

  const FlushTarget& target_;
  const SegmentSchema schema_;
  const SegmentIdentity identity_;
  const int64_t width_;
  std::map<int64_t, Open> open_;
  std::vector<CatalogSegment> written_;
};

}  // namespace
}  // namespace varve
