// `varve demo`: broker, simulated sensors, consumer, store and server in one process and one temporary
// folder.
#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "api/cli/commands.h"
#include "api/cli/node.h"
#include "api/cli/signals.h"
#include "api/cli/temporary_folder.h"
#include "api/cli/terminal.h"
#include "ingest/kafka/embedded_broker.h"
#include "ingest/kafka/producer.h"
#include "ingest/replay/produce.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr std::string_view kTopic = "readings";
constexpr int kPartitions = 4;
constexpr int64_t kPlainProgressSeconds = 10;
// The consumer's first group join takes the mock broker 3 s; readings sent before it would overflow the
// broker's log.
constexpr int64_t kConsumerReadyNs = 20 * kNsPerSecond;

Config demo_config(const DemoArguments& arguments, const std::string& brokers, const std::string& data) {
  Config config;
  config.server.port = arguments.port;
  config.storage.data_directory = data;
  KafkaSourceOptions source;
  source.brokers = brokers;
  source.topics = {std::string(kTopic)};
  source.mapping.tags = {"sensor_id", "site"};
  config.kafka.push_back(std::move(source));
  return config;
}

bool all_partitions_assigned(const Node& node) {
  size_t partitions = 0;
  for (const SourceStatus& source : node.sources()) partitions += source.partitions.size();
  return partitions >= static_cast<size_t>(kPartitions);
}

// The simulated sensors: wait for the consumer, then send until stopped.
void send_readings(const std::stop_token& stop, const Node& node, Generator& generator,
                   KafkaProducer& producer, uint64_t rate) {
  const int64_t deadline = real_clock().monotonic_ns() + kConsumerReadyNs;
  while (!stop.stop_requested() && !all_partitions_assigned(node) && real_clock().monotonic_ns() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const auto sent = produce(generator, producer, {static_cast<double>(rate)},
                            [&](const ProduceProgress&) { return !stop.stop_requested(); });
  if (!sent) log_error("demo", "the simulated sensors stopped: " + sent.error().message);
}

void print_welcome(const DemoArguments& arguments, uint16_t port) {
  const std::string base = fmt::format("http://127.0.0.1:{}", port);
  fmt::print(
      "varve demo: {} simulated water sensors, {} readings a second -> Kafka topic {} -> store\n"
      "\n"
      "  page   {}/\n"
      "  try    curl -G {}/api/v1/query -d format=table --data-urlencode 'q=SHOW TABLES'\n"
      "         curl -G {}/api/v1/query -d format=table --data-urlencode \\\n"
      "           \"q=SELECT site, count(*), avg(temperature_c) FROM readings GROUP BY site ORDER BY site\"\n"
      "         curl -G {}/api/v1/query -d format=csv --data-urlencode \\\n"
      "           \"q=SELECT time_bucket('10s', time) AS t, avg(ph) FROM readings WHERE time > now() - '5m' "
      "GROUP BY t\"\n"
      "\n"
      "Ctrl-C stops it and removes its data.\n\n",
      arguments.sensors, grouped(arguments.rate), kTopic, base, base, base, base);
  (void)std::fflush(stdout);
}

std::string progress_line(const Node& node, uint64_t rows, uint64_t rows_before, int64_t elapsed_ns) {
  int64_t lag = 0;
  uint64_t rejected = 0;
  for (const SourceStatus& source : node.sources()) {
    rejected += source.rejected_total;
    for (const PartitionStatus& partition : source.partitions) lag += partition.lag.value_or(0);
  }
  const double rate =
      static_cast<double>(rows - rows_before) * kNsPerSecond / static_cast<double>(elapsed_ns);
  return fmt::format("{} rows/s, {} rows, lag {}, {} refused", grouped(static_cast<uint64_t>(rate)),
                     grouped(rows), grouped(static_cast<uint64_t>(lag)), grouped(rejected));
}

// Ends at a signal, or with why the store failed.
std::string show_progress(const Signals& signals, const Node& node) {
  Progress progress(kPlainProgressSeconds);
  uint64_t rows_before = 0;
  int64_t before = real_clock().monotonic_ns();
  while (!signals.wait(kNsPerSecond)) {
    if (std::string failure = node.failure(); !failure.empty()) return failure;
    const int64_t now = real_clock().monotonic_ns();
    const uint64_t rows = node.store().rows_written;
    progress.show(progress_line(node, rows, rows_before, now - before));
    rows_before = rows;
    before = now;
  }
  return {};
}

// Threads: those of Node::start_parts, the embedded broker's, the producer's (librdkafka), and the sensors'.
Result<void> run(const DemoArguments& arguments, const Signals& signals) {
  VARVE_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make("demo"));
  VARVE_ASSIGN(const auto broker, EmbeddedBroker::start());
  VARVE_TRY(broker->create_topic(std::string(kTopic), kPartitions));
  VARVE_ASSIGN(const auto node, Node::start(demo_config(arguments, broker->bootstrap(), folder.path())));
  SimulatorOptions simulator;
  simulator.kind = "water";
  simulator.sensors = arguments.sensors;
  VARVE_ASSIGN(auto generator, make_simulator(simulator));
  KafkaProducerOptions producer_options;
  producer_options.brokers = broker->bootstrap();
  producer_options.topic = kTopic;
  // The embedded broker searches its batches one by one: a tenth of a second of readings in each keeps them few.
  producer_options.properties = {{"linger.ms", "100"}};
  VARVE_ASSIGN(auto producer, KafkaProducer::open(std::move(producer_options)));
  std::string failure;
  {
    const std::jthread sensors([&](const std::stop_token& stop) {
      send_readings(stop, *node, *generator, *producer, arguments.rate);
    });
    print_welcome(arguments, node->port());
    failure = show_progress(signals, *node);
  }
  node->stop();
  if (!failure.empty()) return unavailable(failure);
  return {};
}

}  // namespace

int run_demo(const DemoArguments& arguments) {
  const Signals signals;
  set_log_level(LogLevel::kWarn);  // the progress line says what matters
  if (const auto done = run(arguments, signals); !done) {
    print_error(done.error().message);
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
