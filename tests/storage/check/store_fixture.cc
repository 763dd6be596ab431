#include "tests/storage/check/store_fixture.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/backup/backup.h"

namespace varve::test {

namespace fs = std::filesystem;

OpenStore::OpenStore(const std::string& directory) {
  EngineOptions options;
  options.data_directory = directory;
  options.metrics = &metrics_;
  options.flush_age_ns = 3600 * kNsPerSecond;  // only when told
  options.compaction = false;                  // likewise
  auto engine = Engine::open(options);
  if (engine) {
    engine_ = std::move(*engine);
  } else {
    error_ = engine.error().message;
  }
}

void OpenStore::write(RowBatch batch, std::vector<StreamPosition> positions) {
  std::vector<RowBatch> batches;
  batches.push_back(std::move(batch));
  AdmittedWrite admitted = engine_->admit(std::move(batches));
  EXPECT_TRUE(admitted.rejected().empty());
  admitted.positions = std::move(positions);
  const auto written = engine_->append_and_wait(std::move(admitted));
  EXPECT_TRUE(written) << written.error().message;
}

void OpenStore::erase(const std::string& site, TimeRange time) {
  DeleteRequest request;
  request.database = "varve";
  request.table = "water";
  request.time = time;
  request.series_filter = [site](const SeriesTags& tags) -> Result<bool> {
    return tags.value("site") == site;
  };
  const auto done = engine_->erase(request);
  EXPECT_TRUE(done) << done.error().message;
}

namespace {

std::string value_text(const Value& value) {
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("d{}", *d);
  if (const auto* i = std::get_if<int64_t>(&value)) return fmt::format("i{}", *i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  return "s" + std::get<std::string>(value);
}

void read_table(Engine& engine, const TableInfo& table, Values& out) {
  ScanRequest request;
  request.database = table.database;
  request.table = table.name;
  std::vector<std::string> tags;
  for (const ColumnInfo& column : table.columns) {
    if (column.kind == ColumnKind::kField) request.fields.push_back(column.name);
    if (column.kind == ColumnKind::kTag) tags.push_back(column.name);
  }
  std::sort(tags.begin(), tags.end());
  auto scan = engine.scan(request);
  ASSERT_TRUE(scan) << scan.error().message;
  ScanBlock block;
  while (true) {
    const auto more = (*scan)->next(block);
    ASSERT_TRUE(more) << more.error().message;
    if (!*more) return;
    std::string series;
    for (const std::string& tag : tags) {
      const std::string_view value = (*scan)->tags(block.series).value(tag);
      if (!value.empty()) series += fmt::format("{}{}={}", series.empty() ? "" : ", ", tag, value);
    }
    if (series.empty()) series = "(no tags)";
    for (size_t row = 0; row < block.rows; ++row) {
      for (size_t f = 0; f < request.fields.size(); ++f) {
        const Value value = block.columns[f].value(row);
        if (std::holds_alternative<std::monostate>(value)) continue;
        out[fmt::format("{}.{}|{}|{}|{}", table.database, table.name, series, block.times[row],
                        request.fields[f])] = value_text(value);
      }
    }
  }
}

}  // namespace

Values OpenStore::values() {
  Values out;
  for (const TableInfo& table : engine_->tables()) read_table(*engine_, table, out);
  return out;
}

std::vector<std::string> OpenStore::columns() {
  std::vector<std::string> out;
  for (const TableInfo& table : engine_->tables()) {
    for (const ColumnInfo& column : table.columns) {
      out.push_back(fmt::format("{}.{}|{}|{}|{}", table.database, table.name, column.name,
                                column_kind_name(column.kind), field_type_name(column.type)));
    }
  }
  return out;
}

RowBatch water_rows(int64_t day, const std::string& site, int rows, double shift) {
  RowBatchBuilder builder("varve", "water");
  for (int i = 0; i < rows; ++i) {
    builder.begin_row();
    builder.tag("site", site);
    builder.field_double("ph", shift + 0.01 * (i % 97));
    if (i % 3 != 0) builder.field_int("count", i);
    if (i % 5 != 0) builder.field_bool("ok", i % 2 == 0);
    if (i % 7 != 0) builder.field_string("note", fmt::format("note {}", i % 11));
    builder.end_row(day * kNsPerDay + i * kNsPerSecond);
  }
  return builder.finish();
}

namespace {

RowBatch pump_rows(int64_t day, bool as_double) {
  RowBatchBuilder builder("plant", "pumps");
  for (int i = 0; i < 50; ++i) {
    builder.begin_row();
    if (as_double) {
      builder.field_double("power", 0.5 + i);
    } else {
      builder.field_int("power", i);
    }
    builder.end_row(day * kNsPerDay + i * kNsPerSecond);
  }
  return builder.finish();
}

// Rows that stay in the log, and a copy of the store as a crash would leave it.
void add_tail(const std::string& data, int rows, const std::string& copy) {
  OpenStore store(data);
  ASSERT_TRUE(store.ok()) << store.error();
  ASSERT_TRUE(store.engine().flush());  // the log file of before goes
  for (int i = 0; i < rows; ++i) {
    RowBatchBuilder builder("varve", "water");
    builder.begin_row();
    builder.tag("site", "c");
    builder.tag("probe", "p1");
    builder.field_double("ph", i);
    builder.field_int("late", i);
    builder.end_row(2 * kNsPerDay + i);
    store.write(builder.finish(), {{"stream", 0, 30 + i}});
  }
  BackupOptions backup;
  backup.data_directory = data;
  backup.to = copy;
  const auto made = back_up(backup);
  ASSERT_TRUE(made) << made.error().message;
}

}  // namespace

void build_store(const std::string& directory) {
  const TempDir work;
  const std::string data = (work / "data").string();
  {
    OpenStore store(data);
    ASSERT_TRUE(store.ok()) << store.error();
    for (const char* site : {"a", "b"})
      store.write(water_rows(0, site, 3000, site[0] == 'a' ? 6 : 7), {{"stream", 0, 10}});
    for (int i = 0; i < 30; ++i) store.write(water_rows(0, fmt::format("small{:02}", i), 7, 8 + i));
    store.write(pump_rows(0, false));
    ASSERT_TRUE(store.engine().flush());
    store.write(water_rows(1, "a", 1500, 6.5));
    ASSERT_TRUE(store.engine().flush());
    store.erase("b", {1000 * kNsPerSecond, 1099 * kNsPerSecond});
    store.write(water_rows(0, "b", 900, 1));
    store.write(pump_rows(1, true), {{"stream", 0, 20}});
  }
  add_tail(data, 20, directory);
}

void build_small_store(const std::string& directory) {
  const TempDir work;
  const std::string data = (work / "data").string();
  {
    OpenStore store(data);
    ASSERT_TRUE(store.ok()) << store.error();
    store.write(water_rows(0, "a", 1500, 6));
    ASSERT_TRUE(store.engine().flush());
    store.write(water_rows(1, "a", 100, 6));
  }
  add_tail(data, 4, directory);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) {
  fs::remove(path);  // a linked file must not change under its other name
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> files_below(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), directory).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::map<std::string, std::string> bytes_below(const std::string& directory) {
  std::map<std::string, std::string> bytes;
  for (const std::string& file : files_below(directory)) bytes[file] = read_file(join_path(directory, file));
  return bytes;
}

CheckReport check(const std::string& directory, bool repair) {
  CheckOptions options;
  options.data_directory = directory;
  options.repair = repair;
  auto report = check_store(options);
  EXPECT_TRUE(report) << report.error().message;
  return report ? std::move(*report) : CheckReport();
}

Difference difference(const Values& before, const Values& after) {
  Difference out;
  for (const auto& [key, value] : before) {
    const auto found = after.find(key);
    if (found == after.end()) {
      out.missing[key] = value;
    } else if (found->second != value) {
      out.wrong[key] = value + " became " + found->second;
    }
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) out.wrong[key] = "new: " + value;
  }
  return out;
}

bool says_lost(const CheckReport& report, const std::string& value_key) {
  std::vector<std::string> parts;
  std::stringstream stream(value_key);
  for (std::string part; std::getline(stream, part, '|');) parts.push_back(part);
  const int64_t time = std::stoll(parts[2]);
  return std::any_of(report.lost.begin(), report.lost.end(), [&](const LostValues& lost) {
    return lost.database + "." + lost.table == parts[0] &&
           (lost.loss.series.empty() || lost.loss.series == parts[1]) && lost.loss.time.contains(time) &&
           (lost.loss.column.empty() || lost.loss.column == parts[3]);
  });
}

}  // namespace varve::test
