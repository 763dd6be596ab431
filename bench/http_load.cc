#include "bench/http_load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>

namespace varve::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEventsAtOnce = 256;
constexpr std::chrono::seconds kPatience{30};  // for the answers still on their way at the end
constexpr std::string_view kHeadEnd = "\r\n\r\n";

std::string_view header(std::string_view head, std::string_view name) {
  const size_t at = head.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view value = head.substr(at + name.size());
  return value.substr(0, value.find('\r'));
}

}  // namespace

double LoadResult::percentile(double part) const {
  if (answer_ms.empty()) return 0;
  return answer_ms[static_cast<size_t>(part * static_cast<double>(answer_ms.size() - 1))];
}

HttpLoad::HttpLoad(uint16_t port, size_t connections)
    : port_(port), epoll_(::epoll_create1(EPOLL_CLOEXEC)), connections_(connections) {
  for (Connection& connection : connections_) connect(connection);
}

HttpLoad::~HttpLoad() {
  for (const Connection& connection : connections_) ::close(connection.socket);
  ::close(epoll_);
}

void HttpLoad::connect(Connection& connection) {
  if (connection.socket >= 0) ::close(connection.socket);
  connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect");
  }
  const int yes = 1;
  (void)::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<uint64_t>(&connection - connections_.data());
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) != 0)
    throw std::runtime_error("cannot watch a socket");
  connection.input.clear();
}

void HttpLoad::send(Connection& connection, const std::string& target) {
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const auto size = static_cast<ssize_t>(request.size());
  connection.sent = Clock::now();
  connection.waiting = true;
  if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) == size) return;
  connect(connection);  // the server had closed it
  if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) != size)
    throw std::runtime_error("cannot send");
}

bool HttpLoad::receive(Connection& connection, Answer& answer) {
  std::array<char, 64 << 10> piece;
  const ssize_t got = ::recv(connection.socket, piece.data(), piece.size(), MSG_DONTWAIT);
  if (got <= 0) {
    answer.closes = true;
    return true;
  }
  std::string& input = connection.input;
  input.append(piece.data(), static_cast<size_t>(got));
  const size_t head_end = input.find(kHeadEnd);
  if (head_end == std::string::npos) return false;
  const std::string_view head = std::string_view(input).substr(0, head_end);
  const std::string_view length = header(head, "\r\nContent-Length: ");
  if (length.empty()) throw std::runtime_error("an answer without Content-Length");
  std::from_chars(length.data(), length.data() + length.size(), answer.body_bytes);
  const size_t whole = head_end + kHeadEnd.size() + answer.body_bytes;
  if (input.size() < whole) return false;
  std::from_chars(input.data() + 9, input.data() + 12, answer.status);
  answer.closes = header(head, "\r\nConnection: ") == "close";
  input.erase(0, whole);
  return true;
}

void HttpLoad::count(const Answer& answer, Connection& connection, LoadResult& result) {
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - connection.sent).count();
  if (answer.status == 200) {
    ++result.answered;
    ++connection.answers;
    result.body_bytes += answer.body_bytes;
    result.answer_ms.push_back(ms);
  } else if (answer.status == 503) {
    ++result.refused;
    result.slowest_refusal_ms = std::max(result.slowest_refusal_ms, ms);
  } else {
    ++result.failed;
  }
}

LoadResult HttpLoad::run(const NextTarget& next, std::chrono::milliseconds length) {
  LoadResult result;
  const auto begin = Clock::now();
  const auto end = begin + length;
  for (Connection& connection : connections_) {
    connection.answers = 0;
    send(connection, next());
  }
  size_t waiting = connections_.size();
  std::array<epoll_event, kEventsAtOnce> events;
  while (waiting > 0 && Clock::now() < end + kPatience) {
    const int ready = ::epoll_wait(epoll_, events.data(), kEventsAtOnce, 100);
    for (int i = 0; i < ready; ++i) {
      Connection& connection = connections_[events[static_cast<size_t>(i)].data.u64];
      Answer answer;
      if (!receive(connection, answer)) continue;
      const bool counts = Clock::now() < end;
      if (counts) count(answer, connection, result);
      if (answer.closes) connect(connection);
      if (counts) {
        send(connection, next());
      } else if (connection.waiting) {
        connection.waiting = false;
        --waiting;
      }
    }
  }
  result.seconds = std::chrono::duration<double>(length).count();
  result.failed += waiting;
  result.fewest = UINT64_MAX;
  for (const Connection& connection : connections_)
    result.fewest = std::min(result.fewest, connection.answers);
  std::sort(result.answer_ms.begin(), result.answer_ms.end());
  return result;
}

}  // namespace varve::bench
