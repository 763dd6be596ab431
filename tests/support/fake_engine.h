// An Engine in memory for tests of sources and sinks: keeps appended batches as log records, positions per
// stream, and can be told to refuse rows, to refuse or fail appends, or to hold them back. It stands in for
// the store at link time: fake_engine.cc also defines AdmittedWrite and Engine::append_and_wait, so a test
// program links either this or uses the real Engine, not both. done callbacks run on the caller of append()
// (or of release()), in order. Threads: every method may be called from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace varve {

class FakeEngine : public Engine {
 public:
  // ---- what tests set ----
  // Why a row is refused by admit(), or nothing.
  using RowRule =
      std::function<std::optional<std::pair<std::string, std::string>>(const RowBatch&, size_t row)>;
  void refuse_rows(RowRule rule);                     // reason and detail
  void fail_next_appends(size_t count, Error error);  // append() returns it; nothing is taken
  void fail_next_syncs(size_t count, Error error);    // taken, then `done` gets it; nothing is kept
  void hold_appends();                                // `done` waits ...
  void release_appends();                             // ... until here
  void fail_next_saves(size_t count, Error error);    // LogCursor::save
  void say(EngineStatus status);                      // what status() answers, but for the lsns

  // ---- what tests look at ----
  std::vector<LogRecord> records() const;
  size_t rows(std::string_view table) const;  // in all databases
  uint64_t appends() const;
  size_t held() const;  // appends waiting for release_appends()
  Lsn saved(std::string_view cursor) const;

  // ---- Engine ----
  AdmittedWrite admit(std::vector<RowBatch> batches) override;
  Result<void> append(AdmittedWrite&& write, AppendDone done) override;
  Result<DeleteOutcome> erase(DeleteRequest request) override;  // a record without rows; keeps every row
  std::vector<StreamPosition> positions() const override;
  Result<void> create_database(std::string_view name) override;
  Result<void> forget_database(std::string_view name) override;
  std::vector<std::string> created_databases() const override;
  std::vector<TableInfo> tables() const override;
  std::vector<SegmentInfo> segments() const override { return {}; }
  Result<TableInfo> describe(std::string_view database, std::string_view table) const override;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override;
  Result<std::shared_ptr<const TablePin>> pin(std::string_view database,
                                              std::string_view table) const override;
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override;
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake) override {
    return watches_.watch(database, table, std::move(wake));
  }
  void set_retention(int64_t, const std::map<std::string, int64_t>&) override {}
  EngineStatus status() const override;
  Result<void> flush() override;
  Result<void> compact() override { return {}; }
  void close() override;

 private:
  friend class FakeLogCursor;
  struct Held {
    LogRecord record;
    std::vector<StreamPosition> positions;
    AppendDone done;
  };
  struct Failures {
    size_t count = 0;
    Error error{ErrorCode::kUnavailable, ""};
    std::optional<Error> take();
  };
  // Under mutex_: takes the write into the log, or says why not.
  Result<Lsn> commit(Held& held);

  std::set<std::string> created_databases_;  // guarded by mutex_
  RowWatches watches_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  RowRule rule_;
  Failures append_failures_, sync_failures_, save_failures_;
  bool hold_ = false;
  bool closed_ = false;
  uint64_t appends_ = 0;
  std::deque<Held> held_;
  EngineStatus status_;
  std::vector<LogRecord> records_;
  std::map<std::pair<std::string, int32_t>, int64_t> positions_;
  std::map<std::string, Lsn, std::less<>> saved_;
};

}  // namespace varve
