// `varve serve`: a node until SIGINT or SIGTERM, or until its store has failed: then it ends with status 1, so that
// whatever started it notices. After the first signal answers that have begun may finish (server.drain_timeout), the
// store is closed and the status is 0; a second one ends the program at once, which loses nothing acknowledged.
// SIGHUP: reload.h.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "api/cli/commands.h"
#include "api/cli/config_log.h"
#include "api/cli/node.h"
#include "api/cli/reload.h"
#include "api/cli/signals.h"
#include "api/cli/terminal.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kLookNs = kNsPerSecond / 2;  // at the store; how late its failure may be noticed
constexpr int64_t kSecondSignalNs = kNsPerSecond / 20;
constexpr std::chrono::milliseconds kDrainLook{5};

// Why the store failed; empty = a signal said stop.
std::string wait_for_stop(const Signals& signals, Node& node, Reloader& reloader) {
  while (true) {
    log_repeats();
    const auto signal = signals.wait(kLookNs);
    if (!signal) {
      if (std::string failure = node.failure(); !failure.empty()) return failure;
      continue;
    }
    if (*signal != SIGHUP) return {};
    reloader.reload(node);
  }
}

void end_at_second_signal(const Signals& signals, const std::stop_token& stopped) {
  while (!stopped.stop_requested()) {
    const auto signal = signals.wait(kSecondSignalNs);
    if (!signal || *signal == SIGHUP) continue;
    log_warn("varve", "second signal: ending at once; what was acknowledged is in the log");
    std::_Exit(128 + *signal);  // as a shell says of a program that a signal ended
  }
}

// A core file would hold what clients have shown and the configuration names: tokens, passwords, the key of TLS. Who
// hunts a crash may allow it again: prlimit --pid PID --core=unlimited.
void leave_no_core_file() {
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) != 0) return;
  core.rlim_cur = 0;
  (void)::setrlimit(RLIMIT_CORE, &core);
}

void drain(Node& node, int64_t limit_ns) {
  node.begin_drain();
  const int64_t end = real_clock().monotonic_ns() + limit_ns;
  while (node.answers_in_flight() > 0) {
    if (real_clock().monotonic_ns() >= end) {
      log_warn("varve",
               fmt::format("{} answers are cut: server.drain_timeout is over", node.answers_in_flight()));
      return;
    }
    std::this_thread::sleep_for(kDrainLook);
  }
}

}  // namespace

int run_serve(const ServeArguments& arguments) {
  const Signals signals;
  const auto text = read_config_text(arguments.config);
  const auto config =
      text ? parse_config(*text, arguments.config, arguments.overrides) : Result<Config>(text.error());
  if (!config) {
    print_error(config.error().message);
    return kExitFailed;
  }
  apply_log(config->log);
  if (arguments.dry_run > 0) return run_dry_run(*config, arguments.dry_run, signals);
  // Whatever a fault in the server let somebody do, root could do it to the whole machine.
  if (::geteuid() == 0 && !arguments.allow_root && !config->server.allow_root) {
    print_error("varve does not serve as root; run it as a user of its own, or say --allow-root");
    return kExitFailed;
  }
  leave_no_core_file();
  const auto node = Node::start(*config);
  if (!node) {
    print_error(node.error().message);
    return kExitFailed;
  }
  log_info("varve", fmt::format("version " VARVE_VERSION ", data in {}, serving {}://{}:{}/",
                                config->storage.data_directory,
                                config->server.tls_certificate.empty() ? "http" : "https",
                                config->server.host, (*node)->port()));
  Reloader reloader(arguments, *text, *config);
  const std::string failure = wait_for_stop(signals, **node, reloader);
  log_info("varve", "stopping");
  {
    const std::jthread watch([&](const std::stop_token& stopped) { end_at_second_signal(signals, stopped); });
    drain(**node, reloader.drain_timeout_ns());
    (*node)->stop();
  }
  log_repeats(true);
  log_info("varve", "stopped");
  if (failure.empty()) return kExitFine;
  print_error(failure);
  return kExitFailed;
}

}  // namespace varve
