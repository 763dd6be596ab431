// One system under comparison: a server of its own on a free loopback port with a temporary folder, started and stopped
// by pid, written to and asked over HTTP in its own idiom.
// Errors:  throws std::runtime_error with the end of the server's log.
// Threads: start and stop from the main thread (see tests/support/process.h); text() and parse() from any.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/peers/query_types.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::bench {

struct Request {
  std::string method = "GET";
  std::string path;
  std::string body = {};
  std::string content_type = "text/plain";
};

// How a system likes to be written to.
struct IngestStyle {
  Encoding encoding = Encoding::kLines;
  int rows_per_body = 5000;
  int connections = 2;
};

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  virtual std::string note() const { return {}; }  // what a reader of the numbers must know
  virtual void start() = 0;
  virtual IngestStyle ingest_style() const { return {}; }
  virtual Request insert(Set set, std::string body) const = 0;
  virtual void settle() {}  // asks for what it does in the background: flush, merge
  // Null: it cannot say this.
  virtual std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const = 0;
  virtual Answer parse(const QueryType& type, const std::string& body) const = 0;
  virtual uint64_t count(Set set) const = 0;  // rows it can see
  virtual bool has_row_times(const QueryType&) const { return true; }
  // In this process' view of time, or what the answer says of itself.
  virtual bool over_http() const { return true; }

  std::string url() const;
  double memory_mib(const std::string& line) const;  // VmRSS, VmHWM
  double cpu_seconds() const;                        // user and system, so far
  uint64_t disk_bytes() const;                       // of its data, as files are long
  void stop();

 protected:
  void run(std::vector<std::string> argv, const test::Process::Options& options,
           const std::string& ready_path);
  test::HttpAnswer ask(const Request& request) const;  // throws unless it is a 2xx
  std::string data() const { return folder_ / "data"; }

  test::TempDir folder_;
  uint16_t port_ = test::free_port();
  std::unique_ptr<test::Process> process_;  // after folder_: the server ends before its data goes
};

// Where `./dev setup bench-peers` has put the programs.
struct Programs {
  std::filesystem::path varve;
  std::filesystem::path influxd;
  std::filesystem::path packages;  // a tree of unpacked packages: victoria-metrics, clickhouse-server
  std::filesystem::path python;    // with duckdb
  std::filesystem::path duckdb_server;
};

std::unique_ptr<Peer> make_varve(const Programs& programs);
std::unique_ptr<Peer> make_influx(const Programs& programs);
std::unique_ptr<Peer> make_victoria(const Programs& programs);
std::unique_ptr<Peer> make_clickhouse(const Programs& programs);
std::unique_ptr<Peer> make_duckdb(const Programs& programs);

// Null when its program is not there, or the name is none.
std::unique_ptr<Peer> make_peer(const std::string& name, const Programs& programs);
const std::vector<std::string>& peer_names();

}  // namespace varve::bench
