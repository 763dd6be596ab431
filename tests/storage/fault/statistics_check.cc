#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tests/storage/fault/history.h"

namespace varve::test {
namespace {

constexpr int64_t kBucketNs = 40;

// Of one field of one series in one bucket. Test values are small multiples of 1/4: every sum is exact.
struct Total {
  uint64_t count = 0;
  double sum = 0, min = 0, max = 0, first = 0, last = 0;
  bool operator==(const Total&) const = default;

  void add(const Total& later) {
    if (later.count == 0) return;
    if (count == 0) {
      *this = later;
      return;
    }
    count += later.count;
    sum += later.sum;
    min = std::min(min, later.min);
    max = std::max(max, later.max);
    last = later.last;
  }
  std::string text() const {
    return fmt::format("count {} sum {} min {} max {} first {} last {}", count, sum, min, max, first, last);
  }
};

Total of_value(double v) {
  return {1, v, v, v, v, v};
}

Total of_statistics(const ColumnStatistics& s, FieldType type) {
  if (type == FieldType::kDouble) return {s.count, s.sum, s.min, s.max, s.first, s.last};
  return {s.count,
          static_cast<double>(s.sum_int),
          static_cast<double>(s.min_int),
          static_cast<double>(s.max_int),
          static_cast<double>(s.first_int),
          static_cast<double>(s.last_int)};
}

std::optional<double> number(const Value& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  return std::nullopt;
}

int64_t bucket_of(int64_t time, int64_t width) {
  if (width == 0) return 0;
  return time / width - (time % width < 0 ? 1 : 0);
}

using Totals = std::map<std::pair<std::string, int64_t>, std::vector<Total>>;  // by site and bucket

const std::vector<std::string> kNumbers = {"level", "count"};

Result<Totals> scan_totals(const Engine& engine, const TableInfo& table, int64_t width,
                           bool may_use_statistics, uint64_t& from_statistics) {
  ScanRequest request;
  request.database = table.database;
  request.table = table.name;
  request.fields = kNumbers;
  request.may_use_statistics = may_use_statistics;
  request.bucket_width_ns = width;
  VARVE_ASSIGN(const auto scan, engine.scan(std::move(request)));
  Totals totals;
  ScanBlock block;
  while (true) {
    VARVE_ASSIGN(const bool more, scan->next(block));
    if (!more) return totals;
    const std::string site(scan->tags(block.series).value("site"));
    const auto of_bucket = [&](int64_t time) -> std::vector<Total>& {
      auto& found = totals[{site, bucket_of(time, width)}];
      found.resize(kNumbers.size());
      return found;
    };
    if (block.from_statistics) {
      ++from_statistics;
      if (bucket_of(block.time_min, width) != bucket_of(block.time_max, width))
        return corruption("a block of statistics lies in two buckets");
      for (size_t c = 0; c < kNumbers.size(); ++c) {
        const auto type = scan->field_types()[c];
        if (type) of_bucket(block.time_min)[c].add(of_statistics(block.statistics[c], *type));
      }
      continue;
    }
    for (size_t row = 0; row < block.rows; ++row) {
      for (size_t c = 0; c < kNumbers.size(); ++c) {
        if (const auto v = number(block.columns[c].value(row)))
          of_bucket(block.times[row])[c].add(of_value(*v));
      }
    }
  }
}

// Buckets without a value say the same as buckets that are not there.
void drop_empty(Totals& totals) {
  std::erase_if(totals, [](const auto& entry) {
    return std::all_of(entry.second.begin(), entry.second.end(), [](const Total& t) { return t.count == 0; });
  });
}

std::optional<std::string> compare(const TableInfo& table, const Totals& rows, const Totals& statistics) {
  for (const auto& [key, expected] : rows) {
    const auto found = statistics.find(key);
    for (size_t c = 0; c < kNumbers.size(); ++c) {
      const Total got = found == statistics.end() ? Total{} : found->second[c];
      if (got == expected[c]) continue;
      return fmt::format("statistics of {} {} bucket {} {}: {} instead of {}", table.name, key.first,
                         key.second, kNumbers[c], got.text(), expected[c].text());
    }
  }
  if (statistics.size() != rows.size()) return "statistics of " + table.name + " have a bucket without rows";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_statistics(const Engine& engine) {
  for (const TableInfo& table : engine.tables()) {
    for (const int64_t width : {int64_t{0}, kBucketNs}) {
      uint64_t used = 0;
      auto rows = scan_totals(engine, table, width, false, used);
      if (!rows) return rows.error().message;
      if (used != 0) return "a scan that asked for rows got statistics";
      auto statistics = scan_totals(engine, table, width, true, used);
      if (!statistics) return statistics.error().message;
      drop_empty(*rows);
      drop_empty(*statistics);
      if (auto wrong = compare(table, *rows, *statistics)) return wrong;
    }
  }
  return std::nullopt;
}

}  // namespace varve::test
