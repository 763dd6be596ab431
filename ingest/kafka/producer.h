// A Kafka producer for `varve produce` and the demo. Delivery is confirmed message by message (acks=all,
// idempotent). Threads: one thread calls produce/poll/flush; delivered() and failed() from any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct KafkaProducerOptions {
  std::string brokers;
  std::string topic;
  std::map<std::string, std::string> properties;
  int64_t delivery_timeout_ns = 30'000'000'000;  // then the message counts as failed
};

class KafkaProducer {
 public:
  static Result<std::unique_ptr<KafkaProducer>> open(KafkaProducerOptions options);
  virtual ~KafkaProducer() = default;
  // Blocks while the local queue is full; kUnavailable when it stays full for the delivery timeout.
  // timestamp_ms 0 = now.
  virtual Result<void> produce(std::string_view key, std::string_view value, int64_t timestamp_ms) = 0;
  virtual void poll() = 0;  // serves delivery reports without waiting
  // Waits for everything outstanding. Error: how many were not delivered, with the broker's reason for the
  // first.
  virtual Result<void> flush(int64_t timeout_ns) = 0;
  virtual uint64_t delivered() const = 0;
  virtual uint64_t failed() const = 0;
};

}  // namespace varve
