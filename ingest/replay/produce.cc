#include "ingest/replay/produce.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr int64_t kProgressIntervalNs = 100 * kNsPerMs;
constexpr int64_t kFlushSliceNs =
    100 * kNsPerMs;  // so that progress goes on while the last ones are delivered
constexpr int64_t kStopFlushNs = 2 * kNsPerSecond;
constexpr uint64_t kHousekeepingMessages = 64;  // a clock reading and a poll per so many messages
constexpr int64_t kPaceNs = kNsPerMs;           // finer than any reader can tell

class Run {
 public:
  Run(Generator& generator, KafkaProducer& producer, const ProduceOptions& options,
      const std::function<bool(const ProduceProgress&)>& progress)
      : generator_(generator), producer_(producer), options_(options), progress_(progress) {}

  Result<ProduceReport> run() {
    Result<void> sent = send_all();
    flush();
    tell();
    if (!sent) return sent.error();
    return report_;
  }

 private:
  Result<void> send_all() {
    GeneratedMessage message;
    uint64_t allowed = 0;
    while (!report_.stopped && (options_.count == 0 || report_.sent < options_.count)) {
      if (options_.rate > 0 && report_.sent >= allowed) {
        allowed = static_cast<uint64_t>(options_.rate * static_cast<double>(elapsed_ns()) / kNsPerSecond) + 1;
        if (report_.sent >= allowed) {
          std::this_thread::sleep_for(std::chrono::nanoseconds(kPaceNs));
          housekeeping();
          continue;
        }
      }
      VARVE_ASSIGN(const bool more, generator_.next(message));
      if (!more) break;
      VARVE_TRY(producer_.produce(message.key, message.value, message.timestamp_ms));
      ++report_.sent;
      report_.bytes += message.value.size();
      if (report_.sent % kHousekeepingMessages == 0) housekeeping();
    }
    return {};
  }

  void housekeeping() {
    producer_.poll();
    if (elapsed_ns() >= next_progress_ns_) tell();
  }

  void tell() {
    report_.elapsed_ns = elapsed_ns();
    report_.delivered = producer_.delivered();
    report_.failed = producer_.failed();
    next_progress_ns_ = report_.elapsed_ns + kProgressIntervalNs;
    if (progress_ && !progress_(report_)) report_.stopped = true;
  }

  void flush() {
    const int64_t start = elapsed_ns();
    while (true) {
      const Result<void> flushed = producer_.flush(kFlushSliceNs);
      const int64_t limit = report_.stopped ? kStopFlushNs : options_.delivery_timeout_ns;
      const bool settled = producer_.delivered() + producer_.failed() >= report_.sent;
      if (settled || elapsed_ns() - start >= limit) {
        if (!flushed) report_.problem = flushed.error().message;
        return;
      }
      tell();
    }
  }

  int64_t elapsed_ns() const { return real_clock().monotonic_ns() - start_ns_; }

  Generator& generator_;
  KafkaProducer& producer_;
  const ProduceOptions& options_;
  const std::function<bool(const ProduceProgress&)>& progress_;
  int64_t start_ns_ = real_clock().monotonic_ns();
  int64_t next_progress_ns_ = kProgressIntervalNs;
  ProduceReport report_;
};

}  // namespace

Result<ProduceReport> produce(Generator& generator, KafkaProducer& producer, const ProduceOptions& options,
                              const std::function<bool(const ProduceProgress&)>& progress) {
  return Run(generator, producer, options, progress).run();
}

}  // namespace varve
