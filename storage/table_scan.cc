#include "storage/table_scan.h"

#include <algorithm>

#include "storage/merge/filtered_source.h"
#include "storage/merge/run_source.h"
#include "storage/merge/segment_source.h"
#include "storage/merge/series_merger.h"
#include "storage/merge/series_walk.h"
#include "storage/series/snapshot_tags.h"

namespace varve {
namespace {

// What all segments of a scan together may read ahead. Guessed: a window of 128 KiB for 25 segments of ten columns.
constexpr size_t kScanAheadBytesMax = 32 << 20;

class TableScan : public Scan {
 public:
  // The version before the series: every series of its rows is then in the snapshot, and those in the order.
  TableScan(const Table& table, ScanRequest request)
      : request_(std::move(request)),
        version_(table.version()),
        series_(table.series().snapshot()),
        order_(table.series().order()),
        tags_(series_) {}

  Result<void> open(const Table& table) {
    std::vector<std::optional<size_t>> field_indexes;
    for (const std::string& name : request_.fields) {
      const auto field = table.field(name);
      field_types_.push_back(field ? std::optional(field->type) : std::nullopt);
      field_indexes.push_back(field ? std::optional(field->index) : std::nullopt);
    }
    const size_t columns = version_.segments.size() * (request_.fields.size() + 1);
    const size_t ahead = std::min(kReadAheadBytesMax, kScanAheadBytesMax / std::max<size_t>(columns, 1));
    for (const auto& segment : version_.segments) {
      if (!request_.time.overlaps(segment->time_range().min, segment->time_range().max)) {
        ++counters_.segments_pruned;
        continue;
      }
      HiddenRows hidden(version_.tombstones, segment->record().applied_lsn, segment->time_range());
      if (hidden.cover(segment->time_range(), segment->series())) {
        ++counters_.segments_pruned;
        continue;
      }
      ++counters_.segments;
      auto source = std::make_unique<SegmentSource>(segment, request_.fields, ahead);
      VARVE_TRY(source->open());
      sources_.push_back(without_hidden_rows(std::move(source), std::move(hidden)));
    }
    const auto wanted = [&](const TimeRange& times) { return request_.time.overlaps(times.min, times.max); };
    for (const auto& run : version_.runs) {
      if (!wanted(run->time_range())) continue;
      sources_.push_back(
          without_hidden_rows(std::make_unique<RunSource>(run, field_indexes),
                              HiddenRows(version_.tombstones, run->last_lsn(), run->time_range())));
    }
    if (version_.newest != nullptr && wanted(version_.newest->time_range())) {
      sources_.push_back(std::make_unique<PlainRunSource>(version_.newest, field_indexes));
    }
    for (const auto& source : sources_) source_pointers_.push_back(source.get());
    std::vector<FieldType> types;
    for (const auto& type : field_types_) types.push_back(type.value_or(FieldType::kDouble));
    merger_ = std::make_unique<SeriesMerger>(source_pointers_, types);
    walk_ = std::make_unique<SeriesWalk>(source_pointers_, order_);
    rows_ = merger_->make_rows();
    statistics_.resize(request_.fields.size());
    return {};
  }

  std::span<const std::optional<FieldType>> field_types() const override { return field_types_; }

  Result<bool> next(ScanBlock& block) override {
    if (in_whole_) merger_->skip_lone();
    in_whole_ = false;
    while (true) {
      rows_.clear();
      if (in_lone_) {
        VARVE_ASSIGN(in_lone_, merger_->take_lone(rows_));
      } else if (!in_series_) {
        if (!next_series()) return false;
        continue;
      } else {
        VARVE_ASSIGN(const SeriesMerger::Step step, merger_->next(rows_));
        if (step == SeriesMerger::Step::kEnd) {
          in_series_ = false;
          continue;
        }
        if (step == SeriesMerger::Step::kLonePiece) {
          if (from_statistics(block)) return true;
          ++counters_.blocks_decoded;
          VARVE_ASSIGN(const LoadedPiece* piece, merger_->lone_rows());
          if (hand_out_whole(*piece, block)) return true;
          VARVE_ASSIGN(in_lone_, merger_->take_lone(rows_));
        } else {
          ++counters_.blocks_decoded;
        }
      }
      if (hand_out_rows(block)) return true;
    }
  }

  const SeriesTags& tags(SeriesId series) const override {
    tags_.set(series);
    return tags_;
  }
  const ScanCounters& counters() const override { return counters_; }

 private:
  bool passes(SeriesId series) {
    if (!request_.series_filter) return true;
    tags_.set(series);
    return series < series_->size() && request_.series_filter(tags_);
  }

  bool next_series() {
    while (auto rank = walk_->rank()) {
      const auto& series = order_->series();
      if (!passes(series[*rank])) {
        uint32_t next = *rank + 1;
        while (next < series.size() && !passes(series[next])) ++next;
        walk_->seek(next);
        continue;
      }
      std::vector<Piece> pieces;
      walk_->take(*rank, request_.time, pieces);
      if (pieces.empty()) continue;
      current_ = series[*rank];
      merger_->start(std::move(pieces));
      in_series_ = true;
      return true;
    }
    return false;
  }

  int64_t bucket_of(int64_t time) const {
    if (request_.bucket_width_ns == 0) return 0;
    // In unsigned arithmetic: origin and time may lie at opposite ends of the range.
    const auto distance =
        static_cast<int64_t>(static_cast<uint64_t>(time) - static_cast<uint64_t>(request_.bucket_origin_ns));
    const int64_t bucket = distance / request_.bucket_width_ns;
    return distance % request_.bucket_width_ns < 0 ? bucket - 1 : bucket;
  }

  bool from_statistics(ScanBlock& block) {
    const Piece& piece = merger_->lone();
    const bool whole = request_.time.contains(piece.range.min) && request_.time.contains(piece.range.max);
    if (!request_.may_use_statistics || !whole || bucket_of(piece.range.min) != bucket_of(piece.range.max) ||
        !sources_[piece.source]->statistics(piece, statistics_)) {
      return false;
    }
    block = {};
    block.series = current_;
    block.rows = piece.to - piece.from;
    block.from_statistics = true;
    block.statistics = statistics_;
    block.time_min = piece.range.min;
    block.time_max = piece.range.max;
    merger_->skip_lone();
    ++counters_.blocks_from_statistics;
    counters_.rows += block.rows;
    return true;
  }

  // The rows of a lone piece where they lie, when all of them are wanted and no column is to be made up or widened.
  bool hand_out_whole(const LoadedPiece& piece, ScanBlock& block) {
    if (piece.rows == 0 || piece.whole.size() != request_.fields.size()) return false;
    for (size_t i = 0; i < piece.whole.size(); ++i) {
      if (piece.whole[i].type != rows_.columns[i].type) return false;
    }
    if (piece.times[0] < request_.time.min || piece.times[piece.rows - 1] > request_.time.max) return false;
    block = {};
    block.series = current_;
    block.rows = piece.rows;
    block.times = {piece.times, piece.rows};
    block.columns = piece.whole;
    block.time_min = block.times.front();
    block.time_max = block.times.back();
    counters_.rows += block.rows;
    in_whole_ = true;
    return true;
  }

  // Trims the rows in hand to the wanted range; false when none are left.
  bool hand_out_rows(ScanBlock& block) {
    auto& times = rows_.times;
    const auto from = std::lower_bound(times.begin(), times.end(), request_.time.min) - times.begin();
    const auto to = std::upper_bound(times.begin(), times.end(), request_.time.max) - times.begin();
    if (from >= to) return false;
    if (from != 0 || static_cast<size_t>(to) != times.size()) {
      for (ColumnVector& column : rows_.columns) {
        column.keep_range(static_cast<size_t>(from), static_cast<size_t>(to));
      }
      times.erase(times.begin() + to, times.end());
      times.erase(times.begin(), times.begin() + from);
    }
    block = {};
    block.series = current_;
    block.rows = times.size();
    block.times = times;
    block.columns = rows_.columns;
    block.time_min = times.front();
    block.time_max = times.back();
    counters_.rows += block.rows;
    return true;
  }

  const ScanRequest request_;
  const TableVersion version_;
  const std::shared_ptr<const SeriesSnapshot> series_;
  const std::shared_ptr<const SeriesOrder> order_;
  mutable SnapshotTags tags_;
  std::vector<std::optional<FieldType>> field_types_;
  std::vector<std::unique_ptr<RowSource>> sources_;  // older first
  std::vector<RowSource*> source_pointers_;
  std::unique_ptr<SeriesMerger> merger_;
  std::unique_ptr<SeriesWalk> walk_;
  MergedRows rows_;
  std::vector<ColumnStatistics> statistics_;
  ScanCounters counters_;

  SeriesId current_ = 0;
  bool in_series_ = false;
  bool in_lone_ = false;   // more of the lone piece is to be copied out
  bool in_whole_ = false;  // the caller reads the lone piece where it lies
};

}  // namespace

Result<std::unique_ptr<Scan>> open_table_scan(const Table& table, ScanRequest request) {
  auto scan = std::make_unique<TableScan>(table, std::move(request));
  VARVE_TRY(scan->open(table));
  return std::unique_ptr<Scan>(std::move(scan));
}

}  // namespace varve
