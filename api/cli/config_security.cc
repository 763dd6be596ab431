#include "api/cli/config_security.h"

namespace varve {
namespace {

constexpr uint64_t kConnectionsMax = 50'000;  // below the open files that are asked for (api/http/server.cc)

}  // namespace

void read_security(ConfigReader& reader, ServerConfig& out) {
  reader.flag("insecure", out.insecure);
  reader.flag("allow_root", out.allow_root);
  reader.text("tls_certificate", out.tls_certificate);
  reader.text("tls_key", out.tls_key);
  if (out.tls_certificate.empty() != out.tls_key.empty()) {
    reader.fail(out.tls_certificate.empty() ? "tls_key" : "tls_certificate",
                "tls_certificate and tls_key need each other");
  }
  uint64_t all = out.limits.connections_max, of_address = out.limits.connections_per_address;
  reader.count("connections_max", 1, kConnectionsMax, all);
  reader.count("connections_per_address", 1, kConnectionsMax, of_address);
  out.limits = {all, of_address};
}

}  // namespace varve
