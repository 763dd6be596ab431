#include "api/cli/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/cli/config_log.h"
#include "api/cli/node.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "reload";

// What Node::apply changes.
constexpr std::array<std::string_view, 11> kLive = {
    "log.format",           "log.level",         "query.max_concurrent",
    "query.max_memory",     "query.max_rows",    "query.timeout",
    "query.total_memory",   "server.access_log", "server.cors_origins",
    "server.drain_timeout", "storage.retention"};

bool is_live(std::string_view key) {
  if (key.starts_with("storage.tables.") && key.ends_with(".retention")) return true;
  return std::find(kLive.begin(), kLive.end(), key) != kLive.end();
}

}  // namespace

ReloadPlan plan_reload(const ConfigValues& running, const ConfigValues& fresh) {
  ReloadPlan plan;
  plan.running = running;
  const auto changed = [&](const std::string& key, const std::string* value) {
    if (!is_live(key)) {
      plan.waiting.push_back(key);
      return;
    }
    plan.applied.push_back(key);
    if (value == nullptr) {
      plan.running.erase(key);
    } else {
      plan.running[key] = *value;
    }
  };
  for (const auto& [key, value] : running) {
    const auto now = fresh.find(key);
    if (now == fresh.end()) {
      changed(key, nullptr);
    } else if (now->second != value) {
      changed(key, &now->second);
    }
  }
  for (const auto& [key, value] : fresh) {
    if (!running.contains(key)) changed(key, &value);
  }
  std::sort(plan.applied.begin(), plan.applied.end());
  std::sort(plan.waiting.begin(), plan.waiting.end());
  return plan;
}

Reloader::Reloader(const ServeArguments& arguments, std::string_view text, const Config& config)
    : arguments_(arguments),
      running_(config_values(text, arguments.config, arguments.overrides).value_or(ConfigValues{})),
      drain_timeout_ns_(config.server.drain_timeout_ns) {}

Result<ReloadPlan> Reloader::try_reload(Node& node) {
  VARVE_ASSIGN(const std::string text, read_config_text(arguments_.config));
  VARVE_ASSIGN(const Config config, parse_config(text, arguments_.config, arguments_.overrides));
  VARVE_ASSIGN(const ConfigValues fresh, config_values(text, arguments_.config, arguments_.overrides));
  node.apply(config);
  apply_log(config.log);
  drain_timeout_ns_ = config.server.drain_timeout_ns;
  return plan_reload(running_, fresh);
}

void Reloader::reload(Node& node) {
  auto plan = try_reload(node);
  if (!plan) {
    log_error(kComponent, fmt::format("SIGHUP: nothing was changed: {}", plan.error().message));
    return;
  }
  running_ = std::move(plan->running);
  if (plan->applied.empty() && plan->waiting.empty()) {
    log_info(kComponent, fmt::format("SIGHUP: {} says what is in force already", arguments_.config));
  }
  if (!plan->applied.empty()) {
    log_info(kComponent, fmt::format("SIGHUP: applied {}", fmt::join(plan->applied, ", ")));
  }
  if (!plan->waiting.empty()) {
    log_warn(kComponent, fmt::format("SIGHUP: needs a restart, until then the old value stays: {}",
                                     fmt::join(plan->waiting, ", ")));
  }
}

}  // namespace varve
