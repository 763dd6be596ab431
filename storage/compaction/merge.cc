#include "storage/compaction/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/merge/filtered_source.h"
#include "storage/merge/segment_source.h"
#include "storage/merge/series_walk.h"

namespace varve {
namespace {

// Remembers that this input could not be read: its error must not be taken for one of the disk written to.
class InputSource : public RowSource {
 public:
  InputSource(std::unique_ptr<RowSource> source, uint64_t id, MergeProgress& progress)
      : source_(std::move(source)), id_(id), progress_(progress) {}

  std::span<const SeriesId> series() const override { return source_->series(); }
  void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override {
    source_->add_pieces(position, range, source_index, out);
  }
  Result<void> load(const Piece& piece, LoadedPiece& out) override {
    auto loaded = source_->load(piece, out);
    if (!loaded) progress_.damaged = id_;
    progress_.rows_read += out.rows;
    return loaded;
  }
  bool statistics(const Piece&, std::span<ColumnStatistics>) const override { return false; }

 private:
  const std::unique_ptr<RowSource> source_;
  const uint64_t id_;
  MergeProgress& progress_;
};

class Merge {
 public:
  Merge(const MergeRequest& request, const SeriesIndex& series, const SegmentTarget& target,
        MergeProgress& progress)
      : request_(request),
        target_(target),
        progress_(progress),
        order_(series.order()),
        snapshot_(series.snapshot()) {}

  Result<std::vector<CatalogSegment>> run() {
    VARVE_TRY(make_schema());
    segments_.emplace(target_, schema_, identity(), Effort::kExhaustive);
    auto written = [&]() -> Result<std::vector<CatalogSegment>> {
      VARVE_TRY(write());
      return segments_->done();
    }();
    if (!written) segments_->discard();
    return written;
  }

 private:
  SegmentIdentity identity() const {
    SegmentIdentity common;
    common.first_lsn = UINT64_MAX;
    for (const auto& segment : request_.segments) {
      common.first_lsn = std::min(common.first_lsn, segment->record().first_lsn);
      common.last_lsn = std::max(common.last_lsn, segment->record().last_lsn);
      common.applied_lsn = std::max(common.applied_lsn, segment->record().applied_lsn);
    }
    // A delete between the applied lsns of two inputs is in the list, or hid nothing and is gone.
    if (request_.tombstones != nullptr) {
      common.applied_lsn = std::max(common.applied_lsn, request_.tombstones->back()->lsn);
    }
    return common;
  }

  // The tags and fields that any input has.
  Result<void> make_schema() {
    std::set<std::string_view> tags;
    std::set<std::string_view> fields;
    for (const auto& segment : request_.segments) {
      const SegmentSchema& schema = segment->reader().schema();
      tags.insert(schema.tags.begin(), schema.tags.end());
      for (const SegmentField& field : schema.fields) fields.insert(field.name);
    }
    schema_ =
        segment_schema(request_.database, request_.table, request_.columns, [&](const ColumnInfo& column) {
          return (column.kind == ColumnKind::kTag ? tags : fields).contains(column.name);
        });
    for (const auto& segment : request_.segments) {
      VARVE_TRY(check_fits(*segment));
    }
    return {};
  }

  // A catalog that lost columns must not lose their values too.
  Result<void> check_fits(const StoredSegment& segment) {
    const auto misfit = [&](const std::string& column, std::string_view problem) {
      progress_.damaged = segment.id();
      return corruption(fmt::format("{}: column {} {}", segment.path(), column, problem));
    };
    for (const std::string& tag : segment.reader().schema().tags) {
      if (std::find(schema_.tags.begin(), schema_.tags.end(), tag) == schema_.tags.end()) {
        return misfit(tag, "is no tag of the table");
      }
    }
    for (const SegmentField& field : segment.reader().schema().fields) {
      const auto known = std::find_if(schema_.fields.begin(), schema_.fields.end(),
                                      [&](const SegmentField& own) { return own.name == field.name; });
      if (known == schema_.fields.end()) return misfit(field.name, "is no field of the table");
      const bool widened = field.type == FieldType::kInt64 && known->type == FieldType::kDouble;
      if (known->type != field.type && !widened)
        return misfit(field.name, "has another type than the table's");
    }
    return {};
  }

  // What the outputs are written from, older first.
  Result<void> open_sources() {
    std::vector<std::string> fields;
    for (const SegmentField& field : schema_.fields) fields.push_back(field.name);
    for (const auto& segment : request_.segments) {
      auto source = std::make_unique<SegmentSource>(segment, fields);
      const auto opened = source->open();
      if (!opened) {
        progress_.damaged = segment->id();
        return opened.error();
      }
      auto rows = without_hidden_rows(
          std::move(source),
          HiddenRows(request_.tombstones, segment->record().applied_lsn, segment->time_range()));
      sources_.push_back(std::make_unique<InputSource>(std::move(rows), segment->id(), progress_));
    }
    return {};
  }

  // One pass over the series for each window between cuts: so that one segment is open at a time.
  Result<void> write() {
    VARVE_TRY(open_sources());
    int64_t from = INT64_MIN;
    for (const int64_t cut : request_.cuts) {
      if (cut > from) VARVE_TRY(write_window({from, cut - 1}));
      from = cut;
    }
    VARVE_TRY(write_window({from, INT64_MAX}));
    if (output_ == nullptr) return {};
    std::vector<uint64_t> replaced;
    for (const auto& segment : request_.segments) replaced.push_back(segment->id());
    output_->set_lineage(std::move(replaced), std::move(finished_));
    return finish_output();
  }

  Result<void> write_window(const TimeRange& window) {
    std::vector<RowSource*> sources;  // that have rows there
    for (size_t i = 0; i < sources_.size(); ++i) {
      const TimeRange range = request_.segments[i]->time_range();
      if (window.overlaps(range.min, range.max)) sources.push_back(sources_[i].get());
    }
    std::vector<FieldType> types;
    for (const SegmentField& field : schema_.fields) types.push_back(field.type);
    SeriesMerger merger(sources, types);
    MergedRows rows = merger.make_rows();
    SeriesWalk walk(sources, order_);
    window_begins_ = true;
    while (const auto rank = walk.rank()) {
      if (request_.cancelled && request_.cancelled()) return unavailable("the merge was cancelled");
      std::vector<Piece> pieces;
      walk.take(*rank, window, pieces);
      if (pieces.empty()) continue;
      const SeriesId series = order_->series()[*rank];
      const std::string key = snapshot_->key(series);
      const std::vector<TagPair> tags = snapshot_->tags(series);
      merger.start(std::move(pieces));
      while (true) {
        VARVE_ASSIGN(const bool more, merger.next_rows(rows));
        if (!more) break;
        const auto begin = std::lower_bound(rows.times.begin(), rows.times.end(), window.min);
        const auto end = std::upper_bound(begin, rows.times.end(), window.max);
        if (begin == end) continue;
        VARVE_TRY(append(key, tags, rows, static_cast<size_t>(begin - rows.times.begin()),
                         static_cast<size_t>(end - rows.times.begin())));
      }
    }
    return {};
  }

  // An output is finished when the next one begins: the last one must know all others.
  Result<void> append(std::string_view key, const std::vector<TagPair>& tags, const MergedRows& rows,
                      size_t from, size_t to) {
    if (output_ != nullptr && (window_begins_ || output_->full())) {
      finished_.push_back(output_->id());
      VARVE_TRY(finish_output());
    }
    window_begins_ = false;
    if (output_ == nullptr) {
      VARVE_ASSIGN(output_, segments_->open());
    }
    return output_->append(key, tags, rows, from, to);
  }

  Result<void> finish_output() {
    VARVE_TRY(segments_->finish(*output_));
    output_ = nullptr;
    progress_.bytes_written = segments_->bytes_written();
    return {};
  }

  const MergeRequest& request_;
  const SegmentTarget& target_;
  MergeProgress& progress_;
  const std::shared_ptr<const SeriesOrder> order_;
  const std::shared_ptr<const SeriesSnapshot> snapshot_;
  SegmentSchema schema_;
  std::optional<SegmentSetWriter> segments_;
  std::vector<std::unique_ptr<RowSource>> sources_;
  std::unique_ptr<SegmentOutput> output_;
  std::vector<uint64_t> finished_;  // ids of the outputs before output_
  bool window_begins_ = false;
};

}  // namespace

Result<std::vector<CatalogSegment>> merge_segments(const MergeRequest& request, const SeriesIndex& series,
                                                   const SegmentTarget& target, MergeProgress& progress) {
  return Merge(request, series, target, progress).run();
}

}  // namespace varve
