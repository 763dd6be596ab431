// `varve serve`: a node until SIGINT or SIGTERM, or until its store has failed: then it ends with status 1, so that
// whatever started it notices.
#include <fmt/format.h>
#include <unistd.h>

#include "api/cli/commands.h"
#include "api/cli/node.h"
#include "api/cli/signals.h"
#include "api/cli/terminal.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kLookNs = kNsPerSecond / 2;  // at the store; how late its failure may be noticed

// Why the store failed; empty = a signal said stop.
std::string wait_for_stop(const Signals& signals, Node& node) {
  while (true) {
    const auto signal = signals.wait(kLookNs);
    if (!signal) {
      if (std::string failure = node.failure(); !failure.empty()) return failure;
      continue;
    }
    if (*signal != SIGHUP) return {};
    node.reload_tls();
    log_warn(
        "varve",
        "SIGHUP: beside the certificate this version changes nothing while it runs; restart to apply the "
        "configuration");
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
  // Whatever a fault in the server let somebody do, root could do it to the whole machine.
  if (::geteuid() == 0 && !arguments.allow_root && !config->server.allow_root) {
    print_error("varve does not serve as root; run it as a user of its own, or say --allow-root");
    return kExitFailed;
  }
  const auto node = Node::start(*config);
  if (!node) {
    print_error(node.error().message);
    return kExitFailed;
  }
  log_info("varve", fmt::format("version " VARVE_VERSION ", data in {}, serving {}://{}:{}/",
                                config->storage.data_directory,
                                config->server.tls_certificate.empty() ? "http" : "https",
                                config->server.host, (*node)->port()));
  const std::string failure = wait_for_stop(signals, **node);
  log_info("varve", "stopping");
  (*node)->stop();
  log_info("varve", "stopped");
  if (failure.empty()) return kExitFine;
  print_error(failure);
  return kExitFailed;
}

}  // namespace varve
