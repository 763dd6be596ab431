#include "tests/storage/fault/failing_calls.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace varve::test {
namespace {

constexpr int kFullCalls = 3;
constexpr int kOpensMax = 1 + kFullCalls;  // each failed opening uses up a fault
// Real time, for the store's threads to come to their look at the disk; past this it does not recover.
constexpr std::chrono::seconds kRecoveryMax{60};

bool needs_space(FileCall call) {
  return call == FileCall::kCreate || call == FileCall::kAppend || call == FileCall::kPreallocate ||
         call == FileCall::kRename || call == FileCall::kCreateDirectories || call == FileCall::kWriteInPlace;
}

FaultFileSystem::Rule rule_of(Failure failure, int nth) {
  FaultFileSystem::Rule rule;
  rule.nth = nth;
  switch (failure) {
    case Failure::kIo:
      rule.matches = [](FileCall, std::string_view) { return true; };
      rule.error = {ErrorCode::kIo, "Input/output error"};
      break;
    case Failure::kDiskFull:
      rule.matches = [](FileCall call, std::string_view) { return needs_space(call); };
      rule.error = exhausted("No space left on device");
      rule.count = kFullCalls;
      break;
    case Failure::kShortWrite:
      rule.matches = [](FileCall call, std::string_view) {
        return call == FileCall::kAppend || call == FileCall::kWriteInPlace;
      };
      rule.half_written = true;
      rule.error =
          nth % 2 == 0 ? exhausted("No space left on device") : Error{ErrorCode::kIo, "Input/output error"};
      break;
    case Failure::kSync:
      rule.matches = [](FileCall call, std::string_view) {
        return call == FileCall::kSync || call == FileCall::kSyncDirectory || call == FileCall::kTruncate;
      };
      rule.error = {ErrorCode::kIo, "Input/output error"};
      break;
  }
  return rule;
}

std::vector<Operation> workload(Random& random) {
  using Kind = Operation::Kind;
  const Kind kinds[] = {Kind::kWrite,   Kind::kFlush, Kind::kWrite,  Kind::kWrite,   Kind::kDeliver,
                        Kind::kFlush,   Kind::kWrite, Kind::kDelete, Kind::kReopen,  Kind::kWrite,
                        Kind::kDeliver, Kind::kRead,  Kind::kFlush,  Kind::kDelete,  Kind::kCompact,
                        Kind::kWrite,   Kind::kFlush, Kind::kDelete, Kind::kCompact, Kind::kWrite};
  std::vector<Operation> operations;
  for (const Kind kind : kinds) operations.push_back(random_operation(random, kind));
  return operations;
}

class FailingCallRun {
 public:
  FailingCallRun(uint64_t seed, Failure failure, int nth, const Plant& plant)
      : random_(seed), failure_(failure), nth_(nth), store_(files_, random_settings(random_), plant) {}

  std::optional<std::string> run() {
    files_.fail(rule_of(failure_, nth_));
    if (!open()) return "it does not open again: " + store_.errors().back().message;
    for (const Operation& operation : workload(random_)) {
      (void)store_.apply(operation);
      if (!store_.is_open() && !open()) return "it does not open again: " + store_.errors().back().message;
    }
    files_.clear_faults();
    if (auto wrong = check_errors()) return wrong;
    if (auto wrong = store_.check(false)) return "before a restart: " + *wrong;
    if (is_full_disk()) {
      if (auto wrong = recover()) return wrong;
    }
    return restart();
  }

  bool struck() const { return files_.struck() > 0; }
  std::string call() const { return files_.struck_call(); }

 private:
  bool is_full_disk() const {
    return failure_ == Failure::kDiskFull || (failure_ == Failure::kShortWrite && nth_ % 2 == 0);
  }

  bool open() {
    for (int i = 0; i < kOpensMax; ++i) {
      if (store_.open()) return true;
    }
    return false;
  }

  std::optional<std::string> check_errors() const {
    for (const Error& error : store_.errors()) {
      if (error.code == ErrorCode::kUnavailable) continue;  // the write before it named the file
      if (error.message.find(kDataFolder) == std::string::npos)
        return "an error names no file: " + error.message;
    }
    return std::nullopt;
  }

  // Space is back: writes and flushes must be taken without a restart.
  std::optional<std::string> recover() {
    const auto until = std::chrono::steady_clock::now() + kRecoveryMax;
    while (true) {
      const auto written = store_.apply(random_operation(random_, Operation::Kind::kWrite));
      const auto flushed = store_.engine().flush();
      if (written && flushed) return store_.check(false);
      const std::string message = (written ? flushed : written).error().message;
      if (store_.engine().status().failed) return "a full disk stopped the store for good: " + message;
      if (std::chrono::steady_clock::now() > until) return "no recovery from a full disk: " + message;
      store_.clock().advance(kNsPerSecond);  // the store looks again each second
      std::this_thread::yield();
    }
  }

  // By a kill or a power cut, so that what was only in memory is gone.
  std::optional<std::string> restart() {
    files_.cut_now();
    store_.close();
    if (random_() % 2 == 0) {
      files_.kill();
    } else {
      files_.power_cut(random_());
    }
    if (auto wrong = store_.reopen_and_check(!is_full_disk())) return "after a restart: " + *wrong;
    if (const auto written = store_.apply(random_operation(random_, Operation::Kind::kWrite)); !written)
      return "no write after a restart: " + written.error().message;
    if (auto wrong = store_.check_sink()) return wrong;
    if (auto wrong = store_.reopen_and_check(true)) return "after a close in order: " + *wrong;
    return std::nullopt;
  }

  Random random_;
  const Failure failure_;
  const int nth_;
  FaultFileSystem files_;
  StoreRun store_;
};

}  // namespace

FailingCall run_failing_call(uint64_t seed, Failure failure, int nth, const Plant& plant) {
  FailingCallRun run(seed, failure, nth, plant);
  FailingCall outcome;
  outcome.wrong = run.run();
  outcome.struck = run.struck();
  outcome.call = run.call();
  return outcome;
}

}  // namespace varve::test
