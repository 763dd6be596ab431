// A Schema Registry for tests: HTTP/1.1 on 127.0.0.1, one request a connection, answering paths with what it was given
// and everything else as the real one does (404, error_code 40403). Down until start() and after stop(); the port stays.
// Threads: one of its own; every method may be called from any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace varve {

class FakeRegistry {
 public:
  FakeRegistry();  // picks the port
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  void start();
  void stop();
  std::string url() const;
  void answer(const std::string& path, int status, std::string body);
  // {"schema": TEXT as JSON string, more...} for /schemas/ids/ID
  void add_schema(uint32_t id, const std::string& schema, const std::string& more = "");
  std::vector<std::string> paths() const;  // asked for, in order
  std::string last_body() const;
  std::string last_header(const std::string& name) const;  // of the last request; name in lower case

 private:
  void serve(int listener);
  void answer_one(int connection);

  int port_ = 0;
  int listener_ = -1;
  std::thread thread_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::vector<std::string> paths_;
  std::string last_body_;
  std::map<std::string, std::string> headers_;
};

}  // namespace varve
