// The program under clients that mean it no good: however they drip, flood and nest, a health check is answered and
// memory stays where it was.
// VARVE_ABUSE_SCALE multiplies the connections and bytes (default 1), VARVE_HEALTH_MS is the limit of health's 99th
// percentile (default 1000: ten times the goal, for a machine that builds something else meanwhile).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/api/http/raw_client.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::AnyOf;

constexpr seconds kPatience{60};
constexpr uint64_t kGrowthBytesMax = 64 << 20;

double from_environment(const char* name, double standard) {
  const char* const text = std::getenv(name);
  return text == nullptr ? standard : std::atof(text);
}

class Abuse : public ::testing::Test {
 protected:
  Abuse() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    std::ofstream(folder_ / "varve.toml") << "[server]\nlisten = \"127.0.0.1:" << port_
                                          << "\"\nconnections_per_address = 4000\n[storage]\ndata = \""
                                          << (folder_ / "data").string() << "\"\n";
    server_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    EXPECT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << server_->log_tail();
    EXPECT_EQ(post(port_, "/write", "m v=1 1\n").status, 204);
    resident_before_ = resident();
  }
  ~Abuse() override {
    EXPECT_TRUE(server_->running()) << server_->log_tail();
    EXPECT_EQ(get(port_, "/healthz").status, 200);
    EXPECT_EQ(server_->stop(), 0);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  uint64_t resident() const {
    std::ifstream file("/proc/" + std::to_string(server_->pid()) + "/statm");
    uint64_t total = 0, pages = 0;
    file >> total >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  void expect_little_growth() const { expect_growth_below(kGrowthBytesMax); }
  void expect_growth_below(uint64_t bytes) const {
    const uint64_t now = resident();
    EXPECT_LT(now, resident_before_ + bytes);
    std::printf("memory: %.1f MiB before, %.1f MiB now\n", static_cast<double>(resident_before_) / (1 << 20),
                static_cast<double>(now) / (1 << 20));
  }
  // The 99th percentile of fresh connections' health checks, in ms.
  double health_p99(int calls = 200) const {
    std::vector<double> times;
    for (int i = 0; i < calls; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_EQ(get(port_, "/healthz").status, 200);
      times.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() * 99 / 100];
  }
  void expect_health() const {
    const double p99 = health_p99();
    EXPECT_LT(p99, from_environment("VARVE_HEALTH_MS", 1000));
    std::printf("health p99: %.2f ms\n", p99);
  }
  static size_t scaled(size_t count) {
    return static_cast<size_t>(static_cast<double>(count) * from_environment("VARVE_ABUSE_SCALE", 1));
  }

  TempDir folder_;
  const uint16_t port_ = free_port();
  std::unique_ptr<Process> server_;
  uint64_t resident_before_ = 0;
};

TEST_F(Abuse, FiveHundredDrippingHeadsAreCutAndHarmNobody) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < scaled(500); ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send("GET /api/v1/query?q=SELECT HTTP/1.1\r\nX-Drip: ");
  }
  RawClient slow(port_);
  slow.send("GET /healthz HTTP/1.1\r\n");
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (auto& client : clients) client->send("a");
      std::this_thread::sleep_for(milliseconds(500));
    }
  });
  expect_health();
  expect_little_growth();
  const RawAnswer cut = clients.front()->answer();  // a byte each half second does not keep it alive
  EXPECT_THAT(cut.status, AnyOf(0, 408)) << "0: reset, because it went on sending";
  EXPECT_EQ(slow.answer().status, 408);
}

TEST_F(Abuse, DrippingBodiesAreCutAndHarmNobody) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < scaled(600); ++i) {  // more than there are workers
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send("POST /write?db=d HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  }
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (auto& client : clients) client->send("a");
      std::this_thread::sleep_for(milliseconds(500));
    }
  });
  expect_health();
  expect_little_growth();
  const RawAnswer cut = clients.front()->answer();
  EXPECT_THAT(cut.status, AnyOf(0, 400, 408)) << "cut at its deadline";
}

TEST_F(Abuse, AThousandIdleConnectionsHarmNobody) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < scaled(1000); ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    if (i % 2 == 0) continue;
    clients.back()->send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(clients.back()->answer().status, 200);
  }
  expect_health();
  expect_little_growth();
}

TEST_F(Abuse, AThousandConnectionsAreAllAnswered) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < scaled(1000); ++i) clients.push_back(std::make_unique<RawClient>(port_));
  for (int round = 0; round < 2; ++round) {
    for (auto& client : clients)
      client->send("GET /api/v1/query?q=SELECT+v+FROM+m HTTP/1.1\r\nHost: h\r\n\r\n");
    size_t fine = 0, busy = 0;
    for (auto& client : clients) {
      const int status = client->answer().status;
      fine += status == 200;
      busy += status == 503;  // query.max_concurrent and its queue are full: told so
    }
    EXPECT_EQ(fine + busy, clients.size());
    EXPECT_GT(fine, 0u);
  }
  expect_health();
  expect_little_growth();
}

TEST_F(Abuse, ConnectionsOverTheLimitAreToldSo) {
  const uint16_t port = free_port();
  std::ofstream(folder_ / "few.toml")
      << "[server]\nlisten = \"127.0.0.1:" << port
      << "\"\nconnections_max = 8\nconnections_per_address = 4\n[storage]\ndata = \""
      << (folder_ / "few").string() << "\"\n";
  Process few({VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "few.toml").string()});
  ASSERT_TRUE(wait_until(
      [&] { return http_get("http://127.0.0.1:" + std::to_string(port) + "/readyz").status == 200; },
      kPatience));
  std::vector<std::unique_ptr<RawClient>> clients;
  // A connection that has just ended counts until the server has seen it.
  EXPECT_TRUE(wait_until(
      [&] {
        clients.push_back(std::make_unique<RawClient>(port));
        clients.back()->send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        return clients.back()->answer().status == 429;
      },
      kPatience));
  clients.clear();
  EXPECT_TRUE(wait_until(
      [&] { return http_get("http://127.0.0.1:" + std::to_string(port) + "/healthz").status == 200; },
      kPatience));
  EXPECT_EQ(few.stop(), 0);
}

TEST_F(Abuse, EndlessLinesAndHeaderFloodsEndEarly) {
  const std::string mebibyte(1 << 20, 'a');
  const auto flood = [&](const std::string& begin, const std::string& piece, size_t pieces) {
    RawClient client(port_);
    client.send(begin);
    for (size_t i = 0; i < pieces && client.send(piece); ++i) {
    }
    return client.answer().status;
  };
  EXPECT_THAT(flood("GET /", mebibyte, scaled(64)), AnyOf(0, 414));
  EXPECT_THAT(flood("GET / HTTP/1.1\r\nX: ", mebibyte, scaled(64)), AnyOf(0, 400, 431));
  std::string headers;
  for (int i = 0; i < 10'000; ++i) headers += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_THAT(flood("GET / HTTP/1.1\r\n", headers, scaled(100)), AnyOf(0, 400, 431));
  EXPECT_THAT(
      flood("POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string("5;"),
            mebibyte, scaled(64)),
      AnyOf(0, 400, 413));
  expect_little_growth();
}

TEST_F(Abuse, NothingIsSmuggledBehindARequest) {
  const std::string inner = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string length = "Content-Length: " + std::to_string(inner.size()) + "\r\n";
  for (const std::string& head : {
           std::string("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n") + length,
           std::string("POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n") + length,
           std::string("GET /nowhere HTTP/1.1\r\nHost: h\r\n") + length,
           std::string("DELETE /write HTTP/1.1\r\nHost: h\r\n") + length,
           std::string("GET /healthz HTTP/1.1\r\nContent-Length : 5\r\nHost: h\r\n"),
           std::string("NONSENSE\r\n"),
       }) {
    RawClient client(port_);
    client.send(head + "\r\n" + inner);
    EXPECT_GE(client.answer().status, 400) << head;
    EXPECT_EQ(client.answer().status, 0) << "a second answer: " << head;
  }
  // A body that comes later is still the body.
  RawClient later(port_);
  later.send("GET /healthz HTTP/1.1\r\nHost: h\r\n" + length + "\r\n");
  later.send(inner);
  EXPECT_EQ(later.answer().status, 200);
  later.send("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(later.answer().body, ::testing::HasSubstr("ready"));
}

TEST_F(Abuse, BombsOfGzipAndChunksEndAtTheLimit) {
  std::string bomb(2 << 20, '\0');  // some 1 GiB of zeros
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_out = reinterpret_cast<Bytef*>(bomb.data());
  stream.avail_out = static_cast<uInt>(bomb.size());
  std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 1024; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
    stream.avail_in = static_cast<uInt>(zeros.size());
    ASSERT_EQ(deflate(&stream, i == 1023 ? Z_FINISH : Z_NO_FLUSH), i == 1023 ? Z_STREAM_END : Z_OK);
  }
  bomb.resize(bomb.size() - stream.avail_out);
  deflateEnd(&stream);
  EXPECT_THAT(post(port_, "/write?db=d", bomb, "Content-Encoding: gzip\r\n").status, AnyOf(0, 413));
  EXPECT_THAT(post(port_, "/api/v1/query", bomb, "Content-Encoding: gzip\r\n").status, AnyOf(0, 413));

  RawClient client(port_);
  client.send("POST /write?db=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'a') + "\r\n";
  for (int i = 0; i < 64 && client.send(chunk); ++i) {
  }
  EXPECT_THAT(client.answer().status, AnyOf(0, 413));
  expect_little_growth();
}

TEST_F(Abuse, DeepJsonAndSqlAreRefused) {
  const size_t depth = scaled(1'000'000);
  const std::string json = "Content-Type: application/json\r\n";
  const auto nested = [&](const std::string& open) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += open;
    return text;
  };
  EXPECT_EQ(post(port_, "/api/v1/query", nested("["), json).status, 400);
  EXPECT_EQ(post(port_, "/api/v1/query", nested("{\"a\":"), json).status, 400);
  EXPECT_EQ(post(port_, "/api/v1/query", "{\"sql\":\"SELECT 1\",\"params\":" + nested("["), json).status,
            400);
  EXPECT_EQ(post(port_, "/api/v1/tokens", nested("["), json).status, 400);
  EXPECT_EQ(post(port_, "/api/v1/query", "SELECT " + nested("(")).status, 400);
  EXPECT_EQ(post(port_, "/api/v1/query", "SELECT " + nested("NOT ")).status, 400);
  EXPECT_EQ(post(port_, "/api/v1/query", "SELECT " + nested("- ")).status, 400);
  EXPECT_THAT(post(port_, "/api/v1/query", "SELECT 1" + nested("+1")).status, AnyOf(400, 422));
  EXPECT_EQ(post(port_, "/query?db=d", "q=SELECT+" + nested("("),
                 "Content-Type: application/x-www-form-urlencoded\r\n")
                .status,
            400);
  expect_little_growth();
}

TEST_F(Abuse, RowsWithNothingInCommonTakeLittle) {
  const auto body = [&](const char* form) {
    std::string lines;
    for (size_t i = 0; i < scaled(30'000); ++i) lines += fmt::format(fmt::runtime(form), i);
    return lines;
  };
  EXPECT_EQ(post(port_, "/write?db=a", body("m,k{0}=v f=1 {0}\n")).status, 400) << "tags";
  EXPECT_EQ(post(port_, "/write?db=b", body("m k{0}=1 {0}\n")).status, 400) << "columns";
  expect_health();
  expect_growth_below(3 * kGrowthBytesMax);  // thousands of columns and series stay
}

TEST_F(Abuse, AReaderThatDripsIsCut) {
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "wide v=" + std::to_string(i) + " " + std::to_string(i) + "\n";
  ASSERT_EQ(post(port_, "/write?db=varve", lines).status, 204);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send("GET /api/v1/query?q=SELECT+*+FROM+wide+a,+m HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  expect_health();
  // Nobody reads: the server gives them up, and the queries end.
  EXPECT_TRUE(wait_until(
      [&] { return http_get(url() + "/api/v1/queries").body.find("wide") == std::string::npos; }, kPatience));
  expect_little_growth();
}

}  // namespace
}  // namespace varve::test
