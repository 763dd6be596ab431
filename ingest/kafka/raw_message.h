// A message as librdkafka has it, for the archive (untouched, with its headers in their order) and for a pipeline.
// Threads: pure functions; the views live as long as the message.
#pragma once

#include <librdkafka/rdkafka.h>

#include "ingest/archive/container.h"
#include "ingest/kafka/pipeline.h"

namespace varve {

ArchivedMessage raw_message(const rd_kafka_message_t& message);
// A message without a timestamp has the time it is looked at.
PolledMessage polled_message(const rd_kafka_message_t& message, KafkaPartition& partition,
                             const MessageHeaders& headers);

}  // namespace varve
