// Random work without faults against the model; a failing list is made short before it is shown.
#include <gtest/gtest.h>

#include <cstdio>

#include "storage/base/log.h"
#include "tests/storage/fault/store_run.h"

namespace varve::test {
namespace {

constexpr uint64_t kRuns = 150;
constexpr size_t kOperations = 40;

// What the list does wrong; nothing = the store equals the model after every operation that ends a run of writes.
std::optional<std::string> run_list(uint64_t seed, const std::vector<Operation>& operations) {
  Random random(seed);
  FaultFileSystem files;
  StoreRun store(files, random_settings(random));
  if (const auto opened = store.open(); !opened) return opened.error().message;
  for (const Operation& operation : operations) {
    if (const auto done = store.apply(operation); !done) return done.error().message;
    if (operation.kind == Operation::Kind::kWrite) continue;
    if (auto wrong = store.check(true)) return wrong;
  }
  if (auto wrong = store.check(true)) return "at the end: " + *wrong;
  if (auto wrong = store.check_sink()) return wrong;
  return store.reopen_and_check(true);
}

// Shorter lists that still fail: the shortest beginning first, then without one operation or record after the other.
std::vector<Operation> shrink(uint64_t seed, std::vector<Operation> operations) {
  while (operations.size() > 1) {
    auto shorter = operations;
    shorter.pop_back();
    if (!run_list(seed, shorter)) break;
    operations = std::move(shorter);
  }
  for (size_t i = operations.size(); i-- > 0;) {
    auto shorter = operations;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
    if (run_list(seed, shorter)) {
      operations = std::move(shorter);
      continue;
    }
    for (size_t r = operations[i].records.size(); r-- > 0;) {
      auto fewer = operations;
      fewer[i].records.erase(fewer[i].records.begin() + static_cast<std::ptrdiff_t>(r));
      if (run_list(seed, fewer)) operations = std::move(fewer);
    }
  }
  return operations;
}

TEST(StoreModel, RandomWorkEqualsTheModelThroughFlushesMergesAndRestarts) {
  const auto replay = seed_to_replay();
  const uint64_t first = replay.value_or(1'000'000);
  const uint64_t count = replay ? 1 : grown(kRuns) / kSweepStep;
  std::printf("seeds %llu to %llu; VARVE_SEED=n replays one\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1));
  set_log_level(LogLevel::kOff);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    const auto operations = random_operations(random, 1 + random() % kOperations);
    const auto wrong = run_list(seed, operations);
    if (!wrong) continue;
    const auto shortest = shrink(seed, operations);
    ADD_FAILURE() << "seed " << seed << ": " << *wrong << "\nshortest list that fails ("
                  << run_list(seed, shortest).value_or("it does not any more") << "):\n"
                  << describe(shortest);
    break;
  }
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace varve::test
