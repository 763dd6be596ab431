// Log records as lines to send, by target database. A chunk holds whole records, so that once all its lines
// are acknowledged everything up to its last LSN is. Threads: values; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.h"

namespace varve {

// Lines of one database, end to end.
struct LineList {
  std::string database;
  std::string text;
  std::vector<size_t> ends{0};  // line i is text[ends[i], ends[i + 1]), LF included
  std::vector<Lsn> lsns;        // of the record each line came from

  size_t size() const { return lsns.size(); }
  std::string_view range(size_t first, size_t last) const {
    return std::string_view(text).substr(ends[first], ends[last] - ends[first]);
  }
};

struct MirrorChunk {
  std::vector<LineList> databases;
  Lsn last_lsn = 0;  // 0 = no record yet
  size_t records = 0;
  size_t lines = 0;
  size_t bytes = 0;
  uint64_t unwritable_rows = 0;  // line protocol cannot say them
  uint64_t skipped_values = 0;   // NaN and infinite
};

// Adds the record's rows of tables that `tables` selects; rows of database varve go to `database`.
void add_record(const LogRecord& record, const std::vector<std::string>& tables, std::string_view database,
                MirrorChunk& chunk);

}  // namespace varve
