// A real server with a small budget, and queries that would take all of the machine: each ends in an error that names
// the limit, and the process itself stays near it. Memory is the kernel's view of the process, so allocators, libraries
// and forgotten buffers count.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/api/http/raw_client.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using Json = nlohmann::json;

constexpr int kMiB = 1 << 20;
constexpr int64_t kMaxMemory = 64 * kMiB;
// Beyond the budget: the scan's blocks, copies while a buffer doubles, what the allocator keeps. Without bounds these
// queries took gigabytes.
constexpr int64_t kAllowedGrowth = 2 * kMaxMemory + 64 * kMiB;
constexpr int kRows = 1'000'000;
constexpr int kSeries = 40;
constexpr int kTexts = 64;

class HostileQueries : public ::testing::Test {
 protected:
  void start(const std::string& more) {
    port_ = free_port();
    std::ofstream(folder_ / "varve.toml")
        << fmt::format("[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n[query]\n{}", port_,
                       (folder_ / "data").string(), more);
    varve_.reset();
    varve_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(60)))
        << varve_->log_tail();
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  void write(const std::string& lines) {
    const HttpAnswer answer = http_post(url() + "/write", lines, "text/plain");
    ASSERT_EQ(answer.status, 204) << answer.body;
  }

  void write_rows(int rows = kRows) {
    std::string lines;
    for (int row = 0; row < rows; ++row) {
      lines +=
          fmt::format("t,host=h{} v={},n={}i {}\n", row % kSeries, row % 977 + 0.5, row, 1'000'000LL * row);
      if (lines.size() < 1'000'000 && row + 1 < rows) continue;
      write(lines);
      lines.clear();
    }
  }

  void write_texts() {
    for (int row = 0; row < kTexts; ++row) {
      write(fmt::format("texts s=\"{}\",n={}i {}\n", std::string(kMiB / 2, static_cast<char>('a' + row % 3)),
                        row, row));
    }
  }

  RawAnswer ask(const std::string& sql) { return post(port_, "/api/v1/query?format=csv", sql); }

  // Bytes, from a line like "VmRSS:  123 kB".
  int64_t memory(const std::string& line_name) const {
    std::ifstream file(fmt::format("/proc/{}/status", varve_->pid()));
    std::string name;
    int64_t kib = 0;
    while (file >> name) {
      if (name == line_name + ":" && file >> kib) break;
      std::getline(file, name);
    }
    return kib * 1024;
  }

  // How far over `before` the process was at its peak during `action`.
  template <class Action>
  int64_t growth(int64_t before, Action action) {
    std::ofstream(fmt::format("/proc/{}/clear_refs", varve_->pid())) << "5";  // the peak starts anew
    action();
    return memory("VmHWM") - before;
  }

  void expect_no_query_runs() {
    EXPECT_TRUE(
        wait_until([&] { return Json::parse(http_get(url() + "/api/v1/queries").body)["queries"].empty(); },
                   seconds(60)));
  }

  TempDir folder_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> varve_;  // after folder_: it ends before its data goes
};

std::string repeated(const std::string& what, int times, const std::string& between = ", ") {
  std::string all;
  for (int i = 0; i < times; ++i) all += (i == 0 ? "" : between) + what;
  return all;
}

std::string numbers(int count) {
  std::string list;
  for (int i = 0; i < count; ++i) list += fmt::format("{}{}", i == 0 ? "" : ",", i * 7);
  return list;
}

TEST_F(HostileQueries, EndInAClearErrorAndNearTheirBudget) {
  start(
      fmt::format("timeout = \"100s\"\nmax_memory = \"{}MiB\"\nmax_rows = 100_000_000\n", kMaxMemory / kMiB));
  write_rows();
  write_texts();
  struct Case {
    std::string sql;
    int status;
    std::string named;
  };
  const std::string memory_limit = "query.max_memory = 64.0 MiB";
  const Case cases[] = {
      {"SELECT n, count(*) FROM t GROUP BY n", 422, memory_limit},
      {"SELECT time, host, avg(v) FROM t GROUP BY time, host", 422, memory_limit},
      {"SELECT avg(v), max(n), stddev(v) FROM t GROUP BY time_bucket('1ms', time)", 422, memory_limit},
      {"SELECT concat(host, n), count(*) FROM t GROUP BY 1", 422, memory_limit},
      {"SELECT DISTINCT n, v FROM t", 200, memory_limit},  // the first rows have left already
      {"SELECT count(DISTINCT n), count(DISTINCT time), count(DISTINCT v + n) FROM t", 422, memory_limit},
      {"SELECT * FROM t a ORDER BY v, n", 422, memory_limit},
      {"SELECT * FROM t ORDER BY v, n LIMIT 900000", 422, memory_limit},
      {"SELECT " + repeated("s", 4000) + " FROM texts", 422, memory_limit},
      {"SELECT DISTINCT " + repeated("s", 4000) + " FROM texts", 422, memory_limit},
      {"SELECT " + repeated("s", 4000) + " FROM texts ORDER BY n", 422, memory_limit},
      {"SELECT concat(" + repeated("s", 127) + ") FROM texts", 422, memory_limit},
      {"SELECT " + repeated("concat(s, s)", 1000) + " FROM texts", 422, memory_limit},
      {"SELECT concat(s, n), count(*) FROM texts GROUP BY 1, concat(n, s), concat(s, s, n)", 422,
       memory_limit},
      {"SELECT s ~ '((a?){500}){2}a{1000}b' FROM texts", 422, "too complex"},
      {"SELECT s ~ '(\\pL{500}\\pN{500}){1}x' FROM texts", 400, "pattern"},
      {"SELECT n FROM t WHERE n IN (" + numbers(200'000) + ")", 400, ""},
      {"SELECT " + std::string(500'000, '(') + "1", 400, ""},
  };
  const int64_t before = memory("VmRSS");
  for (const Case& one : cases) {
    RawAnswer answer;
    const int64_t grown = growth(before, [&] { answer = ask(one.sql); });
    const std::string shown = one.sql.substr(0, 100);
    EXPECT_EQ(answer.status, one.status) << shown << "\n" << answer.body.substr(0, 300);
    EXPECT_NE(answer.body.rfind(one.named), std::string::npos) << shown << "\n" << answer.body.substr(0, 300);
    EXPECT_EQ(answer.complete, answer.status != 200) << shown;
    EXPECT_LT(grown, kAllowedGrowth) << shown;
    fmt::print("{:>5} MiB  {}  {}\n", grown / kMiB, answer.status, shown);
  }
  EXPECT_LT(memory("VmRSS") - before, kMaxMemory * 3 / 2) << "what the queries took was not given back";
  // What only looks hostile is answered.
  EXPECT_EQ(ask("SELECT count(*) FROM t WHERE n IN (" + numbers(90'000) + ")").body, "count(*)\r\n90000\r\n");
  EXPECT_EQ(ask("SELECT count(*) FROM texts WHERE s ~ '^(a+)+$' OR s ~ '(b|bb)*c$'").body,
            "count(*)\r\n43\r\n");
  expect_no_query_runs();
}

TEST_F(HostileQueries, EveryFormatStreamsInBoundedMemory) {
  start("timeout = \"100s\"\nmax_memory = \"16MiB\"\nmax_rows = 100_000_000\n");
  write_rows();
  write_texts();
  const int64_t before = memory("VmRSS");
  for (const char* format : {"json", "csv", "ndjson", "table"}) {
    for (const std::string_view sql : {"SELECT * FROM t", "SELECT n, s, s FROM texts"}) {
      size_t bytes = 0;
      const int64_t grown = growth(before, [&] {
        RawClient client(port_);
        client.send(
            fmt::format("POST /api/v1/query?format={} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                        "Content-Length: {}\r\n\r\n{}",
                        format, sql.size(), sql));
        for (std::string piece = client.receive(); !piece.empty(); piece = client.receive())
          bytes += piece.size();
      });
      const size_t least = sql.ends_with("FROM t") ? size_t{20} * kRows : size_t{kTexts} * 400;
      EXPECT_GT(bytes, least) << format;
      EXPECT_LT(grown, 128 * kMiB) << format << " " << sql;  // the rows make 250 MB of JSON
      fmt::print("{:>5} MiB  {} MB of {}  {}\n", grown / kMiB, bytes / 1'000'000, format, sql);
    }
  }
}

// The reader takes a little, then nothing, then leaves: what is not read is not made, and the query ends with its reader.
// VARVE_ANSWER_ROWS makes the answer longer; 10 million rows were measured to take no more memory than these.
TEST_F(HostileQueries, AnAnswerIsMadeAsItIsReadAndEndsWithItsReader) {
  const char* const wanted = std::getenv("VARVE_ANSWER_ROWS");
  const int rows = wanted != nullptr ? std::stoi(wanted) : kRows;
  start("timeout = \"1000s\"\nmax_memory = \"64MiB\"\nmax_rows = 100_000_000\n");
  write_rows(rows);
  const std::string sql = "SELECT * FROM t";
  const auto rows_scanned = [&]() -> int64_t {
    const Json queries = Json::parse(http_get(url() + "/api/v1/queries").body)["queries"];
    return queries.empty() ? -1 : queries[0]["rows_scanned"].get<int64_t>();
  };
  const int64_t before = memory("VmRSS");
  for (const char* format : {"json", "csv", "ndjson"}) {
    const int64_t grown = growth(before, [&] {
      RawClient client(port_);
      client.send(
          fmt::format("POST /api/v1/query?format={} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                      "Content-Length: {}\r\n\r\n{}",
                      format, sql.size(), sql));
      for (size_t taken = 0; taken < kMiB;) taken += client.receive().size();
      int64_t scanned = 0;  // until pipe and socket are full
      const auto stands_still = [&] {
        const int64_t before_look = std::exchange(scanned, rows_scanned());
        return scanned > 0 && scanned == before_look;
      };
      EXPECT_TRUE(wait_until(stands_still, seconds(60))) << format;
      EXPECT_LT(scanned, rows / 2) << format << ": made ahead of its reader";
    });
    expect_no_query_runs();  // the client has gone
    EXPECT_LT(grown, 128 * kMiB) << format;
    fmt::print("{:>5} MiB  of {} rows of {}, hardly read\n", grown / kMiB, rows, format);
  }
}

// Seconds a row, and minutes in all: a query that will not end by itself while the test looks.
constexpr const char* kEndless = "SELECT count(*) FROM texts WHERE s ~ '((a?){100}){2}a{200}b'";

TEST_F(HostileQueries, AQueryWhoseClientLeftIsCancelled) {
  start("timeout = \"1000s\"\n");
  write_texts();
  {
    RawClient client(port_);
    client.send(fmt::format("POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}",
                            std::strlen(kEndless), kEndless));
    ASSERT_TRUE(wait_until(
        [&] {
          const Json queries = Json::parse(http_get(url() + "/api/v1/queries").body)["queries"];
          return !queries.empty() && queries[0]["rows_scanned"] > 0;
        },
        seconds(60)));
  }
  expect_no_query_runs();
}

TEST_F(HostileQueries, TheDeadlineEndsAQueryThatHasNoRowsYet) {
  start("timeout = \"1s\"\n");
  write_texts();
  const RawAnswer answer = ask(kEndless);
  EXPECT_EQ(answer.status, 408) << answer.body;
  EXPECT_NE(answer.body.find("query.timeout = 1s"), std::string::npos) << answer.body;
}

}  // namespace
}  // namespace varve::test
