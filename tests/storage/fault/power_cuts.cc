#include "tests/storage/fault/power_cuts.h"

#include <fmt/format.h>

namespace varve::test {
namespace {

constexpr uint64_t kLivesMax = 3;
constexpr uint64_t kOperationsMax = 12;
// An opening is about 150 calls, a write 2, a flush 60: short plans cut in recovery, long ones in the work.
constexpr uint64_t kCallsInRecoveryMax = 200;
constexpr uint64_t kCallsInWorkMax = 400;

class PowerCuts {
 public:
  PowerCuts(uint64_t seed, const Plant& plant)
      : random_(seed), store_(files_, random_settings(random_), plant) {}

  std::optional<std::string> run() {
    const uint64_t lives = 1 + random_() % kLivesMax;
    for (uint64_t life = 0; life < lives; ++life) {
      if (random_() % 3 == 0) cut_in_recovery();
      if (auto wrong = store_.reopen_and_check(true)) return fmt::format("life {}: {}", life, *wrong);
      if (auto wrong = work()) return fmt::format("life {}: {}", life, *wrong);
      cut();
    }
    if (random_() % 3 == 0) cut_in_recovery();
    if (auto wrong = store_.reopen_and_check(true)) return fmt::format("last life: {}", *wrong);
    if (auto wrong = store_.check_sink()) return wrong;
    if (auto wrong = store_.reopen_and_check(true)) return fmt::format("after a close in order: {}", *wrong);
    return std::nullopt;
  }

 private:
  void cut() {
    if (!files_.is_cut()) files_.cut_now();
    store_.close();
    store_.forget_errors();
    if (random_() % 4 == 0) {
      files_.kill();
    } else {
      files_.power_cut(random_());
    }
  }

  void cut_in_recovery() {
    files_.cut_at(static_cast<int>(1 + random_() % kCallsInRecoveryMax));
    (void)store_.open();
    cut();
  }

  std::optional<std::string> work() {
    files_.cut_at(static_cast<int>(1 + random_() % kCallsInWorkMax));
    for (const Operation& operation : random_operations(random_, random_() % kOperationsMax)) {
      const Result<void> done = store_.apply(operation);
      if (files_.is_cut()) return std::nullopt;
      if (!done) return "an error without a fault: " + done.error().message;
    }
    if (random_() % 4 == 0) store_.close();
    return std::nullopt;
  }

  Random random_;
  FaultFileSystem files_;
  StoreRun store_;
};

}  // namespace

std::optional<std::string> run_power_cuts(uint64_t seed, const Plant& plant) {
  return PowerCuts(seed, plant).run();
}

}  // namespace varve::test
