#include "tests/crash/kill_loop.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>
#include <utility>

#include "tests/support/process.h"

namespace varve::test {
namespace {

constexpr int kCyclesPerLife = 12;
constexpr int64_t kRunMs = 800;          // a driver that nothing kills writes so long, then closes
constexpr auto kEndLimit = seconds(60);  // a driver that runs longer hangs
constexpr int kKilledBySignal = 128 + SIGKILL;

std::string tell(const Process& driver, int code) {
  return fmt::format("exit code {}\n{}", code, driver.log_tail());
}

// Kept for a look: the folder itself goes with its StoreLife.
std::string keep_copy(const StoreLife& life) {
  const auto to = std::filesystem::temp_directory_path() / fmt::format("varve-crash-{}", life.seed());
  std::error_code failed;
  std::filesystem::remove_all(to, failed);
  std::filesystem::copy(life.folder(), to, std::filesystem::copy_options::recursive, failed);
  return failed ? "no copy: " + failed.message() : "a copy is in " + to.string();
}

void wait_before_kill(Process& driver, const Kill& kill) {
  if (!kill.from_start) {
    wait_until([&] { return !driver.running() || driver.out().starts_with("ready"); }, kEndLimit);
  }
  std::this_thread::sleep_for(milliseconds(kill.after_ms));
}

}  // namespace

CycleResult StoreLife::cycle(const Kill& kill) {
  std::vector<std::string> argv = {VARVE_CRASH_DRIVER, "write", folder(), std::to_string(seed_),
                                   std::to_string(kRunMs)};
  if (!kill.how.empty()) argv.push_back(kill.how);
  Process::Options options;
  if (!kill.point.empty()) options.environment["VARVE_KILL"] = fmt::format("{}:{}", kill.point, kill.pass);
  Process driver(argv, options);
  CycleResult result;
  std::optional<int> code;
  if (kill.point.empty()) {
    wait_before_kill(driver, kill);
    code = driver.kill();
  } else {
    code = driver.wait(kEndLimit);
    if (!code) {
      driver.kill();
      result.wrong = "the driver hangs\n" + tell(driver, -1);
      return result;
    }
  }
  const std::string out = driver.out();
  result.killed = *code == kKilledBySignal;
  result.ready = out.starts_with("ready ");
  if (result.ready) std::istringstream(out.substr(6)) >> result.opened_ms;
  if (!result.killed && *code != 0) result.wrong = tell(driver, *code);
  return result;
}

std::string StoreLife::finish() {
  Process driver({VARVE_CRASH_DRIVER, "check", folder(), std::to_string(seed_)});
  const auto code = driver.wait(kEndLimit);
  if (code && *code == 0) return {};
  return tell(driver, code.value_or(-1));
}

KillCounts kill_at_random(uint64_t seed, int64_t kills,
                          const std::function<void(const KillCounts&)>& progress) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random);
  };
  const std::vector<std::string> points = kill_points_in_code();
  KillCounts counts;
  while (counts.kills < kills && counts.wrong.empty()) {
    StoreLife life(random());
    int64_t unjudged = 0;
    for (int number = 0; number < kCyclesPerLife && counts.kills < kills; ++number) {
      Kill kill;
      const int64_t way = pick(0, 9);
      if (way == 0) {
        kill.from_start = true;
        kill.after_ms = pick(0, 60);
      } else if (way <= 2) {
        kill.point = points[static_cast<size_t>(pick(0, static_cast<int64_t>(points.size()) - 1))];
        kill.pass = pick(1, 30);
      } else {
        kill.after_ms = pick(20, 300);
      }
      if (pick(0, 9) == 0) kill.how = "tight";
      const CycleResult result = life.cycle(kill);
      if (result.ready) counts.judged += std::exchange(unjudged, 0);
      counts.opened_ms_max = std::max(counts.opened_ms_max, result.opened_ms);
      counts.wrong = result.wrong;
      if (!counts.wrong.empty()) break;
      result.killed ? ++counts.kills : ++counts.clean_ends;
      if (result.killed) ++unjudged;
      if (result.killed && !kill.point.empty()) ++counts.at_points;
    }
    if (counts.wrong.empty()) {
      counts.wrong = life.finish();
      counts.judged += unjudged;
    }
    if (!counts.wrong.empty()) {
      counts.wrong = fmt::format("seed {}, life {}, after {} kills: {}\n{}", seed, life.seed(), counts.kills,
                                 keep_copy(life), counts.wrong);
    }
    progress(counts);
  }
  return counts;
}

std::vector<std::string> kill_points_in_code() {
  static const std::regex kCall("kill_point\\(\"([^\"]*)\"\\)");
  std::vector<std::string> names;
  for (const char* const tree : {"storage", "ingest", "api"}) {
    const auto root = std::filesystem::path(VARVE_SOURCE_DIR) / tree;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".cc") continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        std::smatch call;
        if (std::regex_search(line, call, kCall)) names.push_back(call[1]);
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace varve::test
