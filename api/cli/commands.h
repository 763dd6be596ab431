// The commands. Each prints its errors as one line to stderr and returns the process's exit code.
// Threads: the main thread, before any other is started (they block signals for the threads they start).
#pragma once

#include "api/cli/arguments.h"

namespace varve {

int run_serve(const ServeArguments& arguments);
int run_demo(const DemoArguments& arguments);
int run_produce(const ProduceArguments& arguments);
int run_query(const QueryArguments& arguments);
int run_ingest(const IngestArguments& arguments);
int run_check(const CheckArguments& arguments);
int run_replay(const ReplayArguments& arguments);
int run_backup(const BackupArguments& arguments);
int run_quarantine(const QuarantineArguments& arguments);
int run_token(const TokenArguments& arguments);
int run_mirror_backfill(const MirrorBackfillArguments& arguments);

}  // namespace varve
