#include "api/query/table_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace varve {

TableSource::TableSource(const SelectPlan& plan, QueryBudget& budget, EvalContext& context)
    : plan_(plan), budget_(budget), context_(context), tags_(plan.slots) {
  whole_block_.slots.resize(plan.slots.size());
  chunk_.slots.resize(plan.slots.size());
  nan_masks_.resize(plan.fields.size());
}

bool TableSource::series_passes(const SeriesTags& tags) {
  if (++series_filtered_ % kSeriesPerCheck == 0) {
    if (auto checked = budget_.check(); !checked) context_.fail(checked.error());
  }
  if (context_.failed()) return false;
  tags_of_.reset();
  return tags_.passes(tags, *plan_.series_filter, context_);
}

QueryResult<bool> TableSource::open(const Engine& engine, std::vector<size_t> needed_slots,
                                    bool use_statistics) {
  needed_slots_ = std::move(needed_slots);
  if (plan_.time.empty()) return true;  // nothing can match: next() is at the end
  ScanRequest request;
  request.database = plan_.database;
  request.table = plan_.table;
  request.fields = plan_.fields;
  request.time = plan_.time;
  if (plan_.series_filter) {
    request.series_filter = [this](const SeriesTags& tags) { return series_passes(tags); };
  }
  request.may_use_statistics = use_statistics;
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

VectorView TableSource::field_view(size_t field) {
  VectorView view = view_of(block_.columns[field]);
  if (view.type != FieldType::kDouble) return view;
  bool any_nan = false;
  for (size_t row = 0; row < block_.rows; ++row) any_nan |= view.doubles[row] != view.doubles[row];
  if (!any_nan) return view;
  std::vector<uint8_t>& mask = nan_masks_[field];
  mask.resize(block_.rows);
  for (size_t row = 0; row < block_.rows; ++row) {
    mask[row] = view.is_valid(row) && !std::isnan(view.doubles[row]) ? 1 : 0;
  }
  view.valid = mask.data();
  return view;
}

QueryResult<void> TableSource::begin_block() {
  if (tags_of_ != block_.series) {
    tags_.fill(scan_->tags(block_.series));
    tags_of_ = block_.series;
  }
  if (block_.from_statistics) return {};
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    const SlotSource& source = plan_.slots[slot];
    VectorView& view = whole_block_.slots[slot];
    if (source.kind == ColumnKind::kTag) {
      view = tags_.chunk().slots[slot];
    } else if (source.kind == ColumnKind::kTime) {
      view = {};
      view.type = FieldType::kInt64;
      view.ints = block_.times.data();
    } else if (block_.columns[source.field].type != plan_.field_types[source.field]) {
      return tl::make_unexpected(
          QueryError{QueryErrorKind::kInternal,
                     "internal",
                     fmt::format("column `{}` was scanned with another type than the table has", source.name),
                     std::nullopt,
                     {}});
    } else {
      view = field_view(source.field);
    }
  }
  next_row_ = 0;
  return {};
}

QueryResult<void> TableSource::next_chunk() {
  chunk_.rows = std::min(kChunkRows, block_.rows - next_row_);
  for (size_t slot = 0; slot < chunk_.slots.size(); ++slot) {
    chunk_.slots[slot] = whole_block_.slots[slot].from(next_row_);
  }
  next_row_ += chunk_.rows;
  rows_ = &chunk_;
  if (!plan_.row_filter) return {};
  select_true(plan_.row_filter->evaluate(chunk_, context_), chunk_.rows, selection_);
  if (context_.failed()) return tl::make_unexpected(context_.error());
  if (selection_.size() < chunk_.rows) rows_ = &compacted_.assign(chunk_, selection_, needed_slots_);
  return {};
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
    VARVE_QUERY_TRY(begin_block());
    if (block_.from_statistics) return Step::kBlock;
  }
  VARVE_QUERY_TRY(next_chunk());
  return Step::kRows;
}

}  // namespace varve
