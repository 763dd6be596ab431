#include "storage/flush.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/base/check.h"
#include "storage/merge/filtered_source.h"
#include "storage/merge/run_source.h"
#include "storage/merge/series_merger.h"
#include "storage/merge/series_walk.h"
#include "storage/segment_set_writer.h"

namespace varve {
namespace {

// A flush of rows spread over more partitions than this writes wider ones: files must stay few. So does one with few
// rows for each (guessed: below this a file costs more than its rows), unless it has few partitions anyway.
constexpr size_t kPartitionsPerFlushMax = 1000;
constexpr size_t kPartitionsPerFlushMin = 32;
constexpr uint64_t kRowsPerPartition = 256;

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// At least as many as there are.
size_t partitions_of(const FrozenMemtable& frozen, int64_t width) {
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
  return partitions.size();
}

// The configured width, doubled until the rows fall into few enough partitions; beyond what retention would like only
// when there is no other way.
int64_t partition_width(const FrozenMemtable& frozen, const FlushTarget& target) {
  const size_t wanted =
      std::clamp<size_t>(frozen.rows / kRowsPerPartition, kPartitionsPerFlushMin, kPartitionsPerFlushMax);
  int64_t width = target.partition_ns;
  while (width <= INT64_MAX / 2) {
    const size_t partitions = partitions_of(frozen, width);
    if (partitions <= wanted) break;
    if (partitions <= kPartitionsPerFlushMax && width > target.partition_ns_max / 2) break;
    width *= 2;
  }
  return width;
}

struct FieldSelection {
  std::vector<std::optional<size_t>> indexes;
  std::vector<FieldType> types;
};

// Whether a row of these runs has a value of the field.
bool is_used(const FrozenMemtable& frozen, size_t field) {
  return std::any_of(frozen.runs.begin(), frozen.runs.end(),
                     [&](const auto& run) { return run->has_field(field); });
}

// One open segment per partition.
class PartitionWriters {
 public:
  PartitionWriters(SegmentSetWriter& segments, int64_t width) : segments_(segments), width_(width) {}

  // Rows of one series, ascending; series come in order of their keys.
  Result<void> append(std::string_view key, const std::vector<TagPair>& tags, const MergedRows& rows) {
    for (size_t from = 0; from < rows.times.size();) {
      const int64_t partition = floor_div(rows.times[from], width_);
      size_t to = from + 1;
      while (to < rows.times.size() && floor_div(rows.times[to], width_) == partition) ++to;
      auto& output = open_[partition];
      if (output == nullptr) {
        VARVE_ASSIGN(output, segments_.open());
      }
      VARVE_TRY(output->append(key, tags, rows, from, to));
      if (output->full()) {
        VARVE_TRY(segments_.finish(*output));
        open_.erase(partition);
      }
      from = to;
    }
    return {};
  }

  Result<void> finish() {
    while (!open_.empty()) {
      VARVE_TRY(segments_.finish(*open_.begin()->second));
      open_.erase(open_.begin());
    }
    return {};
  }

 private:
  SegmentSetWriter& segments_;
  const int64_t width_;
  std::map<int64_t, std::unique_ptr<SegmentOutput>> open_;
};

// Deletes that came after a run are not written to the segments.
std::vector<std::unique_ptr<RowSource>> sources_of(const FrozenMemtable& frozen,
                                                   const FieldSelection& fields) {
  std::vector<std::unique_ptr<RowSource>> sources;
  for (const auto& run : frozen.runs) {
    sources.push_back(without_hidden_rows(std::make_unique<RunSource>(run, fields.indexes),
                                          HiddenRows(frozen.tombstones, run->last_lsn(), run->time_range())));
  }
  return sources;
}

Result<void> write_series(const Table& table, const FrozenMemtable& frozen, const FieldSelection& fields,
                          PartitionWriters& writers) {
  const std::vector<std::unique_ptr<RowSource>> sources = sources_of(frozen, fields);
  std::vector<RowSource*> pointers;
  for (const auto& source : sources) pointers.push_back(source.get());
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
    while (true) {
      VARVE_ASSIGN(const bool more, merger.next_rows(rows));
      if (!more) break;
      VARVE_TRY(writers.append(key, tags, rows));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<CatalogSegment>> write_segments(const Table& table, const FrozenMemtable& frozen,
                                                   const FlushTarget& target) {
  FieldSelection fields;
  std::set<std::string_view> tags;
  const auto snapshot = table.series().snapshot();
  for (const std::string& tag : snapshot->tag_names()) tags.insert(tag);
  SegmentSchema schema = segment_schema(table.options().database, table.options().name, table.columns(),
                                        [&](const ColumnInfo& column) {
                                          if (column.kind == ColumnKind::kTag)
                                            return tags.contains(column.name);
                                          const auto field = table.field(column.name);
                                          VARVE_CHECK(field.has_value());
                                          if (!is_used(frozen, field->index)) return false;
                                          fields.indexes.emplace_back(field->index);
                                          fields.types.push_back(column.type);
                                          return true;
                                        });
  SegmentIdentity identity;
  identity.first_lsn = frozen.first_lsn;
  identity.last_lsn = frozen.last_lsn;
  identity.applied_lsn = frozen.last_lsn;
  SegmentSetWriter segments(target.segments, std::move(schema), std::move(identity), Effort::kFast);
  PartitionWriters writers(segments, partition_width(frozen, target));
  Result<std::vector<CatalogSegment>> written = [&]() -> Result<std::vector<CatalogSegment>> {
    VARVE_TRY(write_series(table, frozen, fields, writers));
    VARVE_TRY(writers.finish());
    return segments.done();
  }();
  if (!written) segments.discard();
  return written;
}

}  // namespace varve
