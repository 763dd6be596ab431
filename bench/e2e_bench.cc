// The whole server, measured from outside: a spawned varve, its HTTP API, its memory in /proc.
//   Kafka JSON        messages already in the broker until every one is durable and counted by SQL; the same with
//                     `where` and `set`
//   latency           from handing a message to the producer until SQL shows it, while others come at kLoadRate
//   line protocol     POST /write by kWriters connections, each body durable before its 204
//   resident memory   idle after start, after the loads, and the peak
// bench_e2e [--brokers HOST:PORT] [--messages N]: without brokers, the embedded broker stands in (it shares
// the two cores with varve and keeps only 5 MiB a partition, hence the many partitions).
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "ingest/replay/produce.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"
#include "tests/support/http_client.h"
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
constexpr uint32_t kSensors = 1000;
constexpr int kWriters = 2;
constexpr int kBodies = 100;
constexpr int kRowsPerBody = 5000;  // as Telegraf and InfluxDB's clients advise
constexpr int kHosts = 100;
constexpr double kLoadRate = 50'000;  // messages a second beside the probes
constexpr int kLoadSeconds = 12;
constexpr int kWarmSeconds = 2;        // joining the group, the first series
constexpr int64_t kProbePauseMs = 10;  // between two probes
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
  std::string brokers;
  uint64_t messages = kMessages;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--brokers") {
      arguments.brokers = argv[i + 1];
    } else if (name == "--messages") {
      arguments.messages = std::stoull(argv[i + 1]);
    } else {
      fail("usage: bench_e2e [--brokers HOST:PORT] [--messages N]");
    }
  }
  if (argc % 2 == 0) fail("usage: bench_e2e [--brokers HOST:PORT] [--messages N]");
  return arguments;
}

class Varve {
 public:
  // `source`: more keys of the Kafka source.
  Varve(const std::filesystem::path& folder, const std::string& brokers, const std::string& topic,
        const std::string& source = {})
      : port_(free_port()) {
    std::ofstream(folder / "varve.toml") << fmt::format(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n"
        "[[kafka]]\nbrokers = \"{}\"\ngroup = \"bench-{}\"\ntopics = [\"{}\"]\ntable = \"readings\"\ntags = "
        "[\"sensor_id\", "
        "\"site\"]\n{}",
        port_, (folder / "data").string(), brokers, port_, topic, source);
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

void fill_topic(const std::string& brokers, const std::string& topic, uint64_t messages) {
  SimulatorOptions simulator;
  simulator.kind = "water";
  simulator.sensors = kSensors;
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
  const uint64_t counted = varve.count("readings");
  const double elapsed = seconds_since(begin);
  fmt::print("{} rows from {} messages, {} distinct by SQL\n", rows, messages, counted);
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
    said = http_post(varve.url() + "/api/v1/query",
                     "SELECT last(number) FROM readings WHERE sensor_id = 'probe'", "text/plain")
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
  simulator.sensors = kSensors;
  const auto generator = must(make_simulator(simulator));
  const auto producer = quick_producer(brokers, topic);
  const std::jthread load([&](const std::stop_token& stop) {
    const auto sent = produce(*generator, *producer, {kLoadRate},
                              [&](const ProduceProgress&) { return !stop.stop_requested(); });
    if (!sent) fail(sent.error().message);
  });
  return probe(varve, brokers, topic);
}

// One instant of every host after the other, ten doubles of two decimals each: TSBS's cpu table.
std::string cpu_lines(int body) {
  constexpr const char* kFields[] = {"usage_user",   "usage_system",    "usage_idle",    "usage_nice",
                                     "usage_iowait", "usage_irq",       "usage_softirq", "usage_steal",
                                     "usage_guest",  "usage_guest_nice"};
  std::string lines;
  for (int i = 0; i < kRowsPerBody; ++i) {
    const int row = body * kRowsPerBody + i;
    lines += fmt::format("cpu,hostname=host_{},region=eu-west-1 ", row % kHosts);
    for (int field = 0; field < 10; ++field) {
      const int hundredths = (row * 37 + field * 911) % 10'000;
      lines += fmt::format("{}{}={}.{:02}", field == 0 ? "" : ",", kFields[field], hundredths / 100,
                           hundredths % 100);
    }
    lines += fmt::format(" {}\n", (1'735'689'600LL + row / kHosts * 10) * kNsPerSecond);
  }
  return lines;
}

double write_rate(const Varve& varve) {
  std::vector<std::string> bodies;
  for (int body = 0; body < kBodies; ++body) bodies.push_back(cpu_lines(body));
  std::atomic<int> next{0};
  std::atomic<int> refused{0};
  const int64_t begin = real_clock().monotonic_ns();
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&] {
        for (int body = next++; body < kBodies; body = next++) {
          if (http_post(varve.url() + "/write", bodies[static_cast<size_t>(body)], "text/plain").status !=
              204)
            ++refused;
        }
      });
    }
  }
  const double elapsed = seconds_since(begin);
  if (refused > 0) fail(fmt::format("{} of {} bodies were refused", refused.load(), kBodies));
  const uint64_t rows = uint64_t{kBodies} * kRowsPerBody;
  if (const uint64_t counted = varve.count("cpu"); counted != rows)
    fail(fmt::format("{} rows, SQL says {}", rows, counted));
  return static_cast<double>(rows) / elapsed;
}

void run(const Arguments& arguments) {
  std::unique_ptr<EmbeddedBroker> broker;
  std::string brokers = arguments.brokers;
  if (brokers.empty()) {
    broker = must(EmbeddedBroker::start());
    brokers = broker->bootstrap();
  }
  double idle = 0;
  {
    const TempDir empty;
    const Varve varve(empty.path(), brokers, "nothing-here");
    idle = varve.memory("VmRSS");
  }
  const std::string topic = fmt::format("varve-bench-{}", real_clock().wall_ns());
  const std::string live_topic = topic + "-live";
  if (broker != nullptr) {
    must(broker->create_topic(topic, kPartitions));
    must(broker->create_topic(live_topic, kPartitions));
  }
  fill_topic(brokers, topic, arguments.messages);
  double processed = 0;
  {
    const TempDir folder;
    processed = kafka_rate(Varve(folder.path(), brokers, topic, kProcessing), arguments.messages);
  }
  Latency latency;
  {
    const TempDir folder;
    latency = latency_under_load(Varve(folder.path(), brokers, live_topic), brokers, live_topic);
  }
  const TempDir folder;
  const Varve varve(folder.path(), brokers, topic);
  const double kafka = kafka_rate(varve, arguments.messages);
  const double kafka_cpu = varve.cpu_seconds();
  const double kafka_memory = varve.memory("VmRSS");
  const double lines = write_rate(varve);
  const double lines_cpu = varve.cpu_seconds() - kafka_cpu;
  fmt::print(
      "\n"
      "Kafka JSON to durable and queryable     {:>12.0f} messages/s   ({} broker on the same machine)\n"
      "  varve's CPU                           {:>12.2f} s per million messages\n"
      "  with where and set                    {:>12.0f} messages/s\n"
      "produce to queryable at {:.0f}/s         {:>12.1f} ms median, {:.1f} p99, {:.1f} max\n"
      "line protocol over HTTP, durable        {:>12.0f} rows/s       (10 fields, {} connections)\n"
      "  varve's CPU                           {:>12.2f} s per million rows\n"
      "resident memory, idle                   {:>12.1f} MiB\n"
      "resident memory, after Kafka            {:>12.1f} MiB\n"
      "resident memory, after both             {:>12.1f} MiB\n"
      "resident memory, peak                   {:>12.1f} MiB\n",
      kafka, arguments.brokers.empty() ? "embedded" : "real",
      kafka_cpu * 1e6 / static_cast<double>(arguments.messages), processed, kLoadRate, latency.p50_ms,
      latency.p99_ms, latency.max_ms, lines, kWriters, lines_cpu * 1e6 / (double{kBodies} * kRowsPerBody),
      idle, kafka_memory, varve.memory("VmRSS"), varve.memory("VmHWM"));
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  varve::bench::run(varve::bench::parse(argc, argv));
}
