// Live tails: server-sent events of a table's rows as they are acknowledged, for many readers at once.
//   Readers that ask for the same (table, where, fields, time format) share a channel: its rows are filtered and written
//   as text once. One thread does that for all channels, at most every kLivePause, so that a burst is few events.
//   Every event of rows has an id, the place of its last row in the log ("LSN", "LSN-2" when a record takes several):
//     id: 4711
//     data: {"columns":[{"name":"time","type":"timestamp"}, ...],"rows":[["2026-01-01T00:00:00Z",7.31], ...]}
//   Others are named: `open` (first: the table and its columns), `gap` (rows the server passed over because it could not
//   keep up), `end` (last: the reason). A comment every kLiveHeartbeat keeps proxies from closing a quiet stream.
// Limits: a reader that lets kLiveReaderBytesMax wait is dropped with an `end`; readers_max readers at a time.
// Errors: open: 404 no such table, 400 where or fields, 503 too many readers or ending.
// Threads: any; a stream is read by one worker. A reader holds its connection's worker until it leaves.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/http/errors.h"
#include "api/http/exchange.h"
#include "api/http/live_events.h"
#include "storage/base/metrics.h"
#include "storage/engine.h"

namespace varve {

constexpr size_t kLiveReaderBytesMax = 2 << 20;  // that wait for one reader, besides the kernel's own buffers
constexpr std::chrono::milliseconds kLivePause{50};  // guessed: twenty events a second look fluent
constexpr std::chrono::seconds kLiveHeartbeat{10};   // shorter than the usual 30 s and more of proxies
constexpr std::chrono::milliseconds kLiveLook{500};  // how late a reader that left may be noticed

class LiveChannel;

class LiveHub {
 public:
  LiveHub(Engine& engine, MetricsRegistry& metrics, size_t readers_max = 256);
  ~LiveHub();  // as end()

  tl::expected<std::shared_ptr<BodyStream>, HttpError> open(const LiveRequest& request,
                                                            std::function<bool()> client_gone);
  void end();  // every reader gets its last event; no more are taken
  size_t readers() const;

 private:
  friend class LiveReader;
  void run();
  void wake();
  void left();  // a reader is gone

  Engine& engine_;
  const size_t readers_max_;
  Gauge& readers_gauge_;
  Counter& dropped_;
  Counter& rows_lost_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<LiveChannel>> channels_;
  size_t readers_ = 0;
  bool ended_ = false;
  std::jthread thread_;  // from the first reader on

  std::mutex wake_mutex_;  // held alone
  std::condition_variable woken_;
  bool rows_wait_ = false;
  bool stop_ = false;
};

}  // namespace varve
