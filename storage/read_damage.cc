#include "storage/read_damage.h"

#include "storage/base/log.h"

namespace varve {

void ReadDamage::note(const std::string& message) {
  log_error("store", "a read found damage: " + message);
  const std::lock_guard lock(mutex_);
  ++count_;
  last_ = message;
}

uint64_t ReadDamage::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::string ReadDamage::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace varve
