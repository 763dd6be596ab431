// An in-process Kafka broker for the demo and fast tests: librdkafka's mock cluster. Real clients on this
// machine can connect to bootstrap(). It keeps at most the newest 5 MiB or 100,000 message sets a partition:
// no store of record. Threads: any.
#pragma once

#include <memory>
#include <string>

#include "storage/base/error.h"

namespace varve {

class EmbeddedBroker {
 public:
  static Result<std::unique_ptr<EmbeddedBroker>> start(int brokers = 1);
  virtual ~EmbeddedBroker() = default;
  virtual std::string bootstrap() const = 0;  // "127.0.0.1:PORT"
  virtual Result<void> create_topic(const std::string& topic, int partitions) = 0;
  virtual void set_down(bool down) = 0;  // tests: the broker's connections close and stay refused
};

}  // namespace varve
