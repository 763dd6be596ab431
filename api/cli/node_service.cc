// What a signal asks of a running node: other settings, and the end of service.
#include "api/cli/node.h"

namespace varve {

void Node::apply(const Config& fresh) {
  server_->set_policy(fresh.server.policy);
  if (!fresh.server.tls_certificate.empty()) reload_tls();
  queries_->set_limits(fresh.query);
  server_->set_turns(turns_for(fresh.query));
  engine_->set_retention(fresh.storage.retention_ns, fresh.storage.table_retention_ns);
}

void Node::begin_drain() {
  server_->begin_drain();
}

size_t Node::answers_in_flight() const {
  return server_->in_flight();
}

}  // namespace varve
