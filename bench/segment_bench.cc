// Writing and reading segments of water sensors: 4 doubles with 2 decimals, 2 ints, a minute apart,
// timestamps at ms with +-0.5 s of jitter.
//   bench_segment [--benchmark_filter=scan]
//   set I day:  1000 sensors * 1440 rows, one partition of the reference set I
//   set I run:  1000 sensors * 64 rows, one run of the memtable: packed blocks
//   small:      100,000 sensors * 10 rows
// items_per_second counts rows; bytes_per_row and bits (a value, the timestamp counted as one) everything
// counted.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "storage/base/check.h"
#include "storage/segment/reader.h"
#include "storage/segment/writer.h"

namespace varve::bench {
namespace {

struct Shape {
  const char* name;
  size_t sensors;
  size_t rows;
};
constexpr Shape kShapes[] = {{"set_I_day", 1000, 1440}, {"set_I_run", 1000, 64}, {"small", 100'000, 10}};
constexpr size_t kFields = 6;

struct Sensor {
  std::string id, site;
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;
};

const SegmentSchema& schema() {
  static const SegmentSchema kSchema{"varve",
                                     "water",
                                     {"sensor_id", "site"},
                                     {{"ph", FieldType::kDouble},
                                      {"temperature", FieldType::kDouble},
                                      {"turbidity", FieldType::kDouble},
                                      {"oxygen", FieldType::kDouble},
                                      {"conductivity", FieldType::kInt64},
                                      {"battery", FieldType::kInt64}},
                                     {}};
  return kSchema;
}

std::vector<Sensor> sensors(const Shape& shape) {
  std::vector<Sensor> all(shape.sensors);
  for (size_t k = 0; k < shape.sensors; ++k) {
    Sensor& sensor = all[k];
    std::mt19937_64 random(k + 1);
    std::normal_distribution<double> normal(0, 1);
    char id[32];
    std::snprintf(id, sizeof id, "s-%06zu", k);
    sensor.id = id;
    sensor.site = "site-" + std::to_string(random() % 20);
    for (const SegmentField& field : schema().fields) sensor.columns.emplace_back(field.type);
    double drift[3] = {};
    const auto round2 = [](double x) { return std::round(x * 100) / 100; };
    for (size_t i = 0; i < shape.rows; ++i) {
      const double day = std::sin(static_cast<double>(i) * 2 * M_PI / 1440);
      drift[0] = 0.999 * drift[0] + 0.0036 * normal(random);
      drift[1] = 0.9995 * drift[1] + 0.0316 * normal(random);
      drift[2] = 0.99 * drift[2] + 0.08 * normal(random);
      const int64_t ms =
          1735689600000 + 60000 * static_cast<int64_t>(i) + static_cast<int64_t>(random() % 1000) - 500;
      sensor.times.push_back(ms * 1'000'000);
      sensor.columns[0].push_double(round2(7.3 + 0.15 * day + drift[0] + 0.01 * normal(random)));
      sensor.columns[1].push_double(round2(12 + 2.5 * day + drift[1] + 0.02 * normal(random)));
      sensor.columns[2].push_double(round2(3.4 * std::exp(drift[2] + 0.05 * normal(random))));
      sensor.columns[3].push_double(round2(9 - 0.8 * day - 0.2 * drift[1] + 0.02 * normal(random)));
      sensor.columns[4].push_int(static_cast<int64_t>(412 + 20 * day + 10 * drift[1] + 1.5 * normal(random)));
      sensor.columns[5].push_int(std::llround(97 - static_cast<double>(i) * 0.002 + 0.3 * normal(random)));
    }
  }
  return all;
}

std::string write(const std::vector<Sensor>& all, Effort effort) {
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, schema(), effort);
  for (const Sensor& sensor : all) {
    VARVE_CHECK(writer.begin_series({{"sensor_id", sensor.id}, {"site", sensor.site}}));
    VARVE_CHECK(writer.append(sensor.times, sensor.columns, 0));
  }
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

void bench_write(benchmark::State& state, const std::vector<Sensor>& all, Effort effort) {
  std::string image;
  for (auto _ : state) image = write(all, effort);
  const uint64_t rows = all.size() * all[0].times.size();
  count_rows(state, rows);
  state.counters["bytes_per_row"] = static_cast<double>(image.size()) / static_cast<double>(rows);
  state.counters["bits"] = static_cast<double>(image.size()) * 8 / static_cast<double>(rows) / (kFields + 1);
  const auto segment = open(image);
  state.counters["blocks"] = static_cast<double>(segment->blocks());
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

// Opening, decoding the directory and one column of the index: what the first query of a segment pays.
void bench_open(benchmark::State& state, const std::string& image) {
  const auto source = memory_source(image);
  for (auto _ : state) {
    const auto segment = *SegmentReader::open(source, "segment 1");
    VARVE_CHECK(segment->directory());
    VARVE_CHECK(segment->field_index(0));
  }
}

// One sensor: find it by key, decode time and one field of all its rows.
void bench_one_series(benchmark::State& state, const std::string& image, const std::vector<Sensor>& all) {
  const auto segment = open(image);
  const SegmentDirectory& directory = **segment->directory();
  std::vector<int64_t> times;
  ColumnVector column;
  std::string key;
  size_t k = 0;
  for (auto _ : state) {
    const Sensor& sensor = all[k = (k + 7919) % all.size()];
    key.clear();
    append_series_key(key, {{"sensor_id", sensor.id}, {"site", sensor.site}});
    const size_t series = directory.find_series(key);
    const auto [first, last] = directory.series_blocks(series);
    BlockReader reader(segment);
    for (size_t b = first; b <= last; ++b) {
      VARVE_CHECK(reader.read_times(b, times));
      VARVE_CHECK(reader.read_field(b, 0, column));
    }
  }
  count_rows(state, all[0].times.size());
}

void register_shape(const Shape& shape) {
  const auto all = std::make_shared<const std::vector<Sensor>>(sensors(shape));
  const auto image = std::make_shared<const std::string>(write(*all, Effort::kFast));
  const auto add = [&shape](const std::string& what, auto run) {
    benchmark::RegisterBenchmark((std::string(shape.name) + "/" + what).c_str(), run)
        ->Unit(benchmark::kMicrosecond);
  };
  add("write_fast", [all](benchmark::State& state) { bench_write(state, *all, Effort::kFast); });
  add("write_exhaustive", [all](benchmark::State& state) { bench_write(state, *all, Effort::kExhaustive); });
  add("scan_all_fields", [image](benchmark::State& state) { bench_scan(state, *image, kFields); });
  add("scan_one_field", [image](benchmark::State& state) { bench_scan(state, *image, 1); });
  add("statistics_only", [image](benchmark::State& state) { bench_statistics(state, *image); });
  add("open", [image](benchmark::State& state) { bench_open(state, *image); });
  add("one_series", [image, all](benchmark::State& state) { bench_one_series(state, *image, *all); });
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  for (const auto& shape : varve::bench::kShapes) varve::bench::register_shape(shape);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
