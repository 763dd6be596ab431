// `varve check`: what a stopped store holds, what is wrong with it, and what a repair did.
#include "storage/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "storage/base/timestamp.h"
#include "storage/base/units.h"

namespace varve {
namespace {

void print_tables(const CheckReport& report) {
  size_t width = 5;
  const auto name_of = [](const TableSummary& table) { return visible(table.database + "." + table.table); };
  for (const TableSummary& table : report.tables) width = std::max(width, name_of(table).size());
  fmt::print("{:<{}}  {:>8}  {:>14}  {:>10}  {:>10}  {:<30}  {}\n", "table", width, "segments", "rows",
             "bytes", "series", "from", "to");
  for (const TableSummary& table : report.tables) {
    fmt::print("{:<{}}  {:>8}  {:>14}  {:>10}  {:>10}  {:<30}  {}\n", name_of(table), width,
               grouped(table.segments), grouped(table.rows), format_bytes(table.bytes), grouped(table.series),
               table.time.empty() ? "" : format_timestamp(table.time.min),
               table.time.empty() ? "" : format_timestamp(table.time.max));
  }
  fmt::print("log: records {}, files {}, {}\n", grouped(report.log_records), grouped(report.log_files),
             format_bytes(report.log_bytes));
  if (report.tombstones != 0) fmt::print("tombstones: {}\n", grouped(report.tombstones));
  if (report.quarantined != 0)
    fmt::print("quarantine: files set aside by earlier repairs {}\n", grouped(report.quarantined));
}

void print_lines(std::string_view word, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) fmt::print("{}: {}\n", word, visible(line));
}

void print_verdict(const CheckReport& report, bool repair) {
  const size_t problems = report.problems.size();
  if (problems == 0) {
    fmt::print("clean\n");
  } else if (!repair) {
    fmt::print("{} problem{}; --repair moves what is damaged aside and saves what is intact\n",
               grouped(problems), problems == 1 ? "" : "s");
  } else if (report.losses.empty()) {
    fmt::print("{} problem{} repaired, nothing was lost\n", grouped(problems), problems == 1 ? "" : "s");
  } else {
    fmt::print("{} problem{} repaired, {} loss{} listed above\n", grouped(problems), problems == 1 ? "" : "s",
               grouped(report.losses.size()), report.losses.size() == 1 ? "" : "es");
  }
}

}  // namespace

int run_check(const CheckArguments& arguments) {
  WorkProgress progress("checked", "");
  CheckOptions options;
  options.data_directory = arguments.data;
  options.repair = arguments.repair;
  options.observer = [&](const CheckProgress& now) { progress.show(now.bytes_done, now.bytes_total); };
  const auto report = check_store(options);
  progress.finish();
  if (!report) {
    print_error(report.error().message);
    return kExitFailed;
  }
  print_tables(*report);
  print_lines("note", report->notes);
  print_lines("problem", report->problems);
  print_lines("repaired", report->repairs);
  print_lines("lost", report->losses);
  print_verdict(*report, arguments.repair);
  return report->problems.empty() ? kExitFine : kExitFailed;
}

}  // namespace varve
