// `varve replay`: archived Kafka messages through the decoders of a configuration into its store, which must be stopped.
#include "ingest/archive/replay.h"

#include <fmt/format.h>

#include "api/cli/commands.h"
#include "api/cli/config.h"
#include "api/cli/signals.h"
#include "api/cli/terminal.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

Result<void> read_time(const std::string& text, const char* option, int64_t& out_ms) {
  if (text.empty()) return {};
  VARVE_ASSIGN(const int64_t ns, with_context(parse_timestamp(text), option));
  out_ms = ns / kNsPerMs;
  return {};
}

Result<ReplayReport> run(const ReplayArguments& arguments, const Signals& signals) {
  VARVE_ASSIGN(const Config config, load_config(arguments.config, arguments.overrides));
  ReplayOptions options;
  options.directory = arguments.archive;
  options.topic = arguments.topic;
  options.source = arguments.source;
  options.speed = arguments.speed;
  VARVE_TRY(read_time(arguments.from, "--from", options.from_ms));
  VARVE_TRY(read_time(arguments.to, "--to", options.to_ms));
  MetricsRegistry metrics;
  EngineOptions storage = config.storage;
  storage.metrics = &metrics;
  auto engine = Engine::open(std::move(storage));
  if (!engine && engine.error().code == ErrorCode::kUnavailable) {
    return unavailable(fmt::format("data folder {} is in use; stop its varve for the time of the replay",
                                   config.storage.data_directory));
  }
  if (!engine) return engine.error();
  WorkProgress progress("replayed", "");
  auto report = replay_archive(options, config.kafka, **engine, [&](const ReplayReport& now) {
    progress.show(now.bytes_done, now.bytes_total);
    return !signals.wait(0).has_value();
  });
  progress.finish();
  (*engine)->close();
  return report;
}

}  // namespace

int run_replay(const ReplayArguments& arguments) {
  const Signals signals;
  const auto report = run(arguments, signals);
  if (!report) {
    print_error(report.error().message);
    return kExitFailed;
  }
  for (const std::string& line : report->damage) fmt::print("damaged: {}\n", visible(line));
  fmt::print("{}{} messages of {} files: {} rows, {} refused (in varve_quarantine)\n",
             report->stopped ? "stopped: " : "", grouped(report->messages), grouped(report->files),
             grouped(report->rows), grouped(report->rejected));
  if (report->no_source > 0) {
    fmt::print(
        "{} messages are of topics no [[kafka]] section reads; --source NAME decodes them as that one's\n",
        grouped(report->no_source));
  }
  if (!report->damage.empty()) {
    print_error(fmt::format("{} damaged places in {}", grouped(report->damage.size()), arguments.archive));
    return kExitFailed;
  }
  return report->stopped ? kExitFailed : kExitFine;
}

}  // namespace varve
