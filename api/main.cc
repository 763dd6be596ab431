#include <malloc.h>
#include <sys/stat.h>

#include <csignal>
#include <exception>
#include <thread>
#include <variant>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"

namespace varve {
namespace {

struct Run {
  int operator()(const ExitNow& exit) const { return exit.code; }
  int operator()(const ServeArguments& arguments) const { return run_serve(arguments); }
  int operator()(const DemoArguments& arguments) const { return run_demo(arguments); }
  int operator()(const ProduceArguments& arguments) const { return run_produce(arguments); }
  int operator()(const ImportArguments& arguments) const { return run_import(arguments); }
  int operator()(const QueryArguments& arguments) const { return run_query(arguments); }
  int operator()(const IngestArguments& arguments) const { return run_ingest(arguments); }
  int operator()(const CheckArguments& arguments) const { return run_check(arguments); }
  int operator()(const ReplayArguments& arguments) const { return run_replay(arguments); }
  int operator()(const BackupArguments& arguments) const { return run_backup(arguments); }
  int operator()(const QuarantineArguments& arguments) const { return run_quarantine(arguments); }
  int operator()(const TokenArguments& arguments) const { return run_token(arguments); }
  int operator()(const MirrorBackfillArguments& arguments) const { return run_mirror_backfill(arguments); }
  int operator()(const StatusArguments& arguments) const { return run_status(arguments); }
};

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  // Each arena keeps what was freed in it. By default there are eight a core, and what a large query leaves stays in as
  // many as threads had a part in it: 253 MiB after a run of hostile ones with a budget of 64 MiB each, now 181.
  (void)::mallopt(M_ARENA_MAX, static_cast<int>(std::thread::hardware_concurrency()) + 2);
  (void)::umask(077);                   // no file of ours is for others
  (void)std::signal(SIGPIPE, SIG_IGN);  // a client or pipe that went away is an error of that write only
  try {
    return std::visit(varve::Run{}, varve::parse_arguments(argc, argv));
  } catch (const std::exception& error) {  // out of memory or threads; the destructors have run
    varve::print_error(error.what());
    return varve::kExitFailed;
  }
}
