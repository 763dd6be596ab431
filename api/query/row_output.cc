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

RowOutput::RowOutput(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink, EvalContext& context)
    : plan_(plan),
      budget_(budget),
      sink_(sink),
      context_(context),
      seen_memory_(budget),
      to_skip_(plan.offset),
      batch_memory_(budget) {
  std::vector<FieldType> types;
  const auto add_column = [&](Scalar& expr) {
    expressions_.push_back(&expr);
    types.push_back(physical_type(expr.type));
    expr.collect_slots(slots_);
  };
  for (const OutputColumn& output : plan.outputs) add_column(*output.expr);
  std::vector<SortKey> keys;
  for (const OrderKey& key : plan.order) {
    keys.push_back({key.output.value_or(expressions_.size()), key.descending, key.nulls_first});
    if (!key.output) add_column(*key.expr);
  }
  std::sort(slots_.begin(), slots_.end());
  slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
  columns_.resize(expressions_.size());
  is_sort_key_.resize(expressions_.size());
  for (const SortKey& key : keys) is_sort_key_[key.column] = true;
  for (const OutputColumn& output : plan.outputs) {
    batch_.columns.emplace_back(physical_type(output.expr->type));
    distinct_columns_.emplace_back(physical_type(output.expr->type));
  }
  if (keys.empty()) return;
  std::optional<uint64_t> limit;
  uint64_t wanted = 0;
  if (plan.limit && !__builtin_add_overflow(*plan.limit, plan.offset, &wanted)) limit = wanted;
  sorter_ = std::make_unique<RowSorter>(std::move(types), std::move(keys), limit, budget);
}

QueryResult<void> RowOutput::begin() {
  std::vector<ResultColumn> columns;
  for (const OutputColumn& output : plan_.outputs) {
    columns.push_back({output.name, result_type_of(output.expr->type)});
  }
  if (!sink_.begin(columns)) budget_.cancel();
  return budget_.check();
}

QueryResult<void> RowOutput::evaluate(const Chunk& chunk, bool keys_only) {
  for (size_t i = 0; i < expressions_.size(); ++i) {
    if (!keys_only || is_sort_key_[i]) columns_[i] = expressions_[i]->evaluate(chunk, context_);
  }
  if (context_.failed()) return tl::make_unexpected(context_.error());
  return {};
}

QueryResult<bool> RowOutput::push(const Chunk& chunk) {
  if (chunk.rows == 0) return true;
  if (plan_.limit == 0U) return false;
  if (sorter_ && !plan_.distinct) return push_sorted(chunk);
  VARVE_QUERY_TRY(evaluate(chunk, false));
  size_t rows = chunk.rows;
  if (plan_.distinct) VARVE_QUERY_TRY(drop_duplicates(rows));
  if (!sorter_) return emit(columns_, rows);
  if (rows > 0) VARVE_QUERY_TRY(sorter_->add(columns_, rows));
  return true;
}

// Keys first: with a small LIMIT nearly every row is refused by its keys, and its outputs are never computed.
QueryResult<bool> RowOutput::push_sorted(const Chunk& chunk) {
  VARVE_QUERY_TRY(evaluate(chunk, true));
  sorter_->candidates(columns_, chunk.rows, selection_);
  if (selection_.empty()) return true;
  if (selection_.size() == chunk.rows) {
    VARVE_QUERY_TRY(evaluate(chunk, false));
  } else {
    VARVE_QUERY_TRY(evaluate(compacted_.assign(chunk, selection_, slots_), false));
  }
  VARVE_QUERY_TRY(sorter_->add(columns_, selection_.size()));
  return true;
}

QueryResult<void> RowOutput::drop_duplicates(size_t& rows) {
  constexpr size_t kNodeBytes = 80;  // a string in a node, and its share of the table
  std::vector<uint32_t> fresh;
  std::string encoded;
  const std::span<const VectorView> outputs(columns_.data(), plan_.outputs.size());
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
    append_selected(distinct_columns_[i], columns_[i], fresh);
    columns_[i] = view_of(distinct_columns_[i]);
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
