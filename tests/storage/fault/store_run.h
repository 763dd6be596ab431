// A store in a FaultFileSystem, the history of what was asked of it, and a sink that reads its log.
// A plant puts a bug between the test and the store: the checkers must find it.
// Threads: one at a time; the store has its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/storage/fault/history.h"
#include "tests/storage/fault/operations.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/sanitized.h"

namespace varve::test {

constexpr const char* kDataFolder = "/store";

// Each look is a millisecond later: nothing waits for a group to fill, and runs do not depend on the machine.
class SteppingClock : public Clock {
 public:
  int64_t wall_ns() const override { return 0; }
  int64_t monotonic_ns() const override { return now_.fetch_add(kNsPerMs); }
  void advance(int64_t ns) { now_ += ns; }

 private:
  mutable std::atomic<int64_t> now_{kNsPerMs};
};

struct Plant {
  std::function<void(FaultFileSystem&)> lies;  // told to the files at the start
  std::function<std::unique_ptr<FileSystem>(FaultFileSystem&)> files;
  std::function<std::unique_ptr<Engine>(std::unique_ptr<Engine>)> engine;
};

struct StoreSettings {
  WalSync wal_sync = WalSync::kEach;
  uint64_t flush_rows = 1'000'000;
  int64_t partition_ns = 25;
};
StoreSettings random_settings(Random& random);

class StoreRun {
 public:
  StoreRun(FaultFileSystem& files, StoreSettings settings, const Plant& plant = {});
  ~StoreRun();

  Result<void> open();
  bool is_open() const { return engine_ != nullptr; }
  void close();

  // Does it, and remembers what was promised. The first error; what was planned after it is done all the same.
  Result<void> apply(const Operation& operation);
  // Compares an open store with the history. Nothing = all is well.
  std::optional<std::string> check(bool in_order);
  // Closed if it is open, opened, compared and settled.
  std::optional<std::string> reopen_and_check(bool in_order);
  std::optional<std::string> check_sink();

  Engine& engine() { return *engine_; }
  SteppingClock& clock() { return clock_; }
  History& history() { return history_; }
  const std::vector<Error>& errors() const { return errors_; }  // of every call that failed
  void forget_errors() { errors_.clear(); }

 private:
  Result<void> write(const std::vector<Record>& records);
  Result<void> erase(const Deletion& deletion);
  Result<void> deliver();
  Result<void> note(Result<void> outcome);

  const StoreSettings settings_;
  const Plant plant_;
  FaultVfs vfs_;
  std::unique_ptr<FileSystem> wrapped_files_;
  FileSystem& files_;
  SteppingClock clock_;
  std::unique_ptr<MetricsRegistry> metrics_;
  History history_;
  std::vector<Error> errors_;
  std::set<std::string> delivered_;  // what the sink has, as texts of records
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LogCursor> cursor_;
};

// Sizes and seeds. VARVE_RUNS is the number of power cuts, and the other tests grow with it; VARVE_SEED replays one.
constexpr uint64_t kPowerCuts = 2000;
// Of what is swept in full, sanitized builds take every so many-th case: they are ten times slower and look for other
// faults. Odd, so that neither bits nor sectors are left out.
constexpr int kSweepStep = kSanitized ? 21 : 1;
uint64_t power_cuts();
uint64_t grown(uint64_t usual);  // by as much as the power cuts are, never smaller
std::optional<uint64_t> seed_to_replay();

}  // namespace varve::test
