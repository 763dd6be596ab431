// The engine's compaction thread: asks the policy what to merge, has it merged, and publishes the outcome.
// A merge holds no lock of the engine but compact_mutex_: appends, flushes and scans go on. Between its start and its
// publication inputs may be dropped (retention); the merge is then given up and its outputs are removed.
#include <fmt/format.h>

#include <algorithm>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/base/units.h"
#include "storage/compaction/merge.h"
#include "storage/engine_impl.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "compaction";
constexpr int64_t kCompactionCheckNs = 1 * kNsPerSecond;
constexpr int64_t kCompactionRetryNsMax = 300 * kNsPerSecond;  // a full disk does not clear in a hurry
// Of the disk's reserve: a merge must not be what makes the store refuse writes. Guessed.
constexpr uint64_t kReserveFactor = 2;

}  // namespace

void EngineImpl::run_compaction() {
  lower_thread_priority();
  int64_t wait_ns = kCompactionCheckNs;
  while (true) {
    {
      std::unique_lock lock(state_mutex_);
      compaction_work_.wait_for(lock, std::chrono::nanoseconds(wait_ns), [&] { return closing_; });
      if (closing_) return;
    }
    const CompactionPass pass = compact_pass(false);
    if (pass.stopped) {
      wait_ns = std::min(std::max(wait_ns, kCompactionCheckNs) * 2, kCompactionRetryNsMax);
    } else {
      wait_ns = pass.tried == 0 ? kCompactionCheckNs : 0;
    }
  }
}

Result<void> EngineImpl::compact() {
  std::optional<Error> damage;
  while (true) {
    CompactionPass pass = compact_pass(true);
    if (pass.stopped) return *pass.stopped;
    if (pass.damage && !damage) damage = std::move(pass.damage);
    if (pass.tried != 0) continue;
    return damage ? Result<void>(*damage) : Result<void>();
  }
}

CompactionPass EngineImpl::compact_pass(bool settle) {
  const std::lock_guard one_at_a_time(compact_mutex_);
  CompactionPass pass;
  std::vector<std::pair<std::shared_ptr<Table>, MergePlan>> plans;
  uint64_t due = 0;
  for (const auto& table : all_tables()) {
    auto plan = choose_merge(*table, settle, pass);
    if (!plan) continue;
    due += plan->segment_ids.size();
    plans.emplace_back(table, std::move(*plan));
  }
  for (const auto& [table, plan] : plans) {
    compaction_.set_due(due);
    const auto progress = std::make_shared<MergeProgress>();
    ++pass.tried;
    if (const auto merged = merge(*table, plan, progress); !merged) {
      note_failed_merge(*table, plan, *progress, merged.error(), pass);
      if (pass.stopped) return pass;
    }
    due -= plan.segment_ids.size();
  }
  compaction_.set_due(due);
  return pass;
}

std::optional<MergePlan> EngineImpl::choose_merge(const Table& table, bool settle, CompactionPass& pass) {
  CompactionRules rules;
  rules.partition_ns = options_.partition_ns;
  rules.retention_ns = table.retention_ns();
  rules.wall_ns = clock_.wall_ns();
  rules.settle = settle;
  const auto segments =
      compaction_.describe(table.options().id, table.segments(), table.tombstones(), clock_.monotonic_ns());
  auto plan = next_merge(segments, rules);
  if (!plan) return plan;
  const auto free = fs_.free_bytes(options_.data_directory);
  if (!free) {
    pass.stopped = free.error();
    return std::nullopt;
  }
  const uint64_t kept = disk_guard_.reserve() * kReserveFactor;
  rules.bytes_max = *free > kept ? *free - kept : 0;
  if (plan->bytes <= rules.bytes_max) return plan;
  const uint64_t wanted = plan->bytes;
  plan = next_merge(segments, rules);
  if (!plan) {
    pass.stopped = exhausted(
        fmt::format("table `{}`: a merge of {} waits for disk space: {} are free, {} stay free for writes",
                    table.options().name, format_bytes(wanted), format_bytes(*free), format_bytes(kept)));
    compaction_.wait(pass.stopped->message);
    log_warn(kComponent, pass.stopped->message);
  }
  return plan;
}

Result<void> EngineImpl::merge(Table& table, const MergePlan& plan,
                               const std::shared_ptr<MergeProgress>& progress) {
  MergeRequest request;
  request.database = table.options().database;
  request.table = table.options().name;
  request.columns = table.columns();
  request.tombstones = table.tombstones();
  request.cuts = plan.cuts;
  request.cancelled = [this] { return compaction_cancelled(); };
  if (request.cancelled()) return unavailable("the store is closing or takes no writes any more");
  const auto segments = table.segments();
  for (const uint64_t id : plan.segment_ids) {
    const auto found =
        std::find_if(segments.begin(), segments.end(), [&](const auto& s) { return s->id() == id; });
    if (found == segments.end()) return {};  // dropped since it was chosen
    request.segments.push_back(*found);
  }
  const int64_t started = clock_.monotonic_ns();
  compaction_.begin(request.database + "." + request.table, plan.bytes, progress);
  const SegmentTarget target{fs_, join_path(options_.data_directory, "segments"),
                             [&] { return catalog_->allocate_segment_id(); }};
  kill_point("merge.before_write");
  VARVE_ASSIGN(const auto written, merge_segments(request, table.series(), target, *progress));
  VARVE_TRY(publish_merge(table, request, target, written));
  compaction_seconds_.observe_ns(clock_.monotonic_ns() - started);
  return {};
}

Result<void> EngineImpl::publish_merge(Table& table, const MergeRequest& request, const SegmentTarget& target,
                                       const std::vector<CatalogSegment>& written) {
  std::vector<std::shared_ptr<const StoredSegment>> opened;
  if (const auto ready = open_segments(table, written, opened); !ready) {
    remove_segments(written, target);
    return ready.error();
  }
  std::vector<uint64_t> replaced;
  std::vector<std::string> inputs;
  for (const auto& segment : request.segments) {
    replaced.push_back(segment->id());
    inputs.push_back("segments/" + segment->record().file);
  }
  {
    const std::lock_guard publishing(publish_mutex_);
    if (!table.has_segments(replaced)) {
      remove_segments(written, target);
      compaction_.abandon();
      return {};  // retention was faster
    }
    CatalogChange change = change_of(table);
    change.added_segments = written;
    change.removed_segments = replaced;
    kill_point("merge.before_commit");
    if (const auto committed = commit(change); !committed) {
      // After kIo the catalog may list them: the next start sees what it says.
      if (committed.error().code != ErrorCode::kIo) remove_segments(written, target);
      return committed.error();
    }
    kill_point("merge.before_publish");
    table.replace_segments(replaced, std::move(opened));
  }
  kill_point("merge.before_unlink");
  compaction_.finish(written);
  remove_files(inputs);
  if (table.tombstone_count() != 0) deletes_applied_ = true;  // the flush thread looks which hide nothing now
  return {};
}

void EngineImpl::note_failed_merge(const Table& table, const MergePlan& plan, const MergeProgress& progress,
                                   const Error& error, CompactionPass& pass) {
  const std::string what = fmt::format("a merge of {} segments of table `{}` failed: {}",
                                       plan.segment_ids.size(), table.options().name, error.message);
  compaction_.fail(what);
  if (progress.damaged != 0) {
    compaction_.exclude(progress.damaged);
    log_error(kComponent, what + "; the segment stays as it is and is merged no more until restart");
    pass.damage = error;
    return;
  }
  pass.stopped = error;
  if (!compaction_cancelled()) log_error(kComponent, what);
}

bool EngineImpl::compaction_cancelled() const {
  const std::lock_guard lock(state_mutex_);
  return closing_ || !failure_.empty();
}

}  // namespace varve
