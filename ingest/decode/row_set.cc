#include "ingest/decode/row_set.h"

#include <algorithm>
#include <iterator>

namespace varve {

RowSet::Entry& RowSet::find_entry(std::string_view database, std::string_view table) {
  auto tables = tables_.find(database);
  if (tables == tables_.end()) tables = tables_.try_emplace(std::string(database)).first;
  auto at = tables->second.find(table);
  if (at == tables->second.end()) {
    at = tables->second
             .try_emplace(std::string(table), Entry{std::string(database), std::string(table), {}, {}, {}})
             .first;
  }
  last_ = &at->second;
  return *last_;
}

void RowSet::Entry::finish_variants() {
  for (Variant& variant : variants) {
    if (variant.builder.rows() == 0) continue;
    done.push_back(variant.builder.finish());
    messages_of_done.push_back(std::exchange(variant.messages, {}));
  }
}

void RowSet::add_batch(RowBatch batch, std::vector<uint32_t> messages) {
  Entry& rows_of_table = entry(batch.database, batch.table);
  rows_of_table.finish_variants();
  rows_ += batch.rows();
  rows_of_table.done.push_back(std::move(batch));
  rows_of_table.messages_of_done.push_back(std::move(messages));
}

size_t RowSet::approximate_bytes() const {
  size_t bytes = 0;
  for (const auto& [database, tables] : tables_) {
    for (const auto& [name, entry] : tables) {
      for (const Variant& variant : entry.variants) bytes += variant.builder.approximate_bytes();
      for (const RowBatch& batch : entry.done) bytes += batch.memory_bytes();
    }
  }
  return bytes;
}

RowSet::Taken RowSet::take() {
  Taken taken;
  for (auto& [database, tables] : tables_) {
    for (auto& [name, entry] : tables) {
      entry.finish_variants();
      std::move(entry.done.begin(), entry.done.end(), std::back_inserter(taken.batches));
      std::move(entry.messages_of_done.begin(), entry.messages_of_done.end(),
                std::back_inserter(taken.messages));
    }
  }
  tables_.clear();
  last_ = nullptr;
  rows_ = 0;
  return taken;
}

}  // namespace varve
