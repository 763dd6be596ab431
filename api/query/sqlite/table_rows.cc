#include "api/query/sqlite/table_rows.h"

#include <algorithm>
#include <numeric>

namespace varve {
namespace {

// The budget is looked at once per block, and once per so many series that a filter refuses.
constexpr uint64_t kSeriesPerCheck = 1024;
// A copy's size is looked at once per so many rows.
constexpr size_t kRowsPerAccount = 4096;
// A copy may take this share of the query's memory; SQLite's own structures need the rest. Guessed.
constexpr uint64_t kCopyShare = 2;

}  // namespace

StreamedRows::~StreamedRows() {
  if (!scan_) return;
  const ScanCounters& counters = scan_->counters();
  context_.stats.rows_scanned += counters.rows;
  context_.stats.segments += counters.segments;
  context_.stats.segments_pruned += counters.segments_pruned;
  context_.stats.blocks_decoded += counters.blocks_decoded;
  context_.stats.blocks_from_statistics += counters.blocks_from_statistics;
}

bool StreamedRows::series_passes(const SeriesTags& tags) {
  if (context_.error) return false;
  if (++series_seen_ % kSeriesPerCheck == 0) {
    if (auto checked = context_.budget.check(); !checked) context_.fail(checked.error());
  }
  return std::all_of(
      wanted_.tag_conditions.begin(), wanted_.tag_conditions.end(), [&](const TagCondition& condition) {
        const std::string_view value = tags.value(condition.tag);
        if (condition.op == ConditionOp::kIsNull) return value.empty();
        if (condition.op == ConditionOp::kIsNotNull) return !value.empty();
        return !value.empty() &&
               std::find(condition.texts.begin(), condition.texts.end(), value) != condition.texts.end();
      });
}

bool StreamedRows::open() {
  if (wanted_.nothing || wanted_.time.empty()) return true;
  ScanRequest request;
  request.database = wanted_.table->info.database;
  request.table = wanted_.table->info.name;
  request.fields = wanted_.fields;
  request.time = wanted_.time;
  request.pin = wanted_.table->pin;
  if (!wanted_.tag_conditions.empty()) {
    request.series_filter = [this](const SeriesTags& tags) { return series_passes(tags); };
  }
  auto scan = context_.engine.scan(std::move(request));
  if (!scan) {
    context_.fail(from_storage(scan.error()));
    return false;
  }
  scan_ = std::move(*scan);
  const auto types = scan_->field_types();
  for (size_t i = 0; i < wanted_.fields.size(); ++i) {
    if (i < types.size() && types[i] == wanted_.field_types[i]) continue;
    context_.types_changed = true;
    return false;
  }
  has_selection_ = !wanted_.field_conditions.empty();
  tags_.resize(wanted_.tags.size());
  return true;
}

bool StreamedRows::next_block() {
  if (auto checked = context_.budget.check(); !checked) context_.fail(checked.error());
  if (context_.error) return false;
  const Result<bool> more = scan_->next(block_);
  if (!more) context_.fail(from_storage(more.error()));
  if (context_.error || !*more) return false;
  if (tags_of_ != block_.series) {
    const SeriesTags& tags = scan_->tags(block_.series);
    for (size_t i = 0; i < tags_.size(); ++i) tags_[i] = tags.value(wanted_.tags[i]);
    tags_of_ = block_.series;
  }
  context_.budget.add_scanned(block_.rows);
  view_ = {block_.times.data(), block_.columns.data(), &tags_, block_.series};
  count_ = block_.rows;
  if (!has_selection_) return true;
  selection_.resize(block_.rows);
  std::iota(selection_.begin(), selection_.end(), 0U);
  for (const FieldCondition& condition : wanted_.field_conditions) {
    keep_fitting(condition, block_.columns[condition.field], selection_);
  }
  count_ = selection_.size();
  return true;
}

bool StreamedRows::next() {
  if (!scan_) return false;
  if (++at_ < count_) return true;
  do {
    if (!next_block()) return false;
    at_ = 0;
  } while (count_ == 0);
  return true;
}

void CopiedRows::add(const StreamedRows& rows) {
  const RowsView& view = rows.view();
  const size_t row = rows.row();
  if (series_.empty() || series_.back() != view.series) {
    series_.push_back(view.series);
    tags_.push_back(*view.tags);
    for (const std::string& tag : *view.tags) tag_bytes_ += sizeof(tag) + tag.size();
  }
  times_.push_back(view.times[row]);
  tag_sets_.push_back(static_cast<uint32_t>(tags_.size() - 1));
  for (size_t i = 0; i < fields_.size(); ++i) fields_[i].push_from(view.fields[i], row);
}

bool CopiedRows::account() {
  uint64_t bytes = tag_bytes_ + times_.size() * (sizeof(int64_t) + sizeof(uint32_t) + sizeof(Entry));
  for (const ColumnVector& column : fields_) bytes += column.memory_bytes();
  if (bytes <= bytes_) return true;
  if (bytes > context_.budget.max_memory_bytes() / kCopyShare || !context_.memory.take(bytes - bytes_))
    return false;
  bytes_ = bytes;
  return true;
}

uint64_t CopiedRows::hash_of_row(const Keys& keys, size_t row) const {
  uint64_t hash = 0;
  for (const size_t tag : keys.tags) {
    const std::string& text = tags_[tag_sets_[row]][tag];
    hash = mixed(hash, text.empty() ? kHashOfNull : hash_of_text(text));
  }
  for (const size_t field : keys.fields) hash = mixed(hash, hash_of(fields_[field], row));
  return hash;
}

std::unique_ptr<CopiedRows> CopiedRows::make(const RowsWanted& wanted, const Keys& keys,
                                             StatementContext& context) {
  std::unique_ptr<CopiedRows> copy(new CopiedRows(context));
  for (const FieldType type : wanted.field_types) copy->fields_.emplace_back(type);
  StreamedRows rows(wanted, context);
  if (!rows.open()) return nullptr;
  while (rows.next()) {
    copy->add(rows);
    if (copy->times_.size() % kRowsPerAccount == 0 && !copy->account()) return nullptr;
  }
  if (context.error || copy->times_.size() > UINT32_MAX || !copy->account()) return nullptr;
  copy->order_.reserve(copy->times_.size());
  for (size_t row = 0; row < copy->times_.size(); ++row) {
    copy->order_.push_back({copy->hash_of_row(keys, row), static_cast<uint32_t>(row)});
  }
  std::sort(copy->order_.begin(), copy->order_.end(), [&](const Entry& a, const Entry& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int64_t a_time = copy->times_[a.row];
    const int64_t b_time = copy->times_[b.row];
    return a_time != b_time ? a_time < b_time : a.row < b.row;
  });
  return copy;
}

CopiedRows::Found CopiedRows::find(uint64_t hash, const TimeRange& time) const {
  if (time.empty()) return {};
  const auto from = std::partition_point(order_.begin(), order_.end(), [&](const Entry& entry) {
    return entry.hash != hash ? entry.hash < hash : times_[entry.row] < time.min;
  });
  const auto to = std::partition_point(from, order_.end(), [&](const Entry& entry) {
    return entry.hash == hash && times_[entry.row] <= time.max;
  });
  return {static_cast<size_t>(from - order_.begin()), static_cast<size_t>(to - order_.begin())};
}

RowsView CopiedRows::view(size_t place) const {
  const uint32_t tag_set = tag_sets_[order_[place].row];
  return {times_.data(), fields_.data(), &tags_[tag_set], series_[tag_set]};
}

}  // namespace varve
