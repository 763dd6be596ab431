// Sends what a source refused to a Kafka topic, too: a cursor on the log picks the source's rows of varve_quarantine, so a
// dead broker never slows ingest and a kill loses nothing. At least once, in order: the cursor moves after the broker has
// acknowledged (idempotent producer, acks=all). Each message has the original key, value, timestamp and headers, then
//   varve.source varve.topic varve.partition varve.offset varve.reason varve.detail
//   varve.truncated   the size it had, when it did not fit into the quarantine (quarantine.h) and is cut here, too
// Errors: start: kInvalidArgument when librdkafka refuses an option. Threads: starts one; stops within 2 s or so.
#pragma once

#include <memory>
#include <string>

#include "ingest/kafka/source.h"
#include "storage/engine.h"

namespace varve {

class DeadLetterSink {
 public:
  // Of options.dead_letter_topic, on the brokers the source reads.
  static Result<std::unique_ptr<DeadLetterSink>> start(const KafkaSourceOptions& options, Engine& engine,
                                                       MetricsRegistry& metrics);
  virtual ~DeadLetterSink() = default;
};

}  // namespace varve
