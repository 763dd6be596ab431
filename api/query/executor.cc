#include "api/query/executor.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "api/query/fill.h"
#include "api/query/grouping.h"
#include "api/query/latest.h"
#include "api/query/ordered_parts.h"
#include "api/query/row_output.h"
#include "api/query/table_source.h"
#include "api/query/time_windows.h"

namespace varve {
namespace {

// Results of parts that may wait for their turn, for each thread. Guessed: enough that uneven parts keep all busy.
constexpr size_t kPartsAhead = 3;
// The parts that hold memory at once, on two threads. A constant, for what is computed must not depend on the threads.
constexpr uint64_t kPartsSharingMemory = 8;
constexpr uint64_t kRowPartShare = 4;  // parts whose rows are kept are smaller by this

void add_rows_read(const ScanCounters& counters, QueryStats& stats) {
  stats.rows_scanned += counters.rows;
  stats.blocks_decoded += counters.blocks_decoded;
  stats.blocks_from_statistics += counters.blocks_from_statistics;
  stats.blocks_pruned += counters.blocks_pruned;
}

// Of the source that opened the scan.
void add_counters(const TableSource& source, QueryStats& stats) {
  add_rows_read(source.counters(), stats);
  stats.segments += source.counters().segments;
  stats.segments_pruned += source.counters().segments_pruned;
}

// Names and times what has been done since the last step.
class Steps {
 public:
  Steps(const QueryBudget& budget, QueryStats& stats)
      : budget_(budget), stats_(stats), since_(budget.now_ns()) {}
  void done(std::string name, uint64_t rows) {
    const int64_t now = budget_.now_ns();
    stats_.steps.push_back(
        {std::move(name), static_cast<double>(now - since_) / static_cast<double>(kNsPerMs), rows});
    since_ = now;
  }

 private:
  const QueryBudget& budget_;
  QueryStats& stats_;
  int64_t since_;
};

std::vector<size_t> output_slots(const SelectPlan& plan) {
  std::vector<size_t> slots;
  for (const OutputColumn& output : plan.outputs) output.expr->collect_slots(slots);
  for (const OrderKey& key : plan.order) {
    if (key.expr) key.expr->collect_slots(slots);
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

// Rows of a part are kept until their turn; strings may be long, and streamed rows must not need much memory.
bool has_long_strings(const SelectPlan& plan) {
  const auto is_long = [&](const Scalar* expr) {
    if (expr == nullptr || physical_type(expr->type) != FieldType::kString) return false;
    const SlotScalar* slot = as_slot(*expr);
    return slot == nullptr || plan.slots[slot->slot].kind != ColumnKind::kTag;
  };
  return std::any_of(plan.outputs.begin(), plan.outputs.end(),
                     [&](const OutputColumn& output) { return is_long(output.expr.get()); }) ||
         std::any_of(plan.order.begin(), plan.order.end(),
                     [&](const OrderKey& key) { return is_long(key.expr.get()); });
}

// Every aggregate is of the newest rows of a series, and groups are of whole series.
bool wants_newest_only(const SelectPlan& plan) {
  const bool by_series = std::all_of(plan.keys.begin(), plan.keys.end(),
                                     [](const GroupKey& key) { return key.kind == GroupKey::Kind::kSeries; });
  return by_series && !plan.aggregates.empty() &&
         std::all_of(plan.aggregates.begin(), plan.aggregates.end(), [](const PlannedAggregate& aggregate) {
           if (aggregate.spec.kind == AggregateKind::kLast) return true;
           const SlotScalar* slot = aggregate.argument ? as_slot(*aggregate.argument) : nullptr;
           return aggregate.spec.kind == AggregateKind::kMax && slot != nullptr && slot->slot == kTimeSlot;
         });
}

QueryResult<void> collect_groups(TableSource& source, Grouping& grouping, bool newest_only) {
  while (true) {
    VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
    if (step == TableSource::Step::kEnd) return {};
    if (newest_only && !grouping.wants_older(source.series(), source.block().time_max)) {
      source.skip_series();
      continue;
    }
    if (step == TableSource::Step::kRows) {
      VARVE_QUERY_TRY(grouping.add(source.rows(), source.series()));
      continue;
    }
    VARVE_QUERY_ASSIGN(const bool sufficed, grouping.add_block(source.block(), source.series_tags()));
    if (!sufficed) VARVE_QUERY_TRY(source.refuse_block());
  }
}

// What reads, filters and collects rows of parts: the plan's, or on a helper's thread a copy's.
template <class T>
class Collector : public PartWorker<T> {
 public:
  Collector(const SelectPlan* plan, SelectPlan copy, QueryBudget& budget)
      : copy_(std::move(copy)), plan_(plan != nullptr ? *plan : copy_), budget_(budget) {}

  virtual QueryResult<void> open(const TableSource& main) = 0;
  ScanCounters counters() const { return source_->counters(); }

 protected:
  const SelectPlan copy_;
  const SelectPlan& plan_;
  QueryBudget& budget_;
  EvalContext context_{budget_};
  std::unique_ptr<TableSource> source_;
};

class GroupCollector : public Collector<Grouping> {
 public:
  using Collector::Collector;
  QueryResult<void> open(const TableSource& main) override {
    source_ = std::make_unique<TableSource>(
        plan_, budget_, context_, SourceOptions{Grouping(plan_, budget_, context_).slots(), {}, {}, {}});
    return source_->assist(main);
  }
  QueryResult<std::unique_ptr<Grouping>> work(std::unique_ptr<ScanPart> part) override {
    auto grouping = std::make_unique<Grouping>(plan_, budget_, context_, kPartsSharingMemory);
    source_->read(std::move(part));
    VARVE_QUERY_TRY(collect_groups(*source_, *grouping, false));
    return grouping;
  }
};

class PartRowsCollector : public Collector<RowCollector::Rows> {
 public:
  using Collector::Collector;
  QueryResult<void> open(const TableSource& main) override {
    rows_ = std::make_unique<RowCollector>(plan_, budget_, context_);
    source_ = std::make_unique<TableSource>(plan_, budget_, context_,
                                            SourceOptions{rows_->first_slots(), {}, {}, {}});
    return source_->assist(main);
  }
  QueryResult<std::unique_ptr<RowCollector::Rows>> work(std::unique_ptr<ScanPart> part) override {
    source_->read(std::move(part));
    while (true) {
      VARVE_QUERY_ASSIGN(const TableSource::Step step, source_->next());
      if (step == TableSource::Step::kEnd) return rows_->finish();
      VARVE_QUERY_TRY(rows_->push(source_->rows(), *source_));
    }
  }

 private:
  std::unique_ptr<RowCollector> rows_;
};

// One query's execution.
class Executor {
 public:
  Executor(const Engine& engine, const SelectPlan& plan, QueryBudget& budget, ResultSink& sink,
           QueryStats& stats, const Execution& execution)
      : engine_(engine),
        plan_(plan),
        budget_(budget),
        sink_(sink),
        stats_(stats),
        execution_(execution),
        pin_(execution.pin) {}

  QueryResult<bool> grouped() {
    Steps steps(budget_, stats_);
    if (plan_.fill && plan_.fill->look_back) {  // reads the table again and again
      auto pin = engine_.pin(plan_.database, plan_.table);
      if (!pin) return tl::make_unexpected(from_storage(pin.error()));
      pin_ = std::move(*pin);
    }
    TableSource source(plan_, budget_, scan_context_, source_options());
    VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine_, pin_));
    if (!types_agree) return false;
    RowOutput output(plan_, budget_, sink_, context_);
    if (plan_.fill) {
      VARVE_QUERY_ASSIGN(const bool still_agree, filled(source, output, steps));
      if (!still_agree) return false;
    } else if (auto windows = TimeWindows::of(plan_, source.extents())) {
      VARVE_QUERY_TRY(output.begin());
      while (const auto window = windows->next()) {
        source.restart(*window);
        VARVE_QUERY_ASSIGN(const auto grouping, groups(source));
        VARVE_QUERY_TRY(grouping->finish([&](const Chunk& chunk) { return output.push(chunk); }));
        note_approximate(*grouping);
        if (output.rows_pushed() >= windows->rows_wanted()) break;
      }
      steps.done("scan and group in windows of time", output.rows_pushed());
    } else {
      VARVE_QUERY_ASSIGN(const auto grouping, groups(source));
      steps.done("scan and group", grouping->groups());
      VARVE_QUERY_TRY(output.begin());
      VARVE_QUERY_TRY(grouping->finish([&](const Chunk& chunk) { return output.push(chunk); }));
      note_approximate(*grouping);
    }
    VARVE_QUERY_TRY(output.finish());
    stats_.row_count = output.rows();
    add_counters(source, stats_);
    steps.done(plan_.fill ? "fill and output" : "output", output.rows());
    return true;
  }

  // All groups of the plan, handed to `sink`: for who looks back in time.
  QueryResult<bool> groups_into(const Fill::GroupSink& sink) {
    TableSource source(plan_, budget_, scan_context_, source_options());
    VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine_, pin_));
    if (!types_agree) return false;
    VARVE_QUERY_ASSIGN(const auto grouping, groups(source));
    add_counters(source, stats_);
    VARVE_QUERY_TRY(grouping->finish(sink));
    return true;
  }

  // LATEST BY: each series from its newest block on, until one has a row that passes.
  QueryResult<bool> latest() {
    Steps steps(budget_, stats_);
    LatestRows rows(plan_, output_slots(plan_), budget_);
    TableSource source(plan_, budget_, scan_context_, {rows.slots(), false, true, plan_.may_use_statistics});
    VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine_));
    if (!types_agree) return false;
    std::optional<SeriesId> series;
    int64_t found = INT64_MIN;  // a row of it at this time
    while (true) {
      VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
      if (step == TableSource::Step::kEnd) break;
      if (series == source.series() && source.block().time_max < found) {
        source.skip_series();
        continue;
      }
      const Chunk& chunk = source.rows();
      if (chunk.rows == 0) continue;
      VARVE_QUERY_TRY(rows.add(chunk, source.series()));
      const int64_t newest = chunk.slots[kTimeSlot].ints[chunk.rows - 1];
      found = series == source.series() ? std::max(found, newest) : newest;
      series = source.series();
    }
    steps.done("scan", source.counters().rows);
    RowOutput output(plan_, budget_, sink_, context_);
    VARVE_QUERY_TRY(output.begin());
    VARVE_QUERY_TRY(rows.finish(output));
    VARVE_QUERY_TRY(output.finish());
    stats_.row_count = output.rows();
    add_counters(source, stats_);
    steps.done("output", output.rows());
    return true;
  }

  QueryResult<bool> rows() {
    Steps steps(budget_, stats_);
    RowOutput output(plan_, budget_, sink_, context_);
    TableSource source(plan_, budget_, scan_context_, {output.first_slots(), false, false, false});
    VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine_));
    if (!types_agree) return false;
    VARVE_QUERY_TRY(output.begin());
    std::string how = "scan";
    if (auto windows = TimeWindows::of(plan_, source.extents())) {
      how = "scan in windows of time";
      while (const auto window = windows->next()) {
        source.restart(*window);
        VARVE_QUERY_TRY(rows_in_turn(source, output));
        if (output.rows_pushed() >= windows->rows_wanted()) break;
      }
    } else if ((plan_.limit && plan_.order.empty()) || has_long_strings(plan_)) {
      VARVE_QUERY_TRY(rows_in_turn(source, output));  // a limit stops early
    } else {
      VARVE_QUERY_TRY(rows_of_parts(source, output));
    }
    add_counters(source, stats_);
    steps.done(how, stats_.rows_scanned);
    VARVE_QUERY_TRY(output.finish());
    stats_.row_count = output.rows();
    steps.done("output", output.rows());
    return true;
  }

 private:
  SourceOptions source_options() {
    return {Grouping(plan_, budget_, context_).slots(), plan_.may_use_statistics, wants_newest_only(plan_),
            false};
  }

  void note_approximate(const Grouping& grouping) {
    for (std::string& name : grouping.approximate()) {
      auto& names = stats_.approximate;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  }

  QueryResult<bool> filled(TableSource& source, RowOutput& output, Steps& steps) {
    Fill fill(plan_, budget_, context_);
    {
      VARVE_QUERY_ASSIGN(const auto grouping, groups(source));
      steps.done("scan and group", grouping->groups());
      VARVE_QUERY_TRY(grouping->finish([&](const Chunk& chunk) { return fill.collect(chunk); }));
      note_approximate(*grouping);
    }
    const auto run = [&](const SelectPlan& before, const Fill::GroupSink& sink) {
      Execution alone;
      alone.pin = pin_;
      return Executor(engine_, before, budget_, sink_, stats_, alone).groups_into(sink);
    };
    VARVE_QUERY_ASSIGN(const bool still_agree, fill.look_back(run));
    if (!still_agree) return false;
    if (plan_.fill->look_back) steps.done("look back", 0);
    VARVE_QUERY_TRY(output.begin());
    VARVE_QUERY_TRY(fill.finish(output));
    return true;
  }

  // Of all rows the source has left.
  QueryResult<std::unique_ptr<Grouping>> groups(TableSource& source) {
    auto all = std::make_unique<Grouping>(plan_, budget_, context_);
    const Grouping::Parts kind = all->parts();
    const bool newest_only = wants_newest_only(plan_);
    if (newest_only || kind == Grouping::Parts::kOne) {
      VARVE_QUERY_TRY(collect_groups(source, *all, newest_only));
      return all;
    }
    const Rest rest{source, execution_.part_rows, kind == Grouping::Parts::kWholeSeries};
    const auto take = [&](Grouping& part) -> QueryResult<bool> {
      VARVE_QUERY_TRY(all->merge(part));
      return true;
    };
    const QueryResult<void> outcome = in_parts<GroupCollector, Grouping>(rest, take);
    if (!outcome) return tl::make_unexpected(outcome.error());
    return all;
  }

  QueryResult<void> rows_in_turn(TableSource& source, RowOutput& output) {
    bool more = plan_.limit != 0U;
    while (more) {
      VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
      if (step == TableSource::Step::kEnd) break;
      VARVE_QUERY_ASSIGN(more, output.push(source.rows(), &source));
    }
    return {};
  }

  QueryResult<void> rows_of_parts(TableSource& source, RowOutput& output) {
    const Rest rest{source, std::max<uint64_t>(execution_.part_rows / kRowPartShare, 1), false};
    return in_parts<PartRowsCollector, RowCollector::Rows>(
        rest, [&](RowCollector::Rows& rows) { return output.push(rows); });
  }

  struct Rest {
    TableSource& source;  // what it has left is cut
    uint64_t part_rows;
    bool whole_series;
  };

  // Hands the results of all parts to `take`, in order, until it answers false.
  template <class Worker, class T, class Take>
  QueryResult<void> in_parts(const Rest& rest, Take take) {
    std::mutex workers_mutex;
    std::vector<Worker*> workers;
    bool main_has_one = false;
    const auto cut = [&] { return rest.source.cut(rest.part_rows, rest.whole_series); };
    const auto make_worker = [&]() -> QueryResult<std::unique_ptr<PartWorker<T>>> {
      std::unique_ptr<Worker> worker;
      const bool first = [&] {
        const std::lock_guard lock(workers_mutex);
        return !std::exchange(main_has_one, true);
      }();
      if (first) {  // the plan serves whichever thread comes first
        worker = std::make_unique<Worker>(&plan_, SelectPlan(), budget_);
      } else {
        VARVE_QUERY_ASSIGN(SelectPlan copy, execution_.plan_again());
        worker = std::make_unique<Worker>(nullptr, std::move(copy), budget_);
      }
      VARVE_QUERY_TRY(worker->open(rest.source));
      const std::lock_guard lock(workers_mutex);
      workers.push_back(worker.get());
      return worker;
    };
    WorkerPool* const pool = execution_.plan_again ? execution_.pool : nullptr;
    const size_t ahead = kPartsAhead * (1 + (pool != nullptr ? pool->helpers() : 0));
    const auto parts = std::make_shared<OrderedParts<T>>(pool, cut, make_worker, ahead);
    const Ender<T> ender{*parts};  // also when the sink throws
    const QueryResult<void> outcome = take_all<T>(*parts, take);
    parts->stop();
    for (const Worker* worker : workers) add_rows_read(worker->counters(), stats_);
    return outcome;
  }

  template <class T>
  struct Ender {
    OrderedParts<T>& parts;
    ~Ender() {
      parts.stop();
      parts.clear();
    }
  };

  template <class T, class Take>
  static QueryResult<void> take_all(OrderedParts<T>& parts, Take take) {
    while (true) {
      VARVE_QUERY_ASSIGN(const std::unique_ptr<T> result, parts.next());
      if (result == nullptr) return {};
      VARVE_QUERY_ASSIGN(const bool more, take(*result));
      if (!more) return {};
    }
  }

  const Engine& engine_;
  const SelectPlan& plan_;
  QueryBudget& budget_;
  ResultSink& sink_;
  QueryStats& stats_;
  const Execution& execution_;
  std::shared_ptr<const TablePin> pin_;
  EvalContext context_{budget_};
  EvalContext scan_context_{budget_};  // of the series filter, which a helper may evaluate
};

// SELECT without FROM: one row without columns.
QueryResult<bool> execute_single_row(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink,
                                     QueryStats& stats) {
  EvalContext context(budget);
  RowOutput output(plan, budget, sink, context);
  VARVE_QUERY_TRY(output.begin());
  Chunk chunk{plan.time.empty() ? size_t{0} : size_t{1}, {}};  // WHERE false
  if (plan.grouped) {
    Grouping grouping(plan, budget, context);
    VARVE_QUERY_TRY(grouping.add(chunk, 0));
    VARVE_QUERY_TRY(grouping.finish([&](const Chunk& groups) { return output.push(groups); }));
  } else {
    VARVE_QUERY_TRY(output.push(chunk));
  }
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  return true;
}

}  // namespace

QueryResult<bool> execute_plan(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                               ResultSink& sink, QueryStats& stats, const Execution& execution) {
  if (!plan.has_table) return execute_single_row(plan, budget, sink, stats);
  Executor executor(engine, plan, budget, sink, stats, execution);
  if (!plan.latest_by.empty()) return executor.latest();
  return plan.grouped ? executor.grouped() : executor.rows();
}

}  // namespace varve
