// Load by many keep-alive connections from one thread: each sends a request, waits for its whole answer, and sends the
// next at once (a closed loop, also after a refusal: Retry-After is not waited for, which is the worst a client can do).
// Times: from the send to the answer's last byte, ms. Errors: throws std::runtime_error when it cannot connect or an
// answer has no Content-Length. Threads: one per object.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace varve::bench {

struct LoadResult {
  uint64_t answered = 0;  // with 200
  uint64_t refused = 0;   // with 503 and Retry-After
  uint64_t failed = 0;    // any other answer, or none
  double seconds = 0;
  uint64_t body_bytes = 0;
  double slowest_refusal_ms = 0;
  uint64_t fewest = 0;                 // answers of 200 that one connection got
  std::vector<double> answer_ms = {};  // of those with 200, sorted

  double percentile(double part) const;
};

class HttpLoad {
 public:
  using NextTarget = std::function<std::string()>;  // "/path?query", of the next request

  HttpLoad(uint16_t port, size_t connections);
  ~HttpLoad();
  HttpLoad(const HttpLoad&) = delete;
  HttpLoad& operator=(const HttpLoad&) = delete;

  // Answers that are still on their way at the end are waited for and not counted.
  LoadResult run(const NextTarget& next, std::chrono::milliseconds length);

 private:
  struct Connection {
    int socket = -1;
    std::string input = {};
    std::chrono::steady_clock::time_point sent = {};
    uint64_t answers = 0;
    bool waiting = false;
  };
  struct Answer {
    int status = 0;  // 0 = it ended without one
    size_t body_bytes = 0;
    bool closes = false;
  };

  void connect(Connection& connection);
  void send(Connection& connection, const std::string& target);
  bool receive(Connection& connection, Answer& answer);  // false: not whole yet
  static void count(const Answer& answer, Connection& connection, LoadResult& result);

  const uint16_t port_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
};

}  // namespace varve::bench
