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
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "bench/segment_shapes.h"
#include "storage/base/check.h"
#include "storage/segment/reader.h"

namespace varve::bench {
namespace {

std::shared_ptr<const SegmentReader> open(const std::string& image) {
  return *SegmentReader::open(memory_source(image), "segment 1");
}

void count_rows(benchmark::State& state, uint64_t rows) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * rows));
}

void bench_write(benchmark::State& state, const Shape& shape, Effort effort) {
  std::string image;
  double memory = 0;
  for (auto _ : state) image = write_segment(shape, effort, &memory);
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
    for (size_t b = 0; b < segment->blocks(); ++b) {
      VARVE_CHECK(reader.read_times(b, times));
      for (size_t f = 0; f < fields; ++f) VARVE_CHECK(reader.read_field(b, f, column));
    }
  }
  count_rows(state, segment->rows());
}

void bench_statistics(benchmark::State& state, const std::string& image) {
  const auto segment = open(image);
  const FieldBlocks blocks = *segment->field_blocks(0);
  double sum = 0;
  for (auto _ : state) {
    for (size_t b = 0; b < segment->blocks(); ++b) {
      if (blocks.usable(b)) sum += blocks.statistics(b).sum;
    }
  }
  benchmark::DoNotOptimize(sum);
  count_rows(state, segment->rows());
}

// What start-up pays for each segment.
void bench_open(benchmark::State& state, const std::string& image) {
  const auto source = memory_source(image);
  for (auto _ : state) benchmark::DoNotOptimize(*SegmentReader::open(source, "segment 1"));
}

// The same from a file in the page cache, with opening the file: a thousand times this is a store of as many segments.
void bench_open_file(benchmark::State& state, const std::string& image) {
  const auto path = std::filesystem::temp_directory_path() / ("bench_segment_" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << image;
  double memory = 0;
  for (auto _ : state) {
    const double before = heap_bytes();
    const auto segment =
        *SegmentReader::open(*file_source(*real_file_system().open_read(path.string())), "segment 1");
    benchmark::DoNotOptimize(segment->rows());
    memory = heap_bytes() - before;
  }
  std::filesystem::remove(path);
  state.counters["reader_MB"] = memory / 1e6;
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
      if (written.empty()) written = write_segment(shape(), Effort::kFast);
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
  add("open_file", [=](benchmark::State& state) { bench_open_file(state, data->image()); });
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
  register_shape("set_A", [] { return cpu("set_A", 100, 8640, false); });
  register_shape("set_B", [] { return cpu("set_B", 100, 8640, true); });
  register_shape("set_I", [] { return sensors("set_I", 1000, 1440); });
  register_shape("set_I_run", [] { return sensors("set_I_run", 1000, 64); });
  register_shape("wide", [] { return sensors("wide", 1'000'000, 10); });
  register_shape("long", [] { return sensors("long", 10, 1'000'000); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
