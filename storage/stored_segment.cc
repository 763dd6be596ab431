#include "storage/stored_segment.h"

#include <fmt/format.h>

namespace varve {

Result<std::shared_ptr<const StoredSegment>> StoredSegment::open(OpenFiles& files, const std::string& path,
                                                                 const CatalogSegment& record,
                                                                 SeriesIndex& series) {
  auto segment = std::make_shared<StoredSegment>();
  segment->path_ = path;
  segment->record_ = record;
  VARVE_ASSIGN(auto source, files.source(path));
  VARVE_ASSIGN(segment->reader_, SegmentReader::open(std::move(source), path));
  const SegmentReader& reader = *segment->reader_;
  if (reader.identity().id != record.id || reader.bytes() != record.bytes || reader.rows() != record.rows) {
    return corruption(fmt::format(
        "{}: segment {} of {} rows and {} bytes, but the catalog says segment {} of {} "
        "rows and {} bytes",
        path, reader.identity().id, reader.rows(), reader.bytes(), record.id, record.rows, record.bytes));
  }
  VARVE_ASSIGN(const SegmentDirectory* directory, reader.directory());
  std::vector<StoredTag> tags;
  for (size_t t = 0; t < directory->tags.size(); ++t) {
    tags.push_back({directory->tag_names[t], &directory->tags[t].values, directory->tags[t].codes});
  }
  segment->series_ = series.resolve_stored(tags, directory->series());
  return std::shared_ptr<const StoredSegment>(std::move(segment));
}

}  // namespace varve
