#include "ingest/mirror/lines.h"

#include <algorithm>

#include "ingest/decode/line_protocol.h"

namespace varve {
namespace {

LineList& list_of(MirrorChunk& chunk, std::string_view database) {
  for (LineList& list : chunk.databases) {
    if (list.database == database) return list;
  }
  LineList& list = chunk.databases.emplace_back();
  list.database = database;
  return list;
}

}  // namespace

size_t LineList::request_end(size_t first, size_t lines_max) const {
  size_t last = std::min(first + lines_max, size());
  while (last > first + 1 && range(first, last).size() > kRequestBytesMax) last = first + (last - first) / 2;
  return last;
}

bool LineRules::selects(std::string_view table) const {
  if (table.starts_with(kReservedTablePrefix)) return false;
  return std::any_of(tables.begin(), tables.end(),
                     [&](const std::string& name) { return name == "*" || name == table; });
}

void add_batch(const RowBatch& batch, Lsn lsn, const LineRules& rules, MirrorChunk& chunk) {
  LineList& list =
      list_of(chunk, batch.database == kDefaultDatabase ? std::string_view(rules.database) : batch.database);
  LineProtocolWriter writer(batch, rules.integers_as_floats);
  const size_t bytes_before = list.text.size();
  for (size_t row = 0; row < batch.rows(); ++row) {
    if (!writer.append(row, list.text)) {
      ++chunk.unwritable_rows;
      continue;
    }
    list.ends.push_back(list.text.size());
    list.lsns.push_back(lsn);
    ++chunk.lines;
  }
  chunk.bytes += list.text.size() - bytes_before;
  chunk.skipped_values += writer.skipped_values();
  chunk.rounded_values += writer.rounded_values();
}

void add_record(const LogRecord& record, const LineRules& rules, MirrorChunk& chunk) {
  for (const RowBatch& batch : record.batches) {
    if (rules.selects(batch.table)) add_batch(batch, record.lsn, rules, chunk);
  }
  chunk.last_lsn = record.lsn;
  ++chunk.records;
}

}  // namespace varve
