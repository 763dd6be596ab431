// `varve produce`: a CSV file or a simulator into a Kafka topic.
#include "ingest/replay/produce.h"

#include <fmt/format.h>

#include "api/cli/commands.h"
#include "api/cli/signals.h"
#include "api/cli/terminal.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/units.h"

namespace varve {
namespace {

Result<std::unique_ptr<Generator>> make_generator(const ProduceArguments& arguments) {
  if (!arguments.csv.empty()) {
    CsvOptions csv;
    csv.path = arguments.csv;
    csv.time_column = arguments.time_column;
    csv.time_format = arguments.time_format;
    csv.time_zone = arguments.time_zone;
    csv.key_column = arguments.key_column;
    return open_csv(csv);
  }
  SimulatorOptions simulator;
  simulator.kind = arguments.simulate;
  simulator.sensors = arguments.sensors;
  simulator.count = arguments.count;
  return make_simulator(simulator);
}

// How many messages there will be, where that is known.
std::optional<uint64_t> total_of(const Generator& generator, uint64_t count) {
  const std::optional<uint64_t> total = generator.total();
  if (count == 0) return total;
  return total ? std::min(*total, count) : count;
}

double per_second(const ProduceProgress& progress) {
  return progress.elapsed_ns <= 0
             ? 0
             : static_cast<double>(progress.sent) * kNsPerSecond / static_cast<double>(progress.elapsed_ns);
}

Result<ProduceReport> run(const ProduceArguments& arguments, const Signals& signals) {
  VARVE_ASSIGN(const auto generator, make_generator(arguments));
  KafkaProducerOptions options;
  options.brokers = arguments.brokers;
  options.topic = arguments.topic;
  VARVE_ASSIGN(const auto producer, KafkaProducer::open(std::move(options)));
  const auto total = total_of(*generator, arguments.count);
  WorkProgress progress("delivered", "messages");
  ProduceOptions pace;
  pace.rate = static_cast<double>(arguments.rate.value_or(0));
  pace.count = arguments.count;
  return produce(*generator, *producer, pace, [&](const ProduceProgress& now) {
    progress.show(now.delivered, total.value_or(0));
    return !signals.wait(0).has_value();
  });
}

}  // namespace

int run_produce(const ProduceArguments& arguments) {
  const Signals signals;
  const auto report = run(arguments, signals);
  if (!report) {
    print_error(report.error().message);
    return kExitFailed;
  }
  fmt::print(stderr, "{}{} messages ({}) delivered to {} in {:.1f} s, {} messages/s\n",
             report->stopped ? "stopped: " : "", grouped(report->delivered), format_bytes(report->bytes),
             visible(arguments.topic), static_cast<double>(report->elapsed_ns) / kNsPerSecond,
             grouped(static_cast<uint64_t>(per_second(*report))));
  if (!report->problem.empty()) {
    print_error(report->problem);
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
