// A client on a bare socket, so that tests decide each byte: broken requests, slow readers, early ends.
// Errors:  a failed connect or a read that takes longer than kPatience throws std::runtime_error.
// Threads: one thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace varve::test {

struct RawAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // de-chunked
  bool complete = true;                        // false: ended before its length or last chunk
};

class RawClient {
 public:
  static constexpr int kPatienceMs = 60'000;

  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // False when the server has closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Up to `bytes` more; empty at the end of the connection.
  std::string receive(size_t bytes = 65536) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) != 1) throw std::runtime_error("no answer in time");
    std::string piece(bytes, '\0');
    const ssize_t got = ::recv(socket_, piece.data(), bytes, 0);
    piece.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return piece;
  }
  // Reads one answer to its end; the connection stays open.
  RawAnswer answer() {
    RawAnswer result;
    size_t head_end = std::string::npos;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) {
        result.complete = false;
        return result;
      }
    }
    parse_head(buffer_.substr(0, head_end + 2), result);
    buffer_.erase(0, head_end + 4);
    if (result.headers.contains("transfer-encoding")) {
      result.complete = read_chunks(result.body);
    } else if (const auto length = result.headers.find("content-length"); length != result.headers.end()) {
      const size_t size = result.status == 304 ? 0 : std::stoul(length->second);
      while (buffer_.size() < size && more()) {
      }
      result.complete = buffer_.size() >= size;
      result.body = buffer_.substr(0, size);
      buffer_.erase(0, size);
    }
    return result;
  }

 private:
  bool more() {
    const std::string piece = receive();
    buffer_ += piece;
    return !piece.empty();
  }
  static void parse_head(const std::string& head, RawAnswer& result) {
    result.status = std::stoi(head.substr(head.find(' ') + 1));
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      const size_t end = head.find("\r\n", at);
      const size_t colon = head.find(':', at);
      std::string name = head.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      result.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
  }
  bool read_chunks(std::string& body) {
    while (true) {
      size_t line_end = std::string::npos;
      while ((line_end = buffer_.find("\r\n")) == std::string::npos) {
        if (!more()) return false;
      }
      const size_t size = std::stoul(buffer_.substr(0, line_end), nullptr, 16);
      while (buffer_.size() < line_end + 2 + size + 2) {
        if (!more()) return false;
      }
      body += buffer_.substr(line_end + 2, size);
      buffer_.erase(0, line_end + 2 + size + 2);
      if (size == 0) return true;
    }
  }

  int socket_;
  std::string buffer_;
};

inline RawAnswer ask(uint16_t port, const std::string& request) {
  RawClient client(port);
  client.send(request);
  return client.answer();
}
inline RawAnswer get(uint16_t port, const std::string& target, const std::string& headers = "") {
  return ask(port, "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
}
inline RawAnswer post(uint16_t port, const std::string& target, const std::string& body,
                      const std::string& headers = "Content-Type: text/plain\r\n") {
  return ask(port, "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
}

}  // namespace varve::test
