// A message as librdkafka has it, for the archive: untouched, with its headers in their order.
// Threads: a pure function; the views live as long as the message.
#pragma once

#include <librdkafka/rdkafka.h>

#include "ingest/archive/container.h"

namespace varve {

ArchivedMessage raw_message(const rd_kafka_message_t& message);

}  // namespace varve
