// A real InfluxDB 1.6 for tests on free loopback ports, data in a temporary folder.
// Errors:  throws std::runtime_error with the end of its log; `./dev setup test` fetches InfluxDB itself.
// Threads: one thread (see process.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace varve::testing {

class InfluxdServer {
 public:
  InfluxdServer();  // chooses its ports and folder; not started, so that a test can begin with InfluxDB away

  void
  start();      // first start, or again after stop() or kill(): same port, same data; returns when it answers
  void stop();  // clean shutdown
  void kill();  // SIGKILL

  std::string url() const;  // "http://127.0.0.1:PORT"

  // Body of the answer to one InfluxQL statement; throws when the status is not 200.
  std::string query(const std::string& influxql, const std::string& database = {}) const;

 private:
  uint16_t port_;
  TempDir folder_;
  std::unique_ptr<Process> process_;  // after folder_: the server ends before its data goes
};

}  // namespace varve::testing
