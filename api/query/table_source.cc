#include "api/query/table_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/query/kernels.h"

namespace varve {

TableSource::TableSource(const SelectPlan& plan, QueryBudget& budget, EvalContext& context,
                         SourceOptions options)
    : plan_(plan), budget_(budget), context_(context), options_(std::move(options)), tags_(plan.slots) {
  if (plan.row_filter) filter_slots_ = plan.row_filter->slots();
  whole_block_.slots.resize(plan.slots.size());
  chunk_.slots.resize(plan.slots.size());
  loaded_.resize(plan.slots.size());
  nan_masks_.resize(plan.fields.size());
  for (const FieldType type : plan.field_types) no_values_.emplace_back(type).push_null();
}

bool TableSource::series_passes(const SeriesTags& tags) {
  if (++series_filtered_ % kSeriesPerCheck == 0) {
    if (auto checked = budget_.check(); !checked) context_.fail(checked.error());
  }
  if (context_.failed()) return false;
  tags_of_.reset();
  return tags_.passes(tags, *plan_.series_filter, context_);
}

QueryResult<bool> TableSource::open(const Engine& engine, std::shared_ptr<const TablePin> pin) {
  if (plan_.time.empty()) return true;  // nothing can match: next() is at the end
  ScanRequest request;
  request.database = plan_.database;
  request.table = plan_.table;
  request.fields = plan_.fields;
  request.time = plan_.time;
  if (plan_.series_filter) {
    request.series_filter = [this](const SeriesTags& tags) { return series_passes(tags); };
  }
  request.may_use_statistics = options_.use_statistics;
  request.newest_first = options_.newest_first;
  request.last_row_only = options_.last_row_only;
  request.field_ranges = plan_.field_ranges;
  request.columns_on_demand = true;
  request.pin = std::move(pin);
  for (const GroupKey& key : plan_.keys) {
    if (key.kind != GroupKey::Kind::kBucket) continue;
    request.bucket_width_ns = key.bucket.width_ns;
    request.bucket_origin_ns = key.bucket.origin_ns;
  }
  auto scan = engine.scan(std::move(request));
  if (!scan) return tl::make_unexpected(from_storage(scan.error()));
  scan_ = std::move(*scan);
  const auto types = scan_->field_types();
  for (size_t i = 0; i < plan_.fields.size(); ++i) {
    if (i >= types.size() || types[i] != plan_.field_types[i]) return false;
  }
  return true;
}

QueryResult<void> TableSource::assist(const TableSource& opened) {
  if (!opened.scan_) return {};
  auto scan = opened.scan_->helper();
  if (!scan) return tl::make_unexpected(from_storage(scan.error()));
  scan_ = std::move(*scan);
  return {};
}

QueryResult<std::unique_ptr<ScanPart>> TableSource::cut(uint64_t rows, bool whole_series) {
  if (!scan_) return nullptr;
  VARVE_QUERY_TRY(budget_.check());
  auto part = scan_->cut(rows, whole_series);
  if (context_.failed()) return tl::make_unexpected(context_.error());  // in the series filter
  if (!part) return tl::make_unexpected(from_storage(part.error()));
  return std::move(*part);
}

void TableSource::read(std::unique_ptr<ScanPart> part) {
  block_ = {};
  next_row_ = 0;
  scan_->read(std::move(part));
}

void TableSource::restart(TimeRange time) {
  if (!scan_) return;
  block_ = {};
  next_row_ = 0;
  scan_->restart(time);
}

std::vector<ScanExtent> TableSource::extents() const {
  return scan_ ? scan_->extents() : std::vector<ScanExtent>();
}

QueryResult<void> TableSource::refuse_block() {
  const auto loaded = scan_->load_rows(block_);
  if (!loaded) return tl::make_unexpected(from_storage(loaded.error()));
  return begin_rows();
}

void TableSource::skip_series() {
  next_row_ = block_.rows;
  scan_->skip_series();
}

QueryResult<VectorView> TableSource::field_view(size_t field) {
  const Result<const ColumnVector*> column = scan_->column(field);
  if (!column) return tl::make_unexpected(from_storage(column.error()));
  if (*column == nullptr) {
    return view_of(no_values_[field], true);
  }
  if ((*column)->type != plan_.field_types[field]) {
    return tl::make_unexpected(QueryError{
        QueryErrorKind::kInternal,
        "internal",
        fmt::format("column `{}` was scanned with another type than the table has", plan_.fields[field]),
        std::nullopt,
        {}});
  }
  VectorView view = view_of(**column).from(block_.first_row);
  if (view.type != FieldType::kDouble || !any_nan(view.doubles, block_.rows)) return view;
  std::vector<uint8_t>& mask = nan_masks_[field];
  mask.resize(block_.rows);
  for (size_t row = 0; row < block_.rows; ++row) {
    mask[row] = view.is_valid(row) && !std::isnan(view.doubles[row]) ? 1 : 0;
  }
  view.valid = mask.data();
  return view;
}

// The slots of tags and time; those of fields when they are asked for.
QueryResult<void> TableSource::begin_rows() {
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    const SlotSource& source = plan_.slots[slot];
    VectorView& view = whole_block_.slots[slot];
    loaded_[slot] = source.kind == ColumnKind::kField ? 0 : 1;
    if (source.kind == ColumnKind::kTag) {
      view = tags_.chunk().slots[slot];
    } else if (source.kind == ColumnKind::kTime) {
      view = {};
      view.type = FieldType::kInt64;
      view.ints = block_.times.data();
    }
  }
  next_row_ = 0;
  return {};
}

QueryResult<void> TableSource::load_slot(size_t slot) {
  if (loaded_[slot] != 0) return {};
  VARVE_QUERY_ASSIGN(whole_block_.slots[slot], field_view(plan_.slots[slot].field));
  loaded_[slot] = 1;
  chunk_.slots[slot] = whole_block_.slots[slot].from(chunk_begin_);
  return {};
}

QueryResult<void> TableSource::load(const std::vector<size_t>& slots) {
  for (const size_t slot : slots) VARVE_QUERY_TRY(load_slot(slot));
  if (rows_ != &chunk_ && rows_->rows > 0) compacted_.add(chunk_, selection_, slots);
  return {};
}

QueryResult<void> TableSource::next_chunk() {
  chunk_begin_ = next_row_;
  chunk_.rows = std::min(kChunkRows, block_.rows - next_row_);
  for (size_t slot = 0; slot < chunk_.slots.size(); ++slot) {
    if (loaded_[slot] != 0) chunk_.slots[slot] = whole_block_.slots[slot].from(next_row_);
  }
  next_row_ += chunk_.rows;
  rows_ = &chunk_;
  const bool all_pass = !plan_.row_filter || (block_.all_wanted && plan_.ranges_are_filter);
  if (!all_pass) {
    VARVE_QUERY_TRY(load(filter_slots_));
    select_true(plan_.row_filter->evaluate(chunk_, context_), chunk_.rows, selection_);
    if (context_.failed()) return tl::make_unexpected(context_.error());
    if (selection_.size() < chunk_.rows) rows_ = &compacted_.begin(chunk_, selection_.size());
  }
  return rows_->rows == 0 ? QueryResult<void>() : load(options_.slots);
}

QueryResult<TableSource::Step> TableSource::next() {
  if (!scan_) return Step::kEnd;
  if (block_.from_statistics || next_row_ >= block_.rows) {
    VARVE_QUERY_TRY(budget_.check());
    const Result<bool> more = scan_->next(block_);
    if (context_.failed()) return tl::make_unexpected(context_.error());  // in the series filter
    if (!more) return tl::make_unexpected(from_storage(more.error()));
    if (!*more) return Step::kEnd;
    budget_.add_scanned(block_.rows);
    if (tags_of_ != block_.series) {
      tags_.fill(scan_->tags(block_.series));
      tags_of_ = block_.series;
    }
    if (block_.from_statistics) return Step::kBlock;
    VARVE_QUERY_TRY(begin_rows());
  }
  VARVE_QUERY_TRY(next_chunk());
  return Step::kRows;
}

}  // namespace varve
