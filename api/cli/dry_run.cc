// `varve serve --dry-run N`: what the sources of a configuration would make of N messages each, printed. The store it
// goes through is a new one in a temporary folder: the configured one is not opened, and offsets are not committed.
#include "ingest/kafka/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "api/cli/commands.h"
#include "api/cli/config.h"
#include "api/cli/signals.h"
#include "api/cli/temporary_folder.h"
#include "api/cli/terminal.h"
#include "storage/base/log.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

std::string_view shown_type(const DryRunColumn& column) {
  return column.kind == ColumnKind::kTime ? "timestamp" : field_type_name(column.type);
}

void print_table(const DryRunTable& table) {
  fmt::print("\ntable {}.{}: {} rows, {} .. {}\n", visible(table.database), visible(table.name),
             grouped(table.rows), format_timestamp(table.time_min), format_timestamp(table.time_max));
  size_t width = 6;
  for (const DryRunColumn& column : table.columns) width = std::max(width, column.name.size());
  fmt::print("  {:<{}}  kind   type       values\n", "column", width);
  for (const DryRunColumn& column : table.columns) {
    fmt::print("  {:<{}}  {:<5}  {:<9}  {}\n", visible(column.name), width, column_kind_name(column.kind),
               shown_type(column), grouped(column.values));
  }
  if (table.lines.empty()) return;
  fmt::print("  line protocol, the first {}:\n", table.lines.size());
  for (const std::string& line : table.lines) fmt::print("    {}\n", visible(line));
}

void print_rejects(const DryRunReport& report) {
  if (report.rejected_by_reason.empty()) return;
  fmt::print("\nrefused, for varve_quarantine:\n");
  for (const auto& [reason, count] : report.rejected_by_reason) {
    fmt::print("  {}: {}\n", reason, grouped(count));
    for (const DryRunReject& one : report.rejects) {
      if (one.reject.reason != reason) continue;
      const std::string line = one.reject.line == 0 ? "" : fmt::format(" line {}", one.reject.line);
      fmt::print("    {}[{}] offset {}{}: {}\n", visible(one.id.topic), one.id.partition, one.offset, line,
                 visible(one.reject.detail));
    }
  }
}

void print_report(const KafkaSourceOptions& source, const DryRunReport& report, uint64_t wanted) {
  uint64_t refused = 0;
  for (const auto& [reason, count] : report.rejected_by_reason) refused += count;
  fmt::print("{}: {} messages of {} partitions, start = \"{}\": {} rows, {} refused", source.name,
             grouped(report.messages), report.partitions, visible(source.start), grouped(report.rows),
             grouped(refused));
  const auto more = [](const char* what, uint64_t count) {
    if (count > 0) fmt::print(", {} {}", grouped(count), what);
  };
  more("filtered", report.processed.filtered);
  more("deduped", report.processed.deduped);
  more("lookups without an answer", report.processed.enrich_misses);
  more("tombstones", report.tombstones);
  fmt::print("\n");
  if (report.processed.enrich_misses > 0) {
    fmt::print(
        "note: the store is not opened, so lookups in a table of it find nothing here; those in files do\n");
  }
  if (report.stopped) {
    fmt::print("stopped before {} messages were there\n", grouped(wanted));
  } else if (report.messages < wanted && report.problems.empty()) {
    fmt::print("there were no more messages\n");
  }
  for (const std::string& problem : report.problems) fmt::print("problem: {}\n", visible(problem));
  for (const DryRunTable& table : report.tables) print_table(table);
  print_rejects(report);
}

Result<bool> run(const Config& config, uint64_t messages, const Signals& signals) {
  if (config.kafka.empty()) return invalid_argument("the configuration has no [[kafka]] section to read");
  VARVE_ASSIGN(const auto folder, TemporaryFolder::make("dry-run"));
  MetricsRegistry metrics;
  EngineOptions storage = config.storage;
  storage.data_directory = folder.path();
  storage.wal_sync = WalSync::kRelaxed;
  storage.retention_ns = 0;  // of old messages, too, it is to be seen what they give
  storage.table_retention_ns.clear();
  storage.metrics = &metrics;
  VARVE_ASSIGN(const auto engine, Engine::open(std::move(storage)));
  bool fine = true;
  bool stopped = false;
  for (const KafkaSourceOptions& source : config.kafka) {
    if (stopped) break;
    if (&source != &config.kafka.front()) fmt::print("\n");
    const auto report = dry_run(source, *engine, {messages}, [&] {
      stopped = stopped || signals.wait(0).has_value();
      return !stopped;
    });
    if (report) {
      print_report(source, *report, messages);
    } else {
      print_error(report.error().message);
    }
    (void)std::fflush(stdout);
    fine = fine && report && report->problems.empty();
  }
  engine->close();
  return fine && !stopped;
}

}  // namespace

int run_dry_run(const Config& config, uint64_t messages, const Signals& signals) {
  const auto fine = run(config, messages, signals);
  if (!fine) print_error(fine.error().message);
  return fine && *fine ? kExitFine : kExitFailed;
}

}  // namespace varve
