// Feeds archived messages (archive.h) through a source's decoder into a store again. Positions stay as they are, and
// rows that are there already are written over with the same values, so a replay can be repeated. What is refused goes
// to varve_quarantine, as at first. Files go in order of their names: by topic, then time.
// Damage in a file is listed and passed over; the end that a crash tore off a .part was never synced and is none.
// Errors: kUnavailable (a schema registry is away, the disk is full), kIo, kNotFound.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "ingest/kafka/source.h"
#include "storage/engine.h"

namespace varve {

struct ReplayOptions {
  std::string directory;
  std::string topic;  // only of this one; empty = all
  std::string
      source;  // feed everything to the source of this name; empty = to those that read the message's topic
  int64_t from_ms = std::numeric_limits<int64_t>::min();  // the messages' Kafka timestamps, both inclusive
  int64_t to_ms = std::numeric_limits<int64_t>::max();
  double speed = 0;  // 1 = as fast as they were sent, 10 = ten times that; 0 = as fast as can be
};

struct ReplayReport {
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint64_t files = 0;
  uint64_t messages = 0;   // fed to a source
  uint64_t no_source = 0;  // that no source reads
  uint64_t rows = 0;
  uint64_t rejected = 0;
  bool stopped = false;
  std::vector<std::string> damage;  // a line each, with file and offset
};

// `observer` is called now and then; false stops after what is under way.
Result<ReplayReport> replay_archive(const ReplayOptions& options,
                                    const std::vector<KafkaSourceOptions>& sources, Engine& engine,
                                    const std::function<bool(const ReplayReport&)>& observer);

}  // namespace varve
