// What sources and mirrors tell about themselves, for /api/v1/status, /metrics and the terminal.
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace varve {

struct PartitionStatus {
  std::string topic;
  int32_t partition = 0;
  int64_t next_offset = 0;                // the first offset not durable here
  std::optional<int64_t> high_watermark;  // the broker's; unknown until the first fetch
  std::optional<int64_t> lag;             // high_watermark - next_offset, never negative
  // How far behind: now minus the timestamp of the last message taken while lag > 0; 0 without lag; unknown before the
  // first message. A broker's clock that is ahead of ours counts as 0.
  std::optional<double> lag_seconds;
  std::optional<int64_t> last_event_time_ns;
  std::string halted = {};  // why nothing more of it is read until an operator resumes it; empty = it is read
};

struct SourceStatus {
  std::string name;                 // "kafka.0"
  std::string kind;                 // "kafka"
  std::string state;                // connecting | running | paused | halted | stopped
  std::string detail;               // why, when not running
  bool broker_unreachable = false;  // then `detail` says how
  uint64_t messages_total = 0;
  uint64_t rows_total = 0;
  uint64_t rejected_total = 0;  // sent to quarantine
  std::map<std::string, uint64_t> rejected_by_reason;
  double messages_per_second = 0;  // over the last 10 s
  double rows_per_second = 0;
  uint64_t filtered_total = 0;       // rows that `where` did not let pass
  uint64_t deduped_total = 0;        // rows dropped as seen before
  uint64_t enrich_misses_total = 0;  // lookups without an answer
  std::vector<PartitionStatus> partitions;
};

// Rows a mirror sends again from the store: asked for (backfill), or because the log went past it (catch-up).
struct ResendStatus {
  uint64_t id = 0;
  std::string kind;   // backfill | catch-up
  std::string state;  // waiting | running | done | failed
  std::string table;  // database.table being read
  std::string error;
  uint64_t rows = 0;        // sent or refused so far
  uint64_t rows_total = 0;  // an upper bound: rows stored twice count twice
};

struct MirrorStatus {
  std::string name;  // "mirror.0"
  std::string url;
  std::string state;  // ok | retrying | held
  std::string last_error;
  uint64_t rows_sent_total = 0;
  uint64_t rows_refused_total =
      0;  // the server would not take them; named in the log and in varve_quarantine
  // Log records that went before they were mirrored; what the store has of their rows is sent by a catch-up.
  uint64_t lost_records_total = 0;
  uint64_t backlog_records = 0;
  uint64_t backlog_rows = 0;  // by counts taken once a second; of before the start an estimate
  uint64_t backlog_bytes = 0;
  double backlog_seconds = 0;         // age of the oldest row not acknowledged; at most since the start
  std::vector<ResendStatus> resends;  // the last few and those that wait, oldest first
};

}  // namespace varve
