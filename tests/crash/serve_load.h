// `varve serve` from outside: a node on a data folder, and writers that post line protocol to it and keep their own
// ledger of what it answered. Row N of a writer has values that follow from N.
// Errors:  throws std::runtime_error when the node does not come up.
// Threads: ServeNode one; ServeLoad starts one a writer, stop() joins them.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/process.h"

namespace varve::test {

class ServeNode {
 public:
  // `storage` are more keys of [storage].
  explicit ServeNode(std::filesystem::path data, const std::string& storage = {});

  // Returns once /readyz answers 200.
  void start(const Process::Options& options = {});
  Process& process() { return *process_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The lines of a CSV answer without its header, none while there is no such table; throws for any other error.
  std::vector<std::string> query(const std::string& sql) const;
  int readiness() const;                              // the status of /readyz
  std::string metric(const std::string& name) const;  // its value as text; empty when there is none

 private:
  TempDir folder_;
  uint16_t port_;
  std::unique_ptr<Process> process_;
};

class ServeLoad {
 public:
  enum class Outcome { kAcknowledged, kRefused, kUnknown };  // 204; 503; no answer or another one
  struct Request {
    int64_t first_row = 0;
    Outcome outcome = Outcome::kUnknown;
  };

  ServeLoad(std::string url, int writers) : url_(std::move(url)), requests_(static_cast<size_t>(writers)) {}
  ~ServeLoad() { stop(); }

  void start();  // again after stop(): goes on with new rows
  void stop();
  int64_t count(Outcome outcome) const { return counts_[static_cast<size_t>(outcome)]; }
  std::string last_refusal() const;  // its body

  // Every acknowledged row is there once, right; no refused row is; no other. Empty = so it is.
  std::string check(const ServeNode& node) const;

 private:
  void write(size_t writer);

  const std::string url_;
  std::vector<std::vector<Request>> requests_;  // by writer, in order
  std::atomic<int64_t> counts_[3] = {};
  mutable std::mutex refusal_mutex_;
  std::string last_refusal_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace varve::test
