#include "storage/read_damage.h"

#include <algorithm>

#include "storage/base/log.h"

namespace varve {

constexpr uint64_t kNoSegment = 0;  // of what names no file: stays until restart

void ReadDamage::note(const std::string& message, const Segments& segments) {
  log_error("store", "a read found damage: " + message);
  const auto named = std::find_if(segments.begin(), segments.end(), [&](const auto& segment) {
    return message.find(segment->path()) != std::string::npos;
  });
  const std::lock_guard lock(mutex_);
  ++count_;
  const uint64_t id = named == segments.end() ? kNoSegment : (*named)->id();
  if (named_.size() < kNamedMax || named_.contains(id)) named_[id] = {count_, message};
}

uint64_t ReadDamage::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::string ReadDamage::last(const Segments& present) {
  const std::lock_guard lock(mutex_);
  std::erase_if(named_, [&](const auto& one) {
    return one.first != kNoSegment && std::none_of(present.begin(), present.end(), [&](const auto& segment) {
             return segment->id() == one.first;
           });
  });
  const auto latest = std::max_element(named_.begin(), named_.end(), [](const auto& a, const auto& b) {
    return a.second.first < b.second.first;
  });
  return latest == named_.end() ? std::string() : latest->second.second;
}

}  // namespace varve
