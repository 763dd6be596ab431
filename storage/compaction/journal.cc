#include "storage/compaction/journal.h"

#include <algorithm>

namespace varve {
namespace {

uint64_t bytes_of(const std::vector<CatalogSegment>& segments) {
  uint64_t bytes = 0;
  for (const CatalogSegment& segment : segments) bytes += segment.bytes;
  return bytes;
}

bool has_deleted_rows(const StoredSegment& segment, const TombstoneList& tombstones) {
  if (tombstones == nullptr) return false;
  return std::any_of(tombstones->begin(), tombstones->end(), [&](const auto& tombstone) {
    return tombstone->hides_some(segment.record().applied_lsn, segment.time_range(), segment.series());
  });
}

}  // namespace

CompactionJournal::CompactionJournal(MetricsRegistry& metrics)
    : merges_(metrics.counter("varve_compaction_merges_total", "Merges of segments published, since start.")),
      failures_(metrics.counter("varve_compaction_failures_total", "Merges that failed, since start.")),
      read_bytes_(metrics.counter("varve_compaction_read_bytes_total", "Bytes of the segments merged.")),
      read_rows_(metrics.counter("varve_compaction_read_rows_total", "Rows decoded by merges.")),
      written_bytes_(
          metrics.counter("varve_compaction_written_bytes_total", "Bytes of segments written by merges.")),
      flushed_bytes_(
          metrics.counter("varve_flush_written_bytes_total", "Bytes of segments written by flushes.")) {}

std::vector<CompactionSegment> CompactionJournal::describe(
    uint32_t table_id, const std::vector<std::shared_ptr<const StoredSegment>>& segments,
    const TombstoneList& tombstones, int64_t now_monotonic_ns) {
  const std::lock_guard lock(mutex_);
  std::map<uint64_t, int64_t>& before = seen_ns_[table_id];
  std::map<uint64_t, int64_t> now;
  std::vector<CompactionSegment> described;
  for (const auto& segment : segments) {
    const auto known = before.find(segment->id());
    const int64_t since = known == before.end() ? now_monotonic_ns : known->second;
    now.emplace(segment->id(), since);
    CompactionSegment one;
    one.id = segment->id();
    one.bytes = segment->bytes();
    one.rows = segment->rows();
    one.time_min = segment->time_range().min;
    one.time_max = segment->time_range().max;
    one.last_lsn = segment->record().last_lsn;
    one.rewrite = segment->reader().effort() != Effort::kExhaustive || has_deleted_rows(*segment, tombstones);
    one.blocked = excluded_.contains(segment->id());
    one.age_ns = now_monotonic_ns - since;
    described.push_back(one);
  }
  for (const auto& [id, since] : before) {
    if (!now.contains(id)) forget_excluded(id);
  }
  before = std::move(now);
  return described;
}

void CompactionJournal::exclude(uint64_t segment_id) {
  const std::lock_guard lock(mutex_);
  excluded_.insert(segment_id);
  status_.damaged_segments = excluded_.size();
  problem_is_damage_ = true;
}

void CompactionJournal::forget_excluded(uint64_t segment) {
  if (excluded_.erase(segment) == 0) return;
  status_.damaged_segments = excluded_.size();
  if (!excluded_.empty() || !problem_is_damage_) return;
  status_.problem.clear();
  problem_is_damage_ = false;
}

void CompactionJournal::flushed(const std::vector<CatalogSegment>& written) {
  flushed_bytes_.add(bytes_of(written));
}

void CompactionJournal::begin(const std::string& table, uint64_t bytes,
                              std::shared_ptr<const MergeProgress> progress) {
  const std::lock_guard lock(mutex_);
  status_.running_table = table;
  status_.running_bytes = bytes;
  running_ = std::move(progress);
}

void CompactionJournal::finish(const std::vector<CatalogSegment>& written) {
  const std::lock_guard lock(mutex_);
  merges_.add();
  read_bytes_.add(status_.running_bytes);
  read_rows_.add(running_->rows_read);
  written_bytes_.add(bytes_of(written));
  status_.problem.clear();
  problem_is_damage_ = false;
  clear_running();
}

void CompactionJournal::fail(const std::string& problem) {
  const std::lock_guard lock(mutex_);
  failures_.add();
  status_.problem = problem;
  problem_is_damage_ = false;
  clear_running();
}

void CompactionJournal::abandon() {
  const std::lock_guard lock(mutex_);
  clear_running();
}

void CompactionJournal::wait(const std::string& problem) {
  const std::lock_guard lock(mutex_);
  status_.problem = problem;
  problem_is_damage_ = false;
}

void CompactionJournal::clear_running() {
  status_.running_table.clear();
  status_.running_bytes = 0;
  running_ = nullptr;
}

void CompactionJournal::set_due(uint64_t segments) {
  const std::lock_guard lock(mutex_);
  status_.segments_due = segments;
}

CompactionStatus CompactionJournal::status() const {
  const std::lock_guard lock(mutex_);
  CompactionStatus status = status_;
  if (running_ != nullptr) {
    status.running_rows_read = running_->rows_read;
    status.running_bytes_written = running_->bytes_written;
  }
  status.merges = merges_.value();
  status.bytes_read = read_bytes_.value();
  status.bytes_written = written_bytes_.value();
  status.bytes_flushed = flushed_bytes_.value();
  return status;
}

}  // namespace varve
