// Rows as they are acknowledged, for whoever watches a table: handed over after they are durable and visible to scans,
// in order of the log. Nothing is kept for a watcher that comes later, and the store waits for none: a queue that is
// full loses the newest rows and counts them. While nobody watches, a write costs one load of an atomic.
// Threads: any; a RowWatch is taken from by one at a time and may outlive the RowWatches it came from.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/row_batch.h"
#include "storage/wal/lsn.h"

namespace varve {

// Bytes of rows that wait for one watcher (guessed: a second of a hundred thousand rows).
constexpr size_t kWatchedBytesMax = 16 << 20;

struct WatchedRows {
  Lsn lsn = 0;
  std::shared_ptr<const RowBatch> batch;  // shared with other watchers of the table
};

class RowWatches;

class RowWatch {
 public:
  ~RowWatch();
  RowWatch(const RowWatch&) = delete;
  RowWatch& operator=(const RowWatch&) = delete;

  struct Taken {
    std::vector<WatchedRows> records;
    uint64_t rows_lost = 0;  // newer than the records, since the last take()
  };
  Taken take();  // never waits

 private:
  friend class RowWatches;
  struct Shared;
  RowWatch(std::shared_ptr<Shared> shared, std::string database, std::string table,
           std::function<void()> wake);

  const std::shared_ptr<Shared> shared_;
  const std::string database_;
  const std::string table_;
  const std::function<void()> wake_;
  // Under Shared::mutex:
  Taken waiting_;
  size_t waiting_bytes_ = 0;
};

class RowWatches {
 public:
  RowWatches();

  // The table may come later. `wake` is called when the first row waits; it must be quick and call nothing here.
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake);
  bool any() const;
  void publish(Lsn lsn, RowBatch&& batch);

 private:
  std::shared_ptr<RowWatch::Shared> shared_;
};

struct RowWatch::Shared {
  std::atomic<size_t> count{0};
  std::mutex mutex;  // guards the list and what the watches in it hold
  std::list<RowWatch*> watches;
};

}  // namespace varve
