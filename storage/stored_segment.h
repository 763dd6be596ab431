// A live segment file of a table: its reader, and which of the table's series it holds.
// The file is open while it is in use (open_files.h). Before its name goes, hold_file(): then a scan that has the object
// is not disturbed.
// Threads: immutable; shared by readers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/file.h"
#include "storage/catalog/catalog.h"
#include "storage/segment/open_files.h"
#include "storage/segment/reader.h"
#include "storage/series/series_index.h"

namespace varve {

class StoredSegment {
 public:
  // Adds the segment's series to `series`. kCorruption when the file is not the one `record` describes.
  static Result<std::shared_ptr<const StoredSegment>> open(OpenFiles& files, const std::string& path,
                                                           const CatalogSegment& record, SeriesIndex& series);

  uint64_t id() const { return record_.id; }
  uint64_t rows() const { return record_.rows; }
  uint64_t bytes() const { return record_.bytes; }
  TimeRange time_range() const { return {record_.time_min, record_.time_max}; }
  const std::string& path() const { return path_; }
  Result<void> hold_file() const { return reader_->hold_file(); }
  const CatalogSegment& record() const { return record_; }
  const SegmentReader& reader() const { return *reader_; }
  const std::shared_ptr<const SegmentReader>& shared_reader() const { return reader_; }

  // The table's number of each of the segment's series, which are in the order of their keys.
  const std::vector<SeriesId>& series() const { return series_; }

 private:
  std::string path_;
  CatalogSegment record_;
  std::shared_ptr<const SegmentReader> reader_;
  std::vector<SeriesId> series_;
};

}  // namespace varve
