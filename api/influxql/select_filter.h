// WHERE without its time: what of it only looks at tags decides about whole series, the rest about rows.
// In a table, a name that is no field is a tag; a tag that a series lacks is ''.
// Errors:  influxql_regex.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "api/influxql/select_expr.h"
#include "storage/model/column.h"

namespace varve::influxql {

class RowFilter {
 public:
  enum class Where { kField, kTag, kNull };
  struct Place {
    Where where = Where::kNull;
    size_t column = 0;  // kField: of the columns given to matches()
  };
  using PlaceOf = std::function<Place(const Expr& name)>;
  using TagOf = std::function<std::string_view(const std::string& tag)>;

  static QueryResult<RowFilter> make(const Expr* condition, const PlaceOf& place_of);

  // Also takes the series' tags for matches().
  bool series_passes(const TagOf& tags);
  bool has_row_part() const { return !row_parts_.empty() || !comparisons_.empty(); }
  // The rows of [0, rows) that pass.
  void select(const std::vector<const ColumnVector*>& columns, size_t rows, std::vector<uint32_t>& selected);

 private:
  struct Slot {
    std::string name;
    Place place;
  };
  // field < 5: the usual one, without a Program's detours.
  struct Comparison {
    size_t column = 0;
    std::string op;
    Value number;
  };
  static std::optional<Comparison> as_comparison(const Expr& part, const PlaceOf& place_of);
  static void keep(const Comparison& comparison, const ColumnVector& column, std::vector<uint32_t>& rows);
  QueryResult<void> add(const Expr& part, const PlaceOf& place_of);

  std::vector<Slot> slots_;
  std::vector<Value> values_;  // by slot
  std::vector<Program> series_parts_;
  std::vector<Program> row_parts_;
  std::vector<Comparison> comparisons_;
};

}  // namespace varve::influxql
