// A small store on disk to damage: segments whose log records are gone, two tables, every type, and a log tail.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "storage/check/check.h"
#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve::test {

// One value, as "varve.water|site=a|1000|ph" -> "7.5".
using Values = std::map<std::string, std::string>;

class OpenStore {
 public:
  explicit OpenStore(const std::string& directory);
  bool ok() const { return engine_ != nullptr; }
  Engine& engine() { return *engine_; }
  const std::string& error() const { return error_; }

  void write(RowBatch batch, std::vector<StreamPosition> positions = {});  // EXPECTs that it succeeds
  Values values();
  std::vector<std::string> columns();  // "varve.water|site|tag|string", in order

 private:
  MetricsRegistry metrics_;
  std::unique_ptr<Engine> engine_;
  std::string error_;
};

RowBatch water_rows(int64_t day, const std::string& site, int rows, double shift);

// Builds the store in `directory` (absent): the master every test copies.
//   segment 1: day 0, sites a and b with 3,000 rows each, 30 small sites; table varve.pumps in another segment
//   segment 2: day 1; segment 3: day 0 again, overwriting a part of it
//   log: 20 rows of day 2, never flushed, with a stream position
void build_store(const std::string& directory);
// Two segments of table varve.water, and four records in the log.
void build_small_store(const std::string& directory);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
std::vector<std::string> files_below(const std::string& directory);  // relative, sorted
std::map<std::string, std::string> bytes_below(const std::string& directory);

CheckReport check(const std::string& directory, bool repair = false);  // EXPECTs that it can

// What of `before` is not in `after`, and what is there that was not, or is different.
struct Difference {
  Values missing;
  Values wrong;
};
Difference difference(const Values& before, const Values& after);
// Whether the report says that this value is lost.
bool says_lost(const CheckReport& report, const std::string& value_key);

}  // namespace varve::test
