// execute_select of select_rows.h: raw queries row by row, the others function by function, joined by time.
#include <algorithm>
#include <map>

#include "api/influxql/select_calls.h"
#include "api/influxql/select_check.h"
#include "api/influxql/select_planned.h"
#include "api/influxql/select_rows.h"

namespace varve::influxql {
namespace {

constexpr size_t kPieceRows = 4096;  // handed on at once
// Rows of a table read at once when nothing needs all of them: guessed, some MB.
constexpr uint64_t kSliceRows = 65'536;

void push_as(ColumnVector& column, Value value) {
  if (const auto* whole = std::get_if<int64_t>(&value);
      whole != nullptr && column.type == FieldType::kDouble) {
    return column.push_double(static_cast<double>(*whole));
  }
  const bool fits = (column.type == FieldType::kDouble && std::holds_alternative<double>(value)) ||
                    (column.type == FieldType::kInt64 && std::holds_alternative<int64_t>(value)) ||
                    (column.type == FieldType::kBool && std::holds_alternative<bool>(value)) ||
                    (column.type == FieldType::kString && std::holds_alternative<std::string>(value));
  fits ? column.push_value(value) : column.push_null();
}

// LIMIT and OFFSET of one series, and pieces of bounded size.
class PieceWriter {
 public:
  PieceWriter(const ResolvedSelect& select, const GroupSink& sink) : select_(select), sink_(sink) {}

  void begin(const std::string& name, const TagSet& tags) {
    piece_.name = name;
    piece_.tags = tags;
    skip_ = select_.offset;
    left_ = select_.limit > 0 ? select_.limit : INT64_MAX;
    clear();
  }

  bool done() const { return left_ == 0 || stopped_; }
  bool stopped() const { return stopped_; }

  // Of `rows` rows, those to skip and those to take, in a piece's room.
  size_t skip(size_t rows) {
    const auto skipped = static_cast<size_t>(std::min<int64_t>(skip_, static_cast<int64_t>(rows)));
    skip_ -= static_cast<int64_t>(skipped);
    return skipped;
  }
  size_t take(size_t rows) {
    const auto taken = static_cast<size_t>(std::min<int64_t>(left_, static_cast<int64_t>(rows)));
    left_ -= static_cast<int64_t>(taken);
    return taken;
  }

  RowGroup& piece() { return piece_; }
  bool full() const { return piece_.times.size() >= kPieceRows; }

  QueryResult<void> flush() {
    if (piece_.times.empty() || stopped_) return {};
    VARVE_QUERY_ASSIGN(const bool more, sink_(piece_));
    stopped_ = !more;
    clear();
    return {};
  }

 private:
  void clear() {
    piece_.times.clear();
    piece_.columns.clear();
    for (const DataType type : select_.types) piece_.columns.emplace_back(field_type(type));
  }

  const ResolvedSelect& select_;
  const GroupSink& sink_;
  RowGroup piece_;
  int64_t skip_ = 0;
  int64_t left_ = 0;
  bool stopped_ = false;
};

// The columns a query reads, each once.
class Columns {
 public:
  size_t add(const Expr& name, bool argument) {
    const DataType type = type_of_name(name);
    for (size_t i = 0; i < refs_.size(); ++i) {
      if (refs_[i].name == name.text && refs_[i].type == type && refs_[i].argument == argument) return i;
    }
    refs_.push_back({name.text, type, argument});
    return refs_.size() - 1;
  }
  const std::vector<ColumnRef>& refs() const { return refs_; }

 private:
  std::vector<ColumnRef> refs_;
};

class RawQuery {
 public:
  RawQuery(const SelectContext& context, const ResolvedSelect& select, const GroupSink& sink)
      : context_(context), select_(select), writer_(select, sink) {}

  QueryResult<void> run() {
    for (const Field& field : select_.fields) {
      const auto slot_of = [&](const Expr& name) { return columns_.add(name, false); };
      VARVE_QUERY_ASSIGN(Program program, Program::compile(*field.expr, Program::Use::kField, slot_of));
      programs_.push_back(std::move(program));
    }
    if (streams()) return run_streamed();
    MemoryUse memory(context_.budget);
    VARVE_QUERY_ASSIGN(std::vector<RowGroup> groups, read_rows(context_, select_, select_.sources,
                                                               columns_.refs(), select_.range(), memory));
    if (select_.descending) std::reverse(groups.begin(), groups.end());
    for (RowGroup& group : groups) {
      writer_.begin(group.name, group.tags);
      VARVE_QUERY_TRY(write(group));
      VARVE_QUERY_TRY(writer_.flush());
      if (writer_.stopped()) break;
      group = {};
    }
    return {};
  }

 private:
  // Rows of each measurement are one series, and can be read one stretch of time after the other.
  bool streams() const {
    if (!select_.dimensions.empty() || select_.series_offset > 0) return false;
    for (size_t i = 0; i < select_.sources.size(); ++i) {
      if (!select_.sources[i].table) return false;
      for (size_t other = 0; other < i; ++other) {
        if (select_.sources[other].table->name == select_.sources[i].table->name) return false;
      }
    }
    return true;
  }

  QueryResult<void> run_streamed() {
    std::vector<size_t> order;
    for (size_t i = 0; i < select_.sources.size(); ++i) order.push_back(i);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return (select_.sources[a].table->name < select_.sources[b].table->name) != select_.descending;
    });
    for (const size_t source : order) {
      VARVE_QUERY_TRY(stream(select_.sources[source]));
      if (writer_.stopped()) break;
    }
    return {};
  }

  QueryResult<void> stream(const ResolvedSource& source) {
    const TableInfo& table = *source.table;
    TimeRange range = select_.range();
    range.min = std::max(range.min, table.time_min);
    range.max = std::min(range.max, table.time_max);
    if (range.empty()) return {};
    writer_.begin(table.name, {});
    const uint64_t span = static_cast<uint64_t>(table.time_max) - static_cast<uint64_t>(table.time_min);
    const uint64_t slices = std::max<uint64_t>(table.rows / kSliceRows, 1);
    uint64_t length = std::min<uint64_t>(span / slices, INT64_MAX - 1);
    MemoryUse memory(context_.budget);
    while (!range.empty() && !writer_.done()) {
      TimeRange slice = range;
      if (select_.descending) {
        slice.min = std::max(range.min, saturating_subtract(range.max, static_cast<int64_t>(length)));
        range.max = saturating_subtract(slice.min, 1);
        if (slice.min == INT64_MIN) range.min = INT64_MAX;
      } else {
        slice.max = std::min(range.max, saturating_add(range.min, static_cast<int64_t>(length)));
        range.min = saturating_add(slice.max, 1);
        if (slice.max == INT64_MAX) range.max = INT64_MIN;
      }
      VARVE_QUERY_ASSIGN(std::vector<RowGroup> groups,
                         read_rows(context_, select_, {&source, 1}, columns_.refs(), slice, memory));
      uint64_t rows = 0;
      for (RowGroup& group : groups) {
        rows += group.times.size();
        VARVE_QUERY_TRY(write(group));
      }
      if (rows < kSliceRows / 4 && length < INT64_MAX / 2) length = length * 2 + 1;
      if (rows > kSliceRows * 4) length /= 2;
    }
    return writer_.flush();
  }

  QueryResult<void> write(const RowGroup& group) {
    const size_t rows = group.times.size();
    size_t at = writer_.skip(rows);
    const size_t end = at + writer_.take(rows - at);
    while (at < end && !writer_.stopped()) {
      RowGroup& piece = writer_.piece();
      const size_t count = std::min(end - at, kPieceRows - piece.times.size());
      for (size_t i = at; i < at + count; ++i) piece.times.push_back(group.times[place(rows, i)]);
      for (size_t field = 0; field < programs_.size(); ++field) {
        write_column(group, at, count, programs_[field], piece.columns[field]);
      }
      at += count;
      VARVE_QUERY_TRY(context_.budget.check());
      if (writer_.full()) VARVE_QUERY_TRY(writer_.flush());
    }
    return {};
  }

  size_t place(size_t rows, size_t i) const { return select_.descending ? rows - 1 - i : i; }

  void write_column(const RowGroup& group, size_t from, size_t count, const Program& program,
                    ColumnVector& out) {
    const size_t rows = group.times.size();
    if (const auto slot = program.only_slot()) {
      const ColumnVector& column = group.columns[*slot];
      if (!select_.descending) return out.push_range(column, from, from + count);
      for (size_t i = from; i < from + count; ++i) out.push_from(column, place(rows, i));
      return;
    }
    Value held;
    for (size_t i = from; i < from + count; ++i) {
      const auto slots = [&](size_t slot) -> const Value& {
        held = group.columns[slot].value(place(rows, i));
        return held;
      };
      push_as(out, program.evaluate(slots));
    }
  }

  const SelectContext& context_;
  const ResolvedSelect& select_;
  PieceWriter writer_;
  Columns columns_;
  std::vector<Program> programs_;
};

class CallQuery {
 public:
  CallQuery(const SelectContext& context, const ResolvedSelect& select, const GroupSink& sink)
      : context_(context), select_(select), writer_(select, sink) {}

  QueryResult<void> run() {
    options_.range = select_.range();
    options_.window = select_.window;
    options_.fill = select_.fill;
    options_.descending = select_.descending;
    options_.lone_selector = select_.calls.size() == 1 && is_selector(*select_.calls[0]);
    if (!options_.window.none() && !select_.time.max) options_.range.max = context_.now_ns;
    VARVE_QUERY_TRY(prepare());
    if (options_.range.empty()) return {};
    VARVE_QUERY_ASSIGN(const bool planned, run_as_plan());
    if (planned) return {};
    if (looks_for_edge()) return run_from_edge();
    MemoryUse memory(context_.budget);
    VARVE_QUERY_ASSIGN(std::vector<RowGroup> groups,
                       read_rows(context_, select_, select_.sources, columns_.refs(), read_range(), memory));
    if (select_.descending) std::reverse(groups.begin(), groups.end());
    for (RowGroup& group : groups) {
      if (select_.descending) reverse_rows(group);
      VARVE_QUERY_TRY(write(group, {}));
      if (writer_.stopped()) break;
      group = {};
    }
    return {};
  }

 private:
  // Slots of the programs: the calls, then columns.
  QueryResult<void> prepare() {
    for (const Expr* call : select_.calls) {
      call_texts_.push_back(expr_text(*call));
      for_innermost(*call, options_,
                    [&](const Expr& innermost, const TimeRange&) { add_arguments(innermost); });
    }
    const auto slot_of = [&](const Expr& leaf) -> size_t {
      if (leaf.kind == ExprKind::kCall) {
        const auto found = std::find(call_texts_.begin(), call_texts_.end(), expr_text(leaf));
        return static_cast<size_t>(found - call_texts_.begin());
      }
      return call_texts_.size() + columns_.add(leaf, false);
    };
    for (const Field& field : select_.fields) {
      VARVE_QUERY_ASSIGN(Program program, Program::compile(*field.expr, Program::Use::kField, slot_of));
      programs_.push_back(std::move(program));
    }
    return {};
  }

  void add_arguments(const Expr& call) {
    const Expr& argument = *call.children[0];
    if (argument.kind == ExprKind::kCall) return add_arguments(argument);  // count(distinct(x))
    columns_.add(argument, true);
    if (call.text != "top" && call.text != "bottom") return;
    for (size_t i = 1; i + 1 < call.children.size(); ++i) columns_.add(*call.children[i], false);
  }

  TimeRange read_range() const {
    TimeRange range = options_.range;
    for (const Expr* call : select_.calls) {
      for_innermost(*call, options_, [&](const Expr&, const TimeRange& needed) {
        range.min = std::min(range.min, needed.min);
        range.max = std::max(range.max, needed.max);
      });
    }
    return range;
  }

  // last(x), or first(x), of each series as a whole: found without reading all of it.
  bool looks_for_edge() const {
    if (!options_.lone_selector || !options_.window.none() || select_.series_limit > 0 ||
        select_.series_offset > 0) {
      return false;
    }
    const std::string& name = select_.calls[0]->text;
    return (name == "first" || name == "last") && select_.sources.size() == 1 && select_.sources[0].table;
  }

  // Reads stretches of time from the edge on, each longer than all before, until every series has a value.
  QueryResult<void> run_from_edge() {
    constexpr uint64_t kFirstShare = 256;  // of the table's time: guessed, a few minutes of a day
    const Expr& call = *select_.calls[0];
    const TableInfo& table = *select_.sources[0].table;
    const bool last = call.text == "last";
    TimeRange range = options_.range;
    range.min = std::max(range.min, table.time_min);
    range.max = std::min(range.max, table.time_max);
    if (range.empty()) return {};
    const uint64_t span = static_cast<uint64_t>(range.max) - static_cast<uint64_t>(range.min);
    uint64_t length = span / kFirstShare + 1;
    std::map<TagSet, RowGroup> found;
    size_t groups = 0;
    do {
      const auto step = static_cast<int64_t>(std::min<uint64_t>(length, INT64_MAX / 2));
      TimeRange slice = range;
      if (last) {
        slice.min = std::max(range.min, saturating_subtract(range.max, step));
        range.max = slice.min - 1;
      } else {
        slice.max = std::min(range.max, saturating_add(range.min, step));
        range.min = slice.max + 1;
      }
      length *= 4;
      VARVE_QUERY_TRY(read_edge(slice, found, groups));
    } while (!range.empty() && found.size() < groups);
    const auto write_one = [&](const auto& one) { return write(one.second, {}); };
    if (!select_.descending) {
      for (const auto& one : found) VARVE_QUERY_TRY(write_one(one));
    } else {
      for (auto one = found.rbegin(); one != found.rend(); ++one) VARVE_QUERY_TRY(write_one(*one));
    }
    return {};
  }

  // Takes the row that the function chooses, of groups not found yet.
  QueryResult<void> read_edge(const TimeRange& slice, std::map<TagSet, RowGroup>& found, size_t& groups) {
    MemoryUse memory(context_.budget);
    VARVE_QUERY_ASSIGN(const std::vector<RowGroup> read, read_rows(context_, select_, select_.sources,
                                                                   columns_.refs(), slice, memory, &groups));
    CallOptions ascending = options_;
    ascending.descending = false;
    const ColumnOf column_of = [&](const Expr& name) { return columns_.add(name, true); };
    const KnownPoints known;
    for (const RowGroup& group : read) {
      if (found.contains(group.tags)) continue;
      SeriesCalls calls(context_.budget, group, column_of, known);
      VARVE_QUERY_ASSIGN(const Points points, calls.evaluate(*select_.calls[0], ascending));
      if (points.rows.empty()) continue;
      RowGroup& kept = found[group.tags];
      kept.name = group.name;
      kept.tags = group.tags;
      kept.times.push_back(group.times[points.rows[0]]);
      for (const ColumnVector& column : group.columns) {
        kept.columns.emplace_back(column.type).push_from(column, points.rows[0]);
      }
    }
    return {};
  }

  static void reverse(Points& points) {
    std::reverse(points.times.begin(), points.times.end());
    ColumnVector values(points.values.type);
    for (size_t i = points.values.size(); i > 0; --i) values.push_from(points.values, i - 1);
    points.values = std::move(values);
  }

  // False when the query needs rows.
  QueryResult<bool> run_as_plan() {
    const auto of_argument = [](const ColumnRef& column) { return column.argument; };
    if (!std::all_of(columns_.refs().begin(), columns_.refs().end(), of_argument)) return false;
    std::vector<PlannedCall> calls;
    for (const Expr* call : select_.calls) {
      for_innermost(*call, options_, [&](const Expr& innermost, const TimeRange& range) {
        calls.push_back({&innermost, range});
      });
    }
    VARVE_QUERY_ASSIGN(auto planned, run_planned(context_, select_, calls, options_));
    if (!planned) return false;
    if (select_.descending) std::reverse(planned->begin(), planned->end());
    for (PlannedSeries& series : *planned) {
      if (select_.descending) std::for_each(series.points.begin(), series.points.end(), reverse);
      const KnownPoints known = [&](const Expr& call, const TimeRange& range) -> const Points* {
        for (size_t i = 0; i < calls.size(); ++i) {
          const bool same = calls[i].range.min == range.min && calls[i].range.max == range.max;
          if (same && calls[i].call == &call) return &series.points[i];
        }
        return nullptr;
      };
      VARVE_QUERY_TRY(write(series.head, known));
      if (writer_.stopped()) break;
    }
    return true;
  }

  QueryResult<void> write(const RowGroup& group, const KnownPoints& known) {
    const ColumnOf column_of = [&](const Expr& name) {
      // Of top(x, host, 2), `host` is a column beside the answer, `x` an argument.
      return columns_.add(name, !of_top(name));
    };
    SeriesCalls calls(context_.budget, group, column_of, known);
    std::vector<Points> points;
    MemoryUse memory(context_.budget);
    uint64_t bytes = 0;
    for (const Expr* call : select_.calls) {
      VARVE_QUERY_ASSIGN(Points found, calls.evaluate(*call, options_));
      bytes += found.times.capacity() * sizeof(int64_t) + found.values.memory_bytes();
      VARVE_QUERY_TRY(memory.set(bytes));
      points.push_back(std::move(found));
    }
    writer_.begin(group.name, group.tags);
    VARVE_QUERY_TRY(join(group, points));
    return writer_.flush();
  }

  bool of_top(const Expr& name) const {
    const Expr& call = *select_.calls[0];
    if (call.text != "top" && call.text != "bottom") return false;
    return std::any_of(call.children.begin() + 1, call.children.end(),
                       [&](const ExprPtr& child) { return child.get() == &name; });
  }

  QueryResult<void> join(const RowGroup& group, const std::vector<Points>& points) {
    std::vector<size_t> next(points.size());
    std::vector<Value> values(points.size());
    while (!writer_.done()) {
      std::optional<int64_t> time;
      for (size_t i = 0; i < points.size(); ++i) {
        if (next[i] == points[i].size()) continue;
        const int64_t at = points[i].times[next[i]];
        if (!time || (select_.descending ? at > *time : at < *time)) time = at;
      }
      if (!time) break;
      uint32_t row = kNoRow;
      for (size_t i = 0; i < points.size(); ++i) {
        if (next[i] == points[i].size() || points[i].times[next[i]] != *time) {
          values[i] = missing(points[i].values.type);
          continue;
        }
        values[i] = points[i].values.value(next[i]);
        if (!points[i].rows.empty()) row = points[i].rows[next[i]];
        ++next[i];
      }
      if (writer_.skip(1) == 1) continue;
      writer_.take(1);
      add_row(group, *time, values, row);
      if (writer_.full()) VARVE_QUERY_TRY(writer_.flush());
    }
    return {};
  }

  // Where another function has a point and this one none.
  Value missing(FieldType type) const {
    if (select_.fill.kind != Fill::Kind::kNumber) return {};
    if (type == FieldType::kDouble) return select_.fill.number;
    if (type == FieldType::kInt64) return clamped_int64(select_.fill.number);
    return {};
  }

  void add_row(const RowGroup& group, int64_t time, const std::vector<Value>& values, uint32_t row) {
    RowGroup& piece = writer_.piece();
    piece.times.push_back(time);
    Value held;
    const auto slots = [&](size_t slot) -> const Value& {
      if (slot < values.size()) return values[slot];
      held = row == kNoRow ? Value() : group.columns[slot - values.size()].value(row);
      return held;
    };
    for (size_t i = 0; i < programs_.size(); ++i) push_as(piece.columns[i], programs_[i].evaluate(slots));
  }

  const SelectContext& context_;
  const ResolvedSelect& select_;
  PieceWriter writer_;
  CallOptions options_;
  Columns columns_;
  std::vector<std::string> call_texts_;
  std::vector<Program> programs_;
};

}  // namespace

QueryResult<void> execute_select(const SelectContext& context, const ResolvedSelect& select,
                                 const GroupSink& sink) {
  if (select.fields.empty()) return {};
  if (select.calls.empty()) return RawQuery(context, select, sink).run();
  return CallQuery(context, select, sink).run();
}

}  // namespace varve::influxql
