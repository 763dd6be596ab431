// Kafka to the log, on this machine: simulated water readings go to an in-process broker, and the source
// reads them into a real store in a temporary folder. Prints messages a second of the generator alone, of the
// producer, and from the first message read to the last one durable, with the CPU seconds the process used
// for it. The broker keeps 5 MiB a partition, so the data is spread over enough partitions to stay below
// that. Usage: bench_ingest [MESSAGES]
#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "ingest/kafka/source.h"
#include "ingest/replay/produce.h"
#include "storage/base/clock.h"
#include "storage/engine.h"

namespace varve {
namespace {

constexpr uint64_t kMessagesDefault = 2'000'000;
constexpr uint64_t kMessagesPerPartition = 25'000;  // about 2.5 MiB of lz4

double seconds_since(int64_t start_ns) {
  return static_cast<double>(real_clock().monotonic_ns() - start_ns) / kNsPerSecond;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

SimulatorOptions readings(uint64_t count) {
  SimulatorOptions options;
  options.kind = "water";
  options.count = count;
  options.seed = 1;
  return options;
}

void say(const char* what, uint64_t messages, double seconds, double cpu) {
  fmt::print("{:<28} {:>9} messages  {:>6.2f} s  {:>9.0f} messages/s  {:>6.2f} CPU s\n", what, messages,
             seconds, static_cast<double>(messages) / seconds, cpu);
}

Result<void> generate(uint64_t count) {
  VARVE_ASSIGN(auto generator, make_simulator(readings(count)));
  const int64_t start = real_clock().monotonic_ns();
  const double cpu = cpu_seconds();
  GeneratedMessage message;
  uint64_t bytes = 0;
  while (true) {
    VARVE_ASSIGN(const bool more, generator->next(message));
    if (!more) break;
    bytes += message.value.size();
  }
  say("generate", count, seconds_since(start), cpu_seconds() - cpu);
  fmt::print("{:<28} {:>9.1f} bytes a message\n", "",
             static_cast<double>(bytes) / static_cast<double>(count));
  return {};
}

Result<void> fill(const std::string& brokers, const std::string& topic, uint64_t count) {
  VARVE_ASSIGN(auto generator, make_simulator(readings(count)));
  KafkaProducerOptions options;
  options.brokers = brokers;
  options.topic = topic;
  options.properties["partitioner"] = "random";  // even: a full partition would lose its oldest messages
  options.properties["sticky.partitioning.linger.ms"] = "0";
  VARVE_ASSIGN(auto producer, KafkaProducer::open(options));
  const int64_t start = real_clock().monotonic_ns();
  const double cpu = cpu_seconds();
  VARVE_ASSIGN(const auto report, produce(*generator, *producer, {}, {}));
  if (!report.problem.empty()) return unavailable(report.problem);
  say("produce (broker included)", report.sent, seconds_since(start), cpu_seconds() - cpu);
  return {};
}

Result<void> consume(const std::string& brokers, const std::string& topic, uint64_t count,
                     const std::string& folder) {
  MetricsRegistry metrics;
  EngineOptions engine_options;
  engine_options.data_directory = folder;
  engine_options.metrics = &metrics;
  VARVE_ASSIGN(auto engine, Engine::open(engine_options));
  KafkaSourceOptions options;
  options.brokers = brokers;
  options.topics = {topic};
  options.group = topic;
  options.mapping.table = "water";
  options.mapping.tags = {"sensor_id", "site"};
  VARVE_ASSIGN(auto source, KafkaSource::start(options, *engine, metrics));
  const auto durable = [&] {
    int64_t sum = 0;
    for (const auto& position : engine->positions()) {
      if (position.stream == "kafka:" + topic + ":" + topic) sum += position.next_offset;
    }
    return static_cast<uint64_t>(sum);
  };
  while (durable() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const int64_t start = real_clock().monotonic_ns();
  const double cpu = cpu_seconds();
  const uint64_t before = durable();
  while (durable() < count) {
    if (seconds_since(start) > 120)
      return unavailable(fmt::format("only {} of {} arrived", durable(), count));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  say("consume to durable", count - before, seconds_since(start), cpu_seconds() - cpu);
  const SourceStatus status = source->status();
  fmt::print("{:<28} {:>9} rows, {} in quarantine, log {} MB\n", "", status.rows_total, status.rejected_total,
             engine->status().bytes_written / 1'000'000);
  return {};
}

Result<void> run(uint64_t count, std::string brokers) {
  VARVE_TRY(generate(count));
  const std::string name = fmt::format("varve-bench-{}", real_clock().wall_ns());
  std::unique_ptr<EmbeddedBroker> embedded;
  if (brokers.empty()) {
    VARVE_ASSIGN(embedded, EmbeddedBroker::start());
    VARVE_TRY(embedded->create_topic(name, static_cast<int>(count / kMessagesPerPartition + 1)));
    brokers = embedded->bootstrap();
  }
  VARVE_TRY(fill(brokers, name, count));
  const std::string folder = (std::filesystem::temp_directory_path() / name).string();
  Result<void> result = consume(brokers, name, count, folder);
  std::filesystem::remove_all(folder);
  return result;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : varve::kMessagesDefault;
  const auto result = varve::run(count, argc > 2 ? argv[2] : "");
  if (result) return 0;
  fmt::print(stderr, "bench_ingest: {}\n", result.error().message);
  return 1;
}
