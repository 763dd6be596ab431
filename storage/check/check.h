// `varve check`: reads everything a stopped store holds, says what is wrong, and repairs it when asked to.
// Without repair not one byte of the data folder changes. A repair
//   - moves what is damaged or unexplained to DATA/quarantine/, with a report beside it, and removes nothing
//   - saves the intact blocks of damaged segments into new segments
//   - rebuilds a catalog that is missing, damaged, or older than the log, from segments, tombstones and log
//   - fills holes of the log with blank records
//   - brings the catalog up to date in one commit
// A repair cut short at any point is finished by the next one.
// Errors:  kUnavailable when the store is in use, kNotFound when there is none, kIo, kUnsupported: nothing is concluded
//          and nothing repaired. Damage is no error: it is in the report.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/file.h"
#include "storage/check/inventory.h"
#include "storage/check/salvage.h"

namespace varve {

struct CheckOptions {
  std::string data_directory;
  bool repair = false;
  FileSystem* file_system = &real_file_system();
  std::string catalog_vfs;  // as EngineOptions
  CheckObserver observer;   // may be empty
};

struct TableSummary {
  std::string database;
  std::string table;
  uint64_t segments = 0;
  uint64_t rows = 0;  // in segments; rows still in the log are not counted
  uint64_t bytes = 0;
  uint64_t series = 0;
  TimeRange time{INT64_MAX, INT64_MIN};
};

// Values that a repair could not save.
struct LostValues {
  std::string database;
  std::string table;  // empty: not known
  std::string file;
  Loss loss;
};

struct CheckReport {
  std::vector<TableSummary> tables;  // by database, name; as the catalog lists them
  uint64_t tombstones = 0;
  uint64_t log_files = 0;
  uint64_t log_records = 0;
  uint64_t log_bytes = 0;
  uint64_t quarantined = 0;           // files set aside, now or before
  std::vector<std::string> problems;  // empty = clean
  std::vector<std::string> notes;     // what a crash leaves and the next start clears: no problem
  std::vector<std::string> repairs;   // what was done, in order
  std::vector<LostValues> lost;       // what could not be saved of segments
  std::vector<std::string> losses;    // that, and all else, in words
};

Result<CheckReport> check_store(const CheckOptions& options);

}  // namespace varve
