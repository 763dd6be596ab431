// How fast a mirror drains into a real influxd, beside a plain loader that sends the same lines, ready and cut into
// the same requests: one connection, gzip, one request at a time. They take turns, each with its own server and an
// empty database, so that both see the same machine.
//   bench_mirror [HOSTS=100] [STEPS=2000] [TURNS=3]    rows = HOSTS * STEPS, 10 doubles each (TSBS cpu-only)
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "ingest/mirror/influx_client.h"
#include "ingest/mirror/line_packer.h"
#include "ingest/mirror/lines.h"
#include "ingest/mirror/mirror.h"
#include "storage/base/clock.h"
#include "tests/support/influxd_server.h"
#include "tests/support/temp_dir.h"

namespace varve::bench {
namespace {

constexpr int64_t kStartNs = 1'735'689'600 * kNsPerSecond;  // 2025-01-01
constexpr size_t kBatchLines = 5000;

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "bench_mirror: {}\n", what);
  std::exit(1);
}

RowBatch rows_of_step(int hosts, int step) {
  RowBatchBuilder builder("varve", "cpu");
  for (int host = 0; host < hosts; ++host) {
    builder.begin_row();
    builder.tag("hostname", fmt::format("host_{}", host));
    builder.tag("region", fmt::format("region_{}", host % 9));
    for (int field = 0; field < 10; ++field) {
      builder.field_double(fmt::format("usage_{}", field),
                           static_cast<double>((host * 31 + step * 7 + field) % 10000) / 100);
    }
    builder.end_row(kStartNs + step * 10 * kNsPerSecond);
  }
  return builder.finish();
}

double seconds_since(int64_t began_ns) {
  return static_cast<double>(real_clock().monotonic_ns() - began_ns) / kNsPerSecond;
}

double load(const MirrorChunk& chunk) {
  test::InfluxdServer influxd;
  influxd.start();
  auto client = InfluxClient::open({influxd.url(), {}, {}, 60 * kNsPerSecond}, [] { return false; });
  if (!client || !(*client)->create_database(1, "varve").ok()) fail("cannot create the database");
  const LineList& list = chunk.databases.at(0);
  LinePacker packer;
  const int64_t began_ns = real_clock().monotonic_ns();
  for (size_t first = 0; first < list.size(); first += kBatchLines) {
    const auto answer = (*client)->write(
        1, "varve", packer.pack(list.range(first, std::min(first + kBatchLines, list.size()))));
    if (!answer.ok()) fail(fmt::format("the loader got {} {}", answer.status, answer.text));
  }
  return seconds_since(began_ns);
}

double drain(Engine& engine, MetricsRegistry& metrics, int turn) {
  test::InfluxdServer influxd;
  influxd.start();
  MirrorOptions options;
  options.name = fmt::format("mirror.{}", turn);
  options.url = influxd.url();
  options.batch_lines = kBatchLines;
  const int64_t began_ns = real_clock().monotonic_ns();
  auto mirror = Mirror::start(options, engine, metrics);
  if (!mirror) fail(mirror.error().message);
  while ((*mirror)->status().backlog_records > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return seconds_since(began_ns);
}

void run(int hosts, int steps, int turns) {
  test::TempDir folder;
  MetricsRegistry metrics;
  EngineOptions options;
  options.data_directory = (folder / "data").string();
  options.metrics = &metrics;
  auto engine = Engine::open(options);
  if (!engine) fail(engine.error().message);
  // Holds the log for the mirrors to come.
  const auto holder = (*engine)->open_cursor("bench");
  MirrorChunk chunk;
  const LineRules rules{{"*"}, "varve", true};
  for (int step = 0; step < steps; ++step) {
    std::vector<RowBatch> batches;
    batches.push_back(rows_of_step(hosts, step));
    add_batch(batches[0], 0, rules, chunk);
    if (!(*engine)->append_and_wait((*engine)->admit(std::move(batches)))) fail("cannot append");
  }
  const double rows = static_cast<double>(chunk.lines);
  for (int turn = 0; turn < turns; ++turn) {
    const double loader = load(chunk);
    const double mirror = drain(**engine, metrics, turn);
    fmt::print("turn {}: loader {:.0f} rows/s, mirror {:.0f} rows/s, ratio {:.2f}\n", turn, rows / loader,
               rows / mirror, loader / mirror);
  }
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  const auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
  varve::bench::run(number(1, 100), number(2, 2000), number(3, 3));
}
