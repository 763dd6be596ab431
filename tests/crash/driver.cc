// The process that the kill tests kill.
//   crash_driver write FOLDER SEED MILLISECONDS [HOW]     open, check, say "ready", write, close
//   crash_driver check FOLDER SEED                        open, check, read the sink's cursor to the end, check the
//                                                         last backup that was made meanwhile
// FOLDER has the store in data/ and the ledgers in ledger/. Exit code 0; kWrong when the store is not what the ledgers
// say (the problems are on stdout); kFailed when the store refused to open or to work.
// HOW is "tight": memory for a few steps only, so that a replay has to flush; or a bug on purpose, to prove that the
// checker sees it: see Plant.
// Threads: one a writer, one for the sink, one that flushes and merges and one that makes backups at random; done callbacks run on the engine's.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "storage/backup/backup.h"
#include "tests/crash/checker.h"
#include "tests/crash/ledger.h"

namespace varve::test {
namespace {

constexpr int kWrong = 10;
constexpr int kFailed = 11;
constexpr uint64_t kTightBytes = 8 << 10;
constexpr uint64_t kStepsPerCut = 25;
constexpr uint64_t kCutRowsMax = 2000;  // back from the newest

// Bugs of a system under test, one per run.
struct Plant {
  bool acknowledges_early = false;  // before the store says so
  bool loses_a_row = false;         // of each step, one is not handed to the store
  bool writes_a_row_twice = false;  // the second time under another time
  bool changes_a_value = false;
  bool saves_before_delivery = false;  // the sink's cursor
  bool invents_steps = false;          // they are not in the ledger
};

Plant plant_named(const std::string& name) {
  Plant plant;
  const std::map<std::string, bool*> plants = {
      {"acknowledges_early", &plant.acknowledges_early},       {"loses_a_row", &plant.loses_a_row},
      {"writes_a_row_twice", &plant.writes_a_row_twice},       {"changes_a_value", &plant.changes_a_value},
      {"saves_before_delivery", &plant.saves_before_delivery}, {"invents_steps", &plant.invents_steps}};
  const auto found = plants.find(name);
  if (found == plants.end()) {
    fmt::print(stderr, "crash_driver: no such HOW: {}\n", name);
    std::exit(kFailed);
  }
  *found->second = true;
  return plant;
}

void say(const std::string& text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

[[noreturn]] void give_up(const Error& error) {
  say("FAILED " + error.message);
  std::_Exit(kFailed);
}

int report(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) say("WRONG " + problem);
  return problems.empty() ? 0 : kWrong;
}

void apply_plant(const Plant& plant, std::vector<RowBatch>& batches) {
  RowBatch& rows = batches.front();
  if (plant.loses_a_row) {
    std::vector<uint8_t> keep(rows.rows(), 1);
    keep.back() = 0;
    rows.filter(keep);
  }
  if (plant.writes_a_row_twice) {
    RowBatch again = rows;
    for (int64_t& time : again.times) ++time;
    batches.push_back(std::move(again));
  }
  if (plant.changes_a_value) rows.fields[1].data.doubles[0] += 1;
}

struct BackupPaths {
  explicit BackupPaths(const std::string& folder)
      : store(folder + "/backup"),
        ledger(folder + "/backup-ledger"),
        new_ledger(folder + "/backup-ledger.new") {}
  std::string store, ledger, new_ledger;
};

std::string read_lines(const std::string& path, std::string_view kinds) {
  std::ifstream in(path);
  std::string lines;
  for (std::string line; std::getline(in, line);) {
    if (kinds.find(line[0]) != std::string_view::npos) lines += line + "\n";
  }
  return lines;
}

// The backup has what was acknowledged before it was asked for, and nothing that has not been sent by now.
std::vector<std::string> check_backup(const std::string& folder, Plan plan) {
  const BackupPaths paths(folder);
  if (!std::filesystem::exists(paths.ledger)) return {};
  const std::string both = folder + "/backup-ledger.both";
  std::filesystem::create_directories(both);
  for (int writer = 0; writer < plan.writers; ++writer) {
    std::ofstream(writer_ledger_path(both, writer))
        << read_lines(writer_ledger_path(folder + "/ledger", writer), "sx")
        << read_lines(writer_ledger_path(paths.ledger, writer), "ay");
  }
  MetricsRegistry metrics;
  plan.engine.data_directory = paths.store;
  plan.engine.metrics = &metrics;
  auto engine = Engine::open(plan.engine);
  if (!engine) return {"backup: " + engine.error().message};
  std::vector<std::string> problems = check_store(**engine, plan, both).problems;
  for (std::string& problem : problems) problem = "backup: " + problem;
  return problems;
}

class Driver {
 public:
  Driver(Engine& engine, const Plan& plan, std::string folder, Plant plant)
      : engine_(engine),
        plan_(plan),
        folder_(std::move(folder)),
        ledger_folder_(folder_ + "/ledger"),
        plant_(plant) {}

  void run(const std::vector<int64_t>& positions, std::chrono::milliseconds time) {
    std::vector<std::thread> threads;
    for (int writer = 0; writer < plan_.writers; ++writer) {
      threads.emplace_back([&, writer] { write(writer, positions[static_cast<size_t>(writer)]); });
    }
    threads.emplace_back([&] { read_sink(); });
    threads.emplace_back([&] { flush_at_random(); });
    threads.emplace_back([&] { back_up_at_random(); });
    std::this_thread::sleep_for(time);
    stopping_ = true;
    for (std::thread& thread : threads) thread.join();
  }

 private:
  // Keeps up to `window` steps under way; returns when all are answered.
  void write(int writer, int64_t step) {
    LedgerFile ledger(writer_ledger_path(ledger_folder_, writer));
    std::mutex mutex;
    std::condition_variable answered;
    int under_way = 0;
    std::mt19937_64 random(std::random_device{}());
    for (; !stopping_; ++step) {
      if (random() % kStepsPerCut == 0 && step > 0) {
        {
          std::unique_lock lock(mutex);
          answered.wait(lock, [&] { return under_way == 0; });
        }
        cut(writer, step, random, ledger);
      }
      {
        std::unique_lock lock(mutex);
        answered.wait(lock, [&] { return under_way < plan_.window; });
        ++under_way;
      }
      if (!plant_.invents_steps) ledger.sent(step);
      if (plant_.acknowledges_early) ledger.acknowledged(step);
      send(writer, step, [&, step](const Result<Lsn>& outcome) {
        if (!outcome) give_up(outcome.error());
        if (!plant_.acknowledges_early && !plant_.invents_steps) ledger.acknowledged(step);
        const std::lock_guard lock(mutex);
        --under_way;
        answered.notify_one();
      });
    }
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return under_way == 0; });
  }

  // Deletes some of the writer's last rows; all of them are answered.
  void cut(int writer, int64_t step, std::mt19937_64& random, LedgerFile& ledger) {
    const int64_t rows = step * kCutRowsPerStep;
    Cut cut;
    cut.from = std::max<int64_t>(0, rows - 1 - static_cast<int64_t>(random() % kCutRowsMax));
    cut.to = cut.from + 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(rows - cut.from));
    cut.sensor = static_cast<int64_t>(random() % (kCutSensors + 1)) - 1;
    DeleteRequest request;
    request.database = kDefaultDatabase;
    request.table = cut_table(writer);
    request.time = {cut_row(plan_, writer, cut.from).time, cut_row(plan_, writer, cut.to - 1).time};
    if (cut.sensor >= 0) {
      request.series_filter = [name =
                                   fmt::format("s{}", cut.sensor)](const SeriesTags& tags) -> Result<bool> {
        return tags.value("sensor") == name;
      };
    }
    ledger.cut_sent(cut);
    const auto done = engine_.erase(std::move(request));
    if (!done && done.error().code != ErrorCode::kUnavailable) give_up(done.error());
    if (done) ledger.cut_done(cut);  // else too many deletes wait for a merge
  }

  void send(int writer, int64_t step, Engine::AppendDone done) {
    std::vector<RowBatch> batches = step_batches(plan_, writer, step);
    apply_plant(plant_, batches);
    AdmittedWrite write = engine_.admit(std::move(batches));
    if (!write.rejected().empty()) give_up(invalid_argument("rejected: " + write.rejected().front().detail));
    write.positions.push_back({writer_name(writer), 0, step + 1});
    while (true) {
      const auto taken = engine_.append(std::move(write), done);
      if (taken) return;
      if (taken.error().code != ErrorCode::kUnavailable || !engine_.status().read_only_reason.empty()) {
        give_up(taken.error());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the memtables are full
    }
  }

  void read_sink() {
    constexpr int kRecordsPerSave = 16;
    LedgerFile ledger(sink_ledger_path(ledger_folder_));
    auto cursor = engine_.open_cursor(kSinkName);
    if (!cursor) give_up(cursor.error());
    LogRecord record;
    for (int records = 1; !stopping_; ++records) {
      const auto more = (*cursor)->next(record, 10 * kNsPerMs);
      if (!more) give_up(more.error());
      if (!*more || record.batches.empty()) continue;  // nothing came, or a delete
      const bool save = records % kRecordsPerSave == 0;
      const auto [writer, step] = step_of(plan_, record);
      if (!plant_.saves_before_delivery) ledger.delivered(writer, step);
      if (save) {
        if (const auto saved = (*cursor)->save(record.lsn); !saved) give_up(saved.error());
        ledger.saved(record.lsn);
      }
      if (plant_.saves_before_delivery) ledger.delivered(writer, step);
    }
  }

  // Flushes and log removal beside the ones the sizes of the plan bring.
  void flush_at_random() {
    std::mt19937_64 random(std::random_device{}());
    while (!stopping_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
      if (const auto flushed = engine_.flush(); !flushed) give_up(flushed.error());
      if (random() % 4 != 0) continue;
      if (const auto compacted = engine_.compact(); !compacted) give_up(compacted.error());
    }
  }

  // A backup counts once the ledgers of the moment before it are beside it.
  void back_up_at_random() {
    std::mt19937_64 random(std::random_device{}());
    while (!stopping_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
      const BackupPaths paths(folder_);
      for (const std::string& old : {paths.ledger, paths.new_ledger, paths.store, paths.store + ".partial"}) {
        std::filesystem::remove_all(old);
      }
      std::filesystem::copy(folder_ + "/ledger", paths.new_ledger);
      BackupOptions options;
      options.data_directory = folder_ + "/data";
      options.to = paths.store;
      if (const auto made = back_up(options); !made) give_up(made.error());
      std::filesystem::rename(paths.new_ledger, paths.ledger);
    }
  }

  Engine& engine_;
  const Plan& plan_;
  const std::string folder_;
  const std::string ledger_folder_;
  const Plant plant_;
  std::atomic<bool> stopping_{false};
};

int run_driver(const std::vector<std::string>& arguments) {
  const bool writing = arguments.size() >= 4 && arguments[0] == "write";
  if (!writing && !(arguments.size() == 3 && arguments[0] == "check")) {
    fmt::print(stderr, "usage: crash_driver write FOLDER SEED MILLISECONDS [HOW] | check FOLDER SEED\n");
    return 2;
  }
  const std::string& folder = arguments[1];
  const std::string ledger_folder = folder + "/ledger";
  std::filesystem::create_directories(ledger_folder);
  const Plan plan = make_plan(std::strtoull(arguments[2].c_str(), nullptr, 10), folder + "/data");
  const std::string how = arguments.size() > 4 ? arguments[4] : "";
  const Plant plant = how.empty() || how == "tight" ? Plant{} : plant_named(how);
  MetricsRegistry metrics;
  EngineOptions options = plan.engine;
  options.metrics = &metrics;
  if (how == "tight") options.memtable_bytes_max = kTightBytes;
  const int64_t began = real_clock().monotonic_ns();
  auto engine = Engine::open(std::move(options));
  if (!engine) give_up(engine.error());
  const int64_t opened = real_clock().monotonic_ns();
  const StoreCheck check = check_store(**engine, plan, ledger_folder);
  if (!check.problems.empty()) return report(check.problems);
  if (!writing) {
    auto cursor = (*engine)->open_cursor(kSinkName);
    if (!cursor) give_up(cursor.error());
    std::vector<std::string> problems = check_sink(**engine, **cursor, plan, ledger_folder);
    for (std::string& problem : check_backup(folder, plan)) problems.push_back(std::move(problem));
    return report(problems);
  }
  say(fmt::format("ready {} {}", (opened - began) / kNsPerMs, check.rows));
  Driver driver(**engine, plan, folder, plant);
  driver.run(check.positions, std::chrono::milliseconds(std::strtoll(arguments[3].c_str(), nullptr, 10)));
  (*engine)->close();
  return 0;
}

}  // namespace
}  // namespace varve::test

int main(int argc, char** argv) {
  return varve::test::run_driver(std::vector<std::string>(argv + 1, argv + argc));
}
