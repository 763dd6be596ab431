#include "api/http/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "api/http/client_network.h"

namespace varve {
namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr int64_t kHardlyNs = kNsPerSecond / 10;  // of waiting: until then buffers took what was sent

void name_of(const sockaddr_storage& from, std::string& address, int& port) {
  char text[INET6_ADDRSTRLEN] = {};
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    port = ntohs(v6.sin6_port);
  }
  address = text;
}

Io outcome(ssize_t result, Io wanted) {
  if (result > 0) return Io::kDone;
  return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? wanted : Io::kEnd;
}

}  // namespace

HttpConnection::HttpConnection(int socket, std::unique_ptr<TlsSession> tls)
    : socket_(socket), tls_(std::move(tls)) {
  const int flags = ::fcntl(socket_, F_GETFL);
  (void)::fcntl(socket_, F_SETFL, flags | O_NONBLOCK);
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&from), &size) == 0) name_of(from, address_, port_);
  network_ = client_network(address_);
}

HttpConnection::~HttpConnection() {
  if (tls_) tls_->say_goodbye();
  ::close(socket_);
}

Io HttpConnection::handshake() {
  return tls_ ? tls_->handshake() : Io::kDone;
}

Io HttpConnection::read(char* to, size_t size, size_t& got) {
  if (tls_) return tls_->read(to, size, got);
  const ssize_t result = ::recv(socket_, to, size, 0);
  got = result > 0 ? static_cast<size_t>(result) : 0;
  return outcome(result, Io::kWantRead);
}

Io HttpConnection::write(const char* from, size_t size, size_t& put) {
  if (tls_) return tls_->write(from, size, put);
  const ssize_t result = ::send(socket_, from, size, MSG_NOSIGNAL);
  put = result > 0 ? static_cast<size_t>(result) : 0;
  return outcome(result, Io::kWantWrite);
}

void HttpConnection::take(size_t bytes) {
  taken_ += bytes;
  if (taken_ < input_.size()) return;
  input_.clear();
  taken_ = 0;
}

void HttpConnection::cut() {
  (void)::shutdown(socket_, SHUT_RDWR);
}

void HttpConnection::end_writing() {
  if (tls_) tls_->say_goodbye();
  (void)::shutdown(socket_, SHUT_WR);
}

int64_t ConnectionStream::read_time_left() const {
  const int64_t allowed = kGraceNs + received_ * kNsPerSecond / kBytesPerSecondMin;
  return begin_ns_ + allowed - real_clock().monotonic_ns();
}

bool ConnectionStream::wait(Io wanted, int64_t timeout_ns) const {
  if (timeout_ns <= 0) return false;
  pollfd ready{connection_.socket(), static_cast<short>(wanted == Io::kWantRead ? POLLIN : POLLOUT), 0};
  if (::poll(&ready, 1, 0) > 0) return true;  // as nearly always: nobody has to be told
  const int64_t ms = std::min<int64_t>(timeout_ns / kNsPerMs + 1, 60'000);
  if (connection_.on_wait) connection_.on_wait(true);
  int outcome = 0;
  do {
    outcome = ::poll(&ready, 1, static_cast<int>(ms));
  } while (outcome < 0 && errno == EINTR);
  if (connection_.on_wait) connection_.on_wait(false);
  return outcome > 0;
}

bool ConnectionStream::wait_readable() const {
  return is_readable() || wait(Io::kWantRead, read_time_left());
}

// Asked before each piece of an answer: the reader must have room, and be there.
bool ConnectionStream::wait_writable() const {
  if (blocked_ns_ < kHardlyNs) swallowed_ = sent_;
  const int64_t before = real_clock().monotonic_ns();
  const int64_t allowed = kGraceNs + (sent_ - swallowed_) * kNsPerSecond / kBytesPerSecondMin;
  const bool ready = wait(Io::kWantWrite, allowed - blocked_ns_);
  blocked_ns_ += real_clock().monotonic_ns() - before;
  if (!ready) return false;
  char one = 0;
  const ssize_t peeked = ::recv(connection_.socket(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
  return peeked > 0 || (peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

ssize_t ConnectionStream::read(char* to, size_t size) {
  while (connection_.pending().empty()) {
    char piece[kReadBytes];
    size_t got = 0;
    const Io io = connection_.read(piece, sizeof piece, got);
    if (io == Io::kEnd) return 0;
    if (io == Io::kDone) {
      received_ += static_cast<int64_t>(got);
      connection_.add({piece, got});
    } else if (!wait(io, read_time_left())) {
      error_ = httplib::Error::Timeout;
      return -1;
    }
  }
  const std::string_view pending = connection_.pending();
  const size_t taken = std::min(size, pending.size());
  std::copy_n(pending.data(), taken, to);
  connection_.take(taken);
  return static_cast<ssize_t>(taken);
}

ssize_t ConnectionStream::write(const char* from, size_t size) {
  while (true) {
    size_t put = 0;
    const Io io = connection_.write(from, size, put);
    if (io == Io::kDone) {
      sent_ += static_cast<int64_t>(put);
      return static_cast<ssize_t>(put);
    }
    if (io == Io::kEnd) return -1;
    if (blocked_ns_ < kHardlyNs) swallowed_ = sent_;
    const int64_t before = real_clock().monotonic_ns();
    const int64_t allowed = kGraceNs + (sent_ - swallowed_) * kNsPerSecond / kBytesPerSecondMin;
    const bool ready = wait(io, allowed - blocked_ns_);
    blocked_ns_ += real_clock().monotonic_ns() - before;
    if (!ready) {
      error_ = httplib::Error::Write;
      return -1;
    }
  }
}

void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip = connection_.address();
  port = connection_.port();
}

void ConnectionStream::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (::getsockname(connection_.socket(), reinterpret_cast<sockaddr*>(&own), &size) == 0)
    name_of(own, ip, port);
}

}  // namespace varve
