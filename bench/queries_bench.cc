// varve beside its peers, over HTTP, on the same rows in the same minutes: loads two data sets into each system, asks
// each the same questions, holds the answers against varve's, and prints medians; then the same mix by many clients.
//   bench_queries [--quick] [--peers a,b] [--runs N] [--out PREFIX] [--packages DIR] [--influxd FILE] [--python FILE]
// Writes PREFIX.json and PREFIX.svg. All systems stay up all along; one is asked at a time, run by run in turns.
// Progress goes to stderr.
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

#include "bench/peers/peer.h"
#include "bench/peers/report.h"
#include "storage/base/clock.h"

namespace varve::bench {
namespace {

struct Options {
  bool quick = false;
  std::vector<std::string> peers = peer_names();
  int runs = 30;
  int cpu_days = 3;
  int water_days = 2;
  double seconds_per_step = 10;   // of the concurrency runs
  double seconds_per_query = 20;  // then a slow system has been asked often enough
  std::string out = "bench_queries";
  Programs programs;
};

constexpr int kWarmUps = 2;
constexpr int kComparedRuns = 3;
constexpr int kClientSteps[] = {1, 8, 64};
constexpr int kChunkHours = 6;  // bodies made at once: some 80 MB of text
constexpr int kSettleSecondsMax = 180;
constexpr double kIdleCpuSeconds = 0.15;  // of all servers, in a second
constexpr int kStillSeconds = 12;         // files that have not changed for so long are settled

[[noreturn]] void fail(const std::string& message) {
  fmt::print(stderr, "bench_queries: {}\n", message);
  std::exit(1);
}

void progress(const std::string& text) {
  fmt::print(stderr, "{}\n", text);
}

double now_ms() {
  return static_cast<double>(real_clock().monotonic_ns()) / kNsPerMs;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) parts.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

Options parse(int argc, char** argv) {
  Options options;
  options.programs.varve = VARVE_BINARY;
  options.programs.duckdb_server = VARVE_SOURCE_DIR "/bench/peers/duckdb_server.py";
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--quick") {
      options.quick = true;
      options.runs = 7;
      options.cpu_days = options.water_days = 1;
      options.seconds_per_step = 3;
      options.seconds_per_query = 4;
      continue;
    }
    if (i + 1 == argc) fail("usage: bench_queries [--quick] [--peers a,b] [--runs N] [--out PREFIX]");
    const std::string value = argv[++i];
    if (name == "--peers") {
      options.peers = split(value);
    } else if (name == "--runs") {
      options.runs = std::stoi(value);
    } else if (name == "--out") {
      options.out = value;
    } else if (name == "--packages") {
      options.programs.packages = value;
    } else if (name == "--influxd") {
      options.programs.influxd = value;
    } else if (name == "--python") {
      options.programs.python = value;
    } else {
      fail("no such option: " + name);
    }
  }
  if (options.peers.empty() || options.peers[0] != "varve")
    options.peers.insert(options.peers.begin(), "varve");
  return options;
}

// What one request took: by the answer's own word where the system runs in process.
double elapsed_ms(const Peer& peer, const test::HttpAnswer& answer, double measured_ms) {
  return peer.over_http() ? measured_ms : std::stod(answer.header("X-Ms"));
}

// Seconds to send all bodies over a few connections.
double send_all(const Peer& peer, Set set, std::vector<std::string> bodies) {
  std::vector<Request> requests;
  for (std::string& body : bodies) requests.push_back(peer.insert(set, std::move(body)));
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::string problem;
  double inner_ms = 0;
  const double begin = now_ms();
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < peer.ingest_style().connections; ++i) {
      writers.emplace_back([&] {
        test::HttpSession session(peer.url());
        for (size_t at = next++; at < requests.size(); at = next++) {
          const Request& request = requests[at];
          const double sent = now_ms();
          const auto answer = session.send(request.method, request.path, request.body, request.content_type);
          const std::lock_guard lock(mutex);
          if (answer.status < 200 || answer.status > 299) {
            problem = fmt::format("{} answered {} to a write: {}", peer.name(), answer.status,
                                  answer.body.substr(0, 300));
            next = requests.size();
            return;
          }
          inner_ms += elapsed_ms(peer, answer, now_ms() - sent);
        }
      });
    }
  }
  if (!problem.empty()) fail(problem);
  return (peer.over_http() ? now_ms() - begin : inner_ms) / 1000;
}

// Until every row can be seen and the files stand still.
void settle(Peer& peer, Set set, uint64_t rows) {
  const double begin = now_ms();
  uint64_t counted = 0;
  while ((counted = peer.count(set)) < rows && now_ms() - begin < 60'000) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (counted != rows) fail(fmt::format("{} has {} of {} rows", peer.name(), counted, rows));
  peer.settle();
  uint64_t bytes = peer.disk_bytes();
  for (int still = 0, waited = 0; still < kStillSeconds && waited < kSettleSecondsMax; ++waited) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const uint64_t now = peer.disk_bytes();
    still = now == bytes ? still + 1 : 0;
    bytes = now;
  }
}

void load(Peer& peer, const Options& options, PeerResult& result) {
  uint64_t bytes_before = peer.disk_bytes();
  for (const Set set : {Set::kCpu, Set::kWater}) {
    IngestResult& one = result.ingest[table_name(set)];
    const double cpu_before = peer.cpu_seconds();
    RowSource source(set, peer.ingest_style().encoding, peer.ingest_style().rows_per_body);
    const int hours = 24 * (set == Set::kCpu ? options.cpu_days : options.water_days);
    for (int done = 0; done < hours; done += kChunkHours) {
      one.seconds += send_all(peer, set, source.next_hours(kChunkHours));
      progress(fmt::format("{}: {} {} of {} h", peer.name(), table_name(set), done + kChunkHours, hours));
    }
    one.rows = source.rows();
    result.peak_ingest_mib = peer.memory_mib("VmHWM");
    settle(peer, set, one.rows);
    one.cpu_seconds = peer.cpu_seconds() - cpu_before;
    const uint64_t bytes_now = peer.disk_bytes();
    one.disk_bytes = bytes_now - std::min(bytes_now, bytes_before);
    bytes_before = bytes_now;
  }
  result.loaded_mib = peer.memory_mib("VmRSS");
}

using Peers = std::vector<std::unique_ptr<Peer>>;

void ask_in_turns(const Peers& peers, const QueryType& type, const Options& options,
                  std::vector<PeerResult>& results) {
  std::vector<std::unique_ptr<test::HttpSession>> sessions;
  for (const auto& peer : peers) sessions.push_back(std::make_unique<test::HttpSession>(peer->url()));
  std::vector<double> spent(peers.size());
  for (int run = -kWarmUps; run < options.runs; ++run) {
    const QueryArguments arguments =
        arguments_of(type, std::max(run, 0), options.cpu_days, options.water_days);
    Answer reference;
    for (size_t i = 0; i < peers.size(); ++i) {
      const Peer& peer = *peers[i];
      const auto request = peer.question(type, arguments);
      const bool enough = run >= kComparedRuns && spent[i] > options.seconds_per_query * 1000;
      if (!request || enough) continue;
      const double begin = now_ms();
      const auto answer =
          sessions[i]->send(request->method, request->path, request->body, request->content_type);
      const double measured = now_ms() - begin;
      if (answer.status != 200) {
        results[i].differing[type.name] = fmt::format("{}: {}", answer.status, answer.body.substr(0, 200));
        continue;
      }
      spent[i] += measured;
      if (run < 0) continue;
      results[i].queries[type.name].ms.push_back(elapsed_ms(peer, answer, measured));
      if (run >= kComparedRuns) continue;
      Answer parsed = peer.parse(type, answer.body);
      if (i == 0) {
        reference = std::move(parsed);
        continue;
      }
      const std::string apart = difference(reference, std::move(parsed), !peer.has_row_times(type));
      if (!apart.empty()) results[i].differing[type.name] = apart;
    }
  }
}

// Query types that every server over HTTP can be asked.
std::vector<const QueryType*> common_types(const Peers& peers, const Options& options) {
  std::vector<const QueryType*> types;
  for (const QueryType& type : query_types()) {
    const QueryArguments arguments = arguments_of(type, 0, options.cpu_days, options.water_days);
    const bool common = std::all_of(peers.begin(), peers.end(), [&](const auto& peer) {
      return !peer->over_http() || peer->question(type, arguments).has_value();
    });
    if (common) types.push_back(&type);
  }
  return types;
}

ConcurrencyResult ask_at_once(const Peer& peer, int clients, const std::vector<const QueryType*>& types,
                              const Options& options) {
  std::mutex mutex;
  Latencies all;
  std::atomic<uint64_t> failed{0};
  const double begin = now_ms();
  const double end = begin + options.seconds_per_step * 1000;
  {
    std::vector<std::jthread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&, client] {
        test::HttpSession session(peer.url());
        std::vector<double> own;
        for (int i = client; now_ms() < end; ++i) {
          const QueryType& type = *types[static_cast<size_t>(i) % types.size()];
          const auto request = peer.question(
              type, arguments_of(type, 1000 + i * 7 + client, options.cpu_days, options.water_days));
          const double sent = now_ms();
          const auto answer =
              session.send(request->method, request->path, request->body, request->content_type);
          if (answer.status == 200) {
            own.push_back(now_ms() - sent);
          } else {
            ++failed;
          }
        }
        const std::lock_guard lock(mutex);
        all.ms.insert(all.ms.end(), own.begin(), own.end());
      });
    }
  }
  const double seconds = (now_ms() - begin) / 1000;
  return {clients, static_cast<double>(all.ms.size()) / seconds, all.quantile(0.99), failed};
}

// What the last one loaded still merges would slow the first questions to all.
void rest(const Peers& peers) {
  const auto spent = [&] {
    double seconds = 0;
    for (const auto& peer : peers) seconds += peer->cpu_seconds();
    return seconds;
  };
  progress("waiting until all are idle");
  double before = spent();
  for (int still = 0, waited = 0; still < kStillSeconds && waited < kSettleSecondsMax; ++waited) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const double now = spent();
    still = now - before < kIdleCpuSeconds ? still + 1 : 0;
    before = now;
  }
}

Peers start_peers(const Options& options, std::vector<PeerResult>& results) {
  Peers peers;
  for (const std::string& name : options.peers) {
    auto peer = make_peer(name, options.programs);
    if (!peer) {
      progress(name + " is not installed: left out");
      continue;
    }
    peer->start();
    results.push_back({peer->name(), peer->note(), {}, 0, 0, 0, {}, {}, {}});
    peers.push_back(std::move(peer));
  }
  return peers;
}

int run(const Options& options) {
  std::vector<PeerResult> results;
  const Peers peers = start_peers(options, results);
  for (size_t i = 0; i < peers.size(); ++i) load(*peers[i], options, results[i]);
  rest(peers);
  for (const QueryType& type : query_types()) {
    progress(type.name);
    ask_in_turns(peers, type, options, results);
  }
  const auto types = common_types(peers, options);
  for (size_t i = 0; i < peers.size(); ++i) {
    for (const int clients : kClientSteps) {
      if (!peers[i]->over_http()) continue;
      progress(fmt::format("{}: {} clients", peers[i]->name(), clients));
      results[i].concurrency.push_back(ask_at_once(*peers[i], clients, types, options));
    }
    results[i].after_queries_mib = peers[i]->memory_mib("VmRSS");
  }
  for (const auto& peer : peers) peer->stop();
  fmt::print("{}", report_table(results));
  fmt::print("the mix of the last part: {} of the {} query types, those every server can be asked\n",
             types.size(), query_types().size());
  std::ofstream(options.out + ".json") << report_json(results);
  std::ofstream(options.out + ".svg") << report_svg(results);
  const bool all_agree = std::all_of(results.begin(), results.end(),
                                     [](const PeerResult& result) { return result.differing.empty(); });
  return all_agree ? 0 : 1;
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  try {
    return varve::bench::run(varve::bench::parse(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "bench_queries: " << error.what() << '\n';
    return 1;
  }
}
