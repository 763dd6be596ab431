#include "api/http/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "health";

using Problems = std::vector<Problem>;

void find_in_store(const EngineStatus& store, Problems& out) {
  if (store.failed) {
    out.push_back(
        {"store_failed",
         {},
         store.read_only_reason,
         "check the disk and its kernel messages, then restart varve: what was acknowledged is kept"});
  } else if (!store.read_only_reason.empty()) {
    out.push_back({"disk_full",
                   {},
                   store.read_only_reason,
                   "free space on that disk, or shorten storage.retention; writes go on by themselves"});
  }
  const CompactionStatus& compaction = store.compaction;
  if (compaction.damaged_segments != 0 || !store.damage.empty()) {
    const std::string& said = store.damage.empty() ? compaction.problem : store.damage;
    out.push_back(
        {"damaged_segment",
         {},
         fmt::format("{} segments cannot be merged, {} reads found damage; the last: {}",
                     compaction.damaged_segments, store.damaged_reads, said),
         "stop varve and run varve check --data DIR --repair, or restore a backup; replace the disk "
         "if it goes on"});
  } else if (!compaction.problem.empty()) {
    out.push_back(
        {"compaction_failed",
         {},
         compaction.problem,
         "free disk space if there is none; queries stay right, but slow down while segments pile up"});
  }
  if (!store.retention_suspended_reason.empty()) {
    out.push_back({"clock_jump",
                   {},
                   store.retention_suspended_reason,
                   "set the clock right (NTP); if it is right now, restart varve"});
  }
}

void find_in_limits(const EngineStatus& store, Problems& out) {
  for (const LimitReached& limit : store.limits) {
    const std::string table = limit.database + "." + limit.table;
    if (limit.limit == "series_limit") {
      out.push_back(
          {"series_limit", table,
           fmt::format("table {} has {} series, its limit: rows of new series are refused and go to "
                       "varve_quarantine",
                       table, limit.max),
           "make the tag with the most values a field, or raise storage.series_per_table"});
    } else if (limit.limit == "column_limit") {
      out.push_back(
          {"column_limit", table,
           fmt::format("table {} has {} columns, its limit: rows with new ones are refused and go to "
                       "varve_quarantine",
                       table, limit.max),
           "send names as values of a tag, or raise storage.columns_per_table"});
    } else if (limit.limit == "tag_limit") {
      out.push_back({"column_limit", table,
                     fmt::format("table {} has {} tags, its limit: rows with new ones are refused and go to "
                                 "varve_quarantine",
                                 table, limit.max),
                     "make a tag's name a value of another tag, or the tag a field"});
    } else {
      out.push_back({"table_limit",
                     {},
                     fmt::format("there are {} tables, the limit: rows for new ones are refused", limit.max),
                     "write to fewer tables with a tag to tell them apart, or raise storage.tables_max"});
    }
  }
}

void find_in_source(const SourceStatus& source, Problems& out) {
  if (source.broker_unreachable) {
    out.push_back({"broker_unreachable", source.name, source.detail,
                   "check that the broker runs, its address (kafka.N.brokers), the network and the "
                   "credentials; reading goes on by itself where it stopped"});
  }
  const auto halted =
      std::count_if(source.partitions.begin(), source.partitions.end(),
                    [](const PartitionStatus& partition) { return !partition.halted.empty(); });
  if (source.state == "halted" || halted != 0) {
    out.push_back(
        {"source_halted", source.name,
         halted == 0 ? source.detail
                     : fmt::format("{} of {} partitions are halted: {}", halted, source.partitions.size(),
                                   source.detail),
         "see varve ingest status, then varve ingest resume --topic T --partition N --skip (or --from)"});
  }
}

void find_in_mirror(const MirrorStatus& mirror, Problems& out) {
  if (mirror.state == "retrying") {
    out.push_back(
        {"mirror_unreachable", mirror.name, mirror.last_error,
         "see that the server runs and takes writes; nothing is lost up to storage.wal_max_bytes, and "
         "what was missed is sent by itself"});
  } else if (mirror.state == "held") {
    out.push_back(
        {"mirror_held", mirror.name, mirror.last_error,
         "set right what the server refuses (token, database, permissions); sending goes on by itself"});
  }
}

size_t rank(std::string_view code) {
  return static_cast<size_t>(std::find(kProblemCodes.begin(), kProblemCodes.end(), code) -
                             kProblemCodes.begin());
}

}  // namespace

Problems find_problems(const EngineStatus& store, const std::vector<SourceStatus>& sources,
                       const std::vector<MirrorStatus>& mirrors) {
  Problems found;
  find_in_store(store, found);
  find_in_limits(store, found);
  for (const SourceStatus& source : sources) find_in_source(source, found);
  for (const MirrorStatus& mirror : mirrors) find_in_mirror(mirror, found);
  std::stable_sort(found.begin(), found.end(),
                   [](const Problem& a, const Problem& b) { return rank(a.code) < rank(b.code); });
  if (found.size() > kProblemsMax) found.resize(kProblemsMax);
  return found;
}

ProblemWatch::ProblemWatch(const HttpServices& services)
    : services_(services), thread_([this](const std::stop_token& stop) {
        std::unique_lock lock(wait_mutex_);
        while (!stop.stop_requested()) {
          now();
          wait_.wait_for(lock, stop, std::chrono::nanoseconds(kLookNs), [] { return false; });
        }
      }) {}

Problems ProblemWatch::now() {
  return now(services_.engine->status(), services_.sources(), services_.mirrors());
}

Problems ProblemWatch::now(const EngineStatus& store, const std::vector<SourceStatus>& sources,
                           const std::vector<MirrorStatus>& mirrors) {
  Problems found = find_problems(store, sources, mirrors);
  const int64_t wall_ns = services_.clock->wall_ns();
  std::map<std::pair<std::string_view, std::string>, int64_t> still;
  std::vector<std::pair<std::string_view, std::string>> over;
  {
    const std::lock_guard lock(mutex_);
    for (Problem& problem : found) {
      std::pair<std::string_view, std::string> key(problem.code, problem.subject);
      const auto known = since_ns_.find(key);
      problem.since_ns = known == since_ns_.end() ? wall_ns : known->second;
      still.emplace(std::move(key), problem.since_ns);
    }
    for (const auto& [key, since] : since_ns_) {
      if (!still.contains(key)) over.push_back(key);
    }
    since_ns_ = std::move(still);
  }
  for (const auto& [code, subject] : over) {
    log_info(kComponent,
             subject.empty() ? fmt::format("over: {}", code) : fmt::format("over: {} of {}", code, subject));
  }
  return found;
}

void ProblemWatch::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace varve
