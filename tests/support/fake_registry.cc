#include "tests/support/fake_registry.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace varve {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket bound to the port, 0 = any; `port` becomes the one it has.
int bound_socket(int& port) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address = loopback(port);
  socklen_t bytes = sizeof address;
  if (bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("the fake registry cannot bind");
  }
  getsockname(made, reinterpret_cast<sockaddr*>(&address), &bytes);
  port = ntohs(address.sin_port);
  return made;
}

}  // namespace

FakeRegistry::FakeRegistry() {
  close(bound_socket(port_));
}

FakeRegistry::~FakeRegistry() {
  stop();
}

void FakeRegistry::start() {
  listener_ = bound_socket(port_);
  if (listen(listener_, 16) != 0) throw std::runtime_error("the fake registry cannot listen");
  thread_ = std::thread([this] { serve(listener_); });
}

void FakeRegistry::stop() {
  if (listener_ < 0) return;
  shutdown(listener_, SHUT_RDWR);  // ends accept()
  thread_.join();
  close(listener_);
  listener_ = -1;
}

std::string FakeRegistry::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

void FakeRegistry::answer(const std::string& path, int status, std::string body) {
  const std::lock_guard lock(mutex_);
  answers_[path] = {status, std::move(body)};
}

void FakeRegistry::add_schema(uint32_t id, const std::string& schema, const std::string& more) {
  answer(fmt::format("/schemas/ids/{}", id), 200,
         fmt::format("{{\"schema\":{}{}}}", nlohmann::json(schema).dump(), more));
}

std::vector<std::string> FakeRegistry::paths() const {
  const std::lock_guard lock(mutex_);
  return paths_;
}

std::string FakeRegistry::last_body() const {
  const std::lock_guard lock(mutex_);
  return last_body_;
}

std::string FakeRegistry::last_header(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = headers_.find(name);
  return at == headers_.end() ? "" : at->second;
}

void FakeRegistry::serve(int listener) {
  while (true) {
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    answer_one(connection);
    close(connection);
  }
}

void FakeRegistry::answer_one(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    request.append(buffer, static_cast<size_t>(got));
  }
  const size_t body_at = request.find("\r\n\r\n") + 4;
  if (const size_t length = request.find("Content-Length: "); length < body_at) {
    const size_t wanted = body_at + std::stoul(request.substr(length + 16));
    while (request.size() < wanted) {
      const ssize_t got = recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      request.append(buffer, static_cast<size_t>(got));
    }
  }
  const size_t path_at = request.find(' ') + 1;
  const std::string path = request.substr(path_at, request.find(' ', path_at) - path_at);
  std::pair<int, std::string> reply{404, R"({"error_code":40403,"message":"Schema not found"})"};
  {
    const std::lock_guard lock(mutex_);
    paths_.push_back(path);
    last_body_ = request.substr(body_at);
    headers_.clear();
    for (size_t at = request.find("\r\n") + 2; request.compare(at, 2, "\r\n") != 0;) {
      const size_t end = request.find("\r\n", at);
      const size_t colon = request.find(": ", at);
      std::string name = request.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      headers_[name] = request.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    const auto known = answers_.find(path);
    if (known != answers_.end()) reply = known->second;
  }
  const std::string text = fmt::format("HTTP/1.1 {} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                                       reply.first, reply.second.size(), reply.second);
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t count = send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

}  // namespace varve
