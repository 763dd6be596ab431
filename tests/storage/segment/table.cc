#include "tests/storage/segment/table.h"

#include <bit>
#include <cmath>

namespace varve::testing {
namespace {

bool same_value(const ColumnVector& a, size_t row_a, const ColumnVector& b, size_t row_b) {
  if (a.type != b.type || a.is_valid(row_a) != b.is_valid(row_b)) return false;
  if (!a.is_valid(row_a)) return true;
  switch (a.type) {
    case FieldType::kDouble:
      return std::bit_cast<uint64_t>(a.doubles[row_a]) == std::bit_cast<uint64_t>(b.doubles[row_b]);
    case FieldType::kInt64:
      return a.ints[row_a] == b.ints[row_b];
    case FieldType::kBool:
      return a.bools[row_a] == b.bools[row_b];
    case FieldType::kString:
      return a.strings[row_a] == b.strings[row_b];
  }
  return false;
}

// Statistics of a block of one series against its rows, recomputed the slow way.
bool statistics_hold(const ColumnStatistics& s, const ColumnVector& column, size_t begin, size_t end) {
  uint64_t count = 0;
  long double sum = 0, magnitude = 0;
  double min = INFINITY, max = -INFINITY, first = 0, last = 0;
  for (size_t row = begin; row < end; ++row) {
    if (!column.is_valid(row)) continue;
    double v = 0;
    if (column.type == FieldType::kDouble) v = column.doubles[row];
    if (column.type == FieldType::kInt64) v = static_cast<double>(column.ints[row]);
    if (column.type == FieldType::kBool) v = column.bools[row];
    if (count++ == 0) first = v;
    last = v;
    min = std::min(min, v);
    max = std::max(max, v);
    sum += v;
    magnitude += std::fabs(v);
  }
  if (s.count != count) return false;
  if (count == 0) return true;
  const auto near = [&](double a, double b) {
    return a == b || std::fabs(a - b) <= 1e-9 * static_cast<double>(magnitude);
  };
  const double total = static_cast<double>(sum);
  if (column.type == FieldType::kDouble) {
    return s.min == min && s.max == max && s.first == first && s.last == last && near(s.sum, total);
  }
  return static_cast<double>(s.min_int) == min && static_cast<double>(s.max_int) == max &&
         static_cast<double>(s.first_int) == first && static_cast<double>(s.last_int) == last &&
         near(static_cast<double>(s.sum_int), total);
}

}  // namespace

size_t TestTable::rows() const {
  size_t rows = 0;
  for (const auto& [key, s] : series) rows += s.times.size();
  return rows;
}

TestTable random_table(Random& random, TableShape shape) {
  TestTable table;
  table.schema = {"plant",
                  "water",
                  {"sensor", "site"},
                  {{"ph", FieldType::kDouble},
                   {"flow", FieldType::kDouble},
                   {"count", FieldType::kInt64},
                   {"open", FieldType::kBool},
                   {"state", FieldType::kString}},
                  {2, 1, 3, 4, 5, 6, 7}};
  std::normal_distribution<double> normal(0, 1);
  for (size_t i = 0; i < shape.series; ++i) {
    TestSeries s;
    if (i % 7 != 6) s.tags.emplace_back("sensor", "s" + std::to_string(i));  // some series lack a tag
    if (i % 5 != 4 || s.tags.empty())
      s.tags.emplace_back("site", "plant-" + std::to_string(i * 31 % 4) + std::string(i % 3, '\0') +
                                      (i % 7 == 6 ? std::to_string(i) : ""));
    std::string key;
    append_series_key(key, s.pairs());
    const size_t rows = shape.rows_min + below(random, shape.rows_max - shape.rows_min + 1);
    int64_t time = 1735689600000000000 + static_cast<int64_t>(random() % 1000000000);
    double walk = 7;
    for (const SegmentField& field : table.schema.fields) s.columns.emplace_back(field.type);
    for (size_t r = 0; r < rows; ++r) {
      s.times.push_back(time += 1 + static_cast<int64_t>(below(random, 60'000)) * 1'000'000);
      walk += normal(random) / 50;
      const auto null = [&](size_t odds) { return shape.nulls && below(random, odds) == 0; };
      null(10) ? s.columns[0].push_null() : s.columns[0].push_double(std::round(walk * 100) / 100);
      null(100) ? s.columns[1].push_double(std::nan("")) : s.columns[1].push_double(walk);
      null(3) ? s.columns[2].push_null() : s.columns[2].push_int(static_cast<int64_t>(random() % 1000) - 500);
      null(2) ? s.columns[3].push_null() : s.columns[3].push_bool(r % 50 < 25);
      null(20) ? s.columns[4].push_null()
               : s.columns[4].push_string(r % 90 ? "ok" : "alarm " + std::to_string(r));
    }
    if (i % 6 == 5) {  // a series that never has a count
      s.columns[2] = ColumnVector(FieldType::kInt64);
      s.columns[2].push_nulls(rows);
    }
    table.series.emplace(std::move(key), std::move(s));
  }
  return table;
}

Result<std::string> write_table(const TestTable& table, SegmentIdentity identity, Effort effort,
                                size_t chunk) {
  SegmentWriter writer(std::move(identity), table.schema, effort);
  for (const auto& [key, series] : table.series) {
    VARVE_TRY(writer.begin_series(series.pairs()));
    for (size_t at = 0; at < series.times.size(); at += chunk) {
      const size_t count = std::min(chunk, series.times.size() - at);
      VARVE_TRY(writer.append({series.times.data() + at, count}, series.columns, at));
    }
  }
  return writer.finish();
}

std::string difference(const std::shared_ptr<const SegmentReader>& segment, const TestTable& table) {
  if (segment->schema() != table.schema) return "schema";
  if (segment->rows() != table.rows()) return "row count";
  const auto directory = segment->directory();
  if (!directory) return directory.error().message;
  const SegmentDirectory& d = **directory;
  if (d.series() != table.series.size()) return "series count";

  BlockReader reader(segment);
  std::vector<int64_t> times;
  ColumnVector column;
  size_t expected_series = 0;
  for (const auto& [key, series] : table.series) {
    const size_t found = d.find_series(key);
    if (found != expected_series++) return "series " + std::to_string(found) + " is not where it belongs";
    if (d.series_tags(found) != series.pairs()) return "tags of series " + std::to_string(found);
    if (d.series_rows(found) != series.times.size()) return "rows of series " + std::to_string(found);
    const auto [first, last] = d.series_blocks(found);
    size_t at = 0;
    for (size_t block = first; block <= last; ++block) {
      const BlockSlice slice = d.slice(found, block);
      const std::string where = "series " + std::to_string(found) + " block " + std::to_string(block);
      if (const auto read = reader.read_times(block, times); !read) return read.error().message;
      for (size_t i = slice.begin; i < slice.end; ++i) {
        if (times[i] != series.times[at + i - slice.begin]) return where + ": times";
      }
      for (size_t f = 0; f < table.schema.fields.size(); ++f) {
        if (const auto read = reader.read_field(block, f, column); !read) return read.error().message;
        if (column.size() != d.block_rows(block)) return where + ": column size";
        for (size_t i = slice.begin; i < slice.end; ++i) {
          if (!same_value(column, i, series.columns[f], at + i - slice.begin)) {
            return where + ": field " + table.schema.fields[f].name + " row " + std::to_string(i);
          }
        }
        if (slice.begin != 0 || slice.end != d.block_rows(block)) continue;
        const auto statistics = segment->statistics(block, f);
        if (!statistics) return statistics.error().message;
        if (*statistics && !statistics_hold(**statistics, series.columns[f], at, at + slice.end)) {
          return where + ": statistics of " + table.schema.fields[f].name;
        }
      }
      at += slice.end - slice.begin;
    }
    if (at != series.times.size()) return "rows missing";
  }
  return "";
}

}  // namespace varve::testing
