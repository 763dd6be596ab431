// Visits the series of several sources in the order of their keys, each with its pieces in every source that has it.
// A step looks at one number a source, whatever the table's number of series.
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/merge/row_source.h"
#include "storage/series/series_index.h"

namespace varve {

class SeriesWalk {
 public:
  // `order` has every series of the sources.
  SeriesWalk(std::span<RowSource* const> sources, std::shared_ptr<const SeriesOrder> order);

  // The rank in the order of the next series that a source has; nullopt at the end.
  std::optional<uint32_t> rank() const;
  // The pieces of the series of that rank, and past it.
  void take(uint32_t rank, const TimeRange& range, std::vector<Piece>& pieces);
  // Past every series of a smaller rank.
  void seek(uint32_t rank);

 private:
  static constexpr uint32_t kEnd = UINT32_MAX;
  struct Place {
    std::span<const SeriesId> series;
    size_t position = 0;
  };
  uint32_t rank_at(const Place& place) const {
    return place.position < place.series.size() ? order_->rank(place.series[place.position]) : kEnd;
  }

  const std::span<RowSource* const> sources_;
  const std::shared_ptr<const SeriesOrder> order_;
  std::vector<Place> places_;         // by source
  std::vector<uint32_t> next_ranks_;  // by source: of the series at its place
};

}  // namespace varve
