#include "api/query/aggregate.h"

#include <algorithm>

#include "api/query/aggregate_state.h"
#include "api/query/step_aggregate.h"
#include "storage/base/check.h"

namespace varve {
namespace {

constexpr AggregateName kAggregates[] = {
    {"count", AggregateKind::kCount},
    {"sum", AggregateKind::kSum},
    {"avg", AggregateKind::kAvg},
    {"mean", AggregateKind::kAvg},
    {"min", AggregateKind::kMin},
    {"max", AggregateKind::kMax},
    {"first", AggregateKind::kFirst},
    {"last", AggregateKind::kLast},
    {"variance", AggregateKind::kVariance},
    {"stddev", AggregateKind::kStddev},
    {"median", AggregateKind::kPercentile},
    {"percentile", AggregateKind::kPercentile, 2},
    {"spread", AggregateKind::kMax},
    {"increase", AggregateKind::kIncrease},
    {"delta", AggregateKind::kDelta},
    {"rate", AggregateKind::kRate, 2},
    {"derivative", AggregateKind::kDerivative, 2},
    {"integral", AggregateKind::kIntegral, 2},
};

template <class State>
class StateAggregate : public Aggregate {
 public:
  explicit StateAggregate(const AggregateSpec& spec) : spec_(spec) {}

  void resize(size_t groups) override {
    if constexpr (requires(State state) { state.exact_bytes_max; }) {
      while (states_.size() < groups) states_.emplace_back(spec_.exact_bytes_max);
    } else {
      states_.resize(groups);
    }
  }
  void add_run(size_t group, const AggregateInput& input, size_t from, size_t to) override {
    states_[group].add_run(input, from, to, dynamic_bytes_);
  }
  void add_rows(const uint32_t* groups, const AggregateInput& input, size_t rows) override {
    const bool check_valid = spec_.kind != AggregateKind::kCountRows && input.argument.valid != nullptr;
    for (size_t row = 0; row < rows; ++row) {
      if (!check_valid || input.argument.is_valid(row)) states_[groups[row]].add(input, row, dynamic_bytes_);
    }
  }
  bool add_block(size_t group, const BlockInput& block) override { return states_[group].add_block(block); }
  void results(size_t from, size_t count, ColumnVector& out, EvalContext& context) override {
    for (size_t group = from; group < from + count; ++group) states_[group].result(out, spec_, context);
  }
  size_t group_bytes() const override { return sizeof(State); }
  bool approximate() const override {
    if constexpr (requires(const State& state) { state.approximate(); }) {
      return std::any_of(states_.begin(), states_.end(),
                         [](const State& state) { return state.approximate(); });
    }
    return false;
  }
  bool block_suffices(const BlockInput& block) const override {
    if constexpr (requires { State::suffices(block); }) return State::suffices(block);
    return true;
  }
  Merging merging() const override { return kMerges ? Merging::kYes : Merging::kGroups; }
  void merge(Aggregate& other, std::span<const uint32_t> targets) override {
    auto& from = static_cast<StateAggregate&>(other);
    for (size_t group = 0; group < targets.size(); ++group) {
      if constexpr (kMerges) {
        states_[targets[group]].merge(std::move(from.states_[group]), dynamic_bytes_);
      } else {
        states_[targets[group]] = std::move(from.states_[group]);
      }
    }
    if constexpr (!kMerges) dynamic_bytes_ += from.dynamic_bytes_;
  }

 private:
  static constexpr bool kMerges = requires(State a, State b, size_t bytes) { a.merge(std::move(b), bytes); };

  AggregateSpec spec_;
  std::vector<State> states_;
};

template <class State>
std::unique_ptr<Aggregate> make(const AggregateSpec& spec) {
  return std::make_unique<StateAggregate<State>>(spec);
}

template <template <class> class State>
std::unique_ptr<Aggregate> make_numeric(const AggregateSpec& spec) {
  if (spec.argument == SqlType::kDouble) return make<State<double>>(spec);
  return make<State<int64_t>>(spec);
}

template <template <class> class State>
std::unique_ptr<Aggregate> make_typed(const AggregateSpec& spec) {
  switch (physical_type(spec.argument)) {
    case FieldType::kDouble:
      return make<State<double>>(spec);
    case FieldType::kInt64:
      return make<State<int64_t>>(spec);
    case FieldType::kBool:
      return make<State<uint8_t>>(spec);
    case FieldType::kString:
      return make<State<std::string>>(spec);
  }
  return nullptr;
}

template <class T>
using MinState = ExtremeState<T, false>;
template <class T>
using MaxState = ExtremeState<T, true>;
template <class T>
using FirstState = EdgeState<T, false>;
template <class T>
using LastState = EdgeState<T, true>;

}  // namespace

const AggregateName* find_aggregate(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAggregates), std::end(kAggregates),
                                   [&](const AggregateName& known) { return known.name == name; });
  return found == std::end(kAggregates) ? nullptr : found;
}

std::vector<std::string> aggregate_names() {
  std::vector<std::string> names;
  for (const AggregateName& known : kAggregates) names.emplace_back(known.name);
  return names;
}

void Aggregate::merge(Aggregate&, std::span<const uint32_t>) {
  VARVE_CHECK(false);  // merging() is kNo
}

SqlType aggregate_result_type(const AggregateSpec& spec) {
  switch (spec.kind) {
    case AggregateKind::kCountRows:
    case AggregateKind::kCount:
    case AggregateKind::kCountDistinct:
      return SqlType::kInt64;
    case AggregateKind::kAvg:
    case AggregateKind::kVariance:
    case AggregateKind::kStddev:
    case AggregateKind::kPercentile:
    case AggregateKind::kRate:
    case AggregateKind::kDerivative:
    case AggregateKind::kIntegral:
      return SqlType::kDouble;
    case AggregateKind::kIncrease:
    case AggregateKind::kDelta:
    case AggregateKind::kSum:
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast:
      return spec.argument;
  }
  return SqlType::kNull;
}

bool statistics_can_answer(const AggregateSpec& spec) {
  switch (spec.kind) {
    case AggregateKind::kCountRows:
    case AggregateKind::kCount:
      return true;
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
      return is_number(spec.argument);
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast:
      return is_number(spec.argument) || spec.argument == SqlType::kTimestamp;
    case AggregateKind::kCountDistinct:
    case AggregateKind::kVariance:
    case AggregateKind::kStddev:
    case AggregateKind::kPercentile:
    case AggregateKind::kIncrease:
    case AggregateKind::kDelta:
    case AggregateKind::kRate:
    case AggregateKind::kDerivative:
    case AggregateKind::kIntegral:
      return false;
  }
  return false;
}

bool is_step_aggregate(AggregateKind kind) {
  return kind == AggregateKind::kIncrease || kind == AggregateKind::kDelta || kind == AggregateKind::kRate ||
         kind == AggregateKind::kDerivative || kind == AggregateKind::kIntegral;
}

bool needs_times(AggregateKind kind) {
  return kind == AggregateKind::kFirst || kind == AggregateKind::kLast || is_step_aggregate(kind);
}

std::unique_ptr<Aggregate> make_aggregate(const AggregateSpec& spec) {
  switch (spec.kind) {
    case AggregateKind::kCountRows:
      return make<CountRowsState>(spec);
    case AggregateKind::kCount:
      return make<CountState>(spec);
    case AggregateKind::kCountDistinct:
      return make_typed<CountDistinctState>(spec);
    case AggregateKind::kSum:
      return make_numeric<SumState>(spec);
    case AggregateKind::kAvg:
      return make_numeric<AvgState>(spec);
    case AggregateKind::kMin:
      return make_typed<MinState>(spec);
    case AggregateKind::kMax:
      return make_typed<MaxState>(spec);
    case AggregateKind::kFirst:
      return make_typed<FirstState>(spec);
    case AggregateKind::kLast:
      return make_typed<LastState>(spec);
    case AggregateKind::kVariance:
    case AggregateKind::kStddev:
      return make_numeric<VarianceState>(spec);
    case AggregateKind::kPercentile:
      return make_numeric<PercentileState>(spec);
    case AggregateKind::kIncrease:
    case AggregateKind::kDelta:
    case AggregateKind::kRate:
    case AggregateKind::kDerivative:
    case AggregateKind::kIntegral:
      return make_step_aggregate(spec);
  }
  VARVE_CHECK(false);
}

}  // namespace varve
