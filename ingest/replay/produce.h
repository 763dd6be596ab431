// Sends a generator's messages to Kafka at a given pace and waits until they are delivered.
// Threads: one thread; `progress` is called on it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ingest/kafka/producer.h"
#include "ingest/replay/generator.h"
#include "storage/base/error.h"

namespace varve {

struct ProduceOptions {
  double rate = 0;                               // messages a second; 0 = as fast as they are taken
  uint64_t count = 0;                            // 0 = to the generator's end
  int64_t delivery_timeout_ns = 30'000'000'000;  // for what is outstanding at the end
};

struct ProduceProgress {
  uint64_t sent = 0;  // handed to the producer
  uint64_t bytes = 0;
  uint64_t delivered = 0;
  uint64_t failed = 0;
  int64_t elapsed_ns = 0;
};

struct ProduceReport : ProduceProgress {
  bool stopped = false;  // by `progress`
  std::string problem;   // why messages were not delivered; empty = every one was
};

// `progress` is called about ten times a second and once at the end; false = stop.
// Errors: the generator's, or the producer's when it cannot go on.
Result<ProduceReport> produce(Generator& generator, KafkaProducer& producer, const ProduceOptions& options,
                              const std::function<bool(const ProduceProgress&)>& progress);

}  // namespace varve
