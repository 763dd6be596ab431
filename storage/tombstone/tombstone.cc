#include "storage/tombstone/tombstone.h"

#include <algorithm>

namespace varve {

bool Tombstone::hides(SeriesId wanted) const {
  return all_series || std::binary_search(series.begin(), series.end(), wanted);
}

bool Tombstone::hides_some(Lsn applied, const TimeRange& rows, std::span<const SeriesId> of_series) const {
  if (applied >= lsn || !time.overlaps(rows.min, rows.max)) return false;
  return all_series || std::any_of(of_series.begin(), of_series.end(), [&](SeriesId s) { return hides(s); });
}

TombstoneList make_tombstone_list(std::vector<std::shared_ptr<const Tombstone>> tombstones) {
  if (tombstones.empty()) return nullptr;
  std::sort(tombstones.begin(), tombstones.end(),
            [](const auto& a, const auto& b) { return a->lsn < b->lsn; });
  return std::make_shared<const std::vector<std::shared_ptr<const Tombstone>>>(std::move(tombstones));
}

HiddenRows::HiddenRows(const TombstoneList& tombstones, Lsn applied, const TimeRange& rows) {
  if (tombstones == nullptr) return;
  for (const auto& tombstone : *tombstones) {
    if (applied >= tombstone->lsn || !tombstone->time.overlaps(rows.min, rows.max)) continue;
    same_for_all_ = same_for_all_ && tombstone->all_series;
    tombstones_.push_back(tombstone);
  }
  std::sort(tombstones_.begin(), tombstones_.end(),
            [](const auto& a, const auto& b) { return a->time.min < b->time.min; });
  collect(std::nullopt);
}

// Without a series: what is hidden of every one.
void HiddenRows::collect(std::optional<SeriesId> series) {
  ranges_.clear();
  ranges_of_ = series;
  for (const auto& tombstone : tombstones_) {
    if (!tombstone->all_series && (!series || !tombstone->hides(*series))) continue;
    const TimeRange& time = tombstone->time;
    const bool touches =
        !ranges_.empty() && (ranges_.back().max == INT64_MAX || time.min <= ranges_.back().max + 1);
    if (touches) {
      ranges_.back().max = std::max(ranges_.back().max, time.max);
    } else {
      ranges_.push_back(time);
    }
  }
}

std::span<const TimeRange> HiddenRows::of(SeriesId series) {
  if (!same_for_all_ && ranges_of_ != series) collect(series);
  return ranges_;
}

bool HiddenRows::cover(const TimeRange& rows, std::span<const SeriesId> of_series) {
  if (none()) return false;
  if (same_for_all_) return holds(ranges_, rows);
  return std::all_of(of_series.begin(), of_series.end(),
                     [&](SeriesId series) { return holds(of(series), rows); });
}

bool holds(std::span<const TimeRange> ranges, const TimeRange& wanted) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const TimeRange& range) {
    return range.contains(wanted.min) && range.contains(wanted.max);
  });
}

}  // namespace varve
