#include "bench/segment_shapes.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "bench/data_sets.h"
#include "storage/base/check.h"
#include "storage/segment/writer.h"

namespace varve::bench {
namespace {

constexpr int64_t kStartNs = 1735689600'000'000'000;  // 2025-01-01
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMinute = 60'000 * kNsPerMs;

}  // namespace

double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

SeriesTags::SeriesTags(size_t series) {
  std::snprintf(id, sizeof id, "s-%07zu", series);
  std::snprintf(site, sizeof site, "site-%zu", series * 7919 % 20);
}

void Shape::times(size_t series_number, size_t first_row, std::vector<int64_t>& out) const {
  const std::vector<int64_t>& offsets = pool[series_number % pool.size()].offsets;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = kStartNs + step_ns * static_cast<int64_t>(first_row + i) + offsets[i];
  }
}

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

Shape cpu(std::string name, size_t hosts, size_t row_count, bool full) {
  constexpr size_t kFields = 10;
  Shape shape{std::move(name), hosts, row_count, 10'000 * kNsPerMs, {}, std::vector<Rows>(hosts)};
  for (size_t f = 0; f < kFields; ++f)
    shape.fields.push_back({"usage_" + std::to_string(f), FieldType::kDouble});
  for (size_t k = 0; k < hosts; ++k) {
    std::mt19937_64 random(k + 1);
    std::normal_distribution<double> step(0, 1);
    shape.pool[k].offsets.assign(row_count, 0);
    for (size_t f = 0; f < kFields; ++f) {
      ColumnVector column(FieldType::kDouble);
      double x = std::uniform_real_distribution<double>(0, 100)(random);
      for (size_t i = 0; i < row_count; ++i) {
        x = std::clamp(x + step(random), 0.0, 100.0);
        column.push_double(full ? x : std::round(x * 100) / 100);
      }
      shape.pool[k].columns.push_back(std::move(column));
    }
  }
  return shape;
}

namespace {

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

}  // namespace

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

std::string write_segment(const Shape& shape, Effort effort, double* memory) {
  const double before = heap_bytes();
  SegmentWriter writer({1, 1, 1, 0, {}, {}}, shape.schema(), effort);
  std::vector<int64_t> times;
  for (size_t k = 0; k < shape.series; ++k) {
    const Rows& rows = shape.pool[k % shape.pool.size()];
    VARVE_CHECK(writer.begin_series(SeriesTags(k).pairs()));
    for (size_t at = 0; at < shape.rows; at += times.size()) {
      times.resize(std::min(shape.rows - at, rows.offsets.size()));
      shape.times(k, at, times);
      VARVE_CHECK(writer.append(times, rows.columns, 0));
    }
  }
  if (memory != nullptr) *memory = heap_bytes() - before;
  auto image = writer.finish();
  VARVE_CHECK(image);
  return std::move(*image);
}

}  // namespace varve::bench
