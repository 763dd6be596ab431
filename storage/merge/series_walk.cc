#include "storage/merge/series_walk.h"

#include <algorithm>

namespace varve {

SeriesWalk::SeriesWalk(std::span<RowSource* const> sources, std::shared_ptr<const SeriesOrder> order)
    : sources_(sources), order_(std::move(order)) {
  for (const RowSource* source : sources_) {
    places_.push_back({source->series(), 0});
    next_ranks_.push_back(rank_at(places_.back()));
  }
}

std::optional<uint32_t> SeriesWalk::rank() const {
  uint32_t smallest = kEnd;
  for (const uint32_t rank : next_ranks_) smallest = std::min(smallest, rank);
  return smallest == kEnd ? std::nullopt : std::optional(smallest);
}

void SeriesWalk::take(uint32_t rank, const TimeRange& range, std::vector<Piece>& pieces) {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (next_ranks_[i] != rank) continue;
    sources_[i]->add_pieces(places_[i].position, range, static_cast<uint32_t>(i), pieces);
    ++places_[i].position;
    next_ranks_[i] = rank_at(places_[i]);
  }
}

void SeriesWalk::seek(uint32_t rank) {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (next_ranks_[i] >= rank) continue;
    // Steps of doubling width, then a search within the last one: near places are found in few looks.
    Place& place = places_[i];
    size_t step = 1;
    while (place.position + step < place.series.size() &&
           order_->rank(place.series[place.position + step]) < rank) {
      step *= 2;
    }
    const auto from = place.series.begin() + static_cast<ptrdiff_t>(place.position + step / 2);
    const auto to =
        place.series.begin() + static_cast<ptrdiff_t>(std::min(place.position + step, place.series.size()));
    const auto found = std::lower_bound(
        from, to, rank, [&](SeriesId series, uint32_t wanted) { return order_->rank(series) < wanted; });
    place.position = static_cast<size_t>(found - place.series.begin());
    next_ranks_[i] = rank_at(place);
  }
}

}  // namespace varve
