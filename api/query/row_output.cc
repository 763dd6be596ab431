#include "api/query/row_output.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace varve {

// Strings copied at once. A row may have more: each of thousands of outputs may have a stored string of 1 MiB.
constexpr uint64_t kStepStringBytesMax = 1 << 20;

void append_encoded(std::string& out, const VectorView& view, size_t row) {
  if (!view.is_valid(row)) {
    out.push_back(0);
    return;
  }
  out.push_back(1);
  const size_t i = view.entry(row);
  const auto append_word = [&](uint64_t word) {
    char bytes[sizeof(word)];
    std::memcpy(bytes, &word, sizeof(word));
    out.append(bytes, sizeof(bytes));
  };
  switch (view.type) {
    case FieldType::kDouble:
      return append_word(
          std::bit_cast<uint64_t>(view.doubles[i] == 0 ? 0.0 : view.doubles[i]));  // -0.0 is 0.0
    case FieldType::kInt64:
      return append_word(static_cast<uint64_t>(view.ints[i]));
    case FieldType::kBool:
      out.push_back(static_cast<char>(view.bools[i]));
      return;
    case FieldType::kString: {
      const std::string_view text = view.string(row);
      append_word(text.size());
      out.append(text);
    }
  }
}

// ---- columns ----

OutputColumns::OutputColumns(const SelectPlan& plan, EvalContext& context) : plan_(plan), context_(context) {
  const auto add_column = [&](Scalar& expr) {
    expressions_.push_back(&expr);
    types_.push_back(physical_type(expr.type));
    expr.collect_slots(slots_);
  };
  for (const OutputColumn& output : plan.outputs) add_column(*output.expr);
  for (const OrderKey& key : plan.order) {
    keys_.push_back({key.output.value_or(expressions_.size()), key.descending, key.nulls_first});
    if (!key.output) add_column(*key.expr);
  }
  columns_.resize(expressions_.size());
  is_sort_key_.resize(expressions_.size());
  for (const SortKey& key : keys_) {
    is_sort_key_[key.column] = true;
    expressions_[key.column]->collect_slots(key_slots_);
  }
  for (std::vector<size_t>* slots : {&slots_, &key_slots_}) {
    std::sort(slots->begin(), slots->end());
    slots->erase(std::unique(slots->begin(), slots->end()), slots->end());
  }
  keys_first_ = !keys_.empty() && !plan.distinct;
}

std::unique_ptr<RowSorter> OutputColumns::make_sorter(QueryBudget& budget) const {
  if (keys_.empty()) return nullptr;
  std::optional<uint64_t> limit;
  uint64_t wanted = 0;
  if (plan_.limit && !__builtin_add_overflow(*plan_.limit, plan_.offset, &wanted)) limit = wanted;
  return std::make_unique<RowSorter>(types_, keys_, limit, budget);
}

QueryResult<void> OutputColumns::evaluate(const Chunk& chunk, bool keys_only) {
  for (size_t i = 0; i < expressions_.size(); ++i) {
    if (!keys_only || is_sort_key_[i]) columns_[i] = expressions_[i]->evaluate(chunk, context_);
  }
  if (context_.failed()) return tl::make_unexpected(context_.error());
  return {};
}

QueryResult<size_t> OutputColumns::evaluate_candidates(const Chunk& chunk, const RowSorter& sorter,
                                                       SlotLoader* loader) {
  VARVE_QUERY_TRY(evaluate(chunk, true));
  sorter.candidates(columns_, chunk.rows, selection_);
  if (selection_.empty()) return 0;
  if (loader != nullptr) VARVE_QUERY_TRY(loader->load(slots_));
  if (selection_.size() == chunk.rows) {
    VARVE_QUERY_TRY(evaluate(chunk));
  } else {
    VARVE_QUERY_TRY(evaluate(compacted_.assign(chunk, selection_, slots_)));
  }
  return selection_.size();
}

// ---- parts ----

RowCollector::RowCollector(const SelectPlan& plan, QueryBudget& budget, EvalContext& context)
    : budget_(budget), distinct_(plan.distinct), output_(plan, context) {
  begin();
}

void RowCollector::begin() {
  rows_ = std::make_unique<Rows>(budget_);
  if (!distinct_) rows_->sorter = output_.make_sorter(budget_);
  for (const FieldType type : output_.types()) rows_->columns.emplace_back(type);
}

QueryResult<void> RowCollector::push(const Chunk& chunk, SlotLoader& loader) {
  if (chunk.rows == 0) return {};
  if (rows_->sorter) {
    VARVE_QUERY_ASSIGN(const size_t rows, output_.evaluate_candidates(chunk, *rows_->sorter, &loader));
    return rows == 0 ? QueryResult<void>() : rows_->sorter->add(output_.columns(), rows);
  }
  VARVE_QUERY_TRY(output_.evaluate(chunk));
  VARVE_QUERY_TRY(rows_->memory.add(rows_within(output_.columns(), 0, chunk.rows, UINT64_MAX).bytes));
  uint64_t bytes = 0;
  for (size_t i = 0; i < rows_->columns.size(); ++i) {
    append_entries(rows_->columns[i], output_.columns()[i], 0, chunk.rows);
    bytes += rows_->columns[i].memory_bytes();
  }
  rows_->rows += chunk.rows;
  return rows_->memory.set(bytes);
}

std::unique_ptr<RowCollector::Rows> RowCollector::finish() {
  if (rows_->sorter) rows_->sorter->sort();
  std::unique_ptr<Rows> rows = std::move(rows_);
  begin();
  return rows;
}

// ---- the answer ----

RowOutput::RowOutput(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink, EvalContext& context)
    : plan_(plan),
      budget_(budget),
      sink_(sink),
      output_(plan, context),
      sorter_(output_.make_sorter(budget)),
      seen_memory_(budget),
      to_skip_(plan.offset),
      batch_memory_(budget) {
  for (const OutputColumn& output : plan.outputs) {
    batch_.columns.emplace_back(physical_type(output.expr->type));
    distinct_columns_.emplace_back(physical_type(output.expr->type));
  }
}

QueryResult<void> RowOutput::begin() {
  std::vector<ResultColumn> columns;
  for (const OutputColumn& output : plan_.outputs) {
    columns.push_back({output.name, result_type_of(output.expr->type)});
  }
  if (!sink_.begin(columns)) budget_.cancel();
  return budget_.check();
}

QueryResult<bool> RowOutput::push(const Chunk& chunk, SlotLoader* loader) {
  if (chunk.rows == 0) return true;
  if (plan_.limit == 0U) return false;
  rows_pushed_ += chunk.rows;
  if (sorter_ && !plan_.distinct) {
    VARVE_QUERY_ASSIGN(const size_t rows, output_.evaluate_candidates(chunk, *sorter_, loader));
    if (rows > 0) VARVE_QUERY_TRY(sorter_->add(output_.columns(), rows));
    return true;
  }
  VARVE_QUERY_TRY(output_.evaluate(chunk));
  return pass_on(output_.columns(), chunk.rows);
}

QueryResult<bool> RowOutput::push(RowCollector::Rows& rows) {
  if (plan_.limit == 0U) return false;
  if (rows.sorter) {
    VARVE_QUERY_TRY(sorter_->take(*rows.sorter));
    return true;
  }
  rows_pushed_ += rows.rows;
  std::vector<VectorView> views;
  for (const ColumnVector& column : rows.columns) views.push_back(view_of(column));
  std::vector<VectorView> batch(views.size());
  for (size_t from = 0; from < rows.rows; from += kChunkRows) {
    for (size_t i = 0; i < views.size(); ++i) batch[i] = views[i].from(from);
    VARVE_QUERY_ASSIGN(const bool more, pass_on(batch, std::min(kChunkRows, rows.rows - from)));
    if (!more) return false;
  }
  return true;
}

QueryResult<bool> RowOutput::pass_on(std::span<const VectorView> columns, size_t rows) {
  if (!plan_.distinct) return emit(columns, rows);
  std::vector<VectorView> fresh(columns.begin(), columns.end());
  VARVE_QUERY_TRY(drop_duplicates(fresh, rows));
  if (!sorter_) return emit(fresh, rows);
  if (rows > 0) VARVE_QUERY_TRY(sorter_->add(fresh, rows));
  return true;
}

QueryResult<void> RowOutput::drop_duplicates(std::vector<VectorView>& columns, size_t& rows) {
  constexpr size_t kNodeBytes = 80;  // a string in a node, and its share of the table
  std::vector<uint32_t> fresh;
  std::string encoded;
  const std::span<const VectorView> outputs(columns.data(), plan_.outputs.size());
  for (size_t row = 0; row < rows;) {
    const RowsOfBytes step = rows_within(outputs, row, rows - row, kStepStringBytesMax);
    // Before they are copied: once in `encoded`, in `seen_`, and among the fresh ones.
    VARVE_QUERY_TRY(seen_memory_.set(seen_bytes_ + 3 * step.bytes));
    for (const size_t end = row + step.rows; row < end; ++row) {
      encoded.clear();
      for (const VectorView& output : outputs) append_encoded(encoded, output, row);
      if (!seen_.insert(encoded).second) continue;
      fresh.push_back(static_cast<uint32_t>(row));
      seen_bytes_ += kNodeBytes + encoded.size();
    }
  }
  VARVE_QUERY_TRY(seen_memory_.set(seen_bytes_));
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    distinct_columns_[i].clear();
    append_selected(distinct_columns_[i], columns[i], fresh);
    columns[i] = view_of(distinct_columns_[i]);
  }
  rows = fresh.size();
  return {};
}

QueryResult<void> RowOutput::hand_out(std::span<const VectorView> columns, size_t from, size_t rows) {
  for (const size_t end = from + rows; from < end;) {
    const RowsOfBytes step = rows_within(columns, from, end - from, kStepStringBytesMax);
    if (step.bytes > kStepStringBytesMax) VARVE_QUERY_TRY(batch_memory_.set(step.bytes));
    for (size_t i = 0; i < batch_.columns.size(); ++i) {
      batch_.columns[i].clear();
      append_entries(batch_.columns[i], columns[i], from, step.rows);
    }
    batch_.rows = step.rows;
    from += step.rows;
    if (!sink_.rows(batch_)) budget_.cancel();
    if (step.bytes > kStepStringBytesMax) {  // clear() would keep the memory
      for (ColumnVector& column : batch_.columns) column = ColumnVector(column.type);
      VARVE_QUERY_TRY(batch_memory_.set(0));
    }
    VARVE_QUERY_TRY(budget_.check());
  }
  return {};
}

QueryResult<bool> RowOutput::emit(std::span<const VectorView> columns, size_t rows) {
  const size_t from = std::min<uint64_t>(rows, to_skip_);
  to_skip_ -= from;
  size_t count = rows - from;
  if (plan_.limit) count = std::min<uint64_t>(count, *plan_.limit - rows_emitted_);
  if (count > 0) {
    VARVE_QUERY_TRY(budget_.count_rows(count));
    rows_emitted_ += count;
    VARVE_QUERY_TRY(hand_out(columns.first(batch_.columns.size()), from, count));
  }
  return !plan_.limit || rows_emitted_ < *plan_.limit;
}

QueryResult<void> RowOutput::finish() {
  if (!sorter_) return {};
  return sorter_->finish(
      [&](std::span<const VectorView> columns, size_t rows) { return emit(columns, rows); });
}

}  // namespace varve
