#include "api/query/audit.h"

#include <fmt/format.h>

#include "storage/base/log.h"

namespace varve {

void log_audit(std::string_view user, std::string_view from, std::string_view what) {
  log_info("audit", fmt::format("{} from {}: {}", user.empty() ? "nobody known" : user,
                                from.empty() ? "the command line" : from, what));
}

}  // namespace varve
