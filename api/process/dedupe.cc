#include "api/process/dedupe.h"

#include <algorithm>

namespace varve {

bool DedupeMemory::seen(const Hash128& key, const MessageOrigin& origin) {
  auto found = young_.find(key);
  bool known = found != young_.end();
  First first;
  if (known) {
    first = found->second;
  } else if (const auto older = old_.find(key); older != old_.end()) {
    known = true;
    first = older->second;
    old_.erase(older);
  }
  // Unsigned: timestamps of any two messages may be further apart than int64 can say.
  const auto distance = [](int64_t a, int64_t b) {
    return a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b)
                 : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
  };
  const bool duplicate =
      known && !same_row(first, origin) &&
      distance(origin.timestamp_ns, first.origin.timestamp_ns) <= static_cast<uint64_t>(window_ns_);
  if (!duplicate) first = {origin, write_};
  if (found != young_.end()) {
    found->second = first;
    return duplicate;
  }
  if (young_.size() >= std::max<uint64_t>(keys_max_ / 2, 1)) {
    old_ = std::move(young_);
    young_ = Keys();
  }
  young_.emplace(key, first);
  return duplicate;
}

}  // namespace varve
