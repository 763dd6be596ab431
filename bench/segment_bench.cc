// Writing and reading segments: size, speed and memory of whole files.
//   bench_segment [--benchmark_filter=set_A]
//   water     60 sensors * 10240 rows, timestamp + 5 fields of data_sets.h: the segment of the format notes
//   set_A     100 hosts * 10 s * 1 day, 10 doubles with 2 decimals (TSBS cpu-only): one partition of the set
//   set_B     the same as full doubles
//   set_I     1000 sensors * 60 s * 1 day, 4 doubles with 2 decimals + 2 ints, times at ms with +-0.5 s of jitter
//   set_I_run the same * 64 rows: one run of the memtable, packed blocks
//   wide      1,000,000 sensors of set I * 10 rows
//   long      10 sensors of set I * 1,000,000 rows
// items_per_second counts rows; bytes_per_row and bits (a value of a field) count the whole file.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "bench/data_sets.h"
#include "storage/base/check.h"
#include "storage/segment/reader.h"
#include "storage/segment/writer.h"

namespace varve::bench {
namespace {

// Heap bytes in use.
double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Rows of one series; series k of a shape takes those of pool[k % pool size], as often as it has rows.
struct Rows {
  std::vector<int64_t> offsets;  // from the grid of the shape, ns
  std::vector<ColumnVector> columns;
};
struct Shape {
  std::string name;
  size_t series = 0;
  size_t rows = 0;  // of each series
  int64_t step_ns = 0;
  std::vector<SegmentField> fields;
  std::vector<Rows> pool;

  uint64_t all_rows() const { return uint64_t{series} * rows; }
  SegmentSchema schema() const { return {"varve", name, {"sensor_id", "site"}, fields, {}}; }
};

constexpr int64_t kStartNs = 1735689600'000'000'000;  // 2025-01-01
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMinute = 60'000 * kNsPerMs;

struct SeriesTags {
  explicit SeriesTags(size_t k) {
    std::snprintf(id, sizeof id, "s-%07zu", k);
    std::snprintf(site, sizeof site, "site-%zu", k * 7919 % 20);
  }
  std::vector<TagPair> pairs() const { return {{"sensor_id", id}, {"site", site}}; }
  char id[32], site[32];
};

Shape water() {
  Shape shape{"water", kSeries, kSeriesValues, kMinute, {}, std::vector<Rows>(kSeries)};
  for (const DataSet& set : synthetic_data_sets()) {
    const bool is_field = set.name.starts_with("water_");
    if (is_field) shape.fields.push_back({set.name, set.is_double ? FieldType::kDouble : FieldType::kInt64});
    for (size_t k = 0; k < kSeries; ++k) {
      const auto first = static_cast<std::ptrdiff_t>(k * kSeriesValues);
      const auto last = first + static_cast<std::ptrdiff_t>(kSeriesValues);
      if (is_field) {
        ColumnVector column(shape.fields.back().type);
        set.is_double ? column.doubles.assign(set.doubles.begin() + first, set.doubles.begin() + last)
                      : column.ints.assign(set.ints.begin() + first, set.ints.begin() + last);
        shape.pool[k].columns.push_back(std::move(column));
      } else if (set.name == "ts_jitter") {
        for (auto at = first; at < last; ++at) {
          const int64_t grid = kStartNs + kMinute * (at - first);
          shape.pool[k].offsets.push_back(set.ints[static_cast<size_t>(at)] * kNsPerMs - grid);
        }
      }
    }
  }
  return shape;
}

Shape cpu(std::string name, bool full) {
  constexpr size_t kHosts = 100, kDayRows = 8640, kFields = 10;
  Shape shape{std::move(name), kHosts, kDayRows, 10'000 * kNsPerMs, {}, std::vector<Rows>(kHosts)};
  for (size_t f = 0; f < kFields; ++f)
    shape.fields.push_back({"usage_" + std::to_string(f), FieldType::kDouble});
  for (size_t k = 0; k < kHosts; ++k) {
    std::mt19937_64 random(k + 1);
    std::normal_distribution<double> step(0, 1);
    shape.pool[k].offsets.assign(kDayRows, 0);
    for (size_t f = 0; f < kFields; ++f) {
      ColumnVector column(FieldType::kDouble);
      double x = std::uniform_real_distribution<double>(0, 100)(random);
      for (size_t i = 0; i < kDayRows; ++i) {
        x = std::clamp(x + step(random), 0.0, 100.0);
        column.push_double(full ? x : std::round(x * 100) / 100);
      }
      shape.pool[k].columns.push_back(std::move(column));
    }
  }
  return shape;
}

Rows sensor_rows(size_t k, size_t count, const std::vector<SegmentField>& fields) {
  Rows rows;
  std::mt19937_64 random(k + 1);
  std::normal_distribution<double> normal(0, 1);
  for (const SegmentField& field : fields) rows.columns.emplace_back(field.type);
  double drift[3] = {};
  const auto round2 = [](double x) { return std::round(x * 100) / 100; };
  for (size_t i = 0; i < count; ++i) {
    const double day = std::sin(static_cast<double>(i) * 2 * M_PI / 1440);
    drift[0] = 0.999 * drift[0] + 0.0036 * normal(random);
    drift[1] = 0.9995 * drift[1] + 0.0316 * normal(random);
    drift[2] = 0.99 * drift[2] + 0.08 * normal(random);
    rows.offsets.push_back((static_cast<int64_t>(random() % 1000) - 500) * kNsPerMs);
    rows.columns[0].push_double(round2(7.3 + 0.15 * day + drift[0] + 0.01 * normal(random)));
    rows.columns[1].push_double(round2(12 + 2.5 * day + drift[1] + 0.02 * normal(random)));
    rows.columns[2].push_double(round2(3.4 * std::exp(drift[2] + 0.05 * normal(random))));
    rows.columns[3].push_double(round2(9 - 0.8 * day - 0.2 * drift[1] + 0.02 * normal(random)));
    rows.columns[4].push_int(static_cast<int64_t>(412 + 20 * day + 10 * drift[1] + 1.5 * normal(random)));
    rows.columns[5].push_int(std::llround(97 - static_cast<double>(i) * 0.002 + 0.3 * normal(random)));
  }
  return rows;
}

Shape sensors(std::string name, size_t series, size_t rows) {
  constexpr size_t kPoolSeries = 1000, kPoolRows = 14'400;  // ten days
  Shape shape{std::move(name), series, rows, kMinute, {}, {}};
  shape.fields = {{"ph", FieldType::kDouble},          {"temperature", FieldType::kDouble},
                  {"turbidity", FieldType::kDouble},   {"oxygen", FieldType::kDouble},
                  {"conductivity", FieldType::kInt64}, {"battery", FieldType::kInt64}};
  for (size_t k = 0; k < std::min(series, kPoolSeries); ++k) {
    shape.pool.push_back(sensor_rows(k, std::min(rows, kPoolRows), shape.fields));
  }
  return shape;
}

std::string write(const Shape& shape, Effort effort, double* memory = nullptr) {
  const double before = heap_bytes();
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, shape.schema(), effort);
  std::vector<int64_t> times;
  for (size_t k = 0; k < shape.series; ++k) {
    const Rows& rows = shape.pool[k % shape.pool.size()];
    VARVE_CHECK(writer.begin_series(SeriesTags(k).pairs()));
    for (size_t at = 0; at < shape.rows; at += times.size()) {
      times.resize(std::min(shape.rows - at, rows.offsets.size()));
      for (size_t i = 0; i < times.size(); ++i) {
        times[i] = kStartNs + shape.step_ns * static_cast<int64_t>(at + i) + rows.offsets[i];
      }
      VARVE_CHECK(writer.append(times, rows.columns, 0));
    }
  }
  if (memory != nullptr) *memory = heap_bytes() - before;
  auto image = writer.finish();
  VARVE_CHECK(image);
  return std::move(*image);
}

std::shared_ptr<const SegmentReader> open(const std::string& image) {
  return *SegmentReader::open(memory_source(image), "segment 1");
}

void count_rows(benchmark::State& state, uint64_t rows) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * rows));
}

void bench_write(benchmark::State& state, const Shape& shape, Effort effort) {
  std::string image;
  double memory = 0;
  for (auto _ : state) image = write(shape, effort, &memory);
  const auto rows = static_cast<double>(shape.all_rows()), bytes = static_cast<double>(image.size());
  count_rows(state, shape.all_rows());
  state.counters["bytes_per_row"] = bytes / rows;
  state.counters["bits"] = bytes * 8 / rows / static_cast<double>(shape.fields.size());
  state.counters["blocks"] = static_cast<double>(open(image)->blocks());
  state.counters["writer_MB"] = memory / 1e6;  // when the last row was given, over the rows themselves
}

void bench_scan(benchmark::State& state, const std::string& image, size_t fields) {
  const auto segment = open(image);
  std::vector<int64_t> times;
  ColumnVector column;
  for (auto _ : state) {
    BlockReader reader(segment);
    reader.expect_until(segment->blocks() - 1);
    for (size_t b = 0; b < segment->blocks(); ++b) {
      VARVE_CHECK(reader.read_times(b, times));
      for (size_t f = 0; f < fields; ++f) VARVE_CHECK(reader.read_field(b, f, column));
    }
  }
  count_rows(state, segment->rows());
}

void bench_statistics(benchmark::State& state, const std::string& image) {
  const auto segment = open(image);
  double sum = 0;
  for (auto _ : state) {
    for (size_t b = 0; b < segment->blocks(); ++b) sum += (*segment->statistics(b, 0))->sum;
  }
  benchmark::DoNotOptimize(sum);
  count_rows(state, segment->rows());
}

// What start-up pays for each segment.
void bench_open(benchmark::State& state, const std::string& image) {
  const auto source = memory_source(image);
  for (auto _ : state) benchmark::DoNotOptimize(*SegmentReader::open(source, "segment 1"));
}

// What the first query of a segment pays: the directory and one column of the index.
void bench_first_query(benchmark::State& state, const std::string& image) {
  const auto source = memory_source(image);
  double memory = 0;
  for (auto _ : state) {
    const double before = heap_bytes();
    const auto segment = *SegmentReader::open(source, "segment 1");
    VARVE_CHECK(segment->directory());
    VARVE_CHECK(segment->field_index(0));
    memory = heap_bytes() - before;
  }
  state.counters["reader_MB"] = memory / 1e6;
}

// One series: find it by key, decode time and one field of all its rows.
void bench_one_series(benchmark::State& state, const Shape& shape, const std::string& image) {
  const auto segment = open(image);
  const SegmentDirectory& directory = **segment->directory();
  std::vector<int64_t> times;
  ColumnVector column;
  std::string key;
  size_t k = 0;
  for (auto _ : state) {
    k = (k + 7919) % shape.series;
    key.clear();
    append_series_key(key, SeriesTags(k).pairs());
    const size_t series = directory.find_series(key);
    const auto [first, last] = directory.series_blocks(series);
    BlockReader reader(segment);
    for (size_t b = first; b <= last; ++b) {
      VARVE_CHECK(reader.read_times(b, times));
      VARVE_CHECK(reader.read_field(b, 0, column));
    }
  }
  count_rows(state, shape.rows);
}

void register_shape(const std::string& name, Shape (*make)()) {
  // Made when first asked for: the large ones only if they are measured at all.
  struct Made {
    Shape (*make)();
    std::optional<Shape> made;
    std::string written;
    const Shape& shape() {
      if (!made) made = make();
      return *made;
    }
    const std::string& image() {
      if (written.empty()) written = write(shape(), Effort::kFast);
      return written;
    }
  };
  const auto data = std::make_shared<Made>(Made{make, {}, {}});
  const auto add = [&name](const std::string& what, auto run) {
    benchmark::RegisterBenchmark((name + "/" + what).c_str(), run)->Unit(benchmark::kMicrosecond);
  };
  add("write_fast", [=](benchmark::State& state) { bench_write(state, data->shape(), Effort::kFast); });
  add("write_exhaustive",
      [=](benchmark::State& state) { bench_write(state, data->shape(), Effort::kExhaustive); });
  add("scan_all_fields",
      [=](benchmark::State& state) { bench_scan(state, data->image(), data->shape().fields.size()); });
  add("scan_one_field", [=](benchmark::State& state) { bench_scan(state, data->image(), 1); });
  add("statistics_only", [=](benchmark::State& state) { bench_statistics(state, data->image()); });
  add("open", [=](benchmark::State& state) { bench_open(state, data->image()); });
  add("first_query", [=](benchmark::State& state) { bench_first_query(state, data->image()); });
  add("one_series", [=](benchmark::State& state) {
    bench_one_series(state, data->shape(), data->image());
    data->made.reset();  // the last of its shape
    data->written.clear();
  });
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  using namespace varve::bench;
  register_shape("water", water);
  register_shape("set_A", [] { return cpu("set_A", false); });
  register_shape("set_B", [] { return cpu("set_B", true); });
  register_shape("set_I", [] { return sensors("set_I", 1000, 1440); });
  register_shape("set_I_run", [] { return sensors("set_I_run", 1000, 64); });
  register_shape("wide", [] { return sensors("wide", 1'000'000, 10); });
  register_shape("long", [] { return sensors("long", 10, 1'000'000); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
