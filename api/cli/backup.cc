// `varve backup`: a copy of a store, running or stopped.
#include "storage/backup/backup.h"

#include <fmt/format.h>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "storage/base/units.h"

namespace varve {

int run_backup(const BackupArguments& arguments) {
  WorkProgress progress("backed up", "");
  BackupOptions options;
  options.data_directory = arguments.data;
  options.to = arguments.to;
  options.observer = [&](const BackupProgress& now) { progress.show(now.bytes_done, now.bytes_total); };
  const auto report = back_up(options);
  progress.finish();
  if (!report) {
    print_error(report.error().message);
    return kExitFailed;
  }
  fmt::print("{}: tables {}, segments {}, rows {}; {} linked, {} copied\n", visible(arguments.to),
             grouped(report->tables), grouped(report->segments), grouped(report->rows),
             format_bytes(report->linked_bytes), format_bytes(report->copied_bytes));
  fmt::print("log: files {}, up to record {}; a start replays from record {} on\n",
             grouped(report->log_files), report->last_lsn, report->replay_from_lsn);
  return kExitFine;
}

}  // namespace varve
