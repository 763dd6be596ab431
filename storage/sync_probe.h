// How long the disk of a folder takes to make 4 KiB durable: kSyncProbes fdatasyncs of a preallocated file, as the log
// does them, or as many as fit into kSyncProbeNs. Faster than kSyncSuspectNs at the median no disk is: then a cache
// probably says "durable" too early, and a power cut can take acknowledged rows.
// Errors: those of the files. The probe's file is removed again. Threads: pure function.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

constexpr int kSyncProbes = 48;                   // p99 is then the slowest
constexpr int64_t kSyncProbeNs = 100 * kNsPerMs;  // a start must not wait for a slow disk
constexpr int64_t kSyncSuspectNs =
    50 * kNsPerUs;  // guessed: fast NVMe with power-loss protection takes 10 to 30

struct SyncTimes {
  int count = 0;
  int64_t p50_ns = 0;
  int64_t p99_ns = 0;

  bool suspect() const { return p50_ns < kSyncSuspectNs; }
};

Result<SyncTimes> measure_sync(FileSystem& file_system, const Clock& clock, const std::string& folder);

}  // namespace varve
