// What is wrong with a running varve, as an operator should hear it: one list, from what the store, the sources and the
// mirrors say of themselves. /readyz, /api/v1/status, varve_problem{code} of /metrics and the terminal all show it.
// Codes are few and fixed (kProblemCodes): labels and runbooks are made of them.
// Threads: find_problems is pure; ProblemWatch locks inside.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "api/http/server.h"

namespace varve {

// In the order they are listed: the worst first.
inline constexpr std::array<std::string_view, 12> kProblemCodes{
    "store_failed",        // a sync or commit failed: no writes until a restart
    "disk_full",           // no writes until there is room
    "damaged_segment",     // a file of the store cannot be read
    "compaction_failed",   // merges do not get on
    "clock_jump",          // retention waits
    "series_limit",        // rows of new series are refused
    "column_limit",        // rows with new columns are refused
    "table_limit",         // rows for new tables are refused
    "broker_unreachable",  // a source cannot reach Kafka
    "source_halted",       // a source, or a partition of it, waits for an operator
    "mirror_unreachable",  // a mirror is retrying
    "mirror_held",         // a mirror's server refuses: somebody must set it right
};

struct Problem {
  std::string_view code;  // of kProblemCodes
  std::string subject;    // kafka.0, mirror.0, database.table; may be empty
  std::string reason;     // what happened
  std::string remedy;     // what to do
  int64_t since_ns = 0;   // wall clock, when it was first seen by this process
};

// At most kProblemsMax, in the order of kProblemCodes, without `since_ns`.
constexpr size_t kProblemsMax = 100;
std::vector<Problem> find_problems(const EngineStatus& store, const std::vector<SourceStatus>& sources,
                                   const std::vector<MirrorStatus>& mirrors);

// Looks every kLookNs, so that it knows since when, and logs the end of each problem. Their beginning is logged by the
// part that has it, once: here it would be said twice.
class ProblemWatch {
 public:
  static constexpr int64_t kLookNs = 2 * kNsPerSecond;

  explicit ProblemWatch(const HttpServices& services);  // which must outlive stop()
  ~ProblemWatch() { stop(); }
  ProblemWatch(const ProblemWatch&) = delete;
  ProblemWatch& operator=(const ProblemWatch&) = delete;

  std::vector<Problem> now();  // looks now
  // The same, of what the caller has asked for already.
  std::vector<Problem> now(const EngineStatus& store, const std::vector<SourceStatus>& sources,
                           const std::vector<MirrorStatus>& mirrors);
  void stop();

 private:
  const HttpServices& services_;
  std::mutex mutex_;                                                      // guards since_
  std::map<std::pair<std::string_view, std::string>, int64_t> since_ns_;  // by code and subject
  std::mutex wait_mutex_;
  std::condition_variable_any wait_;
  std::jthread thread_;
};

}  // namespace varve
