#include "tests/golden/golden_store.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "storage/backup/backup.h"
#include "tests/storage/check/store_fixture.h"

namespace varve::test {
namespace {

constexpr int64_t kStart = 1'750'000'000 * kNsPerSecond;

// Every type, with nulls, extremes and special values.
RowBatch types(int64_t start, int rows) {
  RowBatchBuilder builder("varve", "types");
  const double doubles[] = {0.0, -0.0, 1.25, -3.5e300, std::numeric_limits<double>::infinity(), 5e-324, 0.1};
  const int64_t ints[] = {0, INT64_MAX, INT64_MIN, -1, 42};
  for (int i = 0; i < rows; ++i) {
    builder.begin_row();
    builder.tag("site", i % 2 == 0 ? "pier" : "bruecke \xc3\xa4");
    if (i % 3 != 0) builder.tag("sensor", std::to_string(i % 4));
    if (i % 5 != 1) builder.field_double("d", doubles[i % 7]);
    if (i % 5 != 2) builder.field_int("i", ints[i % 5]);
    if (i % 5 != 3) builder.field_bool("b", i % 3 == 0);
    if (i % 5 != 4) builder.field_string("s", i % 11 == 0 ? "" : fmt::format("text {}", i % 9));
    builder.end_row(start + i * kNsPerSecond);
  }
  return builder.finish();
}

RowBatch readings(int64_t start, const std::string& site, int rows, double shift) {
  RowBatchBuilder builder("plant", "readings");
  for (int i = 0; i < rows; ++i) {
    builder.begin_row();
    builder.tag("site", site);
    builder.field_double("ph", shift + 0.01 * ((i * 7) % 50));
    builder.end_row(start + i * 100 * kNsPerMs);
  }
  return builder.finish();
}

RowBatch widened(int64_t start, bool as_double) {
  RowBatchBuilder builder("varve", "widened");
  for (int i = 0; i < 10; ++i) {
    builder.begin_row();
    if (as_double) {
      builder.field_double("v", i + 0.5);
    } else {
      builder.field_int("v", i);
    }
    builder.end_row(start + i);
  }
  return builder.finish();
}

void erase(OpenStore& store, TimeRange time) {
  DeleteRequest request;
  request.database = "plant";
  request.table = "readings";
  request.time = time;
  request.series_filter = [](const SeriesTags& tags) -> Result<bool> { return tags.value("site") == "a"; };
  if (const auto done = store.engine().erase(request); !done)
    fmt::print(stderr, "{}\n", done.error().message);
}

void write_all(const std::string& data) {
  {
    OpenStore store(data);
    if (!store.ok()) return;
    store.write(types(kStart, 200), {{"kafka:g:t", 0, 100}});
    store.write(readings(kStart, "a", 1300, 7));
    store.write(readings(kStart, "b", 40, 6));
    store.write(widened(kStart, false));
    (void)store.engine().flush().has_value();
    store.write(readings(kStart + 50 * kNsPerSecond, "a", 300, 5));  // over a part of the first
    store.write(types(kStart + kNsPerDay, 30));                      // another partition
    store.write(widened(kStart + 5, true));
    (void)store.engine().flush().has_value();
    if (const auto merged = store.engine().compact(); !merged)
      fmt::print(stderr, "{}\n", merged.error().message);
    erase(store, {kStart + 100 * kNsPerSecond, kStart + 110 * kNsPerSecond});
    store.write(types(kStart + 10, 8));
  }
  OpenStore store(data);
  if (!store.ok()) return;
  (void)store.engine().flush().has_value();
  store.write(readings(kStart, "late", 12, 4), {{"kafka:g:t", 0, 250}, {"kafka:g:t", 1, 7}});
  RowBatch wide = readings(kStart + kNsPerDay, "a", 5, 3);
  wide.fields.push_back({"added", ColumnVector(FieldType::kString)});
  for (int i = 0; i < 5; ++i) wide.fields.back().data.push_string(fmt::format("new {}", i));
  store.write(std::move(wide));
  erase(store, {kStart + 2 * kNsPerSecond, kStart + 3 * kNsPerSecond});
  BackupOptions backup;
  backup.data_directory = data;
  backup.to = data + "-copy";
  if (const auto made = back_up(backup); !made) fmt::print(stderr, "{}\n", made.error().message);
}

}  // namespace

std::string describe_store(const std::string& directory) {
  OpenStore store(directory);
  if (!store.ok()) return "cannot be opened: " + store.error() + "\n";
  std::string text;
  for (const std::string& column : store.columns()) text += "column " + column + "\n";
  for (const StreamPosition& p : store.engine().positions()) {
    text += fmt::format("position {} {} {}\n", p.stream, p.partition, p.next_offset);
  }
  for (const auto& [key, value] : store.values()) text += fmt::format("{} = {}\n", key, value);
  return text;
}

bool make_golden_store(const std::string& directory) {
  const TempDir work;
  const std::string data = (work / "data").string();
  write_all(data);
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  std::filesystem::copy(data + "-copy", directory + "/store", std::filesystem::copy_options::recursive,
                        failed);
  if (failed) {
    fmt::print(stderr, "{}: {}\n", directory, failed.message());
    return false;
  }
  write_file(directory + "/expected.txt", describe_store(data + "-copy"));
  return true;
}

}  // namespace varve::test
