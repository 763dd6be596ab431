// The log's writer: records from any thread become durable in order, many for one sync.
//   append -> queue -> log thread: one write and one fdatasync a group -> done callbacks
// Files are written once: opening the log starts a new file, and a file is full at `file_bytes`. A new file and
// its name are durable before its first record is acknowledged. Bytes: format.h.
// Errors:  after a failed sync, or a write that failed for anything but room, what reached disk is unknown, so the log
//          stops for good: every queued and every later append gets that reason. Nothing is retried.
// Full disk: what could not be written whole is cut off the file again, durably, and only then do its records and all
//          behind them fail (kUnavailable): none of them can come back at a start. Their lsns are free again: the file
//          is not written any more, the next append tries a new one that begins there. epoch() counts these failures;
//          an append that was prepared before the last one is refused, so nothing is ever written behind a record
//          whose failure its writer has not yet heard of.
// Threads: every method from any thread, but none of them from a done callback except durable_lsn() and stats().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/error.h"
#include "storage/base/file.h"
#include "storage/base/metrics.h"
#include "storage/wal/lsn.h"

namespace varve {

enum class WalSync {
  // A group closes group_delay_ns after its first record came, or when it is worth a sync (256 KiB; at most group_bytes).
  // A lone writer does not wait: when nothing else came while the last record was written, the next one goes at once.
  kGroup,
  kEach,     // a sync for each record
  kRelaxed,  // acknowledged once written; synced each second: a power cut may take the last second
};

struct WalOptions {
  std::string directory;  // made if missing
  WalSync sync = WalSync::kGroup;
  uint64_t file_bytes = 64ULL << 20;
  int64_t group_delay_ns = 2 * kNsPerMs;
  uint64_t group_bytes = 1ULL << 20;
  uint64_t queue_bytes_max = 64ULL << 20;  // not yet acknowledged; one record is always let in
  FileSystem* file_system = &real_file_system();
  const Clock* clock = &real_clock();
  MetricsRegistry* metrics = nullptr;  // required
  // Called on the log thread after the `done`s of a failure for space, with the epoch() that it began.
  std::function<void(uint64_t epoch)> on_no_space = [](uint64_t) {};
};

struct WalStats {
  uint64_t bytes = 0;  // of all files, without the space reserved in the active one
  uint64_t files = 0;
  Lsn oldest_lsn = 0;  // the first one the files can hold
};

class Wal {
 public:
  // Starts the log thread. The next record gets `next_lsn`, which must lie after every record of the folder
  // (recover_wal() says which: a smaller one is kInvalidArgument).
  static Result<std::unique_ptr<Wal>> open(WalOptions options, Lsn next_lsn);
  ~Wal();  // as close()
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  // `done` is called on the log thread, in LSN order, once the record is durable (kRelaxed: written), or with
  // the error: kUnavailable when the disk was full, else kIo. It must be quick. An error returned here means nothing
  // was taken and `done` is not called: kInvalidArgument (over kWalRecordBytesMax), kUnavailable (queue full, closed,
  // `epoch` is not the present one), kIo (the log has stopped).
  using Done = std::function<void(Result<Lsn>)>;
  Result<Lsn> append(std::string payload, Done done, uint64_t epoch);
  Result<Lsn> append(std::string payload, Done done) {
    return append(std::move(payload), std::move(done), epoch());
  }
  uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  Lsn durable_lsn() const { return durable_lsn_.load(std::memory_order_acquire); }  // the newest acknowledged
  // True when durable_lsn() >= lsn; false after the timeout or on close.
  bool wait_durable(Lsn lsn, int64_t timeout_ns);

  // Removes the files that hold only records before `lsn`; never the active one.
  Result<void> remove_before(Lsn lsn);
  WalStats stats() const;
  // Of the files with records after `lsn`; 0 when every record up to the newest acknowledged one is passed.
  uint64_t bytes_after(Lsn lsn) const;
  // The first lsn of the oldest file that `bytes` have room for beside all later ones; the active one always fits.
  Lsn first_lsn_within(uint64_t bytes) const;
  void close();  // refuses new records, finishes the queue, stops the thread

 private:
  struct Pending {
    Lsn lsn;
    std::string payload;
    Done done;
    int64_t queued_ns;
  };
  struct File {
    Lsn first_lsn;
    uint64_t bytes;
  };

  Wal(WalOptions options, Lsn next_lsn);
  Result<void> adopt_files();
  Result<void> make_durable(File& file);
  Result<void> clear_name(const std::string& path);
  Result<void> start_file(Lsn first_lsn);
  Result<void> reserve_file(const std::string& path, uint64_t bytes);

  void run();
  bool take_group(std::vector<Pending>& group);
  Result<void> write_group(const std::vector<Pending>& group);
  Result<void> write_buffer();
  Result<void> sync_file();
  void settle();
  void acknowledge(std::vector<Pending>& group);
  Result<void> refuse_unsettled(std::vector<Pending>& group, const Error& reason);
  Result<void> abandon_file();
  void stop(std::vector<Pending>& group, const Error& reason);
  void finish_active_file();
  Result<void> end_active_file();
  std::string path_of(Lsn first_lsn) const;

  const WalOptions options_;
  LatencyHistogram& sync_seconds_;
  Counter& bytes_total_;
  Counter& records_total_;

  // Of the log thread.
  std::unique_ptr<WritableFile> file_;  // null: the next record begins one
  uint64_t file_id_ = 0;
  Lsn file_first_lsn_ = 0;
  uint64_t file_bytes_ = 0;      // written or in buffer_
  uint64_t file_bytes_max_ = 0;  // reserved
  uint64_t settled_bytes_ = 0;   // of the file: the records that were or will be acknowledged
  std::string buffer_;
  Lsn written_lsn_;  // newest record handed to the file or in buffer_
  Lsn synced_lsn_;   // newest record known durable
  Lsn settled_lsn_;  // newest record that was or will be acknowledged
  bool unsynced_ = false;
  int64_t last_sync_ns_ = 0;
  bool lone_ = false;  // the last group was one record, and no other came while it was written

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable durable_;
  std::deque<Pending> queue_;
  uint64_t queue_bytes_ = 0;    // waiting to be taken by the log thread
  uint64_t unacked_bytes_ = 0;  // those, and what the log thread is writing
  Lsn next_lsn_;
  bool closing_ = false;
  std::optional<Error> failure_;
  std::vector<File> files_;         // the last one is active
  std::atomic<Lsn> durable_lsn_;    // stored under mutex_
  std::atomic<uint64_t> epoch_{0};  // likewise

  std::mutex close_mutex_;   // close() runs once; taken before mutex_
  std::mutex remove_mutex_;  // one remove_before() at a time; taken before mutex_
  std::thread thread_;
};

}  // namespace varve
