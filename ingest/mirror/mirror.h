// Copies every accepted row to an InfluxDB, at least once, in order, as a cursor on the log. A slow or dead
// server never touches ingest or queries: the log keeps what was not sent, the position moves after the
// server's 2xx. What the server refuses for good (400, 422, one line over its limit) is named in
// varve_quarantine with the server's words, and the rest goes on. What line protocol cannot say
// (decode/line_protocol.h) is counted and logged.
//   answer                         then
//   2xx                            go on
//   400 422                        halve the request until the bad lines stand alone (InfluxDB upserts: what
//   is sent
//                                  twice does no harm), quarantine them
//   401 403, 404 (2.x), 3xx, else  hold: say so, try again every hold_retry_ns
//   404 (1.x)                      CREATE DATABASE, try again
//   404 (3.x) 405                  ask for the version again when it is "auto", else hold
//   413                            halve the request, and those after it
//   429 5xx, no answer             try again after max(Retry-After, backoff with jitter)
// 2.x: a bucket that a write misses is made when the token may; else hold. Retry-After may be seconds or a date.
// When the log went past the mirror (storage.wal_max_bytes), the rows of the records it missed are read from the store
// and sent before any later record; varve_mirror_lost_records_total counts the records. A DELETE in varve is not sent.
// Order: one request at a time, so each series arrives in the order of the log. A backfill is read in slices between
// which the log goes on; what a slice overwrites with its own moment's values, later records of the log set right.
// int64 goes as a float unless `integers` is int: varve widens an int64 column once a float arrives, where InfluxDB
// would refuse every later row. Beyond 2^53 the nearest float is sent and counted.
// Memory: one record of the log, two requests of lines (8 MiB each, or a longer line or record; the next one is read
// while one is on its way) and the gzip of one, the block of a resend; whatever the backlog.
// After a kill, what was acknowledged since the position was last saved goes out again: at most batch_lines
// rows or one second, and the request in flight. Threads: starts one sender thread, which has a
// reader while it sends; status() from any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ingest/status.h"
#include "storage/base/clock.h"
#include "storage/engine.h"

namespace varve {

// Waits of a mirror; tests make them short.
struct MirrorTiming {
  int64_t backoff_min_ns = 100 * kNsPerMs;
  int64_t backoff_max_ns = 30 * kNsPerSecond;
  int64_t hold_retry_ns = 30 * kNsPerSecond;
  int64_t request_timeout_ns = 30 * kNsPerSecond;
  int64_t stop_grace_ns = 2 * kNsPerSecond;  // given to the request in flight when the mirror stops
  int64_t save_every_ns = kNsPerSecond;      // spares the catalog a commit per request
};

struct MirrorOptions {
  std::string name = "mirror.0";  // of the cursor, too: keep it stable
  std::string url = "http://127.0.0.1:8086";
  std::string version = "auto";  // auto | 1 | 2 | 3
  std::string database = "varve";
  std::string org;
  std::string token;
  size_t batch_lines = 5000;
  std::string integers = "float";         // float | int
  uint64_t catch_up_rows_per_second = 0;  // of all rows, new ones too; 0 = as fast as the server takes them
  std::vector<std::string> tables{
      "*"};  // "*" = all but varve's own (varve_*), which are never sent; else names
  MirrorTiming timing;
  const Clock* clock = &real_clock();  // of backlog_seconds
  // Rows of database "varve" go to `database`; rows of another database D go to D (created on demand).
};

struct BackfillRequest {
  std::string table;  // empty = all that the mirror sends; of every database
  TimeRange time;
};

class Mirror {
 public:
  // kInvalidArgument for a URL or option it cannot use.
  static Result<std::unique_ptr<Mirror>> start(MirrorOptions options, Engine& engine,
                                               MetricsRegistry& metrics);
  virtual ~Mirror() = default;  // stops, saving the position; within 5 s even when the server hangs
  virtual MirrorStatus status() const = 0;
  // Sends rows of the store again, after those that wait; status().resends tells how it goes under the id returned.
  // Forgotten when the mirror stops: then ask again. kInvalidArgument, kNotFound, kUnavailable (too many wait).
  virtual Result<uint64_t> backfill(const BackfillRequest& request) = 0;
};

}  // namespace varve
