// What a source does to its rows before they are stored, as the configuration says. In this order:
//   where -> enrich -> set (in order) -> rename -> drop -> dedupe
// so that `set` may compute with what was looked up, and duplicates are judged by what would be stored.
//   where   keeps the rows for which it is true; false and NULL are dropped and counted
//   set     "name = expression"; a name that is a tag of the row or listed in `tags` becomes a tag (as text), others
//           fields. A column that no row of a write has is NULL. Types are the engine's: arithmetic with a double gives
//           double, of int64 int64 (5 / 2 = 2; write 2.0, or CAST(x AS double)); a time becomes int64 ns.
// Errors:  check_condition, check_assignment: kInvalidArgument with the text and a caret below the place.
// Threads: values; pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ingest/process/row_processor.h"
#include "storage/base/error.h"

namespace varve {

constexpr int64_t kEnrichReloadNs = 10 * kNsPerSecond;  // guessed: what operators wait for after an edit
constexpr uint64_t kDedupeKeys = 1'000'000;             // some 100 MB (guessed)

struct EnrichRule {
  std::string file;   // CSV with a header, or JSON: an array of objects, or one a line; else
  std::string table;  // of the store, [database.]table; the newest row of a key counts
  std::string key;    // column of the row
  std::string match;  // column of the lookup; empty = as `key`
  std::vector<std::string> tags, fields;  // columns of the lookup the row gets
  int64_t reload_ns =
      kEnrichReloadNs;  // how often it is looked whether the file changed, or the table read again
};

struct ProcessRules {
  std::string where;
  std::vector<EnrichRule> enrich;
  std::vector<std::string> set;
  std::map<std::string, std::string> rename;  // old to new
  std::vector<std::string> drop;
  int64_t dedupe_window_ns = 0;        // of Kafka's timestamps; 0 = duplicates are kept
  std::vector<std::string> dedupe_by;  // columns; none: series and time
  uint64_t dedupe_keys = kDedupeKeys;  // remembered at most; beyond it the oldest are forgotten
  std::vector<std::string> tags;       // of the source's mapping

  bool empty() const {
    return where.empty() && enrich.empty() && set.empty() && rename.empty() && drop.empty() &&
           dedupe_window_ns == 0;
  }
};

Result<void> check_condition(const std::string& text);
Result<void> check_assignment(const std::string& text);

// Reads the lookups. `rules` must have been checked.
Result<std::unique_ptr<RowProcessor>> make_row_processor(const ProcessRules& rules, const Engine& engine,
                                                         const Clock& clock = real_clock());

}  // namespace varve
