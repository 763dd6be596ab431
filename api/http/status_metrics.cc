#include "api/http/status_metrics.h"

#include <algorithm>
#include <limits>

#include "api/http/process_figures.h"

namespace varve {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "gcc " __VERSION__;
#endif

double seconds(int64_t ns) {
  return static_cast<double>(ns) / kNsPerSecond;
}

struct TableFigures {
  double rows = 0;
  double bytes = 0;
  double series = 0;
  double age_seconds = kUnknown;
};

void add(TableFigures& sum, const TableInfo& table, int64_t wall_ns) {
  sum.rows += static_cast<double>(table.rows);
  sum.bytes += static_cast<double>(table.bytes);
  sum.series += static_cast<double>(table.series);
  if (table.rows == 0) return;
  // As doubles: times may be anywhere in int64.
  const double age = (static_cast<double>(wall_ns) - static_cast<double>(table.time_max)) / kNsPerSecond;
  sum.age_seconds = sum.age_seconds < age ? sum.age_seconds : age;  // also of unknown ones
}

}  // namespace

StatusMetrics::StatusMetrics(const HttpServices& services, ProblemWatch& problems)
    : services_(services),
      problems_(problems),
      metrics_(*services.metrics),
      started_ns_(services.clock->monotonic_ns()) {
  metrics_
      .gauge("varve_build_info", "Always 1; the labels say what runs.",
             {{"version", VARVE_VERSION}, {"compiler", kCompiler}})
      .set(1);
}

void StatusMetrics::refresh() {
  const std::lock_guard one_at_a_time(mutex_);
  refresh_process();
  refresh_tables();
  const std::vector<SourceStatus> sources = services_.sources();
  refresh_sources(sources);
  refresh_problems(problems_.now(services_.engine->status(), sources, services_.mirrors()));
}

void StatusMetrics::refresh_process() {
  const ProcessFigures now = read_process_figures();
  metrics_.gauge("varve_uptime_seconds", "Seconds since the server began to serve.")
      .set(seconds(services_.clock->monotonic_ns() - started_ns_));
  metrics_.total("process_cpu_seconds_total", "CPU time of the process, user and system.")
      .set(now.cpu_seconds);
  metrics_.gauge("process_start_time_seconds", "When the process began, since the Unix epoch.")
      .set(now.start_time_seconds);
  metrics_.gauge("process_resident_memory_bytes", "Resident memory of the process.").set(now.resident_bytes);
  metrics_.gauge("process_virtual_memory_bytes", "Address space of the process.").set(now.virtual_bytes);
  metrics_.gauge("process_open_fds", "Open file descriptors.").set(now.open_files);
  metrics_.gauge("process_max_fds", "File descriptors the process may open.").set(now.open_files_max);
  metrics_.gauge("process_threads", "Threads of the process.").set(now.threads);
}

void StatusMetrics::refresh_tables() {
  const int64_t wall_ns = services_.clock->wall_ns();
  std::map<std::pair<std::string, std::string>, TableFigures> figures;
  size_t count = 0;
  for (const TableInfo& table : services_.engine->tables()) {
    ++count;
    std::pair<std::string, std::string> labels(table.database, table.name);
    if (labelled_.size() < kTableLabelsMax) labelled_.insert(labels);
    if (!labelled_.contains(labels)) labels = {"other", "other"};
    add(figures[labels], table, wall_ns);
  }
  metrics_.gauge("varve_tables", "Tables there are.").set(static_cast<double>(count));
  double series = 0;
  for (const auto& [key, of] : figures) {
    const MetricLabels labels{{"database", key.first}, {"table", key.second}};
    series += of.series;
    metrics_
        .gauge("varve_table_rows",
               "Rows, an upper bound while overwritten or deleted ones wait for compaction.", labels)
        .set(of.rows);
    metrics_.gauge("varve_table_bytes", "Bytes of the table's segments.", labels).set(of.bytes);
    metrics_.gauge("varve_table_series", "Series (tag sets) of the table.", labels).set(of.series);
    metrics_
        .gauge("varve_table_freshness_seconds",
               "Now minus the newest time of the table; below 0 when that lies ahead, NaN without rows.",
               labels)
        .set(of.age_seconds);
  }
  metrics_.gauge("varve_series", "Series of all tables.").set(series);
}

void StatusMetrics::refresh_sources(const std::vector<SourceStatus>& sources) {
  for (const SourceStatus& source : sources) {
    double lag = kUnknown, behind = kUnknown;
    for (const PartitionStatus& partition : source.partitions) {
      if (partition.lag) lag = (lag > 0 ? lag : 0) + static_cast<double>(*partition.lag);
      if (partition.lag_seconds) behind = behind > *partition.lag_seconds ? behind : *partition.lag_seconds;
    }
    const MetricLabels labels{{"source", source.name}};
    metrics_.gauge("varve_ingest_up", "1 while the source reads or waits for messages.", labels)
        .set(source.state == "running" ? 1 : 0);
    metrics_
        .gauge("varve_ingest_lag_messages", "Messages of all its partitions that are not durable here yet.",
               labels)
        .set(lag);
    metrics_
        .gauge("varve_ingest_lag_seconds",
               "Of its partitions the one that is furthest behind; 0 without lag.", labels)
        .set(behind);
  }
}

void StatusMetrics::refresh_problems(const std::vector<Problem>& problems) {
  for (const std::string_view code : kProblemCodes) {
    const bool there = std::any_of(problems.begin(), problems.end(),
                                   [&](const Problem& problem) { return problem.code == code; });
    metrics_
        .gauge("varve_problem", "1 while there is this problem; /api/v1/status says why and what to do.",
               {{"code", std::string(code)}})
        .set(there ? 1 : 0);
  }
}

}  // namespace varve
