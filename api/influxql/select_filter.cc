#include "api/influxql/select_filter.h"

#include <algorithm>
#include <numeric>

namespace varve::influxql {
namespace {

template <class T, class Passes>
void keep_passing(const std::vector<T>& values, const ColumnVector& column, std::vector<uint32_t>& rows,
                  Passes passes) {
  std::erase_if(rows, [&](uint32_t row) { return !column.is_valid(row) || !passes(values[row]); });
}

template <class T, class N>
void keep_compared(const std::vector<T>& values, const ColumnVector& column, const std::string& op, N number,
                   std::vector<uint32_t>& rows) {
  const auto keep = [&](auto passes) { keep_passing(values, column, rows, passes); };
  if (op == "=") return keep([=](T value) { return static_cast<N>(value) == number; });
  if (op == "!=") return keep([=](T value) { return static_cast<N>(value) != number; });
  if (op == "<") return keep([=](T value) { return static_cast<N>(value) < number; });
  if (op == "<=") return keep([=](T value) { return static_cast<N>(value) <= number; });
  if (op == ">") return keep([=](T value) { return static_cast<N>(value) > number; });
  keep([=](T value) { return static_cast<N>(value) >= number; });
}

}  // namespace

std::optional<RowFilter::Comparison> RowFilter::as_comparison(const Expr& part, const PlaceOf& place_of) {
  static constexpr std::string_view kOps[] = {"=", "!=", "<", "<=", ">", ">="};
  if (part.kind != ExprKind::kBinary ||
      std::find(std::begin(kOps), std::end(kOps), part.op) == std::end(kOps)) {
    return std::nullopt;
  }
  const Expr& name = *part.children[0];
  const Expr& number = *part.children[1];
  if (name.kind != ExprKind::kName) return std::nullopt;
  if (number.kind != ExprKind::kInteger && number.kind != ExprKind::kNumber) return std::nullopt;
  const Place place = place_of(name);
  if (place.where != Where::kField) return std::nullopt;
  return Comparison{place.column, part.op, number.value};
}

void RowFilter::keep(const Comparison& comparison, const ColumnVector& column, std::vector<uint32_t>& rows) {
  const auto* whole = std::get_if<int64_t>(&comparison.number);
  const double number = whole != nullptr ? static_cast<double>(*whole) : std::get<double>(comparison.number);
  if (column.type == FieldType::kDouble) {
    keep_compared(column.doubles, column, comparison.op, number, rows);
  } else if (column.type == FieldType::kInt64 && whole != nullptr) {
    keep_compared(column.ints, column, comparison.op, *whole, rows);
  } else if (column.type == FieldType::kInt64) {
    keep_compared(column.ints, column, comparison.op, number, rows);
  } else {
    rows.clear();
  }
}

QueryResult<void> RowFilter::add(const Expr& part, const PlaceOf& place_of) {
  const Expr& inner = without_parens(part);
  if (inner.kind == ExprKind::kBinary && inner.op == "and") {
    VARVE_QUERY_TRY(add(*inner.children[0], place_of));
    return add(*inner.children[1], place_of);
  }
  if (auto comparison = as_comparison(inner, place_of)) {
    comparisons_.push_back(std::move(*comparison));
    return {};
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
  selected.resize(rows);
  std::iota(selected.begin(), selected.end(), 0U);
  for (const Comparison& comparison : comparisons_) keep(comparison, *columns[comparison.column], selected);
  if (row_parts_.empty()) return;
  const auto slots = [this](size_t slot) -> const Value& { return values_[slot]; };
  std::erase_if(selected, [&](uint32_t row) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].place.where == Where::kField) values_[i] = columns[slots_[i].place.column]->value(row);
    }
    return !std::all_of(row_parts_.begin(), row_parts_.end(),
                        [&](const Program& part) { return part.is_true(slots); });
  });
}

}  // namespace varve::influxql
