// Which segments of a table to merge next. A pure function of what is known of the segments, so that it can be tried on
// made-up ones. The rules, first that applies:
//   tiers     Segments of like size in one window of time (at least kTierSegments of a tier, or enough for one full
//             segment) become one of the next tier: each row is rewritten once a tier, however small flushes are.
//   windows   Time is cut into aligned windows: partitions, and 16, 256 ... partitions while that is no wider than an
//             eighth of the retention. A window that lies in the past and fits one segment becomes one segment, the
//             widest such window first: cold data ends in few files.
//   overlaps  In a past partition larger than a segment, segments that overlap in time become ones that do not.
//   gather    There, neighbours much smaller than a segment become one.
//   rewrite   A segment of the past that the flush encoded in a hurry is encoded with full effort.
// The last four wait until the window is quiet, longer where a large segment would be rewritten for few late rows, but
// not for ever. Last write wins, so a merge never takes a row past a segment it overlaps (see is_allowed).
// Threads: pure functions.
// Source: tiers: O'Neil et al., The log-structured merge-tree, 1996, with the time windows of Cassandra's TWCS.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/segment/format.h"
#include "storage/wal/lsn.h"

namespace varve {

// Guessed: with sixteen, a partition of 1440 small flushes costs one more rewrite; with more, scans read more files.
constexpr size_t kTierSegments = 32;
constexpr int64_t kWindowFactor = 16;   // of one width to the next
constexpr int64_t kRetentionParts = 8;  // no merge makes a segment wider than this part of the retention
// Inputs of up to this become one segment; some way below kSegmentBytesMax, for estimates err.
constexpr uint64_t kMergeTargetBytes = 48ULL << 20;
constexpr uint64_t kMergeOutputBytes = 56ULL << 20;  // of each output, where inputs are more than that
constexpr uint64_t kMergeTargetRows = kSegmentRowsMax / 4 * 3;
constexpr uint64_t kSmallSegmentBytes =
    kMergeTargetBytes / 2;  // below it, a segment is worth merging for its size
constexpr uint64_t kMergeBytesMax = 512ULL
                                    << 20;  // of the inputs, where they can be divided: bounds disk head-room
constexpr int64_t kQuietNs = 5 * 60 * kNsPerSecond;  // guessed: late rows come in bursts
constexpr int64_t kPatienceMax = 288;                // times kQuietNs: a day
constexpr int64_t kOverlapNsMax = kNsPerDay;  // rows that keep coming late are merged at least this often

struct CompactionSegment {
  uint64_t id = 0;
  uint64_t bytes = 0;
  uint64_t rows = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  Lsn last_lsn = 0;
  bool rewrite = false;  // it gains from being written anew even alone
  bool blocked = false;  // cannot be read: no merge takes it
  int64_t age_ns = 0;    // since it became part of the table, or the store was opened
};

struct CompactionRules {
  int64_t partition_ns = kNsPerDay;
  int64_t retention_ns = 0;  // 0 = forever
  int64_t wall_ns = 0;
  bool settle = false;              // as if every row were old and nothing more came
  uint64_t bytes_max = UINT64_MAX;  // of the inputs: what the disk has room for
};

enum class MergeReason : uint8_t { kTier, kWindow, kOverlap, kGather, kRewrite };
std::string_view merge_reason_name(MergeReason reason);

struct MergePlan {
  MergeReason reason = MergeReason::kTier;
  std::vector<uint64_t> segment_ids;  // ascending by last_lsn, then id
  std::vector<int64_t> cuts;          // ascending; an output holds rows before, or from, each of these times
  uint64_t bytes = 0;                 // of the inputs
};

// Nullopt: nothing is due.
std::optional<MergePlan> next_merge(std::span<const CompactionSegment> segments,
                                    const CompactionRules& rules);

// The widest segment a merge or flush should make.
int64_t widest_window(int64_t partition_ns, int64_t retention_ns);

// Whether merging `chosen` (indexes) keeps last write wins: the output stands at the last of its lsns, so no other
// segment may overlap a chosen one and stand after it, up to there.
bool is_allowed(std::span<const CompactionSegment> segments, std::span<const size_t> chosen);

}  // namespace varve
