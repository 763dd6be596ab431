#include "ingest/decode/row_set.h"

namespace varve {

RowSet::Entry& RowSet::entry(std::string_view database, std::string_view table) {
  if (last_ != nullptr && last_key_.second == table && last_key_.first == database) return *last_;
  last_key_ = {std::string(database), std::string(table)};
  const auto [at, added] =
      tables_.try_emplace(last_key_, Entry{RowBatchBuilder(last_key_.first, last_key_.second), {}});
  last_ = &at->second;
  return *last_;
}

RowBatchBuilder& RowSet::table(std::string_view database, std::string_view table) {
  return entry(database, table).builder;
}

void RowSet::row_ended(std::string_view database, std::string_view table) {
  entry(database, table).messages.push_back(message_);
  ++rows_;
}

size_t RowSet::approximate_bytes() const {
  size_t bytes = 0;
  for (const auto& [key, entry] : tables_) bytes += entry.builder.approximate_bytes();
  return bytes;
}

RowSet::Taken RowSet::take() {
  Taken taken;
  for (auto& [key, entry] : tables_) {
    if (entry.builder.rows() == 0) continue;
    taken.batches.push_back(entry.builder.finish());
    taken.messages.push_back(std::move(entry.messages));
    entry.messages.clear();
  }
  tables_.clear();
  last_ = nullptr;
  rows_ = 0;
  return taken;
}

}  // namespace varve
