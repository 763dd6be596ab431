// What a source would make of messages, without reading for good: they are fetched by a consumer that joins no group and
// commits nothing, decoded and processed as the source does it, and appended to an engine of the caller's, which should
// be a new one that is thrown away afterwards.
// Reading begins where `start` says, as of a source that never ran: neither a store's positions nor the group's commits
// are asked for. It ends with enough messages; at the end of all partitions (not with start = latest, which is about
// messages to come); or when none came for a while. Partitions share the messages evenly as far as they have them.
// Errors:  kUnavailable no broker answers; kNotFound none of the topics is there; what a source's start refuses.
// Threads: the caller's, and librdkafka's own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ingest/kafka/partition.h"
#include "ingest/kafka/source.h"

namespace varve {

constexpr uint64_t kDryRunMessagesMax = 1'000'000;
constexpr size_t kDryRunLinesPerTable = 5;
constexpr size_t kDryRunRejectsMax = 100;  // named; all are counted

struct DryRunOptions {
  uint64_t messages = 100;
  int64_t quiet_ns =
      10 * kNsPerSecond;  // guessed: a slow topic has a message in it, and people wait that long
};

struct DryRunColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kField;
  FieldType type = FieldType::kDouble;
  uint64_t values = 0;  // rows that have it
};

struct DryRunTable {
  std::string database;
  std::string name;
  uint64_t rows = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  std::vector<DryRunColumn> columns;
  std::vector<std::string> lines;  // line protocol of the first rows, without LF
};

struct DryRunReject {
  DecodeReject reject;
  TopicPartition id;
  int64_t offset = 0;
};

struct DryRunReport {
  size_t partitions = 0;
  uint64_t messages = 0;
  uint64_t tombstones = 0;  // of these, with a null value
  uint64_t rows = 0;
  std::vector<DryRunTable> tables;  // sorted by database, name
  std::map<std::string, uint64_t> rejected_by_reason;
  std::vector<DryRunReject> rejects;
  ProcessCounts processed;
  std::vector<std::string> problems;  // topics that are not there, partitions a source would stop or wait at
  bool stopped = false;               // by `go_on`
};

// `go_on` is asked several times a second; false ends the reading, and what was read is reported.
Result<DryRunReport> dry_run(const KafkaSourceOptions& source, Engine& engine, const DryRunOptions& options,
                             const std::function<bool()>& go_on);

}  // namespace varve
