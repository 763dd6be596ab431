// One accepted connection, and it as the library's stream while a request is served.
// The socket never blocks; the stream waits, within limits that hold for a request as a whole, however it drips:
//   reading: kReadGraceNs, and what kBytesPerSecondMin allows for what has come
//   writing: the same for the time spent waiting for the reader; what takes long to make is no fault of the reader
// Errors: a stream over its limit, or whose peer has gone, reads and writes -1.
// Threads: one at a time.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/http/tls.h"
#include "storage/base/clock.h"

namespace varve {

class HttpConnection {
 public:
  HttpConnection(int socket, std::unique_ptr<TlsSession> tls);  // takes the socket
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  int socket() const { return socket_; }
  const std::string& address() const { return address_; }
  const std::string& network() const { return network_; }  // client_network.h
  int port() const { return port_; }
  bool encrypted() const { return tls_ != nullptr; }

  Io handshake();  // kDone at once without TLS
  Io read(char* to, size_t size, size_t& got);
  Io write(const char* from, size_t size, size_t& put);
  void end_writing();

  // What was read and not yet taken.
  std::string_view pending() const { return std::string_view(input_).substr(taken_); }
  void add(std::string_view bytes) { input_ += bytes; }
  void take(size_t bytes);

  // Nobody waits for the peer any more, neither now nor later. From any thread, the only one.
  void cut();

  uint64_t requests = 0;  // served
  // While its request is served: called around each wait for the peer, with true before it.
  std::function<void(bool waits)> on_wait = {};

 private:
  const int socket_;
  const std::unique_ptr<TlsSession> tls_;
  std::string address_;
  std::string network_;
  int port_ = 0;
  std::string input_;
  size_t taken_ = 0;  // of input_
};

class ConnectionStream final : public httplib::Stream {
 public:
  static constexpr int64_t kGraceNs = 10 * kNsPerSecond;
  static constexpr int64_t kBytesPerSecondMin = 16 << 10;  // guessed: a slow mobile link

  explicit ConnectionStream(HttpConnection& connection)
      : connection_(connection), begin_ns_(real_clock().monotonic_ns()) {}

  bool is_readable() const override { return !connection_.pending().empty(); }
  bool wait_readable() const override;
  bool wait_writable() const override;
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return connection_.socket(); }
  time_t duration() const override { return (real_clock().monotonic_ns() - begin_ns_) / kNsPerMs; }

 private:
  int64_t read_time_left() const;
  bool wait(Io wanted, int64_t timeout_ns) const;

  HttpConnection& connection_;
  const int64_t begin_ns_;
  int64_t received_ = 0;
  int64_t sent_ = 0;
  mutable int64_t swallowed_ = 0;   // of sent_, by buffers, before the reader was waited for
  mutable int64_t blocked_ns_ = 0;  // waiting for the reader
};

}  // namespace varve
