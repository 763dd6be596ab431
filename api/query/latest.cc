#include "api/query/latest.h"

#include <algorithm>
#include <numeric>

namespace varve {
namespace {

constexpr uint64_t kRowNodeBytes = 120;  // a row, its node in the map and their share of the table

uint64_t text_bytes(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? 0 : text->capacity();
}

FieldType slot_type(const SelectPlan& plan, size_t slot) {
  switch (plan.slots[slot].kind) {
    case ColumnKind::kTime:
      return FieldType::kInt64;
    case ColumnKind::kTag:
      return FieldType::kString;
    case ColumnKind::kField:
      return plan.field_types[plan.slots[slot].field];
  }
  return FieldType::kString;
}

Value entry_of(const VectorView& view, size_t row) {
  if (!view.is_valid(row)) return {};
  const size_t i = view.entry(row);
  switch (view.type) {
    case FieldType::kDouble:
      return view.doubles[i];
    case FieldType::kInt64:
      return view.ints[i];
    case FieldType::kBool:
      return view.bools[i] != 0;
    case FieldType::kString:
      return std::string(view.string(row));
  }
  return {};
}

}  // namespace

LatestRows::LatestRows(const SelectPlan& plan, std::vector<size_t> output_slots, QueryBudget& budget)
    : plan_(plan), budget_(budget), memory_(budget), slots_(std::move(output_slots)) {
  slots_.insert(slots_.end(), plan.latest_by.begin(), plan.latest_by.end());
  slots_.push_back(kTimeSlot);
  std::sort(slots_.begin(), slots_.end());
  slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
}

QueryResult<void> LatestRows::add(const Chunk& chunk, SeriesId series) {
  if (chunk.rows == 0) return {};
  const size_t last = chunk.rows - 1;
  const int64_t time = chunk.slots[kTimeSlot].ints[last];
  if (series_ != series) {
    series_ = series;
    encoded_.clear();
    for (const size_t slot : plan_.latest_by) append_encoded(encoded_, chunk.slots[slot], 0);
    const auto [place, fresh] = row_of_.try_emplace(encoded_, static_cast<uint32_t>(rows_.size()));
    series_row_ = place->second;
    if (fresh) {
      rows_.push_back({time, std::vector<Value>(slots_.size())});
      bytes_ += kRowNodeBytes + encoded_.size() + slots_.size() * sizeof(Value);
    }
  }
  Row& row = rows_[series_row_];
  if (time < row.time) return {};
  row.time = time;
  for (size_t i = 0; i < slots_.size(); ++i) {
    bytes_ -= text_bytes(row.values[i]);
    row.values[i] = entry_of(chunk.slots[slots_[i]], last);
    bytes_ += text_bytes(row.values[i]);
  }
  return memory_.set(bytes_);
}

QueryResult<void> LatestRows::finish(RowOutput& output) {
  std::vector<size_t> places;  // in Row::values, of the tags
  for (const size_t slot : plan_.latest_by) {
    places.push_back(static_cast<size_t>(std::find(slots_.begin(), slots_.end(), slot) - slots_.begin()));
  }
  std::vector<uint32_t> order(rows_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    for (const size_t place : places) {  // an absent tag is before every text
      const Value& left = rows_[a].values[place];
      const Value& right = rows_[b].values[place];
      if (left != right) return left < right;
    }
    return false;
  });
  for (size_t from = 0; from < order.size(); from += kChunkRows) {
    VARVE_QUERY_TRY(budget_.check());
    const size_t to = std::min(order.size(), from + kChunkRows);
    std::vector<ColumnVector> columns;
    for (const size_t slot : slots_) columns.emplace_back(slot_type(plan_, slot));
    for (size_t i = from; i < to; ++i) {
      for (size_t k = 0; k < columns.size(); ++k) columns[k].push_value(rows_[order[i]].values[k]);
    }
    Chunk chunk{to - from, std::vector<VectorView>(plan_.slots.size())};
    for (size_t k = 0; k < columns.size(); ++k) chunk.slots[slots_[k]] = view_of(columns[k]);
    VARVE_QUERY_ASSIGN(const bool more, output.push(chunk));
    if (!more) return {};
  }
  return {};
}

}  // namespace varve
