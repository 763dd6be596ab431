// Writes rows to segment files: what flush and merge share. The caller decides which rows go into which output.
// Crash promise: after done() the files and their names are durable under the directory (temporary file, sync, rename,
// one sync of the directory); they become part of the table only through the catalog. discard() removes what was
// written; what a crash leaves is removed at the next open.
// Errors: kIo, kExhausted from the disk; kInvalidArgument for rows out of order.
// Threads: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/file.h"
#include "storage/catalog/catalog.h"
#include "storage/merge/series_merger.h"
#include "storage/segment/writer.h"

namespace varve {

struct SegmentTarget {
  FileSystem& file_system;
  std::string directory;
  std::function<Result<uint64_t>()> next_segment_id;
};

// The tags and fields to write, in the table's order of columns.
SegmentSchema segment_schema(std::string database, std::string table, const std::vector<ColumnInfo>& columns,
                             const std::function<bool(const ColumnInfo&)>& wanted);

// One segment being written. Its memory: see SegmentWriter.
class SegmentOutput {
 public:
  // Rows [from, to) of one series, ascending; series come in order of their keys.
  Result<void> append(std::string_view key, const std::vector<TagPair>& tags, const MergedRows& rows,
                      size_t from, size_t to);
  // Further rows belong into another output.
  bool full() const {
    return writer_.estimated_bytes() >= kSegmentBytesMax || writer_.rows() >= kOutputRowsMax;
  }
  uint64_t id() const { return record_.id; }
  // Of the last output of a merge, see SegmentIdentity.
  void set_lineage(std::vector<uint64_t> replaces, std::vector<uint64_t> parts) {
    writer_.set_lineage(std::move(replaces), std::move(parts));
  }

 private:
  friend class SegmentSetWriter;
  // Rows come in lots of at most kMergedRowsMax.
  static constexpr uint64_t kOutputRowsMax = kSegmentRowsMax - kMergedRowsMax;
  SegmentOutput(const SegmentIdentity& identity, const SegmentSchema& schema, Effort effort);

  SegmentWriter writer_;
  CatalogSegment record_;
  std::string series_key_;
};

class SegmentSetWriter {
 public:
  // `common`: the identity of every output, but for its id.
  SegmentSetWriter(const SegmentTarget& target, SegmentSchema schema, SegmentIdentity common, Effort effort);

  Result<std::unique_ptr<SegmentOutput>> open();
  Result<void> finish(SegmentOutput& output);  // at least one row is in it
  Result<std::vector<CatalogSegment>> done();
  void discard();
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  std::string path_of(const std::string& file) const { return join_path(target_.directory, file); }

  const SegmentTarget target_;
  const SegmentSchema schema_;
  const SegmentIdentity common_;
  const Effort effort_;
  std::vector<CatalogSegment> written_;
  std::vector<std::string> leftovers_;  // names that may exist and are not wanted unless all goes well
  uint64_t bytes_written_ = 0;
};

// Of a set that did not get into the catalog. What cannot be removed now is at the next open.
void remove_segments(const std::vector<CatalogSegment>& segments, const SegmentTarget& target);

std::string segment_file_name(uint64_t segment_id);  // 16 hex digits + ".seg"

}  // namespace varve
