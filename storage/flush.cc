#include "storage/flush.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "storage/base/check.h"
#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/merge/run_source.h"
#include "storage/merge/series_merger.h"
#include "storage/merge/series_walk.h"
#include "storage/segment/writer.h"

namespace varve {
namespace {

// A flush of rows spread over more partitions than this writes wider ones: files must stay few.
constexpr size_t kPartitionsPerFlushMax = 1000;

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// The smallest multiple of the configured width (by doubling) that puts the rows into few enough partitions.
int64_t partition_width(const FrozenMemtable& frozen, int64_t width) {
  while (true) {
    std::vector<int64_t> partitions;
    for (const auto& run : frozen.runs) {
      for (size_t block = 0; block < run->blocks(); ++block) {
        const TimeRange times = run->block_times(block);
        const int64_t last = floor_div(times.max, width);
        // At most one a row.
        int64_t partition = floor_div(times.min, width);
        for (uint32_t row = 0; row < run->block_rows(block) && partition <= last; ++row, ++partition) {
          partitions.push_back(partition);
        }
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
                                  [&](const auto& run) { return run->has_field(field->index); });
    if (!used) continue;
    selection.indexes.emplace_back(field->index);
    selection.types.push_back(field->type);
    selection.schema.push_back({column.name, field->type});
  }
  return selection;
}

// Where each tag, then each field of `schema` stands among the table's columns.
std::vector<uint32_t> positions_of(const SegmentSchema& schema, const std::vector<ColumnInfo>& columns) {
  std::map<std::string_view, uint32_t> places;
  for (uint32_t i = 0; i < columns.size(); ++i) places.emplace(columns[i].name, i);
  std::vector<uint32_t> positions;
  for (const std::string& tag : schema.tags) positions.push_back(places.at(tag));
  for (const SegmentField& field : schema.fields) positions.push_back(places.at(field.name));
  return positions;
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
      VARVE_TRY(open->writer->append(std::span(rows.times).subspan(from, to - from), rows.columns, from));
      open->rows += to - from;
      open->time_min = std::min(open->time_min, rows.times[from]);
      open->time_max = std::max(open->time_max, rows.times[to - 1]);
      if (open->writer->estimated_bytes() >= kSegmentBytesMax) VARVE_TRY(finish(partition));
      from = to;
    }
    return {};
  }

  Result<std::vector<CatalogSegment>> finish_all() {
    while (!open_.empty()) VARVE_TRY(finish(open_.begin()->first));
    kill_point("flush.before_directory_sync");
    VARVE_TRY(target_.file_system.sync_directory(target_.segment_directory));
    kill_point("flush.after_directory_sync");
    return written_;
  }

  void remove_written() { remove_segments(written_, target_); }

 private:
  struct Open {
    std::unique_ptr<SegmentWriter> writer;
    SegmentIdentity identity;
    std::string series_key;
    uint64_t rows = 0;
    int64_t time_min = INT64_MAX;
    int64_t time_max = INT64_MIN;
  };

  std::string path_of(const std::string& file) const { return join_path(target_.segment_directory, file); }

  Result<Open*> writer(int64_t partition) {
    Open& open = open_[partition];
    if (open.writer != nullptr) return &open;
    open.identity = identity_;
    VARVE_ASSIGN(open.identity.id, target_.next_segment_id());
    open.writer = std::make_unique<SegmentWriter>(open.identity, schema_, Effort::kFast);
    return &open;
  }

  Result<void> finish(int64_t partition) {
    const auto found = open_.find(partition);
    Open open = std::move(found->second);
    open_.erase(found);
    CatalogSegment record;
    record.id = open.identity.id;
    record.file = segment_file_name(open.identity.id);
    record.rows = open.writer->rows();
    record.series = open.writer->series();
    record.time_min = open.time_min;
    record.time_max = open.time_max;
    record.first_lsn = identity_.first_lsn;
    record.last_lsn = identity_.last_lsn;
    record.applied_lsn = identity_.applied_lsn;
    VARVE_ASSIGN(const std::string image, open.writer->finish());
    record.bytes = image.size();
    const std::string temporary = path_of(record.file) + ".tmp";
    const auto write = [&]() -> Result<void> {
      kill_point("flush.before_create");
      VARVE_ASSIGN(auto file, target_.file_system.create(temporary));
      kill_point("flush.before_write");
      VARVE_TRY(file->append(image));
      kill_point("flush.before_sync");
      VARVE_TRY(file->sync());
      kill_point("flush.before_rename");
      return target_.file_system.rename(temporary, path_of(record.file));
    };
    const auto done = write();
    kill_point("flush.after_rename");
    // The next try has another name: on a full disk the remains of each would take what is left.
    if (!done) (void)target_.file_system.remove(temporary);
    if (done) written_.push_back(std::move(record));
    return done;
  }

  const FlushTarget& target_;
  const SegmentSchema schema_;
  const SegmentIdentity identity_;
  const int64_t width_;
  std::map<int64_t, Open> open_;
  std::vector<CatalogSegment> written_;
};

Result<void> write_series(const Table& table, const FrozenMemtable& frozen, const FieldSelection& fields,
                          PartitionWriters& writers) {
  std::vector<std::unique_ptr<RowSource>> sources;
  std::vector<RowSource*> pointers;
  for (const auto& run : frozen.runs) {
    sources.push_back(std::make_unique<RunSource>(run, fields.indexes));
    pointers.push_back(sources.back().get());
  }
  SeriesMerger merger(pointers, fields.types);
  MergedRows rows = merger.make_rows();
  const auto order = table.series().order();
  const auto snapshot = table.series().snapshot();
  SeriesWalk walk(pointers, order);
  while (const auto rank = walk.rank()) {
    const SeriesId series = order->series()[*rank];
    const std::string key = snapshot->key(series);
    const std::vector<TagPair> tags = snapshot->tags(series);
    std::vector<Piece> pieces;
    walk.take(*rank, TimeRange{}, pieces);
    merger.start(std::move(pieces));
    bool more_of_piece = false;
    while (true) {
      rows.clear();
      if (!more_of_piece) {
        VARVE_ASSIGN(const SeriesMerger::Step step, merger.next(rows));
        if (step == SeriesMerger::Step::kEnd) break;
        more_of_piece = step == SeriesMerger::Step::kLonePiece;
      }
      if (more_of_piece) {
        VARVE_ASSIGN(more_of_piece, merger.take_lone(rows));
      }
      VARVE_TRY(writers.append(key, tags, rows));
    }
  }
  return {};
}

}  // namespace

void remove_segments(const std::vector<CatalogSegment>& segments, const FlushTarget& target) {
  for (const CatalogSegment& segment : segments) {
    const auto removed = target.file_system.remove(join_path(target.segment_directory, segment.file));
    if (!removed) log_warn("store", removed.error().message);
  }
}

std::string segment_file_name(uint64_t segment_id) {
  return fmt::format("{:016x}.seg", segment_id);
}

Result<std::vector<CatalogSegment>> write_segments(const Table& table, const FrozenMemtable& frozen,
                                                   const FlushTarget& target) {
  const FieldSelection fields = select_fields(table, frozen);
  SegmentSchema schema;
  schema.database = table.options().database;
  schema.table = table.options().name;
  schema.tags = table.series().snapshot()->tag_names();
  std::sort(schema.tags.begin(), schema.tags.end());
  schema.fields = fields.schema;
  schema.positions = positions_of(schema, table.columns());
  SegmentIdentity identity;
  identity.first_lsn = frozen.first_lsn;
  identity.last_lsn = frozen.last_lsn;
  identity.applied_lsn = frozen.last_lsn;
  PartitionWriters writers(target, std::move(schema), std::move(identity),
                           partition_width(frozen, target.partition_ns));
  Result<std::vector<CatalogSegment>> written = [&]() -> Result<std::vector<CatalogSegment>> {
    VARVE_TRY(write_series(table, frozen, fields, writers));
    return writers.finish_all();
  }();
  if (!written) writers.remove_written();
  return written;
}

}  // namespace varve
