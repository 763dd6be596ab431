#include "api/http/front_door.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "api/http/errors.h"
#include "storage/base/check.h"

namespace varve {
namespace {

constexpr int kTickMs = 250;  // how late a deadline may be noticed
constexpr int kEventsAtOnce = 256;
constexpr size_t kReadBytes = 16 << 10;
// A worker waits this long for the next request of its connection before it gives it back: what follows at once is
// served without a change of threads. Only while most workers are free.
constexpr int kStayMs = 5;
constexpr size_t kStayServingMax = 64;
constexpr std::chrono::milliseconds kStopLook{5};
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kHealthHeads[] = {"GET /healthz ", "GET /readyz ", "HEAD /healthz ",
                                             "HEAD /readyz ", "GET /ping ",   "HEAD /ping "};
// Requests whose work is a query. Longer paths than these begin so, too: those are answered 404, in their turn.
constexpr std::string_view kAskingMethods[] = {"GET ", "POST "};
constexpr std::string_view kAskingPaths[] = {"/api/v1/query", "/query", "/grafana"};

bool starts_with_any(std::string_view head, std::span<const std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return head.starts_with(start); });
}

int64_t now_ns() {
  return real_clock().monotonic_ns();
}

struct Refusal {
  int status;
  std::string_view line;
  std::string_view code;
  std::string_view message;
};

constexpr Refusal kRefusals[] = {
    {408, "408 Request Timeout", "slow_request", "the request's headers took longer than 10 s"},
    {414, "414 URI Too Long", "url_too_long", "the URL is too long; POST the SQL as the body"},
    {429, "429 Too Many Requests", "too_many_connections", "too many connections from this address"},
    {431, "431 Request Header Fields Too Large", "headers_too_large",
     "the request's headers are over 64 KiB"},
    {503, "503 Service Unavailable", "busy", "too many requests at once; try again"},
};

std::string refusal_text(int status) {
  const auto* const found = std::find_if(std::begin(kRefusals), std::end(kRefusals),
                                         [&](const Refusal& one) { return one.status == status; });
  VARVE_CHECK(found != std::end(kRefusals));
  const std::string body =
      error_response({status, std::string(found->code), std::string(found->message), std::nullopt, {}}).body;
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{}",
      found->line, body.size(),
      status == 503 || status == 429 ? fmt::format("Retry-After: {}\r\n", kRetryAfterSeconds) : std::string(),
      body);
}

}  // namespace

FrontDoor::FrontDoor(DoorLimits limits, size_t live_readers, TlsContext* tls, MetricsRegistry& metrics,
                     Serve serve)
    : limits_(limits),
      tls_(tls),
      serve_(std::move(serve)),
      open_(metrics.gauge("varve_http_connections", "Open connections.")),
      metrics_(metrics),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      turns_(limits.turns),
      workers_(WorkerLimits{.max = WorkerLimits{}.max + live_readers}) {
  VARVE_CHECK(epoll_ >= 0 && bell_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = bell_;
  VARVE_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &event) == 0);
  watcher_ = std::jthread([this] { watch(); });
}

void FrontDoor::stop() {
  if (!watcher_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  watcher_.join();
  for (const int64_t end = now_ns() + kLastWordsNs; serving_ > 0 && now_ns() < end;) {
    std::this_thread::sleep_for(kStopLook);
  }
  // Until none is left: a connection may have been on its way to a worker.
  while (cut_those_served()) std::this_thread::sleep_for(kStopLook);
  workers_.shutdown();
  health_workers_.shutdown();
  for (const int socket : accepted_) ::close(socket);
  handed_over_.clear();
  ::close(epoll_);
  ::close(bell_);
}

bool FrontDoor::cut_those_served() {
  const std::lock_guard lock(mutex_);
  for (const auto& connection : served_) connection->cut();
  return !served_.empty();
}

void FrontDoor::wake() {
  const uint64_t one = 1;
  (void)!::write(bell_, &one, sizeof one);  // full: it rings already
}

void FrontDoor::take(int socket) {
  {
    const std::lock_guard lock(mutex_);
    accepted_.push_back(socket);
  }
  wake();
}

void FrontDoor::hand_over(std::shared_ptr<HttpConnection> connection, State state) {
  {
    const std::lock_guard lock(mutex_);
    handed_over_.emplace_back(std::move(connection), state);
  }
  wake();
}

// ---- the watcher ----

void FrontDoor::watch() {
  std::array<epoll_event, kEventsAtOnce> events;
  int64_t looked_ns = now_ns();
  while (true) {
    const int count = ::epoll_wait(epoll_, events.data(), kEventsAtOnce, kTickMs);
    for (int i = 0; i < count; ++i) {
      const int socket = events[static_cast<size_t>(i)].data.fd;
      if (socket == bell_) {
        uint64_t rings = 0;
        (void)!::read(bell_, &rings, sizeof rings);
        continue;
      }
      if (const auto found = waiting_.find(socket); found != waiting_.end()) ready(found->second);
    }
    take_in();
    call_next();
    if (now_ns() - looked_ns >= kTickMs * kNsPerMs) {
      looked_ns = now_ns();
      expire(looked_ns);
    }
    const std::lock_guard lock(mutex_);
    if (stopping_) break;
  }
  while (!waiting_.empty()) drop(waiting_.begin()->first);
}

void FrontDoor::take_in() {
  std::vector<std::pair<std::shared_ptr<HttpConnection>, State>> handed_over;
  std::vector<int> accepted;
  {
    const std::lock_guard lock(mutex_);
    handed_over.swap(handed_over_);
    accepted.swap(accepted_);
  }
  const int64_t now = now_ns();
  const auto add = [&](std::shared_ptr<HttpConnection> connection, State state, int64_t time_ns) -> Waiting* {
    const int socket = connection->socket();
    Waiting& waiting = waiting_[socket] = {std::move(connection), state, now + time_ns, 0, Io::kWantRead};
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0) return &waiting;
    drop(socket);
    return nullptr;
  };
  for (const int socket : accepted) {
    int refused_with = 0;
    auto connection = admit(socket, refused_with);
    if (!connection) continue;
    const State state = tls_ == nullptr ? State::kIdle : State::kHandshake;
    Waiting* const waiting = add(std::move(connection), state, tls_ == nullptr ? kFirstByteNs : kHandshakeNs);
    if (waiting == nullptr) continue;
    if (refused_with != 0) {
      refuse(*waiting, refused_with);
    } else {
      ready(*waiting);  // its head may be there already
    }
  }
  for (auto& [connection, state] : handed_over) {
    Waiting* const waiting =
        add(std::move(connection), state, state == State::kGoodbye ? kGoodbyeNs : kIdleNs);
    if (waiting != nullptr) ready(*waiting);
  }
}

// Null: gone already.
std::shared_ptr<HttpConnection> FrontDoor::admit(int socket, int& refused_with) {
  std::unique_ptr<TlsSession> session;
  if (tls_ != nullptr && !(session = tls_->accept(socket))) {
    ::close(socket);
    return nullptr;
  }
  const auto forget = [this](HttpConnection* connection) {
    const std::string network = connection->network();
    delete connection;
    const std::lock_guard lock(count_mutex_);
    open_.set(static_cast<double>(--connections_));
    const auto found = by_network_.find(network);
    if (--found->second == 0) by_network_.erase(found);
  };
  std::unique_ptr<HttpConnection> made = std::make_unique<HttpConnection>(socket, std::move(session));
  bool full = false;
  {
    const std::lock_guard lock(count_mutex_);
    full = ++connections_ > limits_.connections_max;
    open_.set(static_cast<double>(connections_));
    if (++by_network_[made->network()] > limits_.connections_per_address) refused_with = 429;
  }
  std::shared_ptr<HttpConnection> connection(made.release(), forget);
  if (full && refused_with == 0 && !drop_longest_idle()) refused_with = 503;
  return connection;
}

bool FrontDoor::drop_longest_idle() {
  int found = -1;
  int64_t earliest = INT64_MAX;
  for (const auto& [socket, waiting] : waiting_) {
    if (waiting.state != State::kIdle || waiting.deadline_ns >= earliest) continue;
    found = socket;
    earliest = waiting.deadline_ns;
  }
  if (found < 0) return false;
  drop(found);
  return true;
}

void FrontDoor::drop(int socket) {
  (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
  const auto found = waiting_.find(socket);
  leave_line(found->second);
  waiting_.erase(found);
}

void FrontDoor::set_events(int socket, uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  (void)::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
}

void FrontDoor::listen_to(Waiting& waiting, Io wanted) {
  if (waiting.wants == wanted) return;
  waiting.wants = wanted;
  set_events(waiting.connection->socket(), wanted == Io::kWantWrite ? EPOLLOUT : EPOLLIN);
}

bool FrontDoor::handshake(Waiting& waiting) {
  const Io io = waiting.connection->handshake();
  if (io == Io::kEnd) {
    drop(waiting.connection->socket());
    return false;
  }
  listen_to(waiting, io == Io::kWantWrite ? io : Io::kWantRead);
  if (io != Io::kDone) return false;
  waiting.state = State::kIdle;
  waiting.deadline_ns = now_ns() + kFirstByteNs;
  return true;
}

void FrontDoor::ready(Waiting& waiting) {
  if (waiting.state == State::kLine) return drop(waiting.connection->socket());  // its peer has left
  if (waiting.state == State::kHandshake && !handshake(waiting)) return;
  if (waiting.state != State::kGoodbye) {
    read_head(waiting);
    return;
  }
  std::array<char, kReadBytes> unread;
  size_t got = 0;
  if (waiting.connection->read(unread.data(), unread.size(), got) == Io::kEnd)
    drop(waiting.connection->socket());
}

bool FrontDoor::whole_head(Waiting& waiting) const {
  const std::string_view head = waiting.connection->pending();
  const size_t from = waiting.searched > kHeadEnd.size() ? waiting.searched - kHeadEnd.size() : 0;
  waiting.searched = head.size();
  return head.find(kHeadEnd, from) != std::string_view::npos;
}

void FrontDoor::read_head(Waiting& waiting) {
  HttpConnection& connection = *waiting.connection;
  while (!whole_head(waiting)) {
    if (connection.pending().size() >= kHeadBytesMax) {
      const bool endless_line = connection.pending().find('\n') == std::string_view::npos;
      return refuse(waiting, endless_line ? 414 : 431);
    }
    std::array<char, kReadBytes> piece;
    size_t got = 0;
    const Io io = connection.read(piece.data(), piece.size(), got);
    if (io == Io::kEnd) return drop(connection.socket());
    if (io == Io::kDone) connection.add({piece.data(), got});
    if (!connection.pending().empty() && waiting.state == State::kIdle) {
      waiting.state = State::kHead;
      waiting.deadline_ns = now_ns() + kHeadNs;
    }
    if (io != Io::kDone) return listen_to(waiting, io);
  }
  dispatch(waiting);
}

void FrontDoor::expire(int64_t now) {
  std::vector<int> late;
  for (const auto& [socket, waiting] : waiting_) {
    if (waiting.deadline_ns <= now) late.push_back(socket);
  }
  for (const int socket : late) {
    Waiting& waiting = waiting_.at(socket);
    if (waiting.state == State::kHead || waiting.state == State::kLine) {
      refuse(waiting, waiting.state == State::kHead ? 408 : 503);
    } else {
      drop(socket);
    }
  }
}

void FrontDoor::refuse(Waiting& waiting, int status) {
  metrics_
      .counter("varve_http_connections_refused_total",
               "Connections closed for a limit, by the answer's status.",
               {{"status", std::to_string(status)}})
      .add();
  leave_line(waiting);
  // Before a handshake there is nothing that the client could read.
  if (waiting.state == State::kHandshake) return drop(waiting.connection->socket());
  const std::string text = refusal_text(status);
  size_t put = 0;
  (void)waiting.connection->write(text.data(), text.size(), put);  // a fresh socket has room for it
  say_goodbye(waiting);
}

// Closed at once, a connection with unread input would be reset, and the answer lost.
void FrontDoor::say_goodbye(Waiting& waiting) {
  waiting.connection->end_writing();
  waiting.state = State::kGoodbye;
  waiting.deadline_ns = now_ns() + kGoodbyeNs;
  listen_to(waiting, Io::kWantRead);
}

FrontDoor::Kind FrontDoor::kind_of(std::string_view head) {
  if (starts_with_any(head, kHealthHeads)) return Kind::kHealth;
  const bool asks =
      std::any_of(std::begin(kAskingMethods), std::end(kAskingMethods), [&](std::string_view method) {
        return head.starts_with(method) && starts_with_any(head.substr(method.size()), kAskingPaths);
      });
  return asks ? Kind::kAsks : Kind::kOther;
}

void FrontDoor::dispatch(Waiting& waiting) {
  const Kind kind = kind_of(waiting.connection->pending());
  if (kind == Kind::kAsks && !turns_.begin()) return stand_in_line(waiting);
  serve(waiting, kind);
}

void FrontDoor::serve(Waiting& waiting, Kind kind) {
  const auto connection = waiting.connection;
  Workers& workers = kind == Kind::kHealth ? health_workers_ : workers_;
  if (workers.enqueue([this, connection, kind] { work(connection, kind); }))
    return drop(connection->socket());
  if (kind == Kind::kAsks) (void)turns_.end();  // the watcher looks at the line anyhow
  refuse(waiting, 503);
}

void FrontDoor::stand_in_line(Waiting& waiting) {
  waiting.place = turns_.join(waiting.connection->network(), waiting.connection->socket());
  waiting.state = State::kLine;
  waiting.deadline_ns = now_ns() + limits_.line_ns;
  set_events(waiting.connection->socket(), EPOLLRDHUP);  // what else it sends can wait
}

void FrontDoor::leave_line(Waiting& waiting) {
  if (waiting.state != State::kLine) return;
  turns_.leave(waiting.connection->network(), waiting.place);
  waiting.state = State::kHead;
  waiting.wants = Io::kWantRead;
  set_events(waiting.connection->socket(), EPOLLIN);
}

void FrontDoor::call_next() {
  while (const auto socket = turns_.next()) {
    Waiting& waiting = waiting_.at(*socket);
    leave_line(waiting);
    serve(waiting, Kind::kAsks);
  }
}

// ---- the workers ----

void FrontDoor::work(const std::shared_ptr<HttpConnection>& connection, Kind kind) {
  {
    const std::lock_guard lock(mutex_);
    served_.insert(connection);
  }
  ++serving_;
  bool open = true;
  while (true) {
    open = serve_one(*connection, kind == Kind::kAsks);
    if (!open || !next_at_once(*connection)) break;
    const Kind next = kind_of(connection->pending());
    if ((next == Kind::kHealth) != (kind == Kind::kHealth)) break;  // not with these workers
    if (next == Kind::kAsks && !turns_.begin()) break;
    kind = next;
  }
  --serving_;
  if (!open) connection->end_writing();
  {
    const std::lock_guard lock(mutex_);
    served_.erase(connection);
  }
  hand_over(connection, open ? State::kIdle : State::kGoodbye);
}

bool FrontDoor::serve_one(HttpConnection& connection, bool asks) {
  ++connection.requests;
  ++unfinished_;
  if (asks) {
    connection.on_wait = [this](bool waits) { waits ? end_turn() : turns_.take_back(); };
  }
  const bool open = serve_(connection);
  connection.on_wait = nullptr;
  if (asks) end_turn();
  --unfinished_;
  return open;
}

void FrontDoor::end_turn() {
  if (turns_.end()) wake();
}

// Whether the whole head of another request has come meanwhile, or comes in a moment.
bool FrontDoor::next_at_once(HttpConnection& connection) const {
  if (connection.pending().find(kHeadEnd) != std::string_view::npos) return true;
  if (serving_ > kStayServingMax || turns_.in_line() > 0 || connection.pending().size() >= kHeadBytesMax)
    return false;
  pollfd ready{connection.socket(), POLLIN, 0};
  if (::poll(&ready, 1, kStayMs) != 1) return false;
  std::array<char, kReadBytes> piece;
  size_t got = 0;
  if (connection.read(piece.data(), piece.size(), got) != Io::kDone) return false;
  connection.add({piece.data(), got});
  return connection.pending().find(kHeadEnd) != std::string_view::npos;
}

}  // namespace varve
