#include "storage/segment_set_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"

namespace varve {

std::string segment_file_name(uint64_t segment_id) {
  return fmt::format("{:016x}.seg", segment_id);
}

SegmentSchema segment_schema(std::string database, std::string table, const std::vector<ColumnInfo>& columns,
                             const std::function<bool(const ColumnInfo&)>& wanted) {
  SegmentSchema schema;
  schema.database = std::move(database);
  schema.table = std::move(table);
  std::vector<std::pair<std::string, uint32_t>> tags;
  std::vector<uint32_t> field_positions;
  for (uint32_t i = 0; i < columns.size(); ++i) {
    const ColumnInfo& column = columns[i];
    if (column.kind == ColumnKind::kTime || !wanted(column)) continue;
    if (column.kind == ColumnKind::kTag) {
      tags.emplace_back(column.name, i);
    } else {
      schema.fields.push_back({column.name, column.type});
      field_positions.push_back(i);
    }
  }
  std::sort(tags.begin(), tags.end());
  for (auto& [name, position] : tags) {
    schema.tags.push_back(std::move(name));
    schema.positions.push_back(position);
  }
  schema.positions.insert(schema.positions.end(), field_positions.begin(), field_positions.end());
  return schema;
}

// ---- SegmentOutput ----

SegmentOutput::SegmentOutput(const SegmentIdentity& identity, const SegmentSchema& schema, Effort effort)
    : writer_(identity, schema, effort) {
  record_.id = identity.id;
  record_.file = segment_file_name(identity.id);
  record_.time_min = INT64_MAX;
  record_.time_max = INT64_MIN;
  record_.first_lsn = identity.first_lsn;
  record_.last_lsn = identity.last_lsn;
  record_.applied_lsn = identity.applied_lsn;
}

Result<void> SegmentOutput::append(std::string_view key, const std::vector<TagPair>& tags,
                                   const MergedRows& rows, size_t from, size_t to) {
  if (writer_.series() == 0 || series_key_ != key) {
    VARVE_TRY(writer_.begin_series(tags));
    series_key_ = key;
  }
  VARVE_TRY(writer_.append(std::span(rows.times).subspan(from, to - from), rows.columns, from));
  record_.time_min = std::min(record_.time_min, rows.times[from]);
  record_.time_max = std::max(record_.time_max, rows.times[to - 1]);
  return {};
}

// ---- SegmentSetWriter ----

SegmentSetWriter::SegmentSetWriter(const SegmentTarget& target, SegmentSchema schema, SegmentIdentity common,
                                   Effort effort)
    : target_(target), schema_(std::move(schema)), common_(std::move(common)), effort_(effort) {}

Result<std::unique_ptr<SegmentOutput>> SegmentSetWriter::open() {
  SegmentIdentity identity = common_;
  VARVE_ASSIGN(identity.id, target_.next_segment_id());
  return std::unique_ptr<SegmentOutput>(new SegmentOutput(identity, schema_, effort_));
}

Result<void> SegmentSetWriter::finish(SegmentOutput& output) {
  CatalogSegment& record = output.record_;
  record.rows = output.writer_.rows();
  record.series = output.writer_.series();
  VARVE_ASSIGN(const std::string image, output.writer_.finish());
  record.bytes = image.size();
  const std::string temporary = record.file + ".tmp";
  leftovers_.push_back(temporary);
  {
    kill_point("segment.before_create");
    VARVE_ASSIGN(auto file, target_.file_system.create(path_of(temporary)));
    kill_point("segment.before_write");
    VARVE_TRY(file->append(image));
    kill_point("segment.before_sync");
    VARVE_TRY(file->sync());
  }
  leftovers_.push_back(record.file);
  kill_point("segment.before_rename");
  VARVE_TRY(target_.file_system.rename(path_of(temporary), path_of(record.file)));
  kill_point("segment.after_rename");
  bytes_written_ += record.bytes;
  written_.push_back(std::move(record));
  return {};
}

Result<std::vector<CatalogSegment>> SegmentSetWriter::done() {
  kill_point("segment.before_directory_sync");
  if (!written_.empty()) VARVE_TRY(target_.file_system.sync_directory(target_.directory));
  kill_point("segment.after_directory_sync");
  return written_;
}

void remove_segments(const std::vector<CatalogSegment>& segments, const SegmentTarget& target) {
  for (const CatalogSegment& segment : segments) {
    const auto removed = target.file_system.remove(join_path(target.directory, segment.file));
    if (!removed) log_warn("store", removed.error().message);
  }
}

void SegmentSetWriter::discard() {
  for (const std::string& name : leftovers_) {
    const auto removed = target_.file_system.remove(path_of(name));
    if (!removed && removed.error().code != ErrorCode::kNotFound) log_warn("store", removed.error().message);
  }
  leftovers_.clear();
  written_.clear();
}

}  // namespace varve
