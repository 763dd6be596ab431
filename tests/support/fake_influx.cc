#include "tests/support/fake_influx.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr auto kWaitMax = std::chrono::seconds(20);

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

std::map<std::string, std::string> parse_form(std::string_view text) {
  std::map<std::string, std::string> form;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    form[percent_decoded(pair.substr(0, equals))] =
        percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return form;
}

std::string gunzip(const std::string& text) {
  z_stream stream{};
  VARVE_CHECK(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string in = text;
  std::string out;
  char piece[65536];
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  }
  inflateEnd(&stream);
  VARVE_CHECK(code == Z_STREAM_END);
  return out;
}

std::string database_of(const FakeRequest& request) {
  const auto bucket = request.query.find("bucket");
  if (bucket != request.query.end()) return bucket->second;
  const auto db = request.query.find("db");
  return db == request.query.end() ? "" : db->second;
}

}  // namespace

std::vector<std::string> FakeRequest::lines() const {
  std::vector<std::string> lines;
  for (size_t at = 0; at < body.size();) {
    const size_t end = std::min(body.find('\n', at), body.size());
    lines.push_back(body.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

FakeInflux::FakeInflux() {
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  VARVE_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  VARVE_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

void FakeInflux::start() {
  VARVE_CHECK(listen(listener_, 64) == 0);
  acceptor_ = std::thread([this] { accept_connections(); });
}

FakeInflux::~FakeInflux() {
  std::list<std::thread> connections;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int open : sockets_) shutdown(open, SHUT_RDWR);
    changed_.notify_all();
  }
  shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    connections.swap(connections_);
  }
  for (std::thread& connection : connections) connection.join();
  close(listener_);
}

std::string FakeInflux::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

void FakeInflux::set_version(std::string version) {
  const std::lock_guard lock(mutex_);
  version_ = std::move(version);
}
void FakeInflux::on_write(std::function<std::optional<FakeReply>(const FakeRequest&)> rule) {
  const std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
}
void FakeInflux::require_created_databases() {
  const std::lock_guard lock(mutex_);
  require_created_ = true;
}
void FakeInflux::hang() {
  const std::lock_guard lock(mutex_);
  hanging_ = true;
}
void FakeInflux::resume() {
  const std::lock_guard lock(mutex_);
  hanging_ = false;
  changed_.notify_all();
}

std::vector<std::string> FakeInflux::lines(const std::string& database) const {
  const std::lock_guard lock(mutex_);
  const auto at = databases_.find(database);
  return at == databases_.end() ? std::vector<std::string>{} : at->second;
}
std::vector<FakeRequest> FakeInflux::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}
size_t FakeInflux::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

bool FakeInflux::wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kWaitMax;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

void FakeInflux::accept_connections() {
  while (true) {
    const int connection = accept(listener_, nullptr, nullptr);
    const std::lock_guard lock(mutex_);
    if (connection < 0 || stopping_) {
      if (connection >= 0) close(connection);
      return;
    }
    sockets_.push_back(connection);
    connections_.emplace_back([this, connection] { serve(connection); });
  }
}

bool FakeInflux::read_request(int connection, std::string& buffer, FakeRequest& request) {
  const auto read_more = [&] {
    char bytes[16384];
    const ssize_t count = recv(connection, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffer.append(bytes, static_cast<size_t>(count));
    return true;
  };
  size_t head_end = buffer.find("\r\n\r\n");
  for (; head_end == std::string::npos; head_end = buffer.find("\r\n\r\n")) {
    if (!read_more()) return false;
  }
  const std::string head = buffer.substr(0, head_end + 2);
  buffer.erase(0, head_end + 4);
  const size_t first_line = head.find("\r\n");
  const size_t space = head.find(' ');
  const std::string target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
  request.method = head.substr(0, space);
  request.path = target.substr(0, target.find('?'));
  if (target.find('?') != std::string::npos) request.query = parse_form(target.substr(target.find('?') + 1));
  for (size_t at = first_line + 2; at < head.size();) {
    const size_t end = head.find("\r\n", at);
    const size_t colon = head.find(':', at);
    std::string name = head.substr(at, colon - at);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const size_t value = head.find_first_not_of(' ', colon + 1);
    request.headers[name] = head.substr(value, end - value);
    at = end + 2;
  }
  const auto length = request.headers.find("content-length");
  const size_t body_bytes = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (buffer.size() < body_bytes) {
    if (!read_more()) return false;
  }
  request.body = buffer.substr(0, body_bytes);
  buffer.erase(0, body_bytes);
  const auto encoding = request.headers.find("content-encoding");
  if (encoding != request.headers.end() && encoding->second == "gzip") request.body = gunzip(request.body);
  return true;
}

void FakeInflux::serve(int connection) {
  std::string buffer;
  while (true) {
    FakeRequest request;
    if (!read_request(connection, buffer, request)) break;
    std::string reply;
    {
      std::unique_lock lock(mutex_);
      requests_.push_back(request);
      changed_.notify_all();
      changed_.wait(lock, [&] { return !hanging_ || stopping_; });
      if (stopping_) break;
      reply = answer(request);
      changed_.notify_all();
    }
    if (send(connection, reply.data(), reply.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(reply.size()))
      break;
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, connection);
  close(connection);
}

std::string FakeInflux::answer(const FakeRequest& request) {
  const FakeReply reply = reply_to(request);
  return fmt::format("HTTP/1.1 {} x\r\nX-Influxdb-Version: {}\r\nContent-Length: {}\r\n{}\r\n{}",
                     reply.status, version_, reply.body.size(), reply.headers, reply.body);
}

FakeReply FakeInflux::reply_to(const FakeRequest& request) {
  if (request.path == "/ping") return {};
  if (request.path == "/query") {
    const std::string statement = parse_form(request.body)["q"];
    std::string name;
    for (size_t i = statement.find('"') + 1; i + 1 < statement.size(); ++i) {
      if (statement[i] == '\\') ++i;
      name.push_back(statement[i]);
    }
    databases_[name];
    return {.status = 200, .body = R"({"results":[{"statement_id":0}]})"};
  }
  if (request.path == "/api/v2/orgs") return {.status = 200, .body = R"({"orgs":[{"id":"0a1b"}]})"};
  if (request.path == "/api/v2/buckets" || request.path == "/api/v3/configure/database") {
    // {"name":"N","orgID":"0a1b",...} or {"db":"N"}: names of tests need no unescaping
    const bool bucket = request.path == "/api/v2/buckets";
    if (bucket && request.body.find(R"("orgID":"0a1b")") == std::string::npos) return {.status = 400};
    const std::string mark = bucket ? R"("name":")" : R"("db":")";
    const size_t begin = request.body.find(mark) + mark.size();
    databases_[request.body.substr(begin, request.body.find('"', begin) - begin)];
    return {.status = bucket ? 201 : 200, .body = "{}"};
  }
  const char generation = version_[version_[0] == 'v' ? 1 : 0];
  const char* path = generation == '1' ? "/write" : generation == '2' ? "/api/v2/write" : "/api/v3/write_lp";
  if (request.path != path) return {.status = generation == '1' ? 404 : 405, .body = "no such route"};
  const std::string database = database_of(request);
  if (require_created_ && !databases_.contains(database)) {
    return {.status = 404, .body = fmt::format(R"({{"error":"database not found: \"{}\""}})", database)};
  }
  const FakeReply reply = (rule_ ? rule_(request) : std::nullopt).value_or(FakeReply{});
  const bool ok = reply.status >= 200 && reply.status < 300;
  for (const std::string& line : request.lines()) {
    if (ok ? reply.store : reply.keep && reply.keep(line)) databases_[database].push_back(line);
  }
  return reply;
}

}  // namespace varve
