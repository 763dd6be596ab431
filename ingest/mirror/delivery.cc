// How a mirror's lines reach the server, and what its answers mean (see mirror.h).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ingest/decode/printable.h"
#include "ingest/mirror/influx_mirror.h"
#include "ingest/quarantine.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr size_t kErrorTextBytesMax = 500;  // of the server's words in the log and in varve_quarantine
constexpr std::string_view kRefusedReason = "mirror_refused";

}  // namespace

InfluxMirror::Delivery InfluxMirror::deliver(const MirrorChunk& chunk, const std::stop_token& stop) {
  for (const LineList& list : chunk.databases) {
    for (size_t first = 0; first < list.size();) {
      const size_t last = list.request_end(first, lines_max_);
      if (deliver_lines(list, first, last, stop) == Delivery::kStopped) return Delivery::kStopped;
      first = last;
    }
  }
  return Delivery::kDone;
}

namespace {

// N of "dropped=N", with which InfluxDB 1.x and 2.x end their account of a partial write.
std::optional<size_t> dropped_count(std::string_view text) {
  constexpr std::string_view kMark = "dropped=";
  const size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  size_t count = 0;
  const std::string_view digits = text.substr(at + kMark.size());
  if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc{})
    return std::nullopt;
  return count;
}

}  // namespace

InfluxMirror::Delivery InfluxMirror::deliver_lines(const LineList& list, size_t first, size_t last,
                                                   const std::stop_token& stop) {
  const size_t count = last - first;
  const auto halves = [&] {
    const size_t middle = first + count / 2;
    return deliver_lines(list, first, middle, stop) == Delivery::kDone
               ? deliver_lines(list, middle, last, stop)
               : Delivery::kStopped;
  };
  const bool packed_ahead = first == 0 && last == list.lines_packed;
  const std::string packed_now = packed_ahead ? std::string() : packer_.pack(list.range(first, last));
  while (!stop.stop_requested()) {
    if (prepare(list.database, stop) == Delivery::kStopped) return Delivery::kStopped;
    if (pace(count, stop) == Delivery::kStopped) return Delivery::kStopped;
    const InfluxAnswer answer =
        client_->write(generation_, list.database, packed_ahead ? list.packed : packed_now);
    if (answer.ok()) {
      note_up();
      rows_.add(count);
      const std::lock_guard lock(mutex_);
      status_.rows_sent_total += count;
      return Delivery::kDone;
    }
    if (answer.status == 400 || answer.status == 422) {
      note_up();
      if (count == 1 || dropped_count(answer.text) == count)
        return refuse_lines(list, first, last, answer, stop);
      return halves();
    }
    if (answer.status == 413) {
      note_up();
      if (count == 1) return refuse_lines(list, first, last, answer, stop);
      lines_max_ = std::max<size_t>(1, std::min(lines_max_, count / 2));
      return halves();
    }
    if (answer.status == 404 && generation_ == 1) databases_created_.erase(list.database);
    // A bucket is made only when a write misses it: most tokens for writing may not even look for buckets.
    if (answer.status == 404 && generation_ == 2 && databases_created_.insert(list.database).second) {
      const InfluxAnswer created = client_->create_database(2, list.database);
      if (created.ok()) {
        log_info(options_.name, fmt::format("made bucket '{}'", list.database));
        continue;
      }
    }
    const bool other_generation = answer.status == 405 || (answer.status == 404 && generation_ == 3);
    if (other_generation && options_.version == "auto") generation_ = 0;
    const std::string what = fmt::format("write to database '{}'", list.database);
    if (after_failure(answer, what, stop) == Delivery::kStopped) return Delivery::kStopped;
  }
  return Delivery::kStopped;
}

// Finds out what the server is and, for 1.x and 3.x, makes the database, unless that was done.
InfluxMirror::Delivery InfluxMirror::prepare(const std::string& database, const std::stop_token& stop) {
  while (generation_ == 0) {
    if (stop.stop_requested()) return Delivery::kStopped;
    const InfluxAnswer answer = client_->ping();
    if (answer.generation == 2 && options_.org.empty()) {
      // Without it the server answers 400, which must not be taken for a fault of the lines.
      note_trouble("held", "the server is InfluxDB 2, which needs org; set it for this mirror");
      if (!wait(options_.timing.hold_retry_ns, stop)) return Delivery::kStopped;
    } else if (answer.generation) {
      generation_ = *answer.generation;
    } else if (answer.status == 204) {
      generation_ = 1;  // what speaks the protocol but does not tell its version speaks the oldest
    } else if (after_failure(answer, "ping", stop) == Delivery::kStopped) {
      return Delivery::kStopped;
    }
  }
  if (generation_ == 2 || databases_created_.contains(database)) return Delivery::kDone;
  while (!stop.stop_requested()) {
    const InfluxAnswer answer = client_->create_database(generation_, database);
    if (answer.status == 0 || answer.status == 429 || answer.status >= 500) {
      if (after_failure(answer, fmt::format("create database '{}'", database), stop) == Delivery::kStopped) {
        return Delivery::kStopped;
      }
      continue;
    }
    // A user who may write need not be one who may create: the write tells whether it was needed.
    databases_created_.insert(database);
    return Delivery::kDone;
  }
  return Delivery::kStopped;
}

// Says what went wrong and waits as long as the kind of failure asks for.
InfluxMirror::Delivery InfluxMirror::after_failure(const InfluxAnswer& answer, std::string_view what,
                                                   const std::stop_token& stop) {
  errors_.add();
  const bool passing = answer.status == 0 || answer.status == 429 || answer.status >= 500 ||
                       (answer.status == 404 && generation_ == 1) || generation_ == 0;
  std::string text = printable(answer.text, kErrorTextBytesMax);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string error = answer.status == 0 ? fmt::format("{}: {}", what, text)
                                         : fmt::format("{}: HTTP {}: {}", what, answer.status, text);
  if (answer.status == 401 || answer.status == 403) error += "; check the mirror's token_env";
  if (answer.status == 404 && generation_ == 2) {
    error += "; create the bucket, or check org and database";
    databases_created_.clear();  // the next 404 tries again to make it
  }
  note_trouble(passing ? "retrying" : "held", std::move(error));
  int64_t wait_ns = passing ? next_backoff_ns() : options_.timing.hold_retry_ns;
  // Later than asked by up to a tenth, so that those sent away together do not come back together.
  const int64_t asked_ns = answer.retry_after_ns.value_or(0);
  wait_ns = std::max(wait_ns,
                     asked_ns + static_cast<int64_t>(random_() % static_cast<uint64_t>(asked_ns / 10 + 1)));
  return wait(wait_ns, stop) ? Delivery::kDone : Delivery::kStopped;
}

// Puts lines the server does not take into varve_quarantine, durably, with the server's words.
InfluxMirror::Delivery InfluxMirror::refuse_lines(const LineList& list, size_t first, size_t last,
                                                  const InfluxAnswer& answer, const std::stop_token& stop) {
  const std::string detail =
      fmt::format("HTTP {}: {}", answer.status, printable(answer.text, kErrorTextBytesMax));
  while (!stop.stop_requested()) {
    QuarantineBuilder builder(real_clock());
    for (size_t i = first; i < last; ++i) {
      builder.add({.source = options_.name,
                   .offset = static_cast<int64_t>(list.lsns[i]),
                   .reason = kRefusedReason,
                   .detail = detail,
                   .payload = list.range(i, i + 1)});
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    const auto written = engine_.append_and_wait(engine_.admit(std::move(batches)));
    if (written) {
      refused_.add(last - first);
      if (log_now(refused_logged_ns_)) {
        log_warn(options_.name, fmt::format("the server refuses {} rows for good, now in {}: {}",
                                            last - first, kQuarantineTable, detail));
      }
      const std::lock_guard lock(mutex_);
      status_.rows_refused_total += last - first;
      return Delivery::kDone;
    }
    note_trouble("held", fmt::format("cannot write to {}: {}", kQuarantineTable, written.error().message));
    if (!wait(next_backoff_ns(), stop)) return Delivery::kStopped;
  }
  return Delivery::kStopped;
}

// Waits until `count` rows may go by options_.catch_up_rows_per_second.
InfluxMirror::Delivery InfluxMirror::pace(size_t count, const std::stop_token& stop) {
  const int64_t wait_ns = pacer_.take(real_clock().monotonic_ns(), count);
  return wait_ns == 0 || wait(wait_ns, stop) ? Delivery::kDone : Delivery::kStopped;
}

// Doubles from min to max, each time somewhere in the upper half, so that many mirrors do not come back at
// once.
int64_t InfluxMirror::next_backoff_ns() {
  const MirrorTiming& timing = options_.timing;
  backoff_ns_ = backoff_ns_ == 0 ? timing.backoff_min_ns : std::min(2 * backoff_ns_, timing.backoff_max_ns);
  const int64_t half_ns = backoff_ns_ / 2;
  return backoff_ns_ - static_cast<int64_t>(random_() % static_cast<uint64_t>(half_ns + 1));
}

}  // namespace varve
