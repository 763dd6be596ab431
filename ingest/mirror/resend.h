// Rows read back from the store, to be sent again: slices of time small enough to put records of the log between
// them. Each slice is read as of the moment it is opened, so that what the log brings afterwards is never older.
// A table's slices go in order of time, each series by series. Memory: one block of a scan and one chunk.
// Errors: those of Engine::scan. Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ingest/mirror/lines.h"
#include "storage/engine.h"

namespace varve {

struct ResendRange {
  std::string database;
  std::string table;
  TimeRange time;
};

// The tables and times that hold the rows of log records [first, last], and maybe others.
std::vector<ResendRange> ranges_of_records(const Engine& engine, const LineRules& rules, Lsn first, Lsn last);
// All selected tables, or those called `table` unless it is empty, cut to `time`.
std::vector<ResendRange> ranges_of_tables(const Engine& engine, const LineRules& rules,
                                          const std::string& table, TimeRange time);

class Resend {
 public:
  // Given a chunk, says whether it was sent; false ends the slice.
  using Deliver = std::function<bool(MirrorChunk&)>;

  Resend(const Engine& engine, std::vector<ResendRange> ranges);

  // Reads the next slice and hands it over in chunks of `lines` lines or a little more. False: nothing is left, or
  // `deliver` said so.
  Result<bool> slice(const LineRules& rules, size_t lines, const Deliver& deliver);
  uint64_t rows_total() const { return rows_total_; }  // an upper bound
  std::string table() const;                           // being read; empty = none

 private:
  Result<uint64_t> send(const ResendRange& range, TimeRange time, const LineRules& rules, size_t lines,
                        const Deliver& deliver, bool& stopped);

  const Engine& engine_;
  std::vector<ResendRange> ranges_;
  uint64_t rows_total_ = 0;
  size_t at_ = 0;          // in ranges_
  int64_t from_ = 0;       // in it, of the next slice
  uint64_t width_ns_ = 0;  // of the next slice; 0 = to be found
};

}  // namespace varve
