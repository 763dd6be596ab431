// The tags of a snapshot's series, as filters and readers of scans see them.
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <string_view>

#include "storage/scan.h"
#include "storage/series/series_index.h"

namespace varve {

class SnapshotTags : public SeriesTags {
 public:
  explicit SnapshotTags(std::shared_ptr<const SeriesSnapshot> snapshot) : snapshot_(std::move(snapshot)) {}
  void set(SeriesId series) { series_ = series; }
  std::string_view value(std::string_view tag_name) const override {
    const auto tag = snapshot_->tag_index(tag_name);
    return tag ? snapshot_->value(series_, *tag) : std::string_view();
  }

 private:
  std::shared_ptr<const SeriesSnapshot> snapshot_;
  SeriesId series_ = 0;
};

}  // namespace varve
