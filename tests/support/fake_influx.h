// An InfluxDB for tests: a small HTTP/1.1 server on 127.0.0.1 that keeps what is written to it, line by line,
// and can be told how to answer. Its port is bound at once, but nothing listens before start(): until then it
// is "down". Threads: one accepting, one a connection; every method may be called from any.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace varve {

struct FakeRequest {
  std::string method;
  std::string path;                            // without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // gunzip'd
  std::vector<std::string> lines() const;
};

struct FakeReply {
  int status = 204;
  std::string body = {};
  std::string headers = {};  // more of them, each with CR LF
  bool store = true;         // a 2xx write's lines, or `keep` of them
  std::function<bool(const std::string& line)> keep =
      {};  // for partial writes of other statuses: lines that are stored
};

class FakeInflux {
 public:
  FakeInflux();
  ~FakeInflux();
  FakeInflux(const FakeInflux&) = delete;
  FakeInflux& operator=(const FakeInflux&) = delete;

  void start();
  std::string url() const;
  void set_version(std::string version);  // of X-Influxdb-Version; default 1.6.7
  // Asked for each write; nothing = 204 and stored. Default: always nothing.
  void on_write(std::function<std::optional<FakeReply>(const FakeRequest&)> rule);
  void require_created_databases();  // 404 for others
  void hang();                       // requests are read and not answered, until resume() or the end
  void resume();

  std::vector<std::string> lines(const std::string& database) const;  // stored, in order of arrival
  std::vector<FakeRequest> requests() const;                          // all, in order
  size_t connections() const;
  // Waits until `condition` holds, looking again after each request; false after 20 s.
  bool wait_until(const std::function<bool()>& condition);

 private:
  void accept_connections();
  void serve(int socket);
  bool read_request(int socket, std::string& buffer, FakeRequest& request);
  std::string answer(const FakeRequest& request);  // under mutex_
  FakeReply reply_to(const FakeRequest& request);  // under mutex_

  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool stopping_ = false;
  bool hanging_ = false;
  bool require_created_ = false;
  std::string version_ = "1.6.7";
  std::function<std::optional<FakeReply>(const FakeRequest&)> rule_;
  std::map<std::string, std::vector<std::string>> databases_;
  std::vector<FakeRequest> requests_;
  std::list<std::thread> connections_;
  std::vector<int> sockets_;
};

}  // namespace varve
