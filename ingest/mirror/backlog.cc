#include "ingest/mirror/backlog.h"

#include <algorithm>

#include "storage/base/clock.h"

namespace varve {

void BacklogMeter::note(int64_t now_ns, Lsn durable, uint64_t rows) {
  now_ns_ = now_ns;
  if (!samples_.empty() && samples_.back().durable == durable) {
    samples_.back().last_ns = now_ns;
    samples_.back().rows = rows;  // rows are counted a moment after their record is durable
    return;
  }
  if (samples_.size() == kSamplesMax) {
    size_t kept = 0;
    for (size_t i = 0; i < samples_.size(); i += 2) samples_[kept++] = samples_[i];
    samples_.resize(kept);
  }
  samples_.push_back({now_ns, durable, rows});
}

void BacklogMeter::note_sent(size_t records, size_t rows) {
  sent_records_ += records;
  sent_rows_ += rows;
}

BacklogMeter::Behind BacklogMeter::behind(Lsn done) const {
  if (samples_.empty() || done >= samples_.back().durable) return {};
  const Sample& newest = samples_.back();
  const auto after = std::upper_bound(samples_.begin(), samples_.end(), done,
                                      [](Lsn lsn, const Sample& sample) { return lsn < sample.durable; });
  const Sample& above = *after;  // exists: the newest is beyond `done`
  const uint64_t missing = above.durable - done;
  Behind behind{.rows = newest.rows - above.rows, .seconds = 0};
  if (after == samples_.begin()) {
    behind.rows += sent_records_ == 0 ? missing
                                      : static_cast<uint64_t>(static_cast<double>(missing) *
                                                              static_cast<double>(sent_rows_) /
                                                              static_cast<double>(sent_records_));
    behind.seconds = static_cast<double>(now_ns_ - above.last_ns) / kNsPerSecond;
    return behind;
  }
  const Sample& below = *std::prev(after);
  const double part = static_cast<double>(missing) / static_cast<double>(above.durable - below.durable);
  behind.rows += static_cast<uint64_t>(part * static_cast<double>(above.rows - below.rows));
  behind.seconds = static_cast<double>(now_ns_ - below.last_ns) / kNsPerSecond;
  return behind;
}

int64_t Pacer::take(int64_t now_ns, size_t rows) {
  if (rate_ == 0) return 0;
  const int64_t wait_ns = std::max<int64_t>(0, next_ns_ - now_ns);
  const double cost_ns = static_cast<double>(rows) / static_cast<double>(rate_) * kNsPerSecond;
  next_ns_ = now_ns + wait_ns + static_cast<int64_t>(cost_ns);
  return wait_ns;
}

}  // namespace varve
