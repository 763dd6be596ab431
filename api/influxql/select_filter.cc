#include "api/influxql/select_filter.h"

#include <algorithm>

namespace varve::influxql {

QueryResult<void> RowFilter::add(const Expr& part, const PlaceOf& place_of) {
  const Expr& inner = without_parens(part);
  if (inner.kind == ExprKind::kBinary && inner.op == "and") {
    VARVE_QUERY_TRY(add(*inner.children[0], place_of));
    return add(*inner.children[1], place_of);
  }
  bool of_row = false;
  const auto slot_of = [&](const Expr& name) {
    const Place place = name.kind == ExprKind::kName ? place_of(name) : Place{};
    of_row |= place.where == Where::kField;
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].name == name.text && slots_[i].place.where == place.where) return i;
    }
    slots_.push_back({name.text, place});
    return slots_.size() - 1;
  };
  VARVE_QUERY_ASSIGN(Program program, Program::compile(inner, Program::Use::kCondition, slot_of));
  (of_row ? row_parts_ : series_parts_).push_back(std::move(program));
  return {};
}

QueryResult<RowFilter> RowFilter::make(const Expr* condition, const PlaceOf& place_of) {
  RowFilter filter;
  if (condition != nullptr) VARVE_QUERY_TRY(filter.add(*condition, place_of));
  filter.values_.resize(filter.slots_.size());
  return filter;
}

bool RowFilter::series_passes(const TagOf& tags) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].place.where == Where::kTag) values_[i] = std::string(tags(slots_[i].name));
  }
  const auto slots = [this](size_t slot) -> const Value& { return values_[slot]; };
  return std::all_of(series_parts_.begin(), series_parts_.end(),
                     [&](const Program& part) { return part.is_true(slots); });
}

void RowFilter::select(const std::vector<const ColumnVector*>& columns, size_t rows,
                       std::vector<uint32_t>& selected) {
  const auto slots = [this](size_t slot) -> const Value& { return values_[slot]; };
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].place.where == Where::kField) values_[i] = columns[slots_[i].place.column]->value(row);
    }
    if (std::all_of(row_parts_.begin(), row_parts_.end(),
                    [&](const Program& part) { return part.is_true(slots); })) {
      selected.push_back(static_cast<uint32_t>(row));
    }
  }
}

}  // namespace varve::influxql
