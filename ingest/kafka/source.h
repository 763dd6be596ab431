// A Kafka consumer writing into the store: poll -> decode -> admit -> append with positions -> commit.
// Exactly once: the next offset of each partition travels in the log record of its rows, and reading resumes
// from the store's own positions (stream "kafka:GROUP:TOPIC"); the broker's committed offsets are only
// advice. Refused messages go to varve_quarantine in the same record. Offsets are committed to the broker
// after the log is synced. An unreachable broker or absent topic is a state, not an error: it keeps trying
// and says so in status() and one log line. Threads: starts one consumer thread; status() from any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/archive/archive.h"
#include "ingest/decode/decoder.h"
#include "ingest/kafka/control.h"
#include "ingest/process/row_processor.h"
#include "ingest/status.h"
#include "storage/engine.h"

namespace varve {

struct KafkaSourceOptions {
  std::string name = "kafka.0";
  std::string brokers = "127.0.0.1:9092";
  std::string group = "varve";
  std::vector<std::string> topics{"readings"};
  std::string start =
      "earliest";  // earliest | latest | RFC 3339 time: where a partition never read before begins
  DecodeMapping mapping;
  RowProcessorFactory make_processor;  // empty = rows are stored as decoded
  ArchiveOptions archive;              // without a directory: none
  std::string dead_letter_topic;       // refused messages go there, too (dead_letter.h); empty = nowhere
  std::map<std::string, std::string> properties;  // handed to librdkafka as they are
};

class KafkaSource {
 public:
  // kInvalidArgument when librdkafka refuses an option (named) or the mapping is wrong.
  static Result<std::unique_ptr<KafkaSource>> start(KafkaSourceOptions options, Engine& engine,
                                                    MetricsRegistry& metrics);
  virtual ~KafkaSource() = default;  // stops: finishes what is in flight, commits, leaves the group
  virtual SourceStatus status() const = 0;

  // What an operator asks for; returns when it is done (control.h).
  virtual Result<std::vector<MovedPartition>> resume(const ResumeRequest& request) = 0;
  virtual Result<std::vector<MovedPartition>> rewind(const RewindRequest& request) = 0;
};

}  // namespace varve
