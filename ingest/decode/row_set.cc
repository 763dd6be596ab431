#include "ingest/decode/row_set.h"

namespace varve {

RowSet::Entry& RowSet::find_entry(std::string_view database, std::string_view table) {
  auto tables = tables_.find(database);
  if (tables == tables_.end()) tables = tables_.try_emplace(std::string(database)).first;
  auto at = tables->second.find(table);
  if (at == tables->second.end()) {
    at = tables->second.try_emplace(std::string(table), Entry{std::string(database), std::string(table), {}})
             .first;
  }
  last_ = &at->second;
  return *last_;
}

size_t RowSet::approximate_bytes() const {
  size_t bytes = 0;
  for (const auto& [database, tables] : tables_) {
    for (const auto& [name, entry] : tables) {
      for (const Variant& variant : entry.variants) bytes += variant.builder.approximate_bytes();
    }
  }
  return bytes;
}

RowSet::Taken RowSet::take() {
  Taken taken;
  for (auto& [database, tables] : tables_) {
    for (auto& [name, entry] : tables) {
      for (Variant& variant : entry.variants) {
        if (variant.builder.rows() == 0) continue;
        taken.batches.push_back(variant.builder.finish());
        taken.messages.push_back(std::move(variant.messages));
      }
    }
  }
  tables_.clear();
  last_ = nullptr;
  rows_ = 0;
  return taken;
}

}  // namespace varve
