// `varve serve`: a node until SIGINT or SIGTERM.
#include <fmt/format.h>

#include "api/cli/commands.h"
#include "api/cli/node.h"
#include "api/cli/signals.h"
#include "api/cli/terminal.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kSignalWaitNs = 3600 * kNsPerSecond;  // any long time: a signal ends the wait

void wait_for_stop(const Signals& signals) {
  while (true) {
    const auto signal = signals.wait(kSignalWaitNs);
    if (!signal) continue;
    if (*signal != SIGHUP) return;
    log_warn("varve",
             "SIGHUP: this version changes no key while it runs; restart to apply the configuration");
  }
}

}  // namespace

int run_serve(const ServeArguments& arguments) {
  const Signals signals;
  const auto config = load_config(arguments.config, arguments.overrides);
  if (!config) {
    print_error(config.error().message);
    return kExitFailed;
  }
  const auto node = Node::start(*config);
  if (!node) {
    print_error(node.error().message);
    return kExitFailed;
  }
  log_info("varve", fmt::format("version " VARVE_VERSION ", data in {}, serving http://{}:{}/",
                                config->storage.data_directory, config->server.host, (*node)->port()));
  wait_for_stop(signals);
  log_info("varve", "stopping");
  (*node)->stop();
  log_info("varve", "stopped");
  return kExitFine;
}

}  // namespace varve
