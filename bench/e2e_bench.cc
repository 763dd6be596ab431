// The whole server, measured from outside: a spawned varve, its HTTP API, its CPU and memory in /proc.
//   kafka     JSON messages already in the broker until every one is durable and counted by SQL; the same with
//             `where` and `set`
//   latency   from handing a message to the producer until SQL shows it, while others come at kLoadRate
//   lines     POST /write by kWriters connections, each body durable before its 204
// bench_e2e [--part NAME] [--brokers HOST:PORT | kafka] [--messages N]: without brokers, the embedded broker stands in
// (it shares the two cores with varve and keeps only 5 MiB a partition, hence the many partitions); "kafka" starts the
// Kafka of the tests, on the same cores.
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "bench/peers/rows.h"
#include "bench/store_rows.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "ingest/replay/produce.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"
#include "tests/support/http_client.h"
#include "tests/support/kafka_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;
using test::free_port;
using test::http_get;
using test::http_post;
using test::Process;
using test::TempDir;
using test::wait_until;

constexpr int kPartitions = 32;          // of the embedded broker's topic
constexpr uint64_t kMessages = 500'000;  // about what the embedded broker holds of 190-byte readings
constexpr uint32_t kWaterSensors = 1000;
constexpr int kWriters = 4;           // two cannot fill two cores: each waits for the disk between its bodies
constexpr int kRowsPerBody = 5000;    // as Telegraf and InfluxDB's clients advise
constexpr int kHours = 72;            // of 100 hosts: 2.6 M rows
constexpr int kHoursAtOnce = 12;      // bodies made at once: some 160 MB of text
constexpr double kLoadRate = 50'000;  // messages a second beside the probes
constexpr int kLoadSeconds = 12;
constexpr int kWarmSeconds = 4;        // joining the group, the first series
constexpr int64_t kProbePauseMs = 10;  // between two probes
// Between two questions for them: what the answer's age may add, against what asking takes from two cores.
constexpr std::chrono::milliseconds kAskPause{2};
// The embedded broker lets a fetch that finds nothing wait to the end, where Kafka answers once something comes.
constexpr const char* kEmbeddedWait = "properties = { \"fetch.wait.max.ms\" = \"5\" }\n";
constexpr const char* kProcessing =
    "where = \"ph IS NULL OR ph < 14\"\nset = [\"temp_f = temperature_c * 9 / 5 + 32\"]\n";

[[noreturn]] void fail(const std::string& message) {
  fmt::print(stderr, "bench_e2e: {}\n", message);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) fail(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Arguments {
  std::string part;  // empty = each
  std::string brokers;
  uint64_t messages = kMessages;

  bool wants(const char* name) const { return part.empty() || part == name; }
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--brokers") {
      arguments.brokers = argv[i + 1];
    } else if (name == "--part") {
      arguments.part = argv[i + 1];
    } else if (name == "--messages") {
      arguments.messages = std::stoull(argv[i + 1]);
    } else {
      fail("usage: bench_e2e [--part kafka|latency|lines] [--brokers HOST:PORT|kafka] [--messages N]");
    }
  }
  if (argc % 2 == 0)
    fail("usage: bench_e2e [--part kafka|latency|lines] [--brokers HOST:PORT|kafka] [--messages N]");
  return arguments;
}

class Varve {
 public:
  // `more`: of the configuration.
  explicit Varve(const std::filesystem::path& folder, const std::string& more = {}) : port_(free_port()) {
    std::ofstream(folder / "varve.toml")
        << fmt::format("[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n{}", port_,
                       (folder / "data").string(), more);
    process_.emplace(std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config",
                                              (folder / "varve.toml").string()});
    if (!wait_until([&] { return http_get(url() + "/readyz").status == 200; }, test::seconds(60))) {
      fail("varve did not start: " + process_->log_tail());
    }
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  Json status() const { return Json::parse(http_get(url() + "/api/v1/status").body); }
  uint64_t count(const std::string& table) const {
    const Json answer =
        Json::parse(http_post(url() + "/api/v1/query", "SELECT count(*) FROM " + table, "text/plain").body);
    return answer.contains("rows") ? answer["rows"][0][0].get<uint64_t>() : 0;
  }
  // Of one metric without labels.
  double metric(const std::string& name) const {
    std::istringstream lines(http_get(url() + "/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ")) return std::stod(line.substr(name.size()));
    }
    return 0;
  }
  // MiB, of a line like "VmRSS:  123 kB".
  double memory(const std::string& line_name) const {
    std::ifstream file(fmt::format("/proc/{}/status", process_->pid()));
    std::string name;
    double kib = 0;
    while (file >> name) {
      if (name == line_name + ":" && file >> kib) break;
      std::getline(file, name);
    }
    return kib / 1024;
  }

  // Of user and kernel, since the start.
  double cpu_seconds() const {
    std::ifstream file(fmt::format("/proc/{}/stat", process_->pid()));
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double kernel = 0;
    fields >> user >> kernel;
    return (user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  uint16_t port_;
  std::optional<Process> process_;
};

// A source of readings; `more`: more keys of it.
std::string kafka_source(const std::string& brokers, const std::string& topic, const std::string& more = {}) {
  return fmt::format(
      "[[kafka]]\nbrokers = \"{}\"\ngroup = \"bench-{}\"\ntopics = [\"{}\"]\ntable = \"readings\"\n"
      "tags = [\"sensor_id\", \"site\"]\n{}",
      brokers, real_clock().wall_ns(), topic, more);
}

void fill_topic(const std::string& brokers, const std::string& topic, uint64_t messages) {
  SimulatorOptions simulator;
  simulator.kind = "water";
  simulator.sensors = kWaterSensors;
  simulator.count = messages;
  KafkaProducerOptions options;
  options.brokers = brokers;
  options.topic = topic;
  const auto generator = must(make_simulator(simulator));
  const auto producer = must(KafkaProducer::open(options));
  const ProduceReport report = must(produce(*generator, *producer, {}, {}));
  if (!report.problem.empty()) fail(report.problem);
  fmt::print("filled {} with {} messages of {} bytes on average\n", topic, report.sent,
             report.bytes / report.sent);
}

double seconds_since(int64_t begin_ns) {
  return static_cast<double>(real_clock().monotonic_ns() - begin_ns) / kNsPerSecond;
}

// From the first message seen (joining the group takes its own time) to all of them durable and counted by
// SQL.
double kafka_rate(const Varve& varve, uint64_t messages) {
  const auto read_so_far = [&] {
    return varve.status()["ingest"]["sources"][0]["messages_total"].get<uint64_t>();
  };
  uint64_t first = 0;
  if (!wait_until([&] { return (first = read_so_far()) > 0; }, test::seconds(60)))
    fail("no message was read");
  const int64_t begin = real_clock().monotonic_ns();
  uint64_t now = first;
  if (!wait_until([&] { return (now = read_so_far()) >= messages; }, test::seconds(600))) {
    fail(fmt::format("only {} of {} messages were read", now, messages));
  }
  const uint64_t rows = varve.status()["ingest"]["sources"][0]["rows_total"].get<uint64_t>();
  uint64_t counted = 0;
  if (!wait_until([&] { return (counted = varve.count("readings")) >= rows; }, test::seconds(60))) {
    fail(fmt::format("{} rows were taken in, SQL counts {}", rows, counted));
  }
  const double elapsed = seconds_since(begin);
  return static_cast<double>(messages - first) / elapsed;
}

struct Latency {
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

std::unique_ptr<KafkaProducer> quick_producer(const std::string& brokers, const std::string& topic) {
  KafkaProducerOptions options;
  options.brokers = brokers;
  options.topic = topic;
  options.properties = {{"linger.ms", "5"}};  // librdkafka's default
  return must(KafkaProducer::open(std::move(options)));
}

// Numbered readings of a sensor of its own; a query says up to which number they are there.
Latency probe(const Varve& varve, const std::string& brokers, const std::string& topic) {
  const auto producer = quick_producer(brokers, topic);
  test::HttpSession session(varve.url());
  std::vector<int64_t> sent_ns;  // by number
  std::vector<double> latencies;
  const int64_t begin = real_clock().monotonic_ns();
  const int64_t warm = begin + kWarmSeconds * kNsPerSecond;
  const int64_t end = begin + kLoadSeconds * kNsPerSecond;
  size_t seen = 0;
  std::string said;
  int64_t next_probe = begin;
  for (int64_t now = begin; now < end + 5 * kNsPerSecond && (now < end || seen < sent_ns.size());
       now = real_clock().monotonic_ns()) {
    if (now >= next_probe && now < end) {
      const auto sent =
          producer->produce("probe",
                            fmt::format(R"({{"ts":"{}","sensor_id":"probe","site":"bench","number":{}}})",
                                        format_timestamp(real_clock().wall_ns()), sent_ns.size()),
                            0);
      if (!sent) fail(sent.error().message);
      sent_ns.push_back(now);
      next_probe += kProbePauseMs * kNsPerMs;
    }
    producer->poll();
    std::this_thread::sleep_for(kAskPause);
    said =
        session.send("POST", "/api/v1/query", "SELECT last(number) FROM readings WHERE sensor_id = 'probe'")
            .body;
    const Json answer = Json::parse(said);
    if (!answer.contains("rows") || answer["rows"].empty() || answer["rows"][0][0].is_null()) continue;
    const int64_t shown_ns = real_clock().monotonic_ns();
    for (const size_t last = answer["rows"][0][0].get<size_t>(); seen <= last; ++seen) {
      if (sent_ns[seen] < warm) continue;
      latencies.push_back(static_cast<double>(shown_ns - sent_ns[seen]) / kNsPerMs);
    }
  }
  if (seen < sent_ns.size() || latencies.empty()) {
    fail(fmt::format("of {} probes {} were seen; the last answer: {}", sent_ns.size(), seen, said));
  }
  std::sort(latencies.begin(), latencies.end());
  return {latencies[latencies.size() / 2], latencies[latencies.size() * 99 / 100], latencies.back()};
}

Latency latency_under_load(const Varve& varve, const std::string& brokers, const std::string& topic) {
  SimulatorOptions simulator;
  simulator.kind = "water";
  simulator.sensors = kWaterSensors;
  const auto generator = must(make_simulator(simulator));
  const auto producer = quick_producer(brokers, topic);
  const std::jthread load([&](const std::stop_token& stop) {
    const auto sent = produce(*generator, *producer, {kLoadRate},
                              [&](const ProduceProgress&) { return !stop.stop_requested(); });
    if (!sent) fail(sent.error().message);
  });
  return probe(varve, brokers, topic);
}

struct WriteResult {
  double rows_per_second = 0;
  double cpu_seconds = 0;  // of varve for a million rows, until they are in segment files and merged
  double peak_mib = 0;
  double sync_ms = 0;     // of the log, on average
  double cores_used = 0;  // by varve and the writers, while rows were sent
};

// TSBS's cpu table: ten tags, ten doubles of two decimals, 350 bytes a line.
WriteResult write_rate() {
  const TempDir folder;
  const Varve varve(folder.path(), "flush_age = \"5s\"\n");  // so that the end comes soon
  RowSource source(Set::kCpu, Encoding::kLines, kRowsPerBody);
  double elapsed = 0;
  double cpu = 0;
  for (int hours = 0; hours < kHours; hours += kHoursAtOnce) {
    const auto bodies = source.next_hours(kHoursAtOnce);
    std::atomic<size_t> next{0};
    std::atomic<int> refused{0};
    const int64_t begin = real_clock().monotonic_ns();
    const double cpu_before = varve.cpu_seconds() + usage_now().cpu_s;
    {
      std::vector<std::jthread> writers;
      for (int i = 0; i < kWriters; ++i) {
        writers.emplace_back([&] {
          test::HttpSession session(varve.url());
          for (size_t at = next++; at < bodies.size(); at = next++) {
            if (session.send("POST", "/write", bodies[at]).status != 204) ++refused;
          }
        });
      }
    }
    elapsed += seconds_since(begin);
    cpu += varve.cpu_seconds() + usage_now().cpu_s - cpu_before;
    if (refused > 0) fail(fmt::format("{} of {} bodies were refused", refused.load(), bodies.size()));
  }
  const double rows = static_cast<double>(source.rows());
  if (const uint64_t counted = varve.count("cpu"); counted != source.rows())
    fail(fmt::format("{} rows, SQL says {}", source.rows(), counted));
  const bool settled = wait_until(
      [&] {
        const Json now = varve.status();
        return now["memtable"]["rows"] == 0 && now["compaction"]["segments_due"] == 0 &&
               now["compaction"]["running_table"] == "";
      },
      test::seconds(60));
  if (!settled) fail("the rows were not flushed and merged");
  return {rows / elapsed, varve.cpu_seconds() * 1e6 / rows, varve.memory("VmHWM"),
          varve.metric("varve_wal_sync_seconds_sum") * 1000 / varve.metric("varve_wal_sync_seconds_count"),
          cpu / elapsed};
}

void measure_kafka(EmbeddedBroker* broker, const std::string& brokers, uint64_t messages) {
  const std::string topic = fmt::format("varve-bench-{}", real_clock().wall_ns());
  if (broker != nullptr) must(broker->create_topic(topic, kPartitions));
  fill_topic(brokers, topic, messages);
  for (const char* processing : {"", kProcessing}) {
    const TempDir folder;
    const Varve varve(folder.path(), kafka_source(brokers, topic, processing));
    const double rate = kafka_rate(varve, messages);
    fmt::print(
        "Kafka JSON to durable and queryable{:<14} {:>9.0f} messages/s, {:.2f} CPU s a million, {:.0f} MiB\n",
        *processing == '\0' ? "" : ", processed", rate,
        varve.cpu_seconds() * 1e6 / static_cast<double>(messages), varve.memory("VmHWM"));
  }
}

void measure_latency(EmbeddedBroker* broker, const std::string& brokers) {
  const std::string topic = fmt::format("varve-bench-live-{}", real_clock().wall_ns());
  if (broker != nullptr) must(broker->create_topic(topic, kPartitions));
  const TempDir folder;
  const std::string source = kafka_source(brokers, topic, broker != nullptr ? kEmbeddedWait : "");
  const Latency latency = latency_under_load(Varve(folder.path(), source), brokers, topic);
  fmt::print("produce to queryable at {:.0f}/s             {:>9.1f} ms median, {:.1f} p99, {:.1f} max\n",
             kLoadRate, latency.p50_ms, latency.p99_ms, latency.max_ms);
}

void run(const Arguments& arguments) {
  std::unique_ptr<EmbeddedBroker> broker;
  std::string brokers = arguments.brokers;
  std::unique_ptr<test::KafkaServer> kafka;
  if (brokers == "kafka") {
    kafka = test::KafkaServer::start();
    brokers = kafka->bootstrap();
  }
  if (brokers.empty() && (arguments.wants("kafka") || arguments.wants("latency"))) {
    broker = must(EmbeddedBroker::start());
    brokers = broker->bootstrap();
  }
  if (arguments.part.empty()) {
    const TempDir folder;
    const Varve varve(folder.path(), kafka_source(brokers, "nothing-here"));
    fmt::print("resident memory, idle                         {:>9.1f} MiB\n", varve.memory("VmRSS"));
  }
  if (arguments.wants("kafka")) measure_kafka(broker.get(), brokers, arguments.messages);
  if (arguments.wants("latency")) measure_latency(broker.get(), brokers);
  if (!arguments.wants("lines")) return;
  const WriteResult lines = write_rate();
  fmt::print(
      "line protocol over HTTP, durable              {:>9.0f} rows/s, {:.2f} CPU s a million, {:.0f} MiB\n",
      lines.rows_per_second, lines.cpu_seconds, lines.peak_mib);
  fmt::print("  a sync of the log took {:.2f} ms, varve and its writers had {:.2f} cores\n", lines.sync_ms,
             lines.cores_used);
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  varve::bench::run(varve::bench::parse(argc, argv));
}
