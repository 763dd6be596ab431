// ScanRequest::last_row_only against a model: wherever the last row of a series lies, and whatever it holds, a scan for it
// gives that row and no other value. VARVE_SEED chooses the run; the seed is printed with every failure.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

#include "storage/scan.h"
#include "tests/support/disk_store.h"
#include "tests/support/sanitized.h"

namespace varve {
namespace {

constexpr int64_t kPartition = 3000;
constexpr int kSteps = test::kSanitized ? 40 : 80;

const std::vector<std::string> kFields{"n", "x", "w", "s", "f", "absent"};

using Fields = std::map<std::string, Value>;
using Model = std::map<std::string, std::map<int64_t, Fields>>;  // by host, time

bool same_value(const Value& a, const Value& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x == nullptr || y == nullptr) return a == b;
  return std::isnan(*x) ? std::isnan(*y) : *x == *y && std::signbit(*x) == std::signbit(*y);
}

std::string text_of(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real);
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole) + "i";
  if (const auto* text = std::get_if<std::string>(&value)) return '"' + *text + '"';
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return "null";
}

struct LastRow {
  int64_t time = INT64_MIN;
  std::vector<Value> values;
};

class LastRowTest : public testing::Test {
 protected:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  Value any_double() {
    switch (below(40)) {
      case 0:
        return std::nan("");
      case 1:
        return static_cast<double>(INFINITY);
      case 2:
        return -0.0;
      default:
        return static_cast<double>(below(1000)) / 8;
    }
  }

  // Field n is always there; w becomes a double once `wide_` is set.
  Fields any_fields(unsigned nulls) {
    Fields fields{{"n", static_cast<int64_t>(random_())}};
    if (below(100) >= nulls) fields["x"] = any_double();
    if (below(100) >= nulls) fields["w"] = wide_ ? Value(below(100) / 4.0) : Value(int64_t{below(100)});
    if (below(100) < 20) fields["s"] = std::string(below(3), 'a');
    if (below(100) < 20) fields["f"] = below(2) == 0;
    return fields;
  }

  void write_rows() {
    if (below(4) == 0) wide_ = true;
    const unsigned nulls = below(3) == 0 ? 0 : below(30);
    const bool one_host = below(2) == 0;
    const unsigned lateness = below(2) == 0 ? 1 : 3000;
    const std::string only = "h" + std::to_string(below(4));
    RowBatchBuilder rows("varve", "t");
    for (unsigned i = 1 + below(300); i > 0; --i) {
      now_ += below(8);
      const int64_t time = now_ - below(lateness);
      const std::string host = one_host ? only : "h" + std::to_string(below(4));
      const Fields fields = any_fields(nulls);
      rows.begin_row();
      rows.tag("host", host);
      for (const auto& [name, value] : fields) {
        add_field(rows, name, value);
        model_[host][time][name] = value;
      }
      rows.end_row(time);
    }
    store_.write(rows.finish());
  }

  // Some of the newest rows, or some in between, of one host or of all.
  void erase_rows() {
    DeleteRequest request;
    request.database = "varve";
    request.table = "t";
    const int64_t from = now_ - below(3000);
    request.time = {from, below(2) == 0 ? INT64_MAX : from + below(1500)};
    const std::string host = "h" + std::to_string(below(4));
    if (below(3) != 0) {
      request.series_filter = [&](const SeriesTags& tags) { return tags.value("host") == host; };
    }
    for (auto& [name, rows] : model_) {
      if (request.series_filter && name != host) continue;
      std::erase_if(rows, [&](const auto& row) { return request.time.contains(row.first); });
    }
    store_.erase(request);
  }

  void take_step() {
    const unsigned kind = below(10);
    if (kind < 5 || model_.empty()) {
      write_rows();
    } else if (kind < 7) {
      erase_rows();
    } else if (kind == 7) {
      store_.compact();
    } else if (kind == 8) {
      store_.restart();
    } else {
      store_.flush();
    }
    if (below(2) == 0) store_.flush();
  }

  std::map<std::string, LastRow> expected(const ScanRequest& wanted,
                                          std::span<const std::optional<FieldType>> types) const {
    std::map<std::string, LastRow> found;
    for (const auto& [host, rows] : model_) {
      for (const auto& [time, fields] : rows) {
        if (!wanted.time.contains(time)) continue;
        LastRow& last = found[host];
        last = {time, {}};
        for (size_t i = 0; i < wanted.fields.size(); ++i) {
          const auto field = fields.find(wanted.fields[i]);
          Value value = field == fields.end() ? Value() : field->second;
          const auto* whole = std::get_if<int64_t>(&value);
          if (whole != nullptr && types[i] == FieldType::kDouble) value = static_cast<double>(*whole);
          last.values.push_back(value);
        }
      }
    }
    return found;
  }

  void check() {
    ScanRequest wanted;
    wanted.database = "varve";
    wanted.table = "t";
    wanted.newest_first = true;
    wanted.last_row_only = true;
    wanted.columns_on_demand = below(4) != 0;
    const bool all = below(2) == 0;  // else only what statistics may tell
    for (size_t i = 0; i < (all ? kFields.size() : 3); ++i) {
      if (below(2) == 0) wanted.fields.push_back(kFields[i]);
    }
    switch (below(4)) {
      case 0:
        wanted.time.max = now_ - below(3 * kPartition);
        break;
      case 1:
        wanted.time.min = now_ - below(kPartition);
        break;
      case 2: {  // exactly to the last row of a series, or just short of it
        const auto& rows = model_.begin()->second;
        if (!rows.empty()) wanted.time.max = rows.rbegin()->first - below(2);
        break;
      }
      default:
        break;
    }
    auto scan = store_.engine().scan(wanted);
    ASSERT_TRUE(scan) << scan.error().message;
    std::map<std::string, LastRow> found;
    ScanBlock block;
    while (true) {
      const auto more = (*scan)->next(block);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) break;
      ASSERT_FALSE(block.from_statistics);
      LastRow& last = found[std::string((*scan)->tags(block.series).value("host"))];
      const size_t row = block.rows - 1;
      if (block.times[row] <= last.time) continue;
      last = {block.times[row], {}};
      for (size_t i = 0; i < wanted.fields.size(); ++i) {
        const ColumnVector* column = wanted.columns_on_demand ? *(*scan)->column(i) : &block.columns[i];
        const size_t at = wanted.columns_on_demand ? block.first_row + row : row;
        last.values.push_back(column == nullptr ? Value() : column->value(at));
      }
    }
    answered_ += (*scan)->counters().blocks_from_statistics;
    compare(found, expected(wanted, (*scan)->field_types()), wanted);
  }

  static void compare(const std::map<std::string, LastRow>& found,
                      const std::map<std::string, LastRow>& expected, const ScanRequest& wanted) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [host, last] : expected) {
      ASSERT_TRUE(found.contains(host)) << host;
      const LastRow& row = found.at(host);
      ASSERT_EQ(row.time, last.time) << host << ", until " << wanted.time.max;
      for (size_t i = 0; i < last.values.size(); ++i) {
        ASSERT_TRUE(same_value(row.values[i], last.values[i]))
            << host << " at " << last.time << ", " << wanted.fields[i] << ": " << text_of(row.values[i])
            << ", expected " << text_of(last.values[i]);
      }
    }
  }

  std::mt19937_64 random_;
  DiskStore store_{kPartition};
  Model model_;
  bool wide_ = false;
  int64_t now_ = 0;
  uint64_t answered_ = 0;  // rows that statistics gave
};

TEST_F(LastRowTest, IsTheLastRowWhereverItLiesAndWhateverItHolds) {
  const char* const chosen = std::getenv("VARVE_SEED");
  const uint64_t seed = chosen != nullptr ? std::stoull(chosen) : std::random_device{}();
  SCOPED_TRACE("VARVE_SEED=" + std::to_string(seed));
  random_.seed(seed);
  for (int step = 0; step < kSteps; ++step) {
    take_step();
    for (int n = 0; n < 25; ++n) {
      check();
      ASSERT_FALSE(HasFatalFailure()) << "step " << step;
    }
  }
  std::printf("%llu rows by statistics\n", static_cast<unsigned long long>(answered_));
  EXPECT_GT(answered_, 10U) << "the statistics gave too few rows for this to be a test of them";
}

}  // namespace
}  // namespace varve
