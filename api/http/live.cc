#include "api/http/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>

#include "api/query/json_text.h"
#include "storage/base/log.h"

namespace varve {

using std::chrono::steady_clock;

namespace {

constexpr std::string_view kComponent = "live";
constexpr size_t kPieceBytes = 64 << 10;  // handed to the socket at once
constexpr std::string_view kHeartbeat = ": still here\n\n";

std::string end_event(std::string_view reason, std::string_view message) {
  std::string json = fmt::format("{{\"reason\":\"{}\",\"message\":", reason);
  append_json_string(json, message);
  return named_event("end", json + "}");
}

std::string open_event(const TableInfo& table) {
  std::string json = "{\"database\":";
  append_json_string(json, table.database);
  json += ",\"table\":";
  append_json_string(json, table.name);
  return named_event("open", json + "}");
}

std::string channel_key(const LiveRequest& request) {
  std::string key;
  const auto add = [&](std::string_view part) { key += fmt::format("{}:{};", part.size(), part); };
  add(request.database);
  add(request.table);
  add(request.where);
  add(std::to_string(static_cast<int>(request.time_format)));
  for (const std::string& field : request.fields) add(field);
  return key;
}

}  // namespace

// One reader's stream: a bounded queue of events shared with the other readers of its channel.
class LiveReader final : public BodyStream {
 public:
  LiveReader(LiveHub& hub, std::shared_ptr<LiveChannel> channel, std::string first,
             std::function<bool()> gone)
      : hub_(hub), channel_(std::move(channel)), client_gone_(std::move(gone)) {
    queue_.push_back(std::make_shared<const std::string>(std::move(first)));
  }
  ~LiveReader() override { LiveReader::close(); }

  // False: the reader was too slow and is to be dropped.
  bool offer(const std::shared_ptr<const std::string>& event) {
    const std::lock_guard lock(mutex_);
    if (!last_.empty()) return true;
    if (queued_bytes_ > 0 && queued_bytes_ + event->size() > kLiveReaderBytesMax) {
      queue_.clear();
      last_ =
          end_event("slow_reader",
                    fmt::format("more than {} bytes waited for this reader; connect again, perhaps with a "
                                "narrower where or fields",
                                kLiveReaderBytesMax));
      changed_.notify_one();
      return false;
    }
    queue_.push_back(event);
    queued_bytes_ += event->size();
    changed_.notify_one();
    return true;
  }

  void end(std::string event) {  // after what is queued
    const std::lock_guard lock(mutex_);
    if (last_.empty()) last_ = std::move(event);
    changed_.notify_one();
  }

  Next next(std::string& piece) override;
  void close() override;

 private:
  LiveHub& hub_;
  std::shared_ptr<LiveChannel> channel_;  // null once closed
  const std::function<bool()> client_gone_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const std::string>> queue_;
  size_t queued_bytes_ = 0;
  std::string last_;  // not empty: the stream ends with it
  bool last_sent_ = false;
};

// Rows of one (table, where, fields, time format), written once for all its readers.
class LiveChannel {
 public:
  explicit LiveChannel(std::unique_ptr<LiveEvents> events) : events_(std::move(events)) {}

  void watch(std::unique_ptr<RowWatch> watch) { watch_ = std::move(watch); }
  void add(LiveReader* reader) {
    const std::lock_guard lock(mutex_);
    readers_.push_back(reader);
  }
  void remove(LiveReader* reader) {
    const std::lock_guard lock(mutex_);
    std::erase(readers_, reader);
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return readers_.empty();
  }
  void end(const std::string& event) {
    const std::lock_guard lock(mutex_);
    for (LiveReader* const reader : readers_) reader->end(event);
  }

  bool failed() const { return failed_; }

  struct Round {
    uint64_t readers_dropped = 0;
    uint64_t rows_lost = 0;
  };
  Round pump();  // by the hub's thread

 private:
  // Of the hub's thread:
  const std::unique_ptr<LiveEvents> events_;
  std::unique_ptr<RowWatch> watch_;
  std::atomic<bool> failed_{false};  // a row could not be judged; the readers are told so

  mutable std::mutex mutex_;  // guards readers_; taken before a reader's
  std::vector<LiveReader*> readers_;
};

LiveChannel::Round LiveChannel::pump() {
  Round round;
  const RowWatch::Taken taken = watch_->take();
  if (failed_) return round;
  std::vector<std::string> events;
  std::string failure;
  for (const WatchedRows& rows : taken.records) {
    const auto added = events_->add(rows, events);
    if (added) continue;
    failure = end_event(added.error().code, added.error().message);
    failed_ = true;
    break;
  }
  events_->flush(events);
  if (taken.rows_lost > 0 && !failed_) {
    round.rows_lost = taken.rows_lost;
    events.push_back(named_event("gap", fmt::format("{{\"rows\":{}}}", taken.rows_lost)));
  }
  const std::lock_guard lock(mutex_);
  for (std::string& text : events) {
    const auto event = std::make_shared<const std::string>(std::move(text));
    for (LiveReader* const reader : readers_) round.readers_dropped += reader->offer(event) ? 0 : 1;
  }
  if (failed_) {
    for (LiveReader* const reader : readers_) reader->end(failure);
  }
  return round;
}

BodyStream::Next LiveReader::next(std::string& piece) {
  const auto heartbeat = steady_clock::now() + kLiveHeartbeat;
  std::unique_lock lock(mutex_);
  if (last_sent_) return Next::kEnd;
  const auto something = [&] { return !queue_.empty() || !last_.empty(); };
  while (!changed_.wait_for(lock, kLiveLook, something)) {
    lock.unlock();
    const bool gone = client_gone_();
    lock.lock();
    if (gone && last_.empty()) return Next::kBroken;
    if (something()) break;
    if (steady_clock::now() < heartbeat) continue;
    piece = kHeartbeat;
    return Next::kPiece;
  }
  piece.clear();
  while (!queue_.empty() && piece.size() < kPieceBytes) {
    piece += *queue_.front();
    queued_bytes_ -= std::min(queued_bytes_, queue_.front()->size());
    queue_.pop_front();
  }
  if (queue_.empty() && !last_.empty()) {
    piece += last_;
    last_sent_ = true;
  }
  return Next::kPiece;
}

void LiveReader::close() {
  if (channel_ == nullptr) return;
  channel_->remove(this);
  channel_.reset();
  hub_.left();
}

// ---- the hub ----

LiveHub::LiveHub(Engine& engine, MetricsRegistry& metrics, size_t readers_max)
    : engine_(engine),
      readers_max_(readers_max),
      readers_gauge_(metrics.gauge("varve_live_readers", "Readers of /api/v1/live.")),
      dropped_(metrics.counter("varve_live_readers_dropped_total", "Live readers dropped for being slow.")),
      rows_lost_(metrics.counter(
          "varve_live_rows_lost_total",
          "Rows live readers were told they missed, because the server could not keep up.")) {}

LiveHub::~LiveHub() {
  end();
}

tl::expected<std::shared_ptr<BodyStream>, HttpError> LiveHub::open(const LiveRequest& request,
                                                                   std::function<bool()> client_gone) {
  const auto table = engine_.describe(request.database, request.table);
  if (!table) return tl::make_unexpected(http_error(table.error()));
  auto events = LiveEvents::make(request, *table);
  if (!events) return tl::make_unexpected(http_error(events.error()));
  const std::lock_guard lock(mutex_);
  if (ended_) {
    return tl::make_unexpected(HttpError{503, "stopping", "the server is stopping", std::nullopt, {}});
  }
  if (readers_ >= readers_max_) {
    return tl::make_unexpected(
        HttpError{503, "too_many_live_readers",
                  fmt::format("server.live_readers = {} readers are connected", readers_max_), std::nullopt,
                  "close one, or raise server.live_readers"});
  }
  std::shared_ptr<LiveChannel>& channel = channels_[channel_key(request)];
  if (channel == nullptr || channel->failed()) {
    channel = std::make_shared<LiveChannel>(std::move(*events));
    channel->watch(engine_.watch(request.database, request.table, [this] { wake(); }));
  }
  auto reader = std::make_shared<LiveReader>(*this, channel, open_event(*table), std::move(client_gone));
  channel->add(reader.get());
  readers_gauge_.set(static_cast<double>(++readers_));
  if (!thread_.joinable()) thread_ = std::jthread([this] { run(); });
  return reader;
}

void LiveHub::wake() {
  const std::lock_guard lock(wake_mutex_);
  rows_wait_ = true;
  woken_.notify_one();
}

void LiveHub::left() {
  const std::lock_guard lock(mutex_);
  readers_gauge_.set(static_cast<double>(--readers_));
  std::erase_if(channels_, [](const auto& entry) { return entry.second->empty(); });
}

size_t LiveHub::readers() const {
  const std::lock_guard lock(mutex_);
  return readers_;
}

void LiveHub::run() {
  while (true) {
    {
      std::unique_lock lock(wake_mutex_);
      woken_.wait(lock, [&] { return rows_wait_ || stop_; });
      if (stop_) return;
      rows_wait_ = false;
    }
    std::vector<std::shared_ptr<LiveChannel>> channels;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, channel] : channels_) channels.push_back(channel);
    }
    for (const auto& channel : channels) {
      const LiveChannel::Round round = channel->pump();
      dropped_.add(round.readers_dropped);
      rows_lost_.add(round.rows_lost);
      if (round.readers_dropped > 0) {
        log_warn(kComponent, fmt::format("{} readers were dropped: over {} bytes waited for each",
                                         round.readers_dropped, kLiveReaderBytesMax));
      }
    }
    channels.clear();
    std::unique_lock lock(wake_mutex_);
    if (woken_.wait_for(lock, kLivePause, [&] { return stop_; })) return;
  }
}

void LiveHub::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const auto& [key, channel] : channels_) {
      channel->end(end_event("stopping", "the server is stopping; connect again later"));
    }
  }
  {
    const std::lock_guard lock(wake_mutex_);
    stop_ = true;
    woken_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace varve
