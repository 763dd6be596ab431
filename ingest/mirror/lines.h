// Log records, and rows read from the store, as lines to send, by target database. A chunk of log records holds whole
// records, so that once all its lines are acknowledged everything up to its last LSN is. Threads: values; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.h"

namespace varve {

constexpr size_t kRequestBytesMax = 8 << 20;  // before gzip; InfluxDB 3 takes 10 MiB

// Lines of one database, end to end.
struct LineList {
  std::string database;
  std::string text;
  std::vector<size_t> ends{0};  // line i is text[ends[i], ends[i + 1]), LF included
  std::vector<Lsn> lsns;        // of the record each line came from
  // The first request's body, when that was made ahead: the lines [0, lines_packed), gzip'd.
  std::string packed;
  size_t lines_packed = 0;

  size_t size() const { return lsns.size(); }
  std::string_view range(size_t first, size_t last) const {
    return std::string_view(text).substr(ends[first], ends[last] - ends[first]);
  }
  // Where the request that begins with line `first` ends: at `lines_max` lines or kRequestBytesMax; one line always goes.
  size_t request_end(size_t first, size_t lines_max) const;
};

struct MirrorChunk {
  std::vector<LineList> databases;
  Lsn last_lsn = 0;  // 0 = no record yet
  size_t records = 0;
  size_t lines = 0;
  size_t bytes = 0;
  uint64_t unwritable_rows = 0;  // line protocol cannot say them
  uint64_t skipped_values = 0;   // NaN and infinite
  uint64_t rounded_values = 0;   // integers beyond 2^53 sent as floats
};

// What is sent, and as what.
struct LineRules {
  std::vector<std::string> tables{"*"};
  std::string database;  // of rows of database varve; others keep theirs
  bool integers_as_floats = true;

  bool selects(std::string_view table) const;  // never varve's own
};

void add_record(const LogRecord& record, const LineRules& rules, MirrorChunk& chunk);
// Rows of a selected table; `lsn` is of the record they came from, 0 = read from the store.
void add_batch(const RowBatch& batch, Lsn lsn, const LineRules& rules, MirrorChunk& chunk);

}  // namespace varve
