#include "tests/crash/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/crash/ledger.h"

namespace varve::test {
namespace {

const std::vector<std::string> kKeptFields = {"id", "value", "text", "late", "extra"};
const std::vector<std::string> kFadingFields = {"id", "value"};
enum KeptColumn : size_t { kId, kValue, kText, kLate, kExtra };

class Problems {
 public:
  explicit Problems(std::vector<std::string>& out) : out_(out) {}
  void add(std::string text) {
    if (++count_ <= kProblemsMax) out_.push_back(std::move(text));
  }

 private:
  std::vector<std::string>& out_;
  size_t count_ = 0;
};

// Which rows of a writer were seen.
struct Seen {
  std::vector<std::vector<uint8_t>> by_writer;

  // False: a second time.
  bool mark(int writer, int64_t row) {
    auto& rows = by_writer[static_cast<size_t>(writer)];
    if (rows.size() <= static_cast<size_t>(row)) rows.resize(static_cast<size_t>(row) + 1);
    return rows[static_cast<size_t>(row)]++ == 0;
  }
  bool has(int writer, int64_t row) const {
    const auto& rows = by_writer[static_cast<size_t>(writer)];
    return static_cast<size_t>(row) < rows.size() && rows[static_cast<size_t>(row)] != 0;
  }
};

int writer_number(const Plan& plan, std::string_view name) {
  for (int writer = 0; writer < plan.writers; ++writer) {
    if (writer_name(writer) == name) return writer;
  }
  return -1;
}

bool holds(const ColumnVector& column, size_t at, double want) {
  return column.is_valid(at) && column.type == FieldType::kDouble && column.doubles[at] == want;
}
bool holds(const ColumnVector& column, size_t at, int64_t want) {
  return column.is_valid(at) && column.type == FieldType::kInt64 && column.ints[at] == want;
}
bool holds(const ColumnVector& column, size_t at, bool want) {
  return column.is_valid(at) && column.type == FieldType::kBool && (column.bools[at] != 0) == want;
}
bool holds(const ColumnVector& column, size_t at, const std::string& want) {
  return column.is_valid(at) && column.type == FieldType::kString && column.strings[at] == want;
}

// "" = as it was written.
std::string compare_kept(const Plan& plan, int writer, int64_t row, int64_t position, const ScanBlock& block,
                         size_t at, std::string_view sensor) {
  const RowValues want = kept_row(plan, writer, row);
  const auto& columns = block.columns;
  if (block.times[at] != want.time) return fmt::format("has time {}, not {}", block.times[at], want.time);
  if (sensor != want.sensor) return fmt::format("is of sensor {}, not {}", sensor, want.sensor);
  if (!holds(columns[kValue], at, want.value)) return "has another value";
  if (!holds(columns[kText], at, want.text)) return "has another text";
  const bool has_late = row / plan.rows_per_step + kLateSteps < position;
  if (has_late ? !holds(columns[kLate], at, want.late) : columns[kLate].is_valid(at)) {
    return has_late ? "lacks its late field, or has another" : "has a late field too early";
  }
  if (want.has_extra ? !holds(columns[kExtra], at, want.extra) : columns[kExtra].is_valid(at)) {
    return "has another extra";
  }
  return {};
}

using RowVisitor = std::function<void(int writer, std::string_view sensor, const ScanBlock&, size_t at)>;

// False: no such table.
bool scan_table(Engine& engine, const Plan& plan, std::string_view table,
                const std::vector<std::string>& fields, Problems& problems, const RowVisitor& visit) {
  ScanRequest request;
  request.database = kDefaultDatabase;
  request.table = table;
  request.fields = fields;
  auto scan = engine.scan(std::move(request));
  if (!scan) {
    if (scan.error().code != ErrorCode::kNotFound) problems.add("scan: " + scan.error().message);
    return false;
  }
  ScanBlock block;
  while (true) {
    const auto more = (*scan)->next(block);
    if (!more) problems.add("scan: " + more.error().message);
    if (!more || !*more) return true;
    const SeriesTags& tags = (*scan)->tags(block.series);
    const int writer = writer_number(plan, tags.value("writer"));
    if (writer < 0) {
      problems.add(fmt::format("{}: a series of writer `{}`", table, tags.value("writer")));
      continue;
    }
    for (size_t at = 0; at < block.rows; ++at) visit(writer, tags.value("sensor"), block, at);
  }
}

// The row's number, or -1: the row has none or one that was never sent.
int64_t row_number(const ScanBlock& block, size_t at, int64_t rows_sent) {
  const ColumnVector& id = block.columns[kId];
  if (!id.is_valid(at) || id.type != FieldType::kInt64) return -1;
  const int64_t row = id.ints[at];
  return row >= 0 && row < rows_sent ? row : -1;
}

void check_kept(Engine& engine, const Plan& plan, StoreCheck& check) {
  Problems problems(check.problems);
  Seen seen{std::vector<std::vector<uint8_t>>(static_cast<size_t>(plan.writers))};
  scan_table(
      engine, plan, kKeptTable, kKeptFields, problems,
      [&](int writer, std::string_view sensor, const ScanBlock& block, size_t at) {
        ++check.rows;
        const int64_t position = check.positions[static_cast<size_t>(writer)];
        const int64_t row = row_number(block, at, position * plan.rows_per_step);
        if (row < 0) {
          problems.add(fmt::format("kept: writer {} has a row at {} without a number below position {}",
                                   writer, block.times[at], position));
          return;
        }
        if (!seen.mark(writer, row))
          problems.add(fmt::format("kept: writer {} row {} is there twice", writer, row));
        const std::string wrong = compare_kept(plan, writer, row, position, block, at, sensor);
        if (!wrong.empty()) problems.add(fmt::format("kept: writer {} row {} {}", writer, row, wrong));
      });
  Problems lost(check.problems);
  for (int writer = 0; writer < plan.writers; ++writer) {
    const int64_t rows = check.positions[static_cast<size_t>(writer)] * plan.rows_per_step;
    for (int64_t row = 0; row < rows; ++row) {
      if (!seen.has(writer, row)) lost.add(fmt::format("kept: writer {} row {} is lost", writer, row));
    }
  }
}

void check_fading(Engine& engine, const Plan& plan, StoreCheck& check) {
  Problems problems(check.problems);
  Seen seen{std::vector<std::vector<uint8_t>>(static_cast<size_t>(plan.writers))};
  int64_t newest = INT64_MIN;
  for (int writer = 0; writer < plan.writers; ++writer) {
    const int64_t rows = check.positions[static_cast<size_t>(writer)] * kFadingRowsPerStep;
    if (rows > 0) newest = std::max(newest, fading_row(plan, writer, rows - 1).time);
  }
  scan_table(engine, plan, kFadingTable, kFadingFields, problems,
             [&](int writer, std::string_view, const ScanBlock& block, size_t at) {
               ++check.rows;
               const int64_t rows = check.positions[static_cast<size_t>(writer)] * kFadingRowsPerStep;
               const int64_t row = row_number(block, at, rows);
               if (row < 0) {
                 problems.add(fmt::format("fading: writer {} has an invented row", writer));
                 return;
               }
               const RowValues want = fading_row(plan, writer, row);
               if (!seen.mark(writer, row) || block.times[at] != want.time ||
                   !holds(block.columns[kValue], at, want.value)) {
                 problems.add(fmt::format("fading: writer {} row {} is wrong or twice", writer, row));
               }
             });
  for (int writer = 0; writer < plan.writers; ++writer) {
    const int64_t rows = check.positions[static_cast<size_t>(writer)] * kFadingRowsPerStep;
    for (int64_t row = rows; row-- > 0;) {
      if (fading_row(plan, writer, row).time < newest - plan.retention_ns) break;
      if (!seen.has(writer, row)) {
        problems.add(
            fmt::format("fading: writer {} row {} is lost, younger than the retention", writer, row));
      }
    }
  }
}

// What a cut that was not answered has done to its rows.
enum class Unanswered { kUnknown, kNothing, kAll };

void check_cut(Engine& engine, const Plan& plan, int writer, const std::vector<Cut>& cuts,
               StoreCheck& check) {
  Problems problems(check.problems);
  const int64_t rows = check.positions[static_cast<size_t>(writer)] * kCutRowsPerStep;
  Seen seen{std::vector<std::vector<uint8_t>>(static_cast<size_t>(plan.writers))};
  scan_table(engine, plan, cut_table(writer), kFadingFields, problems,
             [&](int, std::string_view sensor, const ScanBlock& block, size_t at) {
               ++check.rows;
               const int64_t row = row_number(block, at, rows);
               if (row < 0) {
                 problems.add(fmt::format("cut: writer {} has an invented row", writer));
                 return;
               }
               const RowValues want = cut_row(plan, writer, row);
               if (!seen.mark(writer, row) || block.times[at] != want.time || sensor != want.sensor ||
                   !holds(block.columns[kValue], at, want.value)) {
                 problems.add(fmt::format("cut: writer {} row {} is wrong or twice", writer, row));
               }
             });
  std::vector<Unanswered> unanswered(cuts.size(), Unanswered::kUnknown);
  for (int64_t row = 0; row < rows; ++row) {
    const bool there = seen.has(writer, row);
    size_t covering = cuts.size(), covers = 0;
    bool gone = false;
    for (size_t i = 0; i < cuts.size(); ++i) {
      if (!cuts[i].covers(row, kCutSensors)) continue;
      gone = gone || cuts[i].done;
      covering = i;
      ++covers;
    }
    if (gone && there)
      problems.add(fmt::format("cut: writer {} row {} was deleted and is there", writer, row));
    if (gone) continue;
    if (covers > 1) continue;  // by more than one that was not answered: either may have taken it
    if (covers == 0) {
      if (!there) problems.add(fmt::format("cut: writer {} row {} is lost", writer, row));
      continue;
    }
    const Unanswered says = there ? Unanswered::kNothing : Unanswered::kAll;
    if (unanswered[covering] == Unanswered::kUnknown) unanswered[covering] = says;
    if (unanswered[covering] != says) {
      problems.add(fmt::format("cut: writer {} row {}: a delete was done by half", writer, row));
    }
  }
}

void check_positions(Engine& engine, const Plan& plan, const std::string& ledger_folder, StoreCheck& check) {
  check.positions.assign(static_cast<size_t>(plan.writers), 0);
  for (const StreamPosition& position : engine.positions()) {
    const int writer = writer_number(plan, position.stream);
    if (writer < 0 || position.partition != 0) {
      check.problems.push_back(fmt::format("a position of unknown stream `{}`", position.stream));
      continue;
    }
    check.positions[static_cast<size_t>(writer)] = position.next_offset;
  }
  for (int writer = 0; writer < plan.writers; ++writer) {
    const WriterLedger ledger = read_writer_ledger(writer_ledger_path(ledger_folder, writer));
    check.problems.insert(check.problems.end(), ledger.problems.begin(), ledger.problems.end());
    const int64_t position = check.positions[static_cast<size_t>(writer)];
    if (position < ledger.acknowledged_end) {
      check.problems.push_back(fmt::format("writer {}: steps before {} were acknowledged, the store has {}",
                                           writer, ledger.acknowledged_end, position));
    }
    if (position > ledger.sent_end) {
      check.problems.push_back(fmt::format("writer {}: position {}, but only {} steps were sent", writer,
                                           position, ledger.sent_end));
    }
  }
}

}  // namespace

StoreCheck check_store(Engine& engine, const Plan& plan, const std::string& ledger_folder) {
  StoreCheck check;
  check_positions(engine, plan, ledger_folder, check);
  check_kept(engine, plan, check);
  check_fading(engine, plan, check);
  for (int writer = 0; writer < plan.writers; ++writer) {
    const WriterLedger ledger = read_writer_ledger(writer_ledger_path(ledger_folder, writer));
    check_cut(engine, plan, writer, ledger.cuts, check);
  }
  return check;
}

std::pair<int, int64_t> step_of(const Plan& plan, const LogRecord& record) {
  const RowBatch& rows = record.batches.front();
  const auto tag = std::find_if(rows.tags.begin(), rows.tags.end(),
                                [](const TagColumn& column) { return column.name == "writer"; });
  const auto id = std::find_if(rows.fields.begin(), rows.fields.end(),
                               [](const FieldColumn& column) { return column.name == "id"; });
  const int writer = writer_number(plan, tag->values.at(tag->codes.at(0)));
  return {writer, id->data.ints.at(0) / plan.rows_per_step};
}

std::vector<std::string> check_sink(Engine& engine, LogCursor& cursor, const Plan& plan,
                                    const std::string& ledger_folder) {
  std::vector<std::string> found;
  Problems problems(found);
  SinkLedger ledger = read_sink_ledger(sink_ledger_path(ledger_folder));
  if (cursor.saved() < ledger.saved) {
    problems.add(fmt::format("sink: saved at {}, the cursor stands at {}", ledger.saved, cursor.saved()));
  }
  LogRecord record;
  while (true) {
    const auto more = cursor.next(record, 0);
    if (!more) problems.add("sink: " + more.error().message);
    if (!more || !*more) break;
    if (!record.batches.empty()) ledger.delivered.insert(step_of(plan, record));
  }
  for (const StreamPosition& position : engine.positions()) {
    const int writer = writer_number(plan, position.stream);
    for (int64_t step = 0; step < position.next_offset; ++step) {
      if (!ledger.delivered.contains({writer, step})) {
        problems.add(fmt::format("sink: step {} of writer {} never came", step, writer));
      }
    }
  }
  return found;
}

}  // namespace varve::test
