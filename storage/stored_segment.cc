#include "storage/stored_segment.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/segment/byte_source.h"

namespace varve {

Result<std::shared_ptr<const StoredSegment>> StoredSegment::open(FileSystem& file_system,
                                                                 const std::string& path,
                                                                 const CatalogSegment& record,
                                                                 SeriesIndex& series) {
  auto segment = std::make_shared<StoredSegment>();
  segment->path_ = path;
  segment->record_ = record;
  VARVE_ASSIGN(auto file, file_system.open_read(path));
  VARVE_ASSIGN(auto source, file_source(std::move(file)));
  VARVE_ASSIGN(segment->reader_, SegmentReader::open(std::move(source), path));
  const SegmentReader& reader = *segment->reader_;
  if (reader.identity().id != record.id || reader.bytes() != record.bytes || reader.rows() != record.rows) {
    return corruption(fmt::format(
        "{}: segment {} of {} rows and {} bytes, but the catalog says segment {} of {} "
        "rows and {} bytes",
        path, reader.identity().id, reader.rows(), reader.bytes(), record.id, record.rows, record.bytes));
  }
  VARVE_ASSIGN(const SegmentDirectory* directory, reader.directory());
  segment->positions_.reserve(directory->series());
  for (size_t i = 0; i < directory->series(); ++i) {
    segment->positions_.emplace_back(series.resolve_stored(directory->series_tags(i)),
                                     static_cast<uint32_t>(i));
  }
  std::sort(segment->positions_.begin(), segment->positions_.end());
  return std::shared_ptr<const StoredSegment>(std::move(segment));
}

std::optional<uint32_t> StoredSegment::position_of(SeriesId series) const {
  const auto found = std::lower_bound(positions_.begin(), positions_.end(), std::pair(series, uint32_t{0}));
  if (found == positions_.end() || found->first != series) return std::nullopt;
  return found->second;
}

}  // namespace varve
