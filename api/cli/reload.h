// SIGHUP: the configuration file is read again, and what can change in a running server changes. One log line names the
// keys that were applied, one those that need a restart (their old values stay, and each reload names them again). A file
// with a mistake changes nothing; the line says where the mistake is.
//   At once:  [log], the certificate and its key (the same files), server.access_log, server.cors_origins, server.drain_timeout, the limits of [query], storage.retention
//             and that of each table
// Threads: the main one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/cli/arguments.h"
#include "api/cli/config.h"
#include "api/cli/config_values.h"

namespace varve {

class Node;

struct ReloadPlan {
  std::vector<std::string> applied;  // keys that change now, sorted
  std::vector<std::string> waiting;  // keys that need a restart
  ConfigValues running;              // what is in force afterwards
};
ReloadPlan plan_reload(const ConfigValues& running, const ConfigValues& fresh);

class Reloader {
 public:
  // `text` is the file as it was read for the start, `config` what it says. Not read here again: it may have changed.
  Reloader(const ServeArguments& arguments, std::string_view text, const Config& config);

  void reload(Node& node);
  int64_t drain_timeout_ns() const { return drain_timeout_ns_; }

 private:
  Result<ReloadPlan> try_reload(Node& node);

  const ServeArguments arguments_;
  ConfigValues running_;
  int64_t drain_timeout_ns_;
};

}  // namespace varve
