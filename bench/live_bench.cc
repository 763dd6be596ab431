// Live tails: READERS connections follow one table of a real varve while one writer sends ROWS rows a second for SECONDS.
// Prints the rows each reader got, how late the first row of an event came, and the server's CPU and memory.
// Usage: bench_live [READERS=200] [ROWS=10000] [SECONDS=10]
#include <arpa/inet.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

constexpr int kWritesPerSecond = 50;
constexpr milliseconds kSettle{2000};  // for what is still on its way

int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Reader {
  int socket = -1;
  std::string text;  // the tail of what came, an event at most
  uint64_t rows = 0;
  bool ended = false;
};

int connect_live(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect");
  }
  const std::string request = "GET /api/v1/live?table=water&time_format=ns HTTP/1.1\r\nHost: h\r\n\r\n";
  if (::send(socket, request.data(), request.size(), MSG_NOSIGNAL) < 0)
    throw std::runtime_error("cannot send");
  return socket;
}

// Counts rows ("],[" between them, "]]}" at an event's end) and takes the first time of each event.
void take_events(Reader& reader, int64_t now, std::vector<double>& late_ms) {
  size_t end = 0;
  while ((end = reader.text.find("]]}\n\n")) != std::string::npos) {
    const std::string_view event = std::string_view(reader.text).substr(0, end);
    const size_t rows = event.find("\"rows\":[[");
    if (rows != std::string_view::npos) {
      int64_t time = 0;
      const char* const first = event.data() + rows + 9;
      std::from_chars(first, event.data() + event.size(), time);
      late_ms.push_back(static_cast<double>(now - time) / 1e6);
      ++reader.rows;
      for (size_t at = event.find("],[", rows); at != std::string_view::npos;
           at = event.find("],[", at + 1)) {
        ++reader.rows;
      }
    }
    reader.text.erase(0, end + 5);
  }
}

void follow(std::vector<Reader>& readers, const std::atomic<bool>& stop, std::vector<double>& late_ms) {
  std::vector<pollfd> sockets;
  for (const Reader& reader : readers) sockets.push_back({reader.socket, POLLIN, 0});
  std::vector<char> buffer(256 << 10);
  while (!stop) {
    if (::poll(sockets.data(), sockets.size(), 100) <= 0) continue;
    for (size_t i = 0; i < sockets.size(); ++i) {
      if (sockets[i].revents == 0) continue;
      const ssize_t got = ::recv(sockets[i].fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        readers[i].ended = true;
        sockets[i].fd = -1;
        continue;
      }
      readers[i].text.append(buffer.data(), static_cast<size_t>(got));
      take_events(readers[i], wall_ns(), late_ms);
    }
  }
}

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return line.substr(line.find_first_not_of(" \t", name.size()));
  }
  return "?";
}

double cpu_seconds(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string word;
  long user = 0, system = 0;
  for (int i = 0; i < 13; ++i) in >> word;
  in >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void measure(size_t reader_count, size_t rows_per_second, int seconds_long) {
  const TempDir folder;
  const uint16_t port = free_port();
  const std::string file = (folder / "varve.toml").string();
  std::ofstream(file) << "[server]\nlisten = \"127.0.0.1:" << port << "\"\nlive_readers = " << reader_count
                      << "\n[storage]\ndata = \"" << (folder / "data").string() << "\"\n";
  Process varve({VARVE_BINARY, "serve", "--allow-root", "--config", file});
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  if (!wait_until([&] { return http_get(url + "/readyz").status == 200; }, seconds(30))) {
    throw std::runtime_error(varve.log_tail());
  }
  HttpSession writer(url);
  if (writer.send("POST", "/write", "water,site=a ph=7.0,flow=1.0 1").status != 204)
    throw std::runtime_error("write");
  const std::string before = status_line(varve.pid(), "VmRSS:");
  std::vector<Reader> readers(reader_count);
  for (Reader& reader : readers) reader.socket = connect_live(port);
  if (!wait_until(
          [&] {
            return http_get(url + "/metrics").body.find(fmt::format("varve_live_readers {}", reader_count)) !=
                   std::string::npos;
          },
          seconds(30))) {
    throw std::runtime_error("the readers did not all come in");
  }
  std::atomic<bool> stop{false};
  std::vector<double> late_ms;
  std::thread follower([&] { follow(readers, stop, late_ms); });
  const double cpu = cpu_seconds(varve.pid());
  const size_t per_write = rows_per_second / kWritesPerSecond;
  const auto start = std::chrono::steady_clock::now();
  uint64_t sent = 0;
  for (int i = 0; i < seconds_long * kWritesPerSecond; ++i) {
    std::this_thread::sleep_until(start + std::chrono::milliseconds(1000 / kWritesPerSecond * i));
    std::string lines;
    const int64_t now = wall_ns();
    for (size_t row = 0; row < per_write; ++row) {
      lines += fmt::format("water,site=s{} ph=7.{},flow={}.5 {}\n", row % 100, row % 90 + 10, row % 1000,
                           now + static_cast<int64_t>(row));
    }
    if (writer.send("POST", "/write", lines).status != 204) throw std::runtime_error("write");
    sent += per_write;
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::this_thread::sleep_for(kSettle);
  const double used = cpu_seconds(varve.pid()) - cpu;
  stop = true;
  follower.join();
  uint64_t least = UINT64_MAX, received = 0, ended = 0;
  for (const Reader& reader : readers) {
    least = std::min(least, reader.rows);
    received += reader.rows;
    ended += reader.ended ? 1 : 0;
    ::close(reader.socket);
  }
  std::sort(late_ms.begin(), late_ms.end());
  const auto at = [&](double part) {
    return late_ms.empty() ? 0 : late_ms[static_cast<size_t>(part * static_cast<double>(late_ms.size() - 1))];
  };
  fmt::print("readers {}  rows sent {} in {:.1f} s ({:.0f}/s)\n", reader_count, sent, took,
             static_cast<double>(sent) / took);
  fmt::print("rows received {} (least by one reader {}), {} readers ended\n", received, least, ended);
  fmt::print("first row of an event after: p50 {:.1f} ms, p99 {:.1f} ms, worst {:.1f} ms\n", at(0.5),
             at(0.99), at(1));
  fmt::print("server: {:.2f} CPU s, RSS {} before the readers, {} at the end, {} at most\n", used, before,
             status_line(varve.pid(), "VmRSS:"), status_line(varve.pid(), "VmHWM:"));
}

}  // namespace
}  // namespace varve::test

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* otherwise) {
    return std::strtoul(argc > i ? argv[i] : otherwise, nullptr, 10);
  };
  try {
    varve::test::measure(argument(1, "200"), argument(2, "10000"), static_cast<int>(argument(3, "10")));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_live: {}\n", error.what());
    return 1;
  }
}
