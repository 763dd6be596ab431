#include "api/query/step_aggregate.h"

#include <cmath>
#include <optional>
#include <type_traits>

#include "storage/base/check.h"

namespace varve {
namespace {

__extension__ using WideInt = __int128;  // sums of up to 2^63 differences of int64 fit

template <class T>
class StepAggregate : public Aggregate {
 public:
  explicit StepAggregate(const AggregateSpec& spec) : spec_(spec) {}

  void resize(size_t groups) override { groups_.resize(groups); }
  void add_run(size_t group, const AggregateInput& input, size_t from, size_t to) override {
    for (size_t row = from; row < to; ++row) add(group, input, row);
  }
  void add_rows(const uint32_t* groups, const AggregateInput& input, size_t rows) override {
    for (size_t row = 0; row < rows; ++row) add(groups[row], input, row);
  }
  bool add_block(size_t, const BlockInput&) override { return false; }
  size_t group_bytes() const override { return sizeof(Group); }
  Merging merging() const override { return Merging::kGroups; }  // a step needs the row before
  void merge(Aggregate& other, std::span<const uint32_t> targets) override {
    auto& from = static_cast<StepAggregate&>(other);
    for (size_t group = 0; group < targets.size(); ++group) groups_[targets[group]] = from.groups_[group];
  }

  void results(size_t from, size_t count, ColumnVector& out, EvalContext& context) override {
    for (size_t group = from; group < from + count; ++group) push_result(groups_[group], out, context);
  }

 private:
  using Total = std::conditional_t<std::is_same_v<T, double>, double, WideInt>;

  struct Group {
    Total change = 0;     // of the present series; of all when nothing is divided by time
    double elapsed = 0;   // ns, of the present series' steps
    double finished = 0;  // rate, derivative: of the series before; integral: all of it
    SeriesId series = 0;
    bool has_step = false;
  };

  struct Row {
    SeriesId series;
    int64_t time;
    T value;
  };

  bool by_time() const {
    return spec_.kind == AggregateKind::kRate || spec_.kind == AggregateKind::kDerivative;
  }
  bool is_counter() const {
    return spec_.kind == AggregateKind::kRate || spec_.kind == AggregateKind::kIncrease;
  }

  void add(size_t group, const AggregateInput& input, size_t row) {
    if (!input.argument.is_valid(row) || input.times == nullptr) return;  // no times: SELECT without FROM
    const Row now{input.series, input.times[row], input.argument.values<T>()[input.argument.entry(row)]};
    if (before_ && before_->series == now.series) step(groups_[group], now);
    before_ = now;
  }

  void step(Group& group, const Row& now) const {
    const double elapsed = static_cast<double>(now.time) - static_cast<double>(before_->time);
    if (spec_.kind == AggregateKind::kIntegral) {
      const double mean = (static_cast<double>(before_->value) + static_cast<double>(now.value)) / 2;
      group.finished += mean * elapsed;  // in ns; divided once, at the end
      group.has_step = true;
      return;
    }
    if (by_time() && group.has_step && group.series != now.series) finish_series(group);
    group.series = now.series;
    group.has_step = true;
    group.elapsed += elapsed;
    const bool reset = is_counter() && now.value < before_->value;
    group.change += static_cast<Total>(now.value) - (reset ? Total{0} : static_cast<Total>(before_->value));
  }

  void finish_series(Group& group) const {
    group.finished +=
        static_cast<double>(group.change) / (group.elapsed / static_cast<double>(spec_.unit_ns));
    group.change = 0;
    group.elapsed = 0;
  }

  void push_result(Group& group, ColumnVector& out, EvalContext& context) const {
    if (!group.has_step) return out.push_null();
    if (by_time() && group.elapsed > 0) finish_series(group);
    if (by_time()) return push_real(group.finished, out);
    if (spec_.kind == AggregateKind::kIntegral) {
      return push_real(group.finished / static_cast<double>(spec_.unit_ns), out);
    }
    if constexpr (std::is_same_v<T, double>) {
      push_real(group.change, out);
    } else {
      if (group.change > INT64_MAX || group.change < INT64_MIN) {
        context.fail(invalid_query("overflow", "the sum of the steps is beyond the range of int64",
                                   spec_.position, "cast the argument to double"));
        return out.push_null();
      }
      out.push_int(static_cast<int64_t>(group.change));
    }
  }

  static void push_real(double value, ColumnVector& out) {
    if (std::isnan(value)) return out.push_null();  // inf - inf
    out.push_double(value);
  }

  AggregateSpec spec_;
  std::vector<Group> groups_;
  std::optional<Row> before_;
};

}  // namespace

std::unique_ptr<Aggregate> make_step_aggregate(const AggregateSpec& spec) {
  VARVE_CHECK(is_step_aggregate(spec.kind));
  if (spec.argument == SqlType::kDouble) return std::make_unique<StepAggregate<double>>(spec);
  return std::make_unique<StepAggregate<int64_t>>(spec);
}

}  // namespace varve
