#include "api/query/sqlite/table_plan.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace varve {
namespace {

// Costs in units of one row that is handed to SQLite. All guessed; only their order of size matters.
constexpr double kScanCost = 50;         // to open a scan
constexpr double kColumnShare = 0.1;     // of a row's cost, for each column it has
constexpr double kTagShareMin = 0.5;     // of the series that a tag's value has, at most
constexpr double kFieldEqualShare = 0.1;
constexpr double kFieldRangeShare = 0.4;
constexpr double kTimeRangeShare = 0.3;  // of an end of the range that is not known yet

std::optional<ConditionOp> condition_op(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return ConditionOp::kEqual;
    case SQLITE_INDEX_CONSTRAINT_GT:
      return ConditionOp::kGreater;
    case SQLITE_INDEX_CONSTRAINT_GE:
      return ConditionOp::kGreaterEqual;
    case SQLITE_INDEX_CONSTRAINT_LT:
      return ConditionOp::kLess;
    case SQLITE_INDEX_CONSTRAINT_LE:
      return ConditionOp::kLessEqual;
    case SQLITE_INDEX_CONSTRAINT_ISNULL:
      return ConditionOp::kIsNull;
    case SQLITE_INDEX_CONSTRAINT_ISNOTNULL:
      return ConditionOp::kIsNotNull;
    default:
      return std::nullopt;
  }
}

std::string_view symbol_of(ConditionOp op) {
  switch (op) {
    case ConditionOp::kEqual:
      return "=";
    case ConditionOp::kLess:
      return "<";
    case ConditionOp::kLessEqual:
      return "<=";
    case ConditionOp::kGreater:
      return ">";
    case ConditionOp::kGreaterEqual:
      return ">=";
    case ConditionOp::kIsNull:
      return " is null";
    case ConditionOp::kIsNotNull:
      return " is not null";
    case ConditionOp::kIn:
      return " in";
  }
  return {};
}

bool is_null_test(ConditionOp op) {
  return op == ConditionOp::kIsNull || op == ConditionOp::kIsNotNull;
}

// SQLite tells the columns past this one in one bit.
constexpr int kLastColumnBit = 63;

bool is_used(uint64_t mask, size_t column) {
  return (mask >> std::min<size_t>(column, kLastColumnBit) & 1) != 0;
}

void place_columns(const std::vector<DeclaredColumn>& columns, uint64_t mask, TablePlan& plan) {
  size_t tags = 0;
  size_t fields = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    PlacedColumn placed{is_used(mask, i), columns[i].kind, 0};
    if (placed.used && placed.kind == ColumnKind::kTag) placed.place = tags++;
    if (placed.used && placed.kind == ColumnKind::kField) placed.place = fields++;
    plan.columns.push_back(placed);
  }
}

// Share of the table's rows in the range of time, as far as it is known now.
class TimeShare {
 public:
  explicit TimeShare(const TableInfo& table) : table_(table) {}

  void add(ConditionOp op, sqlite3_value* value) {
    if (op == ConditionOp::kEqual || op == ConditionOp::kIn) one_time_ = true;
    if (value == nullptr) {
      unknown_ends_ += op == ConditionOp::kEqual ? 0 : 1;
    } else if (op != ConditionOp::kIn) {
      narrow_time(op, value, range_);
    }
  }
  double share() const {
    const double whole = static_cast<double>(table_.time_max) - static_cast<double>(table_.time_min) + 1;
    const double from = std::max(static_cast<double>(range_.min), static_cast<double>(table_.time_min));
    const double to = std::min(static_cast<double>(range_.max), static_cast<double>(table_.time_max));
    double share = std::clamp((to - from + 1) / whole, 0.0, 1.0);
    for (int end = 0; end < unknown_ends_; ++end) share *= kTimeRangeShare;
    const double rows_per_series = static_cast<double>(table_.rows) / std::max<double>(1, static_cast<double>(table_.series));
    return one_time_ ? std::min(share, 1 / std::max(1.0, rows_per_series)) : share;
  }

 private:
  const TableInfo& table_;
  TimeRange range_;
  int unknown_ends_ = 0;
  bool one_time_ = false;
};

}  // namespace

std::string declared_type(SqlType type) {
  switch (type) {
    case SqlType::kDouble:
      return "REAL";
    case SqlType::kString:
      return "TEXT";
    case SqlType::kBool:
      return "BOOLEAN";
    default:
      return "INTEGER";
  }
}

std::optional<PlanEstimate> plan_table(const TableInfo& table, const std::vector<DeclaredColumn>& columns,
                                       sqlite3_index_info* info, TablePlan& plan) {
  uint64_t mask = info->colUsed;
  for (int i = 0; i < info->nConstraint; ++i) {  // a copy is looked up by these, too
    if (info->aConstraint[i].iColumn >= 0) mask |= uint64_t{1} << std::min(info->aConstraint[i].iColumn, kLastColumnBit);
  }
  place_columns(columns, mask, plan);
  TimeShare time_share(table);
  double share = 1;
  size_t tags_pinned = 0;
  const auto tag_count = static_cast<size_t>(std::count_if(
      table.columns.begin(), table.columns.end(), [](const ColumnInfo& column) { return column.kind == ColumnKind::kTag; }));
  const double tag_share = std::min(
      kTagShareMin, std::pow(std::max<double>(1, static_cast<double>(table.series)), -1.0 / std::max<double>(1, static_cast<double>(tag_count))));
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    auto op = condition_op(constraint.op);
    if (!op || constraint.usable == 0 || constraint.iColumn < 0) continue;
    const DeclaredColumn& column = columns[static_cast<size_t>(constraint.iColumn)];
    const bool text = column.type == SqlType::kString;
    const bool is_in = *op == ConditionOp::kEqual && sqlite3_vtab_in(info, i, -1) != 0;
    if (column.kind == ColumnKind::kTime && is_null_test(*op)) continue;
    if (text && *op != ConditionOp::kEqual && !is_null_test(*op)) continue;
    if (text && *op == ConditionOp::kEqual && std::strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) continue;
    if (is_in && column.kind == ColumnKind::kField) continue;  // SQLite checks the list row by row
    if (is_in) {
      sqlite3_vtab_in(info, i, 1);
      op = ConditionOp::kIn;
    }
    const PlacedColumn& placed = plan.columns[static_cast<size_t>(constraint.iColumn)];
    plan.constraints.push_back({*op, column.kind, placed.place, column.source, text});
    info->aConstraintUsage[i].argvIndex = static_cast<int>(plan.constraints.size());
    info->aConstraintUsage[i].omit = column.kind == ColumnKind::kTime && !is_in ? 1 : 0;
    sqlite3_value* value = nullptr;
    if (sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK) value = nullptr;
    if (column.kind == ColumnKind::kTime) {
      time_share.add(*op, value);
    } else if (column.kind == ColumnKind::kTag) {
      ++tags_pinned;
      share *= tag_share;
    } else {
      share *= *op == ConditionOp::kEqual ? kFieldEqualShare : kFieldRangeShare;
    }
    plan.text += (plan.text.empty() ? "" : " ") + table.columns[column.source].name + std::string(symbol_of(*op));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!plan.columns[i].used || columns[i].kind == ColumnKind::kTime) continue;
    const ColumnInfo& column = table.columns[columns[i].source];
    (column.kind == ColumnKind::kTag ? plan.tags : plan.fields).push_back(column.name);
    if (column.kind == ColumnKind::kField) plan.field_types.push_back(column.type);
  }
  const double rows = std::max(1.0, static_cast<double>(table.rows) * share * time_share.share());
  const double width = 1 + kColumnShare * static_cast<double>(plan.tags.size() + plan.fields.size());
  return PlanEstimate{kScanCost + rows * width, static_cast<int64_t>(rows)};
}

void apply_constraint(const PlannedConstraint& constraint, const SourceTable& table, sqlite3_value* value,
                      RowsWanted& wanted) {
  if (constraint.kind == ColumnKind::kField) {
    if (constraint.is_text && !is_null_test(constraint.op)) return;  // SQLite compares texts
    FieldCondition condition;
    condition.field = constraint.place;
    const Usable usable = field_condition(constraint.op, value, condition);
    if (usable == Usable::kYes) wanted.field_conditions.push_back(condition);
    if (usable == Usable::kNever) wanted.nothing = true;
    return;
  }
  TagCondition tag{table.columns[constraint.source].name, constraint.op, {}};
  if (constraint.op == ConditionOp::kIn) {
    TimeRange hull{INT64_MAX, INT64_MIN};
    bool usable = true;
    sqlite3_value* item = nullptr;
    for (int more = sqlite3_vtab_in_first(value, &item); more == SQLITE_OK; more = sqlite3_vtab_in_next(value, &item)) {
      if (constraint.kind == ColumnKind::kTime) {
        TimeRange one;
        narrow_time(ConditionOp::kEqual, item, one);
        if (one.empty()) continue;
        hull = {std::min(hull.min, one.min), std::max(hull.max, one.max)};
      } else if (sqlite3_value_type(item) == SQLITE_TEXT) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(item));
        tag.texts.emplace_back(text, static_cast<size_t>(sqlite3_value_bytes(item)));
      } else if (sqlite3_value_type(item) != SQLITE_NULL) {
        usable = false;  // a number, which SQLite compares as text
      }
    }
    if (constraint.kind == ColumnKind::kTime) {
      wanted.time = {std::max(wanted.time.min, hull.min), std::min(wanted.time.max, hull.max)};
    } else if (usable) {
      wanted.tag_conditions.push_back(std::move(tag));
    }
    return;
  }
  if (constraint.kind == ColumnKind::kTime) return narrow_time(constraint.op, value, wanted.time);
  if (constraint.op == ConditionOp::kEqual) {
    const int type = sqlite3_value_type(value);
    if (type == SQLITE_NULL) wanted.nothing = true;
    if (type != SQLITE_TEXT) return;
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    tag.texts.emplace_back(text, static_cast<size_t>(sqlite3_value_bytes(value)));
  }
  wanted.tag_conditions.push_back(std::move(tag));
}

}  // namespace varve
