// How far a mirror is behind, in rows and in seconds, from how far the log was at moments of the past. The log itself
// tells records and bytes only. Memory: at most kSamplesMax moments; older ones stand further apart.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/wal/lsn.h"

namespace varve {

class BacklogMeter {
 public:
  static constexpr size_t kSamplesMax = 4096;  // an hour at one a second, then every second one goes

  struct Behind {
    uint64_t rows = 0;
    double seconds = 0;
  };

  // At `now_ns` the log reached `durable`, and `rows` rows had been written since some fixed moment.
  void note(int64_t now_ns, Lsn durable, uint64_t rows);
  // Rows sent per record tell of those from before the first note().
  void note_sent(size_t records, size_t rows);
  // Of a mirror that has sent all up to `done`, by the last note().
  Behind behind(Lsn done) const;

 private:
  struct Sample {
    int64_t last_ns;  // the last moment the log was at `durable`
    Lsn durable;
    uint64_t rows;
  };
  std::vector<Sample> samples_;  // `durable` ascends
  int64_t now_ns_ = 0;
  uint64_t sent_records_ = 0;
  uint64_t sent_rows_ = 0;
};

// Spreads rows over time: at most so many a second.
class Pacer {
 public:
  explicit Pacer(uint64_t rows_per_second) : rate_(rows_per_second) {}  // 0 = no limit
  // How long to wait before `rows` more go out; they count as sent.
  int64_t take(int64_t now_ns, size_t rows);

 private:
  const uint64_t rate_;
  int64_t next_ns_ = 0;
};

}  // namespace varve
