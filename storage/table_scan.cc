#include "storage/table_scan.h"

#include <algorithm>
#include <span>

#include "storage/base/check.h"
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

// The rows of a table at one moment.
struct TableState : TablePin {
  // The version before the series: every series of its rows is then in the snapshot, and those in the order.
  explicit TableState(const Table& of)
      : table(&of),
        version(of.version()),
        series(of.series().snapshot()),
        order(of.series().order()),
        damage(of.read_damage()) {}

  const Table* const table;  // to be compared only
  const TableVersion version;
  const std::shared_ptr<const SeriesSnapshot> series;
  const std::shared_ptr<const SeriesOrder> order;
  const std::shared_ptr<ReadDamage> damage;
};

// What a scan and its helpers read.
struct ScanSnapshot {
  std::shared_ptr<const TableState> state;
  std::vector<std::optional<FieldType>> field_types;  // of the wanted fields
  std::vector<std::optional<size_t>> field_indexes;   // the same, in the table
};

// Pieces [from, to) of a list, which overlap nothing else of their series.
struct Cluster {
  SeriesId series = 0;
  size_t from = 0;
  size_t to = 0;
};

struct TablePart : ScanPart {
  std::vector<Cluster> clusters;
  std::vector<Piece> pieces;
};

class TableScan : public Scan {
 public:
  TableScan(std::shared_ptr<const ScanSnapshot> snapshot, ScanRequest request)
      : snapshot_(std::move(snapshot)), request_(std::move(request)), tags_(snapshot_->state->series) {}

  void open() {
    make_sources();
    statistics_.resize(request_.fields.size());
    widened_.resize(request_.fields.size());
  }

  std::span<const std::optional<FieldType>> field_types() const override { return snapshot_->field_types; }

  Result<bool> next(ScanBlock& block) override { return watched(next_block(block)); }
  Result<const ColumnVector*> column(size_t field) override { return watched(read_column(field)); }
  Result<void> load_rows(ScanBlock& block) override { return watched(read_rows(block)); }

  void skip_series() override {
    if (!request_.newest_first) merging_ = false;
    const auto& clusters = part_.clusters;
    while (next_cluster_ < clusters.size() && clusters[next_cluster_].series == current_) ++next_cluster_;
  }

  const SeriesTags& tags(SeriesId series) const override {
    tags_.set(series);
    return tags_;
  }
  const ScanCounters& counters() const override { return counters_; }

  std::vector<ScanExtent> extents() const override {
    std::vector<ScanExtent> all;
    for (const Source& source : sources_) {
      if (request_.time.overlaps(source.time.min, source.time.max))
        all.push_back({source.time, source.row_count});
    }
    return all;
  }

  void restart(TimeRange time) override {
    request_.time = time;
    begun_ = false;
  }

  Result<std::unique_ptr<ScanPart>> cut(uint64_t rows, bool whole_series) override {
    if (!begun_) VARVE_TRY(begin());
    auto part = std::make_unique<TablePart>();
    for (uint64_t taken = 0; taken < rows;) {
      if (next_cluster_ == part_.clusters.size() && !next_series()) break;
      const size_t end = part_.clusters.size();
      while (next_cluster_ < end && (taken < rows || whole_series)) {
        const Cluster& cluster = part_.clusters[next_cluster_++];
        const size_t from = part->pieces.size();
        for (size_t i = cluster.from; i < cluster.to; ++i) {
          part->pieces.push_back(part_.pieces[i]);
          taken += part_.pieces[i].to - part_.pieces[i].from;
        }
        part->clusters.push_back({cluster.series, from, part->pieces.size()});
      }
    }
    if (part->clusters.empty()) return std::unique_ptr<ScanPart>();
    return std::unique_ptr<ScanPart>(std::move(part));
  }

  Result<std::unique_ptr<Scan>> helper() const override {
    ScanRequest request = request_;
    request.series_filter = nullptr;
    auto scan = std::make_unique<TableScan>(snapshot_, std::move(request));
    scan->open();
    VARVE_TRY(scan->begin());
    scan->walk_ = nullptr;  // it reads parts only
    return std::unique_ptr<Scan>(std::move(scan));
  }

  void read(std::unique_ptr<ScanPart> part) override {
    merging_ = false;
    part_ = std::move(static_cast<TablePart&>(*part));
    next_cluster_ = 0;
  }

 private:
  template <class T>
  Result<T> watched(Result<T> read) const {
    return snapshot_->state->damage->watch(std::move(read), snapshot_->state->version.segments);
  }

  Result<bool> next_block(ScanBlock& block) {
    if (!begun_) VARVE_TRY(begin());
    block = {};
    while (true) {
      if (merging_) {
        VARVE_ASSIGN(merging_, merger_->next_rows(rows_));
        if (merging_ && hand_out_merged(block)) return true;
        continue;
      }
      if (next_cluster_ == part_.clusters.size()) {
        if (!next_series()) return false;
        continue;
      }
      const bool begins_series = walk_ != nullptr && next_cluster_ == 0;
      const Cluster& cluster = part_.clusters[next_cluster_++];
      current_ = cluster.series;
      block.series = current_;
      if (request_.last_row_only && begins_series && hand_out_last_row(block)) return true;
      if (cluster.to - cluster.from == 1) {
        VARVE_ASSIGN(const bool handed_out, hand_out_lone(part_.pieces[cluster.from], block));
        if (handed_out) return true;
      } else {
        start_merging(cluster);
      }
    }
  }

  Result<const ColumnVector*> read_column(size_t field) {
    if (!in_place_) return &rows_.columns[field];
    VARVE_ASSIGN(const ColumnVector* column, sources_in_use_[lone_.source]->load_column(lone_rows_, field));
    if (column == nullptr || column->type == rows_.columns[field].type) return column;
    widened_[field] = *column;
    widened_[field].widen_to_double();
    return &widened_[field];
  }

  Result<void> read_rows(ScanBlock& block) {
    VARVE_CHECK(block.from_statistics && request_.columns_on_demand);
    --counters_.blocks_from_statistics;
    counters_.rows -= block.rows;
    VARVE_ASSIGN(const bool handed_out, hand_out_rows(lone_, block));
    VARVE_CHECK(handed_out);  // statistics are of whole pieces that are wanted
    return {};
  }

  struct Source {
    TimeRange time;
    uint64_t row_count = 0;
    std::unique_ptr<RowSource> rows;
    bool counted = false;  // a segment not opened yet
  };

  // Older first. Segments are opened when a range of time needs them.
  void make_sources() {
    const TableVersion& version = snapshot_->state->version;
    const auto wanted = [&](const TimeRange& times) { return request_.time.overlaps(times.min, times.max); };
    const size_t columns = version.segments.size() * (request_.fields.size() + 1);
    const size_t ahead = std::min(kReadAheadBytesMax, kScanAheadBytesMax / std::max<size_t>(columns, 1));
    for (const auto& segment : version.segments) {
      const TimeRange times = segment->time_range();
      ++counters_.segments_pruned;  // until it is opened
      if (!wanted(times)) continue;
      HiddenRows hidden(version.tombstones, segment->record().applied_lsn, times);
      if (hidden.cover(times, segment->series())) continue;
      auto rows = std::make_unique<SegmentSource>(segment, request_.fields, ahead);
      sources_.push_back(
          {times, segment->rows(), without_hidden_rows(std::move(rows), std::move(hidden)), true});
    }
    const auto& fields = snapshot_->field_indexes;
    for (const auto& run : version.runs) {
      if (!wanted(run->time_range())) continue;
      HiddenRows hidden(version.tombstones, run->last_lsn(), run->time_range());
      auto rows = without_hidden_rows(std::make_unique<RunSource>(run, fields), std::move(hidden));
      sources_.push_back({run->time_range(), run->rows(), std::move(rows), false});
    }
    for (const auto& run : version.newest) {
      if (!wanted(run->time_range())) continue;
      auto rows = std::make_unique<PlainRunSource>(run, fields);
      sources_.push_back({run->time_range(), run->rows(), std::move(rows), false});
    }
  }

  // At the first series, with the sources that have rows in the time range.
  Result<void> begin() {
    begun_ = true;
    sources_in_use_.clear();
    for (Source& source : sources_) {
      if (!request_.time.overlaps(source.time.min, source.time.max)) continue;
      if (source.counted) {
        source.counted = false;
        ++counters_.segments;
        --counters_.segments_pruned;
      }
      VARVE_TRY(source.rows->open());
      sources_in_use_.push_back(source.rows.get());
    }
    std::vector<FieldType> types;
    for (const auto& type : snapshot_->field_types) types.push_back(type.value_or(FieldType::kDouble));
    merger_ = std::make_unique<SeriesMerger>(sources_in_use_, types);
    walk_ = std::make_unique<SeriesWalk>(sources_in_use_, snapshot_->state->order);
    rows_ = merger_->make_rows();
    merging_ = false;
    part_ = {};
    next_cluster_ = 0;
    return {};
  }

  bool passes(SeriesId series) {
    if (!request_.series_filter) return true;
    tags_.set(series);
    return series < snapshot_->state->series->size() && request_.series_filter(tags_);
  }

  // Fills part_ with the next series that has pieces.
  bool next_series() {
    if (walk_ == nullptr) return false;
    const auto& series = snapshot_->state->order->series();
    while (auto rank = walk_->rank()) {
      if (!passes(series[*rank])) {
        uint32_t next = *rank + 1;
        while (next < series.size() && !passes(series[next])) ++next;
        walk_->seek(next);
        continue;
      }
      part_.pieces.clear();
      part_.clusters.clear();
      next_cluster_ = 0;
      walk_->take(*rank, request_.time, part_.pieces);
      if (part_.pieces.empty()) continue;
      make_clusters(series[*rank]);
      return true;
    }
    part_.clusters.clear();
    next_cluster_ = 0;
    return false;
  }

  void make_clusters(SeriesId series) {
    std::vector<Piece>& pieces = part_.pieces;
    const auto before = [](const Piece& a, const Piece& b) {
      return a.range.min != b.range.min ? a.range.min < b.range.min : a.source < b.source;
    };
    if (!std::is_sorted(pieces.begin(), pieces.end(), before))
      std::sort(pieces.begin(), pieces.end(), before);
    for (size_t from = 0; from < pieces.size();) {
      int64_t end = pieces[from].range.max;
      size_t to = from + 1;
      for (; to < pieces.size() && pieces[to].range.min <= end; ++to)
        end = std::max(end, pieces[to].range.max);
      part_.clusters.push_back({series, from, to});
      from = to;
    }
    if (request_.newest_first) std::reverse(part_.clusters.begin(), part_.clusters.end());
  }

  void start_merging(const Cluster& cluster) {
    const auto first = part_.pieces.begin();
    merger_->start(
        {first + static_cast<ptrdiff_t>(cluster.from), first + static_cast<ptrdiff_t>(cluster.to)});
    merging_ = true;
  }

  int64_t bucket_of(int64_t time) const {
    if (request_.bucket_width_ns == 0) return 0;
    // In unsigned arithmetic: origin and time may lie at opposite ends of the range.
    const auto distance =
        static_cast<int64_t>(static_cast<uint64_t>(time) - static_cast<uint64_t>(request_.bucket_origin_ns));
    const int64_t bucket = distance / request_.bucket_width_ns;
    return distance % request_.bucket_width_ns < 0 ? bucket - 1 : bucket;
  }

  enum class Wanted { kNone, kSome, kAll };
  Wanted rows_wanted(const Piece& piece) const {
    Wanted wanted = Wanted::kAll;
    for (const FieldRange& range : request_.field_ranges) {
      const auto of = sources_in_use_[piece.source]->field_statistics(piece, range.field);
      if (!of) {
        wanted = Wanted::kSome;
        continue;
      }
      const bool is_int = snapshot_->field_types[range.field] == FieldType::kInt64;
      const bool apart = is_int ? of->min_int > range.max_int || of->max_int < range.min_int
                                : of->min > range.max || of->max < range.min;
      if (of->count == 0 || apart) return Wanted::kNone;
      const bool inside = is_int ? of->min_int >= range.min_int && of->max_int <= range.max_int
                                 : of->min >= range.min && of->max <= range.max;
      if (!inside || of->count < piece.to - piece.from) wanted = Wanted::kSome;
    }
    return wanted;
  }

  Result<bool> hand_out_lone(const Piece& piece, ScanBlock& block) {
    const Wanted wanted = rows_wanted(piece);
    if (wanted == Wanted::kNone) {
      ++counters_.blocks_pruned;
      return false;
    }
    block.all_wanted = wanted == Wanted::kAll;
    if (block.all_wanted && hand_out_statistics(piece, block)) return true;
    return hand_out_rows(piece, block);
  }

  bool hand_out_statistics(const Piece& piece, ScanBlock& block) {
    const bool whole = request_.time.contains(piece.range.min) && request_.time.contains(piece.range.max);
    if (!request_.may_use_statistics || !whole || bucket_of(piece.range.min) != bucket_of(piece.range.max) ||
        !sources_in_use_[piece.source]->statistics(piece, statistics_)) {
      return false;
    }
    lone_ = piece;
    block.rows = piece.to - piece.from;
    block.from_statistics = true;
    block.statistics = statistics_;
    block.time_min = piece.range.min;
    block.time_max = piece.range.max;
    ++counters_.blocks_from_statistics;
    counters_.rows += block.rows;
    return true;
  }

  // The last row of the series in part_, when one piece alone ends last and its statistics give the values. A piece
  // whose end is not exact (hidden rows, a slice of a shared block) has no statistics.
  bool hand_out_last_row(ScanBlock& block) {
    const Piece* newest = &part_.pieces.front();
    bool alone = true;
    for (const Piece& piece : std::span(part_.pieces).subspan(1)) {
      if (piece.range.max < newest->range.max) continue;
      alone = piece.range.max > newest->range.max;
      newest = &piece;
    }
    if (!alone || newest->range.max > request_.time.max ||
        !sources_in_use_[newest->source]->statistics(*newest, statistics_)) {
      return false;
    }
    const uint64_t rows = newest->to - newest->from;
    rows_.clear();
    for (size_t i = 0; i < statistics_.size(); ++i) {
      const ColumnStatistics& of = statistics_[i];
      ColumnVector& column = rows_.columns[i];
      if (of.count == 0) {
        column.push_null();
      } else if (of.count == rows && column.type == FieldType::kDouble) {
        column.push_double(of.last);
      } else if (of.count == rows && column.type == FieldType::kInt64) {
        column.push_int(of.last_int);
      } else {
        return false;
      }
    }
    rows_.times.push_back(newest->range.max);
    in_place_ = false;
    ++counters_.blocks_from_statistics;
    set_rows(block, rows_.times);
    if (!request_.columns_on_demand) block.columns = rows_.columns;
    next_cluster_ = part_.clusters.size();
    return true;
  }

  // The rows of a lone piece that lie in the time range; false when none do.
  Result<bool> hand_out_rows(const Piece& piece, ScanBlock& block) {
    ++counters_.blocks_decoded;
    RowSource& source = *sources_in_use_[piece.source];
    if (request_.columns_on_demand) {
      lone_ = piece;
      VARVE_TRY(source.load_times(piece, lone_rows_));
      const int64_t* const begin = lone_rows_.times;
      const int64_t* const end = begin + lone_rows_.rows;
      const int64_t* const from = std::lower_bound(begin, end, request_.time.min);
      const int64_t* const to = std::upper_bound(from, end, request_.time.max);
      if (from == to) return false;
      in_place_ = true;
      set_rows(block, {from, to});
      block.first_row = lone_rows_.offset + static_cast<size_t>(from - begin);
      return true;
    }
    VARVE_TRY(source.load(piece, lone_rows_));
    if (hand_out_whole(block)) return true;
    --counters_.blocks_decoded;  // counted as it comes in pieces of its own
    merger_->start({piece});
    merging_ = true;
    return false;
  }

  // The rows of a lone piece where they lie, when all of them are wanted and no column is to be made up or widened.
  bool hand_out_whole(ScanBlock& block) {
    const LoadedPiece& piece = lone_rows_;
    if (piece.rows == 0 || piece.whole.size() != request_.fields.size()) return false;
    for (size_t i = 0; i < piece.whole.size(); ++i) {
      if (piece.whole[i].type != rows_.columns[i].type) return false;
    }
    if (piece.times[0] < request_.time.min || piece.times[piece.rows - 1] > request_.time.max) return false;
    set_rows(block, {piece.times, piece.rows});
    block.columns = piece.whole;
    return true;
  }

  // Trims the merged rows to the wanted range; false when none are left.
  bool hand_out_merged(ScanBlock& block) {
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
    ++counters_.blocks_decoded;
    in_place_ = false;
    block.series = current_;
    set_rows(block, times);
    if (!request_.columns_on_demand) block.columns = rows_.columns;
    return true;
  }

  void set_rows(ScanBlock& block, std::span<const int64_t> times) {
    block.from_statistics = false;
    block.statistics = {};
    block.rows = times.size();
    block.times = times;
    block.time_min = times.front();
    block.time_max = times.back();
    counters_.rows += block.rows;
  }

  const std::shared_ptr<const ScanSnapshot> snapshot_;
  ScanRequest request_;
  mutable SnapshotTags tags_;
  std::vector<Source> sources_;
  std::vector<RowSource*> sources_in_use_;  // what Piece::source counts
  std::unique_ptr<SeriesMerger> merger_;
  std::unique_ptr<SeriesWalk> walk_;  // null: it reads parts only
  MergedRows rows_;
  std::vector<ColumnStatistics> statistics_;
  std::vector<ColumnVector> widened_;  // by field, for column()
  ScanCounters counters_;

  TablePart part_;  // what is read now: a series, or a part that was given
  size_t next_cluster_ = 0;
  SeriesId current_ = 0;
  bool begun_ = false;     // with the time range there is; what is not needed is not opened
  bool merging_ = false;   // more comes from merger_
  bool in_place_ = false;  // the last block lies in lone_rows_, else in rows_
  Piece lone_;             // of the last block, when it is one piece
  LoadedPiece lone_rows_;
};

}  // namespace

std::shared_ptr<const TablePin> pin_table(const Table& table) {
  return std::make_shared<const TableState>(table);
}

Result<std::unique_ptr<Scan>> open_table_scan(const Table& table, ScanRequest request) {
  auto snapshot = std::make_shared<ScanSnapshot>();
  snapshot->state = request.pin ? std::static_pointer_cast<const TableState>(std::move(request.pin))
                                : std::make_shared<const TableState>(table);
  VARVE_CHECK(snapshot->state->table == &table);
  for (const std::string& name : request.fields) {
    const auto field = table.field(name);
    snapshot->field_types.push_back(field ? std::optional(field->type) : std::nullopt);
    snapshot->field_indexes.push_back(field ? std::optional(field->index) : std::nullopt);
  }
  auto scan = std::make_unique<TableScan>(std::move(snapshot), std::move(request));
  scan->open();
  return std::unique_ptr<Scan>(std::move(scan));
}

}  // namespace varve
