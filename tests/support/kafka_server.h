// A real Apache Kafka for tests: one broker in KRaft mode on free loopback ports, data in a temporary folder.
// Topics are created by the first producer or metadata request that names them, with 4 partitions.
// Errors:  throws std::runtime_error with the end of the broker's log; `./dev setup test` fetches Kafka
// itself. Threads: one thread (see process.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace varve::testing {

class KafkaServer {
 public:
  // Returns when the broker answers. `properties` are lines added to server.properties, "num.partitions=1".
  static std::unique_ptr<KafkaServer> start(const std::vector<std::string>& properties = {});

  std::string bootstrap() const;  // "127.0.0.1:PORT"
  void stop();                    // clean shutdown
  void kill();                    // SIGKILL
  void restart();                 // after stop() or kill(): same port, same data; returns when it answers

 private:
  KafkaServer() = default;
  void launch();
  std::vector<std::string> java(const std::string& main_class,
                                const std::vector<std::string>& arguments) const;

  uint16_t port_ = 0;
  TempDir folder_;
  std::unique_ptr<Process> process_;  // after folder_: the broker ends before its data goes
};

}  // namespace varve::testing
