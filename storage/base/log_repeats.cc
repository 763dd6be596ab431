#include "storage/base/log_repeats.h"

#include <algorithm>

namespace varve {

uint64_t LogRepeats::key_of(const Line& line) {
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  const auto mix = [&hash](unsigned char byte) { hash = (hash ^ byte) * 1099511628211ULL; };
  for (const char c : line.component) mix(static_cast<unsigned char>(c));
  mix(0);
  bool in_number = false;
  for (const char c : line.message) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) {
      mix(static_cast<unsigned char>(c));
    } else if (!in_number) {
      mix('#');
    }
    in_number = digit;
  }
  return hash;
}

bool LogRepeats::allow(const Line& line, int64_t now_ns) {
  const uint64_t key = key_of(line);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= kKeysMax) forget_oldest();
    found = entries_.emplace(key, Entry{now_ns, 0, {}}).first;
    next_due_ns_ = std::min(next_due_ns_, now_ns + kWindowNs);
  }
  Entry& entry = found->second;
  ++entry.lines;
  if (entry.lines <= kPerWindow) return true;
  entry.last = line;
  return false;
}

std::vector<LogRepeats::Summary> LogRepeats::due(int64_t now_ns, bool all) {
  std::vector<Summary> result = std::move(pending_);
  pending_.clear();
  if (!all && now_ns < next_due_ns_) return result;
  std::vector<std::pair<int64_t, Summary>> over;
  next_due_ns_ = INT64_MAX;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    Entry& one = entry->second;
    if (!all && now_ns - one.begun_ns < kWindowNs) {
      next_due_ns_ = std::min(next_due_ns_, one.begun_ns + kWindowNs);
      ++entry;
      continue;
    }
    if (one.lines > kPerWindow)
      over.emplace_back(one.begun_ns, Summary{std::move(one.last), one.lines - kPerWindow});
    entry = entries_.erase(entry);
  }
  std::sort(over.begin(), over.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [begun, summary] : over) result.push_back(std::move(summary));
  return result;
}

void LogRepeats::forget_oldest() {
  const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return a.second.begun_ns < b.second.begun_ns;
  });
  Entry& entry = oldest->second;
  if (entry.lines > kPerWindow) pending_.push_back({std::move(entry.last), entry.lines - kPerWindow});
  entries_.erase(oldest);
}

}  // namespace varve
