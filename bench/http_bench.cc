// The whole server under many connections: requests/s and times of /api/v1/query for the last point of one sensor and
// for a panel of an hour, by 1, 64 and 1,000 connections that stay open; a health check meanwhile, and beside 500
// clients that drip; the memory of a connection that waits. One thread makes the load, so the numbers are of a server
// that has one of two cores.
// Usage: bench_http [SECONDS=5]
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/http_load.h"
#include "tests/api/http/raw_client.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::bench {
namespace {

using test::milliseconds;
using test::seconds;

constexpr size_t kSensors = 1000;
constexpr int64_t kBegin = 1'751'360'400;  // s
constexpr int64_t kStep = 60;
constexpr int64_t kSteps = 24 * 60;
constexpr int64_t kPanel = 3600;
constexpr size_t kMostConnections = 4000;
constexpr size_t kDripping = 500;
constexpr milliseconds kWarm{1000};
constexpr int kHealthChecks = 300;
constexpr milliseconds kHealthLoad{3000};  // beside which they are made
// req/s, p50, p99: answers of 200; least/s: those of the connection that got the fewest; CPU: the server's, an answer;
// health: p99 of checks on fresh connections meanwhile, ms.
constexpr const char* kRow =
    "| {:12} | {:>5} | {:>6} | {:>6} | {:>6} | {:>7} | {:>5} | {:>6} | {:>6} | {:>6} | {:>4} | {:>4} |\n";

class Server {
 public:
  Server() {
    const std::string file = (folder_ / "varve.toml").string();
    std::ofstream(file) << "[server]\nlisten = \"127.0.0.1:" << port_
                        << "\"\nconnections_max = 8000\nconnections_per_address = 8000\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n";
    process_ = std::make_unique<test::Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", file});
    if (!test::wait_until([&] { return test::http_get(url() + "/readyz").status == 200; }, seconds(30))) {
      throw std::runtime_error(process_->log_tail());
    }
  }
  uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  double cpu_seconds() const {
    std::ifstream in(fmt::format("/proc/{}/stat", process_->pid()));
    std::string word;
    long user = 0, system = 0;
    for (int i = 0; i < 13; ++i) in >> word;
    in >> user >> system;
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  double figure(const std::string& name) const {  // of /proc/PID/status: KiB, or a count
    std::ifstream in(fmt::format("/proc/{}/status", process_->pid()));
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(name)) return std::strtod(line.c_str() + name.size(), nullptr);
    }
    throw std::runtime_error("no " + name);
  }
  double resident_kib() const { return figure("VmRSS:"); }

 private:
  const test::TempDir folder_;
  const uint16_t port_ = test::free_port();
  std::unique_ptr<test::Process> process_;
};

void load(const Server& server) {
  test::HttpSession session(server.url());
  for (int64_t step = 0; step < kSteps; ++step) {
    std::string lines;
    for (size_t sensor = 0; sensor < kSensors; ++sensor) {
      const int64_t noise = (step * 7919 + static_cast<int64_t>(sensor) * 104'729) % 100;
      lines += fmt::format("water,sensor_id=s{},site=site{} ph=7.{:02},flow={}.5,temp=11.{:02},n={}i {}\n",
                           sensor, sensor % 20, noise, noise, noise, step, kBegin + step * kStep);
    }
    if (session.send("POST", "/write?precision=s", lines).status != 204) throw std::runtime_error("write");
    if (step % 96 == 0) fmt::print(stderr, "\rloading {:3}%", 100 * step / kSteps);
  }
  fmt::print(stderr, "\r{:20}\r", "");
}

struct Question {
  const char* name;
  std::string (*sql)(uint64_t turn);
};

std::string last_point(uint64_t turn) {
  return fmt::format("SELECT last(ph) AS ph FROM water WHERE sensor_id = 's{}'", turn * 7919 % kSensors);
}

std::string utc(int64_t seconds_since_1970) {
  const time_t time = seconds_since_1970;
  tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string panel(uint64_t turn) {
  const int64_t from = kBegin + static_cast<int64_t>(turn * 104'729 % (kSteps - 60)) * kStep;
  return fmt::format(
      "SELECT time_bucket('1m', time) AS t, avg(ph) AS ph FROM water WHERE sensor_id = 's{}' AND time >= "
      "'{}' AND "
      "time < '{}' GROUP BY t ORDER BY t",
      turn * 7919 % kSensors, utc(from), utc(from + kPanel));
}

constexpr Question kQuestions[] = {{"last point", last_point}, {"panel of 1 h", panel}};

// The 99th percentile of checks on fresh connections, ms.
double health_p99(uint16_t port) {
  std::vector<double> times;
  for (int i = 0; i < kHealthChecks; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (test::get(port, "/healthz").status != 200)
      throw std::runtime_error("a health check was not answered");
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() * 99 / 100];
}

void measure(Server& server, const Question& question, size_t connections, int seconds_long) {
  HttpLoad clients(server.port(), connections);
  uint64_t turn = 0;
  const auto next = [&] { return "/api/v1/query?q=" + test::url_encode(question.sql(turn++)); };
  fmt::print(stderr, "\r{}, {} connections ...   ", question.name, connections);
  (void)clients.run(next, kWarm);
  const double cpu = server.cpu_seconds();
  const LoadResult result = clients.run(next, seconds(seconds_long));
  const double used_ms = (server.cpu_seconds() - cpu) * 1000;
  const double threads = server.figure("Threads:");
  auto check = std::async(std::launch::async, [&] { return health_p99(server.port()); });
  (void)clients.run(next, kHealthLoad);
  const double health_ms = check.get();
  fmt::print(stderr, "\r{:50}\r", "");
  fmt::print(kRow, question.name, connections,
             fmt::format("{:.0f}", static_cast<double>(result.answered) / result.seconds),
             fmt::format("{:.2f}", result.percentile(0.5)), fmt::format("{:.1f}", result.percentile(0.99)),
             fmt::format("{:.1f}", static_cast<double>(result.fewest) / result.seconds), result.refused,
             result.failed, fmt::format("{:.3f}", used_ms / static_cast<double>(result.answered)),
             fmt::format("{:.1f}", health_ms), threads, fmt::format("{:.0f}", server.resident_kib() / 1024));
  std::fflush(stdout);
}

void measure_idle(Server& server) {
  const double before = server.resident_kib();
  HttpLoad clients(server.port(), kMostConnections);
  (void)clients.run([] { return std::string("/api/v1/query?q=SELECT+1"); }, milliseconds(1));
  std::this_thread::sleep_for(seconds(12));  // workers that came for the load leave after 10 s
  const double after = server.resident_kib();
  fmt::print("{} idle connections, each after one answer: {:.1f} KiB each (resident {:.1f} -> {:.1f} MiB), ",
             kMostConnections, (after - before) / kMostConnections, before / 1024, after / 1024);
  fmt::print("health p99 {:.2f} ms\n", health_p99(server.port()));
}

void measure_dripping(Server& server) {
  const double before = server.resident_kib();
  std::vector<std::unique_ptr<test::RawClient>> clients;
  for (size_t i = 0; i < kDripping; ++i) {
    clients.push_back(std::make_unique<test::RawClient>(server.port()));
    clients.back()->send("GET /api/v1/query?q=");
  }
  double health = 0;
  {
    const std::jthread drip([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        for (const auto& client : clients) client->send("a");
        std::this_thread::sleep_for(milliseconds(50));
      }
    });
    health = health_p99(server.port());
  }
  fmt::print("{} heads that drip 20 bytes/s: health p99 {:.2f} ms, resident +{:.1f} MiB\n", kDripping, health,
             (server.resident_kib() - before) / 1024);
}

void run(int seconds_long) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Server server;
  load(server);
  fmt::print("health alone: p99 {:.2f} ms; resident {:.1f} MiB\n", health_p99(server.port()),
             server.resident_kib() / 1024);
  measure_idle(server);
  measure_dripping(server);
  fmt::print(kRow, "query", "conn.", "req/s", "p50 ms", "p99 ms", "least/s", "503", "failed", "CPU ms",
             "health", "thr.", "MiB");
  for (const Question& question : kQuestions) {
    for (const size_t connections : {1, 64, 1000}) measure(server, question, connections, seconds_long);
  }
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  try {
    varve::bench::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 5);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_http: {}\n", error.what());
    return 1;
  }
}
