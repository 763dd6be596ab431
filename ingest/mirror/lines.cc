#include "ingest/mirror/lines.h"

#include <algorithm>

#include "ingest/decode/line_protocol.h"

namespace varve {
namespace {

bool selected(const std::vector<std::string>& tables, std::string_view table) {
  if (table.starts_with(kReservedTablePrefix)) return false;
  return std::any_of(tables.begin(), tables.end(),
                     [&](const std::string& name) { return name == "*" || name == table; });
}

LineList& list_of(MirrorChunk& chunk, std::string_view database) {
  for (LineList& list : chunk.databases) {
    if (list.database == database) return list;
  }
  LineList& list = chunk.databases.emplace_back();
  list.database = database;
  return list;
}

}  // namespace

void add_record(const LogRecord& record, const std::vector<std::string>& tables, std::string_view database,
                MirrorChunk& chunk) {
  for (const RowBatch& batch : record.batches) {
    if (!selected(tables, batch.table)) continue;
    LineList& list = list_of(chunk, batch.database == kDefaultDatabase ? database : batch.database);
    LineProtocolWriter writer(batch);
    const size_t bytes_before = list.text.size();
    for (size_t row = 0; row < batch.rows(); ++row) {
      if (!writer.append(row, list.text)) {
        ++chunk.unwritable_rows;
        continue;
      }
      list.ends.push_back(list.text.size());
      list.lsns.push_back(record.lsn);
      ++chunk.lines;
    }
    chunk.bytes += list.text.size() - bytes_before;
    chunk.skipped_values += writer.skipped_values();
  }
  chunk.last_lsn = record.lsn;
  ++chunk.records;
}

}  // namespace varve
