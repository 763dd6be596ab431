// Connections that wait: for a TLS handshake, for the head of a request, for the next request. One thread watches them
// all, so that however many there are and however they drip, they hold no worker; a request goes to a worker once its
// head is complete. Heads of the health routes go to workers of their own; requests that ask take turns (turns.h).
//   accept -> handshake -> head -> (line) -> worker: serve() -> head of the next request ... -> goodbye
// What it answers by itself, and then closes: 408 over kHeadNs, 431 or 414 over kHeadBytesMax, 429 over
// connections_per_address, 503 over connections_max, over line_ns in line, or when no worker is free.
// Threads: take() from the acceptor, stop() from one thread, serve() is called by workers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "api/http/connection.h"
#include "api/http/server.h"
#include "api/http/turns.h"
#include "api/http/workers.h"
#include "storage/base/metrics.h"

namespace varve {

class FrontDoor {
 public:
  static constexpr int64_t kHandshakeNs = 10 * kNsPerSecond;
  static constexpr int64_t kHeadNs = 10 * kNsPerSecond;  // from the first byte to the last
  static constexpr int64_t kIdleNs = 60 * kNsPerSecond;  // between requests
  static constexpr int64_t kFirstByteNs = 20 * kNsPerSecond;
  static constexpr int64_t kGoodbyeNs = 1 * kNsPerSecond;  // for the peer to read what it was told
  // What is being sent when the server stops may go on for this long, to readers that read.
  static constexpr int64_t kLastWordsNs = kNsPerSecond / 2;
  static constexpr size_t kHeadBytesMax = 64 << 10;

  using Serve = std::function<bool(HttpConnection&)>;  // one request; false = close

  // `tls` may be null, and must outlive the door.
  // A live reader holds a worker for as long as it likes: those come on top.
  FrontDoor(DoorLimits limits, size_t live_readers, TlsContext* tls, MetricsRegistry& metrics, Serve serve);
  ~FrontDoor() { stop(); }

  void take(int socket);
  // Drops those that wait; returns when none is served any more. After kLastWordsNs those are cut.
  void stop();
  void set_turns(size_t turns) { turns_.set(turns); }
  size_t unfinished() const { return unfinished_ + turns_.in_line(); }  // requests: served, or in line

 private:
  enum class State { kHandshake, kHead, kIdle, kLine, kGoodbye };
  enum class Kind { kHealth, kAsks, kOther };  // of a request
  struct Waiting {
    std::shared_ptr<HttpConnection> connection;
    State state = State::kHandshake;
    int64_t deadline_ns = 0;
    size_t searched = 0;  // of the head, for its end
    Io wants = Io::kWantRead;
    Turns::Place place = {};  // in line, if its state is kLine
  };

  static Kind kind_of(std::string_view head);
  void watch();
  void take_in();  // what other threads have handed over
  void ready(Waiting& waiting);
  bool handshake(Waiting& waiting);  // false: not done yet, or gone
  void read_head(Waiting& waiting);
  bool whole_head(Waiting& waiting) const;
  void expire(int64_t now);
  void listen_to(Waiting& waiting, Io wanted);
  void set_events(int socket, uint32_t events) const;
  void drop(int socket);
  void dispatch(Waiting& waiting);
  void stand_in_line(Waiting& waiting);
  void leave_line(Waiting& waiting);
  void call_next();  // from the line
  void serve(Waiting& waiting, Kind kind);
  void refuse(Waiting& waiting, int status);
  void say_goodbye(Waiting& waiting);
  void work(const std::shared_ptr<HttpConnection>& connection, Kind kind);
  bool serve_one(HttpConnection& connection, bool asks);
  void end_turn();
  bool next_at_once(HttpConnection& connection) const;
  bool cut_those_served();
  void hand_over(std::shared_ptr<HttpConnection> connection, State state);
  void wake();
  std::shared_ptr<HttpConnection> admit(int socket, int& refused_with);
  bool drop_longest_idle();

  const DoorLimits limits_;
  TlsContext* const tls_;
  const Serve serve_;
  Gauge& open_;
  MetricsRegistry& metrics_;
  int epoll_ = -1;
  int bell_ = -1;                             // an eventfd: there is something to take in
  std::unordered_map<int, Waiting> waiting_;  // of watch() alone

  std::mutex mutex_;  // guards what follows
  std::vector<std::pair<std::shared_ptr<HttpConnection>, State>> handed_over_;
  std::vector<int> accepted_;
  std::unordered_set<std::shared_ptr<HttpConnection>> served_;  // by workers
  bool stopping_ = false;

  std::mutex count_mutex_;                                 // guards what follows; taken last
  std::map<std::string, size_t, std::less<>> by_network_;  // of clients (client_network.h)
  size_t connections_ = 0;

  Turns turns_;
  std::atomic<size_t> serving_{0};     // workers with a connection
  std::atomic<size_t> unfinished_{0};  // of them, those with a request
  Workers workers_;
  Workers health_workers_{WorkerLimits{1, 4, 256, std::chrono::seconds(10)}};
  std::jthread watcher_;
};

}  // namespace varve
