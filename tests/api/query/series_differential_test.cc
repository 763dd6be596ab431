// What only the native engine can do - SAMPLE BY, FILL and the steps between rows (rate, increase, delta, derivative,
// integral) - against a plain model: every answer is worked out anew from all rows, one bucket at a time, with none of
// the engine's code. The rows: nulls, NaN, infinities, late ones and overwritten ones; in memtables, in segments, after
// compaction and after a restart.
// VARVE_SEED chooses the run; the seed and the SQL are printed with every failure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/api/query/answers.h"
#include "tests/api/query/query_generator.h"
#include "tests/support/disk_store.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

constexpr int kDatasets = 4;
constexpr int kStatementsPerStage = 150;  // of five stages
constexpr int64_t kSecondsMax = 1800;     // of time, before and after 1970

using Number = std::optional<double>;  // nullopt: NULL

struct Fields {
  Number v;  // a double
  Number n;  // an int64
};
struct SeriesKey {
  std::string a;
  std::string b;
  auto operator<=>(const SeriesKey&) const = default;
};
using Model = std::map<SeriesKey, std::map<int64_t, Fields>>;

struct Call {
  std::string function;
  char field = 'v';
  int64_t unit_s = 1;
  std::string fill = "none";  // none, null, prev, linear or a number
};

struct Statement {
  std::vector<Call> calls;
  bool by_a = false;
  bool has_fill = false;
  std::optional<int64_t> from;  // ns
  std::optional<int64_t> until;
  std::optional<double> v_over;
  int64_t width = 0;
  std::string sql;
};

int64_t floored(int64_t time, int64_t width) {
  const int64_t rest = ((time % width) + width) % width;
  return time - rest;
}

// One series' rows that a statement sees, in ascending time.
using SeriesRows = std::map<int64_t, Fields>;

Number no_nan(double value) {
  return std::isnan(value) ? Number() : Number(value);
}

Number value_of(const Fields& row, char field) {
  return field == 'v' ? row.v : row.n;
}

Number plain_aggregate(const Call& call, const std::vector<SeriesRows>& series, int64_t bucket,
                       int64_t width) {
  std::map<int64_t, double> values;  // times are unlike in all series
  double rows = 0;
  for (const SeriesRows& one : series) {
    for (const auto& [time, row] : one) {
      if (floored(time, width) != bucket) continue;
      ++rows;
      if (const Number value = value_of(row, call.field)) values[time] = *value;
    }
  }
  if (call.function == "count_rows") return rows;
  if (call.function == "count") return static_cast<double>(values.size());
  if (values.empty()) return {};
  if (call.function == "first") return values.begin()->second;
  if (call.function == "last") return values.rbegin()->second;
  double sum = 0;
  double min = values.begin()->second;
  double max = min;
  for (const auto& [time, value] : values) {
    sum += value;
    min = value < min ? value : min;
    max = value > max ? value : max;
  }
  if (call.function == "min") return min;
  if (call.function == "max") return max;
  return no_nan(call.function == "avg" ? sum / static_cast<double>(values.size()) : sum);
}

// A step goes from a row with a value to the next one of its series and belongs to the later one's bucket.
Number step_aggregate(const Call& call, const std::vector<SeriesRows>& series, int64_t bucket,
                      int64_t width) {
  const bool counter = call.function == "rate" || call.function == "increase";
  const bool by_time = call.function == "rate" || call.function == "derivative";
  double total = 0;
  bool any = false;
  for (const SeriesRows& one : series) {
    double change = 0;
    double seconds = 0;
    std::optional<std::pair<int64_t, double>> before;
    for (const auto& [time, row] : one) {
      const Number value = value_of(row, call.field);
      if (!value) continue;
      if (before && floored(time, width) == bucket) {
        const double elapsed = static_cast<double>(time - before->first) / 1e9;
        seconds += elapsed;
        if (call.function == "integral") {
          change += (before->second + *value) / 2 * elapsed;
        } else {
          const bool reset = counter && *value < before->second;
          change += reset ? *value : *value - before->second;
        }
      }
      before = {time, *value};
    }
    if (seconds == 0) continue;
    any = true;
    total += by_time ? change / seconds : change;
  }
  if (!any) return {};
  const auto unit = static_cast<double>(call.unit_s);
  if (call.function == "integral") total /= unit;
  if (by_time) total *= unit;
  return no_nan(total);
}

bool is_step(const Call& call) {
  const std::set<std::string> steps{"rate", "increase", "delta", "derivative", "integral"};
  return steps.contains(call.function);
}

bool is_whole(const Call& call) {
  const std::set<std::string> whole{"min", "max", "first", "last", "sum", "increase", "delta"};
  return call.function.starts_with("count") || (call.field == 'n' && whole.contains(call.function));
}

Number aggregate(const Call& call, const std::vector<SeriesRows>& series, int64_t bucket, int64_t width) {
  return is_step(call) ? step_aggregate(call, series, bucket, width)
                       : plain_aggregate(call, series, bucket, width);
}

using Group = std::vector<SeriesRows>;

std::map<std::string, Group> groups_of(const Model& model, const Statement& statement, bool before_range) {
  std::map<std::string, Group> groups;
  for (const auto& [key, rows] : model) {
    SeriesRows seen;
    for (const auto& [time, row] : rows) {
      if (statement.v_over && !(row.v && *row.v > *statement.v_over)) continue;
      const bool early = statement.from && time < *statement.from;
      const bool late = statement.until && time >= *statement.until;
      if (before_range ? early : !early && !late) seen[time] = row;
    }
    if (!seen.empty()) groups[statement.by_a ? key.a : ""].push_back(std::move(seen));
  }
  return groups;
}

std::set<int64_t> buckets_of(const Group& group, int64_t width) {
  std::set<int64_t> buckets;
  for (const SeriesRows& rows : group) {
    for (const auto& [time, row] : rows) buckets.insert(floored(time, width));
  }
  return buckets;
}

// The last value before the range.
Number value_before(const Call& call, const Group& earlier, int64_t width) {
  Number last;
  for (const int64_t bucket : buckets_of(earlier, width)) {
    if (const Number value = aggregate(call, earlier, bucket, width)) last = value;
  }
  return last;
}

Number between(const Call& call, const std::map<int64_t, Number>& values, int64_t bucket) {
  std::optional<std::pair<int64_t, double>> before;
  std::optional<std::pair<int64_t, double>> after;
  for (const auto& [at, value] : values) {
    if (!value) continue;
    if (at < bucket) before = {at, *value};
    if (at > bucket && !after) after = {at, *value};
  }
  if (!before || !after || !std::isfinite(before->second) || !std::isfinite(after->second)) return {};
  const int64_t passed = bucket - before->first;
  const int64_t length = after->first - before->first;
  if (!is_whole(call)) {
    const double share = static_cast<double>(passed) / static_cast<double>(length);
    return before->second * (1 - share) + after->second * share;
  }
  // In whole numbers; a half is rounded away from zero.
  const auto low = static_cast<int64_t>(before->second);
  const auto high = static_cast<int64_t>(after->second);
  const int64_t scaled = low * length + (high - low) * passed;
  const int64_t magnitude = (2 * std::abs(scaled) + length) / (2 * length);
  return static_cast<double>(scaled < 0 ? -magnitude : magnitude);
}

Rows expected_rows(const Model& model, const Statement& statement) {
  std::map<std::string, Group> groups = groups_of(model, statement, false);
  const std::map<std::string, Group> earlier = groups_of(model, statement, true);
  std::set<int64_t> all;
  for (const auto& [name, group] : groups) all.merge(buckets_of(group, statement.width));
  if (statement.from && statement.until && *statement.from < *statement.until && !statement.by_a) groups[""];
  const bool filled = statement.has_fill && statement.calls[0].fill != "none";
  Rows rows;
  for (const auto& [name, group] : groups) {
    const std::set<int64_t> own = buckets_of(group, statement.width);
    std::set<int64_t> wanted = own;
    if (filled) {
      const auto first =
          statement.from ? floored(*statement.from, statement.width) : (all.empty() ? 0 : *all.begin());
      const auto last = statement.until ? floored(*statement.until - 1, statement.width)
                                        : (all.empty() ? -1 : *all.rbegin());
      for (int64_t bucket = first; bucket <= last; bucket += statement.width) wanted.insert(bucket);
    }
    std::vector<std::map<int64_t, Number>> columns;
    for (const Call& call : statement.calls) {
      auto& column = columns.emplace_back();
      for (const int64_t bucket : wanted) {
        column[bucket] = own.contains(bucket) ? aggregate(call, group, bucket, statement.width) : Number();
      }
    }
    std::vector<Number> previous;
    for (const Call& call : statement.calls) {
      const auto before = earlier.find(name);
      previous.push_back(before == earlier.end() ? Number()
                                                 : value_before(call, before->second, statement.width));
    }
    for (const int64_t bucket : wanted) {
      auto& row = rows.emplace_back();
      row.emplace_back(bucket);
      if (statement.by_a) row.emplace_back(name);
      for (size_t i = 0; i < columns.size(); ++i) {
        const Call& call = statement.calls[i];
        Number value = columns[i][bucket];
        if (value) {
          previous[i] = value;
        } else if (filled && call.fill == "prev") {
          value = previous[i];
        } else if (filled && call.fill == "linear") {
          value = between(call, columns[i], bucket);
        } else if (filled && call.fill != "null") {
          value = std::stod(call.fill);
        }
        Value& cell = row.emplace_back();
        if (value) cell = *value;
      }
    }
  }
  return rows;
}

class Store : public DiskStore {
 public:
  explicit Store(uint64_t seed) : DiskStore(600 * kNsPerSecond), random_(seed) {}

  const Model& model() const { return model_; }

  void write_rows(int rows) {
    RowBatchBuilder builder(std::string(kDefaultDatabase), "t");
    for (int n = 0; n < rows; ++n) add_row(builder);
    write(builder.finish());
  }

  Statement statement() {
    Statement made;
    const int64_t widths[] = {13, 60, 97, 300, 600};
    made.width = widths[random_.below(5)] * kNsPerSecond;
    made.by_a = random_.chance(50);
    if (random_.chance(80)) made.from = any_second() * kNsPerSecond;
    if (random_.chance(80)) made.until = any_second() * kNsPerSecond;
    if (made.from && made.until && *made.from > *made.until) std::swap(made.from, made.until);
    if (random_.chance(20)) made.v_over = static_cast<double>(random_.below(20) - 10);
    made.has_fill = random_.chance(85);
    const bool none = random_.chance(10);
    const bool one_fill = random_.chance(50);
    const std::string fill_of_all = any_fill();
    const int64_t calls = 1 + random_.below(3);
    std::string list;
    std::string fills;
    for (int64_t i = 0; i < calls; ++i) {
      Call call = any_call();
      call.fill = none ? "none" : one_fill ? fill_of_all : any_fill();
      list += ", " + spelled(call);
      if (i == 0 || (!one_fill && !none)) fills += (i > 0 ? ", " : "") + call.fill;
      made.calls.push_back(std::move(call));
    }
    std::string where;
    const auto and_also = [&](const std::string& condition) {
      where += (where.empty() ? " WHERE " : " AND ") + condition;
    };
    if (made.from) and_also(fmt::format("time >= '{}'", random_.timestamp(*made.from / kNsPerSecond)));
    if (made.until) and_also(fmt::format("time < '{}'", random_.timestamp(*made.until / kNsPerSecond)));
    if (made.v_over) and_also(fmt::format("v > {}", *made.v_over));
    made.sql = fmt::format("SELECT time{}{} FROM t{} SAMPLE BY {}s", made.by_a ? ", a" : "", list, where,
                           made.width / kNsPerSecond);
    if (made.has_fill) made.sql += " FILL(" + fills + ")";
    return made;
  }

 private:
  int64_t any_second() { return random_.below(2 * kSecondsMax) - kSecondsMax; }

  std::string any_fill() {
    const char* const fills[] = {"null", "prev", "prev", "linear", "linear", "0", "-7"};
    return fills[random_.below(7)];
  }

  Call any_call() {
    const char* const functions[] = {"count_rows", "count",      "sum",     "avg",  "min",
                                     "max",        "first",      "last",    "rate", "increase",
                                     "delta",      "derivative", "integral"};
    Call call;
    call.function = functions[random_.below(13)];
    call.field = random_.chance(60) ? 'v' : 'n';
    if (random_.chance(50)) call.unit_s = random_.chance(50) ? 60 : 7;
    return call;
  }

  static std::string spelled(const Call& call) {
    if (call.function == "count_rows") return "count(*)";
    const bool has_unit =
        call.function == "rate" || call.function == "derivative" || call.function == "integral";
    return fmt::format("{}({}{})", call.function, call.field,
                       has_unit ? fmt::format(", '{}s'", call.unit_s) : "");
  }

  void add_row(RowBatchBuilder& builder) {
    const char* const names[] = {"x", "y", "z"};
    const SeriesKey key{names[random_.below(3)], names[random_.below(2)]};
    const auto series = static_cast<int64_t>(series_.try_emplace(key, series_.size()).first->second);
    // No two series share a time, so that first and last are decided by time alone.
    const int64_t time = any_second() * kNsPerSecond + series;
    builder.begin_row();
    builder.tag("a", key.a);
    builder.tag("b", key.b);
    Fields& row = model_[key][time];
    const bool first = series_.size() == 1 && model_.size() == 1 && model_[key].size() == 1;
    const bool with_v = first || random_.chance(75);
    if (with_v) {
      const int64_t kind = random_.below(60);
      double value = static_cast<double>(random_.below(160) - 80) / 4;
      if (kind == 0) value = std::nan("");
      if (kind == 1) value = HUGE_VAL;
      if (kind == 2) value = -HUGE_VAL;
      builder.field_double("v", value);
      row.v = no_nan(value);
    }
    if (first || !with_v || random_.chance(60)) {
      const int64_t value = random_.below(41) - 10;
      builder.field_int("n", value);
      row.n = static_cast<double>(value);
    }
    builder.end_row(time);
  }

  QueryGenerator random_;
  std::map<SeriesKey, size_t> series_;
  Model model_;
};

// As alike(); sums of fractions that come to 0 may miss it by a little, too.
bool near(const Value& a, const Value& b) {
  constexpr double kTolerance = 1e-9;
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr && std::fabs(*x - *y) <= kTolerance) return true;
  return alike(Rows{{a}}, Rows{{b}});
}

// The rows that differ; empty when none do.
std::string difference(const Rows& rows, const Rows& expected) {
  std::string text;
  for (size_t i = 0; i < std::max(rows.size(), expected.size()); ++i) {
    const std::vector<Value> found = i < rows.size() ? rows[i] : std::vector<Value>{};
    const std::vector<Value> wanted = i < expected.size() ? expected[i] : std::vector<Value>{};
    if (!std::equal(found.begin(), found.end(), wanted.begin(), wanted.end(), near)) {
      text += "gave " + shown({found}) + "not  " + shown({wanted});
    }
  }
  return text;
}

void compare(Store& store, const std::string& where, int& compared) {
  for (int n = 0; n < kStatementsPerStage; ++n) {
    const Statement statement = store.statement();
    const CollectedResult found = run_query(store.engine(), statement.sql);
    ASSERT_FALSE(found.error) << where << "\n" << statement.sql << "\n" << found.outcome();
    ASSERT_EQ(found.stats.engine, "native") << statement.sql;
    const Rows rows = normal_rows(found.values, false);
    const Rows expected = normal_rows(expected_rows(store.model(), statement), false);
    ASSERT_EQ(difference(rows, expected), "") << where << "\n" << statement.sql;
    ++compared;
  }
}

TEST(SeriesDifferential, BucketsFillsAndStepsAnswerAsAPlainModelDoes) {
  const uint64_t seed = run_seed();
  std::printf("VARVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  int compared = 0;
  for (int dataset = 0; dataset < kDatasets; ++dataset) {
    Store store(seed + static_cast<uint64_t>(dataset));
    const auto check = [&](const std::string& stage) {
      if (testing::Test::HasFatalFailure()) return;
      compare(store, fmt::format("VARVE_SEED={} dataset {}, {}", seed, dataset, stage), compared);
    };
    store.write_rows(dataset == 0 ? 20 : 150);
    check("in the memtable");
    store.flush();
    check("flushed");
    store.write_rows(60);
    check("flushed, with newer rows in the memtable");
    store.flush();
    store.compact();
    check("compacted");
    store.write_rows(20);
    store.restart();
    check("restarted");
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
  EXPECT_EQ(compared, kDatasets * 5 * kStatementsPerStage);
}

}  // namespace
}  // namespace varve
