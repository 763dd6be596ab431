// An operator's commands on their way to a node's sources.
#include <fmt/format.h>

#include "api/cli/node.h"

namespace varve {

Result<KafkaSource*> Node::source(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& source : sources_) {
    names.push_back(source->status().name);
    if (names.back() == name || (name.empty() && sources_.size() == 1)) return source.get();
  }
  if (names.empty()) return Error{ErrorCode::kNotFound, "this server has no Kafka source"};
  return Error{ErrorCode::kNotFound,
               fmt::format("{}; this server has {}", name.empty() ? "which source?" : "no source " + name,
                           fmt::join(names, ", "))};
}

void Node::add_ingest_control(HttpServices& services) {
  services.resume = [this](const std::string& name,
                           const ResumeRequest& request) -> Result<std::vector<MovedPartition>> {
    VARVE_ASSIGN(KafkaSource* const found, source(name));
    return found->resume(request);
  };
  services.rewind = [this](const std::string& name,
                           const RewindRequest& request) -> Result<std::vector<MovedPartition>> {
    VARVE_ASSIGN(KafkaSource* const found, source(name));
    return found->rewind(request);
  };
}

}  // namespace varve
