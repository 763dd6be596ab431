// Who may reach a node: its tokens, its certificate, and no open door to other machines.
#include <fmt/format.h>
#include <sys/stat.h>

#include "api/cli/node.h"
#include "storage/base/log.h"

namespace varve {
namespace {

std::string exposed(const ServerConfig& server, const std::string& data) {
  return fmt::format(
      "server.listen: {} can be reached from other machines and there are no tokens; make one with `varve "
      "token "
      "create --role admin --name NAME --data {}`, listen on 127.0.0.1, or set server.insecure = true",
      server.host, data);
}

}  // namespace

// Before anything is touched: nobody may be let in for want of a token.
Result<void> Node::check_exposure(const Config& config) {
  const ServerConfig& server = config.server;
  if (server.insecure || is_loopback(server.host)) return {};
  const std::string& data = config.storage.data_directory;
  VARVE_ASSIGN(const bool there, real_file_system().exists(join_path(data, "tokens.db")));
  if (!there) return invalid_argument(exposed(server, data));
  VARVE_ASSIGN(const auto store, TokenStore::open(data));
  VARVE_ASSIGN(const auto tokens, store->list());
  if (tokens.empty()) return invalid_argument(exposed(server, data));
  return {};
}

// The data folder is ours by now.
Result<void> Node::open_tokens(const Config& config) {
  const std::string& data = config.storage.data_directory;
  struct stat facts {};
  if (::stat(data.c_str(), &facts) == 0 && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    log_warn("store", fmt::format("other users may look into {}; chmod 700 it", data));
  }
  VARVE_ASSIGN(tokens_, TokenStore::open(data));
  if (config.server.insecure && !is_loopback(config.server.host)) {
    log_warn(
        "http",
        fmt::format("server.insecure: as long as there are no tokens, whoever reaches {} may read, write "
                    "and delete",
                    config.server.host));
  }
  return {};
}

void Node::reload_tls() {
  if (const auto done = server_->reload_tls(); !done) {
    log_error("http", "the certificate stays as it was: " + done.error().message);
    return;
  }
  log_info("http", "the certificate was read again");
}

}  // namespace varve
