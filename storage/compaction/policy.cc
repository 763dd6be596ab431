#include "storage/compaction/policy.h"

#include <algorithm>
#include <map>
#include <utility>

namespace varve {
namespace {

constexpr size_t kRunSegmentsMin = 4;  // merged for having enough bytes for a full segment

using Members = std::vector<size_t>;  // indexes of segments

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// Of window `index` of `width`: the first time after it; INT64_MAX when there is none.
int64_t window_end(int64_t index, int64_t width) {
  int64_t end = 0;
  return __builtin_mul_overflow(index + 1, width, &end) ? INT64_MAX : end;
}

bool overlap(const CompactionSegment& a, const CompactionSegment& b) {
  return a.time_min <= b.time_max && b.time_min <= a.time_max;
}

// Segments of one last_lsn never hold the same row, whatever their times.
bool conflict(const CompactionSegment& a, const CompactionSegment& b) {
  return a.last_lsn != b.last_lsn && overlap(a, b);
}

int tier_of(uint64_t bytes) {
  int tier = 0;
  for (; bytes >= kTierSegments; bytes /= kTierSegments) ++tier;
  return tier;
}

class Chooser {
 public:
  Chooser(std::span<const CompactionSegment> segments, const CompactionRules& rules)
      : segments_(segments), rules_(rules) {
    int64_t first = INT64_MAX;
    int64_t newest = INT64_MIN;
    for (const CompactionSegment& segment : segments) {
      first = std::min(first, segment.time_min);
      newest = std::max(newest, segment.time_max);
    }
    const int64_t now = std::min(rules.wall_ns, newest);  // no clock ahead makes data old
    // Late by less than this is not late: the window is still being written.
    const int64_t grace = rules.partition_ns / 8;
    past_ = now < INT64_MIN + grace ? INT64_MIN : now - grace;
    const bool expires = rules.retention_ns != 0 && now >= INT64_MIN + rules.retention_ns;
    for (size_t i = 0; i < segments.size(); ++i) {
      // What retention is about to drop is not worth a merge.
      if (!expires || segments[i].time_max >= now - rules.retention_ns) live_.push_back(i);
    }
    widths_.push_back(rules.partition_ns);
    const int64_t widest = widest_window(rules.partition_ns, rules.retention_ns);
    while (widths_.back() <= widest / kWindowFactor &&
           floor_div(first, widths_.back()) != floor_div(newest, widths_.back())) {
      widths_.push_back(widths_.back() * kWindowFactor);
    }
    handled_.resize(segments.size());
  }

  std::optional<MergePlan> choose() {
    if (!rules_.settle) {
      if (auto plan = choose_tier()) return plan;
    }
    // Widest first; what no window holds was written by a flush of rows far apart.
    if (auto plan = split_straddlers()) return plan;
    for (size_t level = widths_.size(); level-- > 0;) {
      for (const auto& [index, members] : windows(widths_[level])) {
        if (!rules_.settle && window_end(index, widths_[level]) > past_) continue;
        if (auto plan = choose_in_window(level, members)) return plan;
      }
    }
    return rewrite_;
  }

 private:
  const CompactionSegment& at(size_t index) const { return segments_[index]; }

  uint64_t bytes_of(const Members& members) const {
    uint64_t bytes = 0;
    for (const size_t i : members) bytes += at(i).bytes;
    return bytes;
  }
  uint64_t rows_of(const Members& members) const {
    uint64_t rows = 0;
    for (const size_t i : members) rows += at(i).rows;
    return rows;
  }

  bool is_small(size_t index) const {
    return at(index).bytes < kSmallSegmentBytes && at(index).rows < kMergeTargetRows / 2;
  }

  // The segments that lie within one window of this width, by window; those not handled in a wider one.
  std::map<int64_t, Members> windows(int64_t width) const {
    std::map<int64_t, Members> found;
    for (const size_t i : live_) {
      const int64_t window = floor_div(at(i).time_min, width);
      if (!handled_[i] && !at(i).blocked && window == floor_div(at(i).time_max, width)) {
        found[window].push_back(i);
      }
    }
    return found;
  }

  // Null when order or disk forbid it.
  std::optional<MergePlan> plan_of(MergeReason reason, Members members,
                                   std::vector<int64_t> cuts = {}) const {
    const uint64_t bytes = bytes_of(members);
    if (bytes > rules_.bytes_max || !is_allowed(segments_, members)) return std::nullopt;
    std::sort(members.begin(), members.end(), [&](size_t a, size_t b) {
      return std::pair(at(a).last_lsn, at(a).id) < std::pair(at(b).last_lsn, at(b).id);
    });
    MergePlan plan;
    plan.reason = reason;
    plan.bytes = bytes;
    for (const size_t i : members) plan.segment_ids.push_back(at(i).id);
    plan.cuts = std::move(cuts);
    return plan;
  }

  // Quiet for long enough, the longer the more is rewritten for the little that is new.
  bool is_due(const Members& members) const {
    if (rules_.settle) return true;
    const size_t largest = *std::max_element(members.begin(), members.end(),
                                             [&](size_t a, size_t b) { return at(a).bytes < at(b).bytes; });
    int64_t quiet = INT64_MAX;
    int64_t waited = 0;
    for (const size_t i : members) {
      quiet = std::min(quiet, at(i).age_ns);
      if (i != largest) waited = std::max(waited, at(i).age_ns);
    }
    const uint64_t rest = std::max<uint64_t>(bytes_of(members) - at(largest).bytes, 1);
    const auto patience =
        std::clamp<int64_t>(static_cast<int64_t>(at(largest).bytes / rest / 4), 1, kPatienceMax);
    return quiet >= kQuietNs * patience || waited >= kOverlapNsMax;
  }

  // Times that cut the members' rows into outputs of about equal size, as if the rows of each were spread evenly.
  std::vector<int64_t> even_cuts(const Members& members) const {
    const uint64_t outputs = std::max((bytes_of(members) + kMergeOutputBytes - 1) / kMergeOutputBytes,
                                      (rows_of(members) + kMergeTargetRows - 1) / kMergeTargetRows);
    if (outputs <= 1) return {};
    struct Edge {
      int64_t time;
      double rate;  // bytes a nanosecond that begin or end here
    };
    std::vector<Edge> edges;
    double total = 0;
    for (const size_t i : members) {
      const CompactionSegment& segment = at(i);
      const double length = static_cast<double>(segment.time_max) - static_cast<double>(segment.time_min) + 1;
      const double rate = static_cast<double>(segment.bytes) / length;
      edges.push_back({segment.time_min, rate});
      edges.push_back({segment.time_max, -rate});
      total += static_cast<double>(segment.bytes);
    }
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.time < b.time; });
    std::vector<int64_t> cuts;
    double before = 0;
    double rate = 0;
    for (size_t e = 0; e + 1 < edges.size(); ++e) {
      rate = std::max(0.0, rate + edges[e].rate);
      const double length = static_cast<double>(edges[e + 1].time) - static_cast<double>(edges[e].time);
      while (cuts.size() + 1 < outputs) {
        const double wanted = total * static_cast<double>(cuts.size() + 1) / static_cast<double>(outputs);
        if (before + rate * length < wanted || rate <= 0) break;
        const auto into = static_cast<uint64_t>(std::clamp((wanted - before) / rate, 0.0, length));
        cuts.push_back(static_cast<int64_t>(static_cast<uint64_t>(edges[e].time) + into));
      }
      before += rate * length;
    }
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }

  // ---- tiers ----

  std::optional<MergePlan> choose_tier() const {
    std::map<std::pair<size_t, int64_t>, Members>
        homes;  // by level and window: the smallest that holds the segment
    for (const size_t i : live_) {
      if (at(i).blocked || !is_small(i)) continue;
      for (size_t level = 0; level < widths_.size(); ++level) {
        const int64_t window = floor_div(at(i).time_min, widths_[level]);
        if (window != floor_div(at(i).time_max, widths_[level])) continue;
        homes[{level, window}].push_back(i);
        break;
      }
    }
    for (auto& [home, members] : homes) {
      std::sort(members.begin(), members.end(), [&](size_t a, size_t b) {
        return std::pair(at(a).last_lsn, at(a).id) < std::pair(at(b).last_lsn, at(b).id);
      });
      int highest = 0;
      for (const size_t i : members) highest = std::max(highest, tier_of(at(i).bytes));
      for (int tier = 0; tier <= highest; ++tier) {
        if (auto plan = choose_run(members, tier)) return plan;
      }
    }
    return std::nullopt;
  }

  // Of segments in the order of their lsn, the first run of at most this tier that is worth a merge.
  std::optional<MergePlan> choose_run(const Members& members, int tier) const {
    for (size_t from = 0; from < members.size();) {
      if (tier_of(at(members[from]).bytes) > tier) {
        ++from;
        continue;
      }
      Members run;
      uint64_t bytes = 0;
      uint64_t rows = 0;
      size_t of_tier = 0;
      bool full = false;
      size_t next = from;
      for (; next < members.size() && !full && tier_of(at(members[next]).bytes) <= tier; ++next) {
        run.push_back(members[next]);
        bytes += at(members[next]).bytes;
        rows += at(members[next]).rows;
        of_tier += tier_of(at(members[next]).bytes) == tier;
        full = run.size() >= kRunSegmentsMin && (bytes >= kMergeTargetBytes || rows >= kMergeTargetRows);
      }
      if (of_tier >= kTierSegments || full) {
        auto cuts = even_cuts(run);
        if (auto plan = plan_of(MergeReason::kTier, std::move(run), std::move(cuts))) return plan;
      }
      from = next;
    }
    return std::nullopt;
  }

  // ---- windows of the past ----

  std::optional<MergePlan> choose_in_window(size_t level, const Members& members) {
    if (bytes_of(members) <= kMergeTargetBytes && rows_of(members) <= kMergeTargetRows &&
        !has_twins(members)) {
      if (members.size() == 1) {
        handled_[members.front()] = true;
        note_rewrite(members.front());
        return std::nullopt;
      }
      if (is_allowed(segments_, members)) {
        for (const size_t i : members) handled_[i] = true;
        return is_due(members) ? plan_of(MergeReason::kWindow, members) : std::nullopt;
      }
    }
    if (level > 0) return split_wide(level, members);
    if (auto plan = end_overlaps(members)) return plan;
    if (auto plan = gather(members)) return plan;
    for (const size_t i : members) note_rewrite(i);
    return std::nullopt;
  }

  // Segments that one merge made because they do not fit one file: merging them again would make them again.
  bool has_twins(const Members& members) const {
    std::map<Lsn, int64_t> ends;  // of the segments of each lsn so far, by time
    Members by_time = members;
    std::sort(by_time.begin(), by_time.end(),
              [&](size_t a, size_t b) { return at(a).time_min < at(b).time_min; });
    for (const size_t i : by_time) {
      const auto [known, first] = ends.try_emplace(at(i).last_lsn, at(i).time_max);
      if (!first && at(i).time_min <= known->second) return true;
      known->second = std::max(known->second, at(i).time_max);
    }
    return false;
  }

  // A segment over several narrower windows, whose rows do not fit one: divided, so that each can be merged.
  std::optional<MergePlan> split_wide(size_t level, const Members& members) {
    const int64_t width = widths_[level - 1];
    for (const size_t i : members) {
      const int64_t first = floor_div(at(i).time_min, width);
      const int64_t last = floor_div(at(i).time_max, width);
      if (first == last) continue;
      Members overlapping{i};
      for (const size_t other : members) {
        if (conflict(at(i), at(other))) overlapping.push_back(other);
      }
      if (overlapping.size() == 1) {
        note_rewrite(i);
      } else if (is_due(overlapping)) {
        std::vector<int64_t> cuts;
        for (int64_t window = first; window < last; ++window) cuts.push_back(window_end(window, width));
        if (auto plan = plan_of(MergeReason::kOverlap, {i}, std::move(cuts))) return plan;
      }
    }
    return std::nullopt;
  }

  std::optional<MergePlan> split_straddlers() {
    const int64_t widest = widths_.back();
    for (const size_t i : live_) {
      if (at(i).blocked || floor_div(at(i).time_min, widest) == floor_div(at(i).time_max, widest)) continue;
      Members overlapping{i};
      for (const size_t other : live_) {
        if (conflict(at(i), at(other))) overlapping.push_back(other);
      }
      if (overlapping.size() == 1 && (rules_.settle || at(i).time_max < past_)) note_rewrite(i);
      if (overlapping.size() == 1 || !is_due(overlapping)) continue;
      // In at most kWindowFactor parts; parts that are still too wide come again.
      int64_t width = widest;
      while (width <= INT64_MAX / 2 &&
             floor_div(at(i).time_max, width) - floor_div(at(i).time_min, width) >= kWindowFactor) {
        width *= 2;
      }
      std::vector<int64_t> cuts;
      for (int64_t window = floor_div(at(i).time_min, width); window < floor_div(at(i).time_max, width);
           ++window) {
        cuts.push_back(window_end(window, width));
      }
      if (auto plan = plan_of(MergeReason::kOverlap, {i}, std::move(cuts))) return plan;
    }
    return std::nullopt;
  }

  std::optional<MergePlan> end_overlaps(Members members) {
    std::sort(members.begin(), members.end(), [&](size_t a, size_t b) {
      return std::pair(at(a).time_min, at(a).id) < std::pair(at(b).time_min, at(b).id);
    });
    for (size_t from = 0; from < members.size();) {
      Members group{members[from]};
      int64_t end = at(members[from]).time_max;
      bool conflicting = false;
      size_t next = from + 1;
      for (; next < members.size() && at(members[next]).time_min <= end; ++next) {
        group.push_back(members[next]);
        end = std::max(end, at(members[next]).time_max);
        conflicting = conflicting || at(members[next]).last_lsn != at(members[from]).last_lsn;
      }
      if (conflicting && is_due(group)) {
        if (auto plan = merge_group(group)) return plan;
      }
      from = next;
    }
    return std::nullopt;
  }

  // The whole group, or of a large one its beginning: up to a time from which the rest goes on.
  std::optional<MergePlan> merge_group(const Members& group) const {
    uint64_t bytes = 0;
    Members part;
    for (const size_t i : group) {  // by time_min
      if (bytes >= kMergeBytesMax) {
        const int64_t end = at(i).time_min;
        uint64_t done = 0;  // bytes that the merge finishes with
        for (const size_t taken : part) done += at(taken).time_max < end ? at(taken).bytes : 0;
        if (at(part.back()).time_min < end && done * 2 >= bytes) {
          auto cuts = even_cuts(part);
          cuts.insert(std::lower_bound(cuts.begin(), cuts.end(), end), end);
          cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
          if (auto plan = plan_of(MergeReason::kOverlap, part, std::move(cuts))) return plan;
        }
      }
      part.push_back(i);
      bytes += at(i).bytes;
    }
    return plan_of(MergeReason::kOverlap, group, even_cuts(group));
  }

  std::optional<MergePlan> gather(Members members) const {
    std::sort(members.begin(), members.end(),
              [&](size_t a, size_t b) { return at(a).time_min < at(b).time_min; });
    Members run;
    const auto finish = [&]() -> std::optional<MergePlan> {
      const Members found = std::exchange(run, {});
      return found.size() > 1 && is_due(found) ? plan_of(MergeReason::kGather, found) : std::nullopt;
    };
    int64_t end = INT64_MIN;  // of those before
    for (size_t i = 0; i < members.size(); ++i) {
      const bool alone = (i == 0 || end < at(members[i]).time_min) &&
                         (i + 1 == members.size() || !overlap(at(members[i]), at(members[i + 1])));
      end = std::max(end, at(members[i]).time_max);
      const bool fits = bytes_of(run) + at(members[i]).bytes <= kMergeTargetBytes &&
                        rows_of(run) + at(members[i]).rows <= kMergeTargetRows;
      const bool candidate = alone && is_small(members[i]);
      if (!candidate || !fits) {
        if (auto plan = finish()) return plan;
      }
      if (candidate) run.push_back(members[i]);
    }
    return finish();
  }

  void note_rewrite(size_t index) {
    if (rewrite_ || !at(index).rewrite || (!rules_.settle && at(index).age_ns < kQuietNs)) return;
    rewrite_ = plan_of(MergeReason::kRewrite, {index});
  }

  const std::span<const CompactionSegment> segments_;
  const CompactionRules& rules_;
  int64_t past_ = 0;  // windows that end up to here are past
  Members live_;
  std::vector<int64_t> widths_;  // ascending
  std::vector<bool> handled_;
  std::optional<MergePlan> rewrite_;
};

}  // namespace

std::string_view merge_reason_name(MergeReason reason) {
  switch (reason) {
    case MergeReason::kTier:
      return "tier";
    case MergeReason::kWindow:
      return "window";
    case MergeReason::kOverlap:
      return "overlap";
    case MergeReason::kGather:
      return "gather";
    case MergeReason::kRewrite:
      return "rewrite";
  }
  return "";
}

int64_t widest_window(int64_t partition_ns, int64_t retention_ns) {
  return retention_ns == 0 ? INT64_MAX : std::max(partition_ns, retention_ns / kRetentionParts);
}

bool is_allowed(std::span<const CompactionSegment> segments, std::span<const size_t> chosen) {
  std::vector<bool> is_chosen(segments.size());
  Lsn last = 0;
  for (const size_t i : chosen) {
    is_chosen[i] = true;
    last = std::max(last, segments[i].last_lsn);
  }
  for (size_t other = 0; other < segments.size(); ++other) {
    if (is_chosen[other] || segments[other].last_lsn > last) continue;
    for (const size_t i : chosen) {
      if (segments[other].last_lsn > segments[i].last_lsn && overlap(segments[other], segments[i]))
        return false;
    }
  }
  return true;
}

std::optional<MergePlan> next_merge(std::span<const CompactionSegment> segments,
                                    const CompactionRules& rules) {
  if (segments.empty()) return std::nullopt;
  return Chooser(segments, rules).choose();
}

}  // namespace varve
