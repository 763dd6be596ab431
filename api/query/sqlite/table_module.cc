#include "api/query/sqlite/table_module.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "api/query/sqlite/guarded.h"
#include "api/query/sqlite/table_plan.h"
#include "api/query/sqlite/table_rows.h"
#include "api/query/sqlite/token_text.h"

namespace varve {
namespace {

// A plan run this often reads a copy of its rows from then on. Guessed: one for a plain scan, two for a self-join.
constexpr uint64_t kRunsBeforeCopy = 3;

struct TableData {
  const SourceTable& table;
  StatementContext& context;
};

// A plan and what its runs had in common.
struct PlanRuns {
  TablePlan plan;
  uint64_t runs = 0;
  std::vector<sqlite3_value*> last;  // the values of the last run
  std::vector<bool> varies;          // by value of the plan
  std::unique_ptr<CopiedRows> copy;
  bool copy_refused = false;

  ~PlanRuns() {
    for (sqlite3_value* value : last) sqlite3_value_free(value);
  }
};

struct Table : sqlite3_vtab {
  const TableData* data = nullptr;
  std::vector<DeclaredColumn> columns;
  std::vector<std::unique_ptr<PlanRuns>> plans;
  std::map<std::pair<SeriesId, int64_t>, int64_t> rowids;  // as SQLite asks for them
};

struct Cursor : sqlite3_vtab_cursor {
  PlanRuns* plan = nullptr;
  std::unique_ptr<StreamedRows> stream;
  const CopiedRows* copy = nullptr;
  CopiedRows::Found found;
  bool at_end = true;
};

bool same_value(sqlite3_value* a, sqlite3_value* b) {
  const int type = sqlite3_value_type(a);
  if (type != sqlite3_value_type(b)) return false;
  switch (type) {
    case SQLITE_INTEGER:
      return sqlite3_value_int64(a) == sqlite3_value_int64(b);
    case SQLITE_FLOAT:
      return sqlite3_value_double(a) == sqlite3_value_double(b);
    case SQLITE_NULL:
      return true;
    default: {
      const void* a_bytes = sqlite3_value_blob(a);
      const void* b_bytes = sqlite3_value_blob(b);
      const int bytes = sqlite3_value_bytes(a);
      return bytes == sqlite3_value_bytes(b) &&
             (bytes == 0 || std::memcmp(a_bytes, b_bytes, static_cast<size_t>(bytes)) == 0);
    }
  }
}

int connect(sqlite3* database, void* data, int, const char* const*, sqlite3_vtab** made, char** why) {
  const auto& table_data = *static_cast<const TableData*>(data);
  auto table = std::make_unique<Table>();
  static_cast<sqlite3_vtab&>(*table) = {};
  table->data = &table_data;
  std::string sql = "CREATE TABLE t(";
  for (size_t i = 0; i < table_data.table.columns.size(); ++i) {
    const SourceColumn& column = table_data.table.columns[i];
    if (!column.referenced && column.kind != ColumnKind::kTime) continue;
    if (!table->columns.empty()) sql += ", ";
    sql += quoted_name(column.sqlite_name) + " " + declared_type(*column.type);
    table->columns.push_back({i, column.kind, *column.type});
  }
  const int declared = sqlite3_declare_vtab(database, (sql + ")").c_str());
  if (declared != SQLITE_OK) {
    *why = sqlite3_mprintf("%s", sqlite3_errmsg(database));
    return declared;
  }
  *made = table.release();
  return SQLITE_OK;
}

int best_index(sqlite3_vtab* vtab, sqlite3_index_info* info) {
  auto& table = *static_cast<Table*>(vtab);
  auto runs = std::make_unique<PlanRuns>();
  const auto estimate = plan_table(table.data->table.info, table.columns, info, runs->plan);
  if (!estimate) return SQLITE_CONSTRAINT;
  info->estimatedCost = estimate->cost;
  info->estimatedRows = estimate->rows;
  info->idxNum = static_cast<int>(table.plans.size());
  info->idxStr = sqlite3_mprintf("%s", runs->plan.text.c_str());
  info->needToFreeIdxStr = 1;
  if (info->idxStr == nullptr) return SQLITE_NOMEM;
  for (const PlannedConstraint& constraint : runs->plan.constraints) {
    runs->varies.push_back(constraint.op == ConditionOp::kIn);  // lists are not compared from run to run
  }
  table.plans.push_back(std::move(runs));
  return SQLITE_OK;
}

int outcome(const Table& table) {
  const StatementContext& context = table.data->context;
  return context.error || context.types_changed ? SQLITE_ABORT : SQLITE_OK;
}

// Which values are others than in the last run; a copy made for others is dropped.
void note_values(PlanRuns& runs, int count, sqlite3_value** values) {
  ++runs.runs;
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<size_t>(i);
    if (index >= runs.last.size()) {
      runs.last.push_back(sqlite3_value_dup(values[i]));
      continue;
    }
    if (runs.varies[index]) continue;
    if (runs.last[index] != nullptr && same_value(runs.last[index], values[i])) continue;
    runs.varies[index] = true;
    runs.copy.reset();
  }
}

// The rows that fit the values; with `fixed_only`, only those values that have been the same in every run.
RowsWanted rows_wanted(const Table& table, const PlanRuns& runs, sqlite3_value** values, bool fixed_only) {
  RowsWanted wanted;
  wanted.table = &table.data->table;
  wanted.fields = runs.plan.fields;
  wanted.field_types = runs.plan.field_types;
  wanted.tags = runs.plan.tags;
  for (size_t i = 0; i < runs.plan.constraints.size(); ++i) {
    if (!fixed_only || !runs.varies[i])
      apply_constraint(runs.plan.constraints[i], table.data->table, values[i], wanted);
  }
  return wanted;
}

CopiedRows::Keys copy_keys(const PlanRuns& runs) {
  CopiedRows::Keys keys;
  for (size_t i = 0; i < runs.plan.constraints.size(); ++i) {
    const PlannedConstraint& constraint = runs.plan.constraints[i];
    if (!runs.varies[i] || constraint.op != ConditionOp::kEqual) continue;
    if (constraint.kind == ColumnKind::kTag) keys.tags.push_back(constraint.place);
    if (constraint.kind == ColumnKind::kField) keys.fields.push_back(constraint.place);
  }
  return keys;
}

// False when a value cannot be looked up by: then the rows are streamed.
bool find_in_copy(Cursor& cursor, const PlanRuns& runs, sqlite3_value** values) {
  cursor.found = {};
  uint64_t hash = 0;
  TimeRange time;
  for (const ColumnKind kind :
       {ColumnKind::kTag, ColumnKind::kField, ColumnKind::kTime}) {  // the order of Keys
    for (size_t i = 0; i < runs.plan.constraints.size(); ++i) {
      const PlannedConstraint& constraint = runs.plan.constraints[i];
      if (!runs.varies[i] || constraint.kind != kind) continue;
      if (kind == ColumnKind::kTime && constraint.op != ConditionOp::kIn)
        narrow_time(constraint.op, values[i], time);
      if (kind == ColumnKind::kTime || constraint.op != ConditionOp::kEqual) continue;
      uint64_t part = 0;
      const Usable usable = hash_of(values[i], constraint.is_text, part);
      if (usable == Usable::kUnknown) return false;
      if (usable == Usable::kNever) return true;
      hash = mixed(hash, part);
    }
  }
  cursor.found = runs.copy->find(hash, time);
  return true;
}

int advance(sqlite3_vtab_cursor* vtab_cursor) {
  auto& cursor = *static_cast<Cursor*>(vtab_cursor);
  if (cursor.stream) {
    cursor.at_end = !cursor.stream->next();
    return outcome(*static_cast<Table*>(cursor.pVtab));
  }
  ++cursor.found.from;
  cursor.at_end = cursor.found.from >= cursor.found.to;
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* vtab_cursor, int plan, const char*, int count, sqlite3_value** values) {
  auto& cursor = *static_cast<Cursor*>(vtab_cursor);
  auto& table = *static_cast<Table*>(cursor.pVtab);
  StatementContext& context = table.data->context;
  PlanRuns& runs = *table.plans[static_cast<size_t>(plan)];
  cursor.plan = &runs;
  cursor.stream.reset();
  cursor.copy = nullptr;
  note_values(runs, count, values);
  if (!runs.copy && !runs.copy_refused && runs.runs > kRunsBeforeCopy) {
    runs.copy = CopiedRows::make(rows_wanted(table, runs, values, true), copy_keys(runs), context);
    runs.copy_refused = !runs.copy;
    if (const int failed = outcome(table); failed != SQLITE_OK) return failed;
  }
  if (runs.copy && find_in_copy(cursor, runs, values)) {
    cursor.copy = runs.copy.get();
    cursor.at_end = cursor.found.from >= cursor.found.to;
    return SQLITE_OK;
  }
  cursor.stream = std::make_unique<StreamedRows>(rows_wanted(table, runs, values, false), context);
  cursor.at_end = !cursor.stream->open() || !cursor.stream->next();
  return outcome(table);
}

int at_end(sqlite3_vtab_cursor* cursor) {
  return static_cast<Cursor*>(cursor)->at_end ? 1 : 0;
}

RowsView view_of_row(const Cursor& cursor, size_t& row) {
  if (cursor.stream) {
    row = cursor.stream->row();
    return cursor.stream->view();
  }
  row = cursor.copy->row(cursor.found.from);
  return cursor.copy->view(cursor.found.from);
}

// Texts are copied: SQLite may keep a value for longer than the block lives.
void give_text(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void give_field(sqlite3_context* context, const ColumnVector& column, size_t row) {
  if (!column.is_valid(row)) return;  // NULL
  switch (column.type) {
    case FieldType::kDouble:
      return sqlite3_result_double(context, column.doubles[row]);
    case FieldType::kInt64:
      return sqlite3_result_int64(context, column.ints[row]);
    case FieldType::kBool:
      return sqlite3_result_int(context, column.bools[row]);
    case FieldType::kString:
      return give_text(context, column.strings[row]);
  }
}

int give_column(sqlite3_vtab_cursor* vtab_cursor, sqlite3_context* context, int index) {
  const auto& cursor = *static_cast<Cursor*>(vtab_cursor);
  size_t row = 0;
  const RowsView view = view_of_row(cursor, row);
  const PlacedColumn& column = cursor.plan->plan.columns[static_cast<size_t>(index)];
  if (!column.used) return SQLITE_OK;
  switch (column.kind) {
    case ColumnKind::kTime:
      sqlite3_result_int64(context, view.times[row]);
      break;
    case ColumnKind::kTag:
      if (const std::string& text = (*view.tags)[column.place]; !text.empty()) give_text(context, text);
      break;
    case ColumnKind::kField:
      give_field(context, view.fields[column.place], row);
      break;
  }
  return SQLITE_OK;
}

// Asked for when SQLite joins the branches of an OR: the same row must have the same number in every scan.
int give_rowid(sqlite3_vtab_cursor* vtab_cursor, sqlite3_int64* rowid) {
  constexpr uint64_t kBytesPerRowid = 80;  // a node of the map
  const auto& cursor = *static_cast<Cursor*>(vtab_cursor);
  auto& table = *static_cast<Table*>(cursor.pVtab);
  size_t row = 0;
  const RowsView view = view_of_row(cursor, row);
  const auto next = static_cast<int64_t>(table.rowids.size()) + 1;
  const auto [place, added] = table.rowids.try_emplace({view.series, view.times[row]}, next);
  if (added && !table.data->context.memory.take(kBytesPerRowid)) return SQLITE_NOMEM;
  *rowid = place->second;
  return SQLITE_OK;
}

sqlite3_module table_module() {
  sqlite3_module module = {};
  module.iVersion = 2;
  module.xConnect = guarded<connect>;
  module.xBestIndex = guarded<best_index>;
  module.xDisconnect = disconnect<Table>;
  module.xOpen = guarded<open_cursor<Cursor>>;
  module.xClose = close_cursor<Cursor>;
  module.xFilter = guarded<filter>;
  module.xNext = guarded<advance>;
  module.xEof = at_end;
  module.xColumn = guarded<give_column>;
  module.xRowid = guarded<give_rowid>;
  return module;
}

}  // namespace

bool register_table(sqlite3* database, const SourceTable& table, StatementContext& context) {
  static const sqlite3_module module = table_module();
  const auto forget = [](void* data) { delete static_cast<TableData*>(data); };
  return sqlite3_create_module_v2(database, table.module.c_str(), &module, new TableData{table, context},
                                  forget) == SQLITE_OK;
}

}  // namespace varve
