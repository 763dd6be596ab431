#include "ingest/archive/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "ingest/archive/container.h"
#include "ingest/kafka/append_window.h"
#include "ingest/kafka/pipeline.h"
#include "ingest/kafka/start_source.h"

namespace varve {
namespace {

constexpr size_t kWritesInFlightMax = 8;          // as a Kafka source has (guessed)
constexpr int64_t kRetryNs = 5 * kNsPerMs;        // of a write the store has no room for yet
constexpr int64_t kObserveNs = 100 * kNsPerMs;    // how long a wait may go without asking the observer
constexpr uint64_t kMessagesBetweenLooks = 1000;  // at the observer

class ArchivedHeaders : public MessageHeaders {
 public:
  explicit ArchivedHeaders(const ArchivedMessage& message) : headers_(message.headers) {}
  std::optional<std::string_view> last(const std::string& name) const override {
    for (auto at = headers_.rbegin(); at != headers_.rend(); ++at) {
      if (at->first == name) return at->second;
    }
    return std::nullopt;
  }
  void each(const Each& take) const override {
    for (const auto& [name, value] : headers_) take(name, value);
  }

 private:
  decltype(ArchivedMessage::headers) headers_;
};

struct Target {
  explicit Target(const KafkaSourceOptions& source, Engine& engine, std::unique_ptr<Decoder> decoder)
      : options(source), pipeline(source.name, engine, std::move(decoder)) {}
  const KafkaSourceOptions& options;
  KafkaPipeline pipeline;
  std::deque<ArchivedHeaders> headers;  // of the messages the pipeline holds
  std::map<TopicPartition, std::shared_ptr<KafkaPartition>> partitions;
};

class Replay {
 public:
  Replay(const ReplayOptions& options, Engine& engine,
         const std::function<bool(const ReplayReport&)>& observer)
      : options_(options), engine_(engine), observer_(observer) {}
  ~Replay() { window_->wait_until_at_most(0, std::numeric_limits<int32_t>::max()); }

  Result<void> open(const std::vector<KafkaSourceOptions>& sources);
  Result<ReplayReport> run();

 private:
  Result<void> read_file(const std::string& name);
  Result<void> feed(const ArchivedMessage& message);
  Result<void> feed_one(Target& target, const ArchivedMessage& message);
  Result<void> write_all();
  Result<void> write(Target& target);
  void pace(int64_t timestamp_ms);
  bool go_on();

  const ReplayOptions& options_;
  Engine& engine_;
  const std::function<bool(const ReplayReport&)>& observer_;
  std::vector<std::string> files_;
  std::vector<std::unique_ptr<Target>> targets_;
  std::shared_ptr<AppendWindow> window_ = std::make_shared<AppendWindow>();
  ReplayReport report_;
  int64_t first_ms_ = -1;  // the first message's time, and when it was fed
  int64_t began_ns_ = 0;
};

Result<void> Replay::open(const std::vector<KafkaSourceOptions>& sources) {
  FileSystem& files = real_file_system();
  VARVE_ASSIGN(const auto names, files.list(options_.directory));
  for (const std::string& name : names) {
    if (!name.ends_with(".avro") && !name.ends_with(".avro.part")) continue;
    VARVE_ASSIGN(const auto file, files.open_read(join_path(options_.directory, name)));
    VARVE_ASSIGN(const uint64_t bytes, file->size());
    report_.bytes_total += bytes;
    files_.push_back(name);
  }
  if (files_.empty()) return not_found(fmt::format("no .avro files in {}", options_.directory));
  for (const KafkaSourceOptions& source : sources) {
    if (!options_.source.empty() && source.name != options_.source) continue;
    VARVE_ASSIGN(auto decoder, make_source_decoder(source, engine_));
    targets_.push_back(std::make_unique<Target>(source, engine_, std::move(decoder)));
    if (!source.make_processor) continue;
    VARVE_ASSIGN(auto processor, with_context(source.make_processor(engine_), source.name));
    targets_.back()->pipeline.process_with(std::move(processor));
  }
  if (!targets_.empty()) return {};
  return options_.source.empty()
             ? invalid_argument("the configuration has no [[kafka]] section to say how messages are decoded")
             : not_found(fmt::format("the configuration has no source {}; they are kafka.0, kafka.1 ...",
                                     options_.source));
}

Result<ReplayReport> Replay::run() {
  for (const std::string& name : files_) {
    if (report_.stopped) break;
    VARVE_TRY(with_context(read_file(name), name));
    ++report_.files;
  }
  while (!window_->wait_until_at_most(0, kObserveNs)) observer_(report_);
  if (const auto failure = window_->failure()) return *failure;
  return report_;
}

bool Replay::go_on() {
  if (!report_.stopped) report_.stopped = !observer_(report_);
  return !report_.stopped;
}

Result<void> Replay::read_file(const std::string& name) {
  VARVE_ASSIGN(auto file, real_file_system().open_read(join_path(options_.directory, name)));
  const uint64_t before = report_.bytes_done;
  VARVE_ASSIGN(const uint64_t size, file->size());
  auto opened = ArchiveReader::open(std::move(file));
  if (!opened) {
    if (opened.error().code == ErrorCode::kIo) return opened.error();
    report_.damage.push_back(fmt::format("{}: {}", name, opened.error().message));
    report_.bytes_done = before + size;
    return {};
  }
  ArchiveReader& reader = **opened;
  ArchivedMessage message;
  for (uint64_t count = 0;; ++count) {
    VARVE_ASSIGN(const bool more, reader.next(message));
    if (!more) break;
    report_.bytes_done = before + reader.position();
    VARVE_TRY(feed(message));
    if (reader.at_block_end()) VARVE_TRY(write_all());
    if (count % kMessagesBetweenLooks == 0 && !go_on()) break;
  }
  VARVE_TRY(write_all());
  for (const auto& damage : reader.damage()) {
    if (name.ends_with(".part") && damage.offset >= reader.whole_bytes()) continue;  // torn by a crash
    report_.damage.push_back(fmt::format("{}: at byte {}: {}; went on behind the next sync marker", name,
                                         damage.offset, damage.what));
  }
  report_.bytes_done = before + size;
  return {};
}

Result<void> Replay::feed(const ArchivedMessage& message) {
  if (!options_.topic.empty() && message.topic != options_.topic) return {};
  if (message.timestamp_ms < options_.from_ms || message.timestamp_ms > options_.to_ms) return {};
  bool fed = false;
  for (auto& target : targets_) {
    const auto& topics = target->options.topics;
    const bool reads = std::find(topics.begin(), topics.end(), message.topic) != topics.end();
    if (!reads && options_.source.empty()) continue;
    if (!fed) pace(message.timestamp_ms);
    fed = true;
    VARVE_TRY(feed_one(*target, message));
  }
  ++(fed ? report_.messages : report_.no_source);
  return {};
}

Result<void> Replay::feed_one(Target& target, const ArchivedMessage& message) {
  const TopicPartition id{std::string(message.topic), message.partition};
  auto& partition = target.partitions[id];
  if (partition == nullptr) {
    partition = std::make_shared<KafkaPartition>();
    partition->id = id;
  }
  partition->next_read = 0;  // a topic made again begins at 0 again: an offset below is no sign of a repeat
  target.headers.emplace_back(message);
  PolledMessage polled{
      .partition = partition.get(),
      .offset = message.offset,
      .has_payload = message.value.has_value(),
      .payload = message.value.value_or(std::string_view()),
      .timestamp_ns = message.timestamp_ms >= 0 ? message.timestamp_ms * kNsPerMs : real_clock().wall_ns(),
      .headers = &target.headers.back()};
  polled.key = message.key;
  VARVE_TRY(target.pipeline.prepare(polled));
  target.pipeline.add(polled);
  return target.pipeline.full() ? write(target) : Result<void>();
}

Result<void> Replay::write_all() {
  for (auto& target : targets_) {
    if (!target->pipeline.empty()) VARVE_TRY(write(*target));
  }
  return {};
}

Result<void> Replay::write(Target& target) {
  SealedWrite sealed = target.pipeline.seal();
  target.headers.clear();
  sealed.write.positions.clear();
  report_.rows += sealed.rows;
  for (const auto& [reason, count] : sealed.rejected) report_.rejected += count;
  while (!window_->wait_until_at_most(kWritesInFlightMax - 1, kObserveNs)) observer_(report_);
  while (true) {
    if (const auto failure = window_->failure()) return *failure;
    window_->started();
    const auto taken = engine_.append(std::move(sealed.write), [window = window_](const Result<Lsn>& lsn) {
      window->finished(lsn ? Result<void>() : Result<void>(lsn.error()));
    });
    if (taken) return {};
    window_->finished({});
    const bool stopping = !go_on();
    if (taken.error().code != ErrorCode::kUnavailable || stopping) return taken.error();
    std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryNs));
  }
}

void Replay::pace(int64_t timestamp_ms) {
  if (options_.speed <= 0 || timestamp_ms < 0) return;
  if (first_ms_ < 0) {
    first_ms_ = timestamp_ms;
    began_ns_ = real_clock().monotonic_ns();
  }
  const double after_ns = static_cast<double>(timestamp_ms - first_ms_) * kNsPerMs / options_.speed;
  while (go_on()) {
    const double left_ns = after_ns - static_cast<double>(real_clock().monotonic_ns() - began_ns_);
    if (left_ns <= 0) return;
    std::this_thread::sleep_for(
        std::chrono::nanoseconds(static_cast<int64_t>(std::min<double>(left_ns, kObserveNs))));
  }
}

}  // namespace

Result<ReplayReport> replay_archive(const ReplayOptions& options,
                                    const std::vector<KafkaSourceOptions>& sources, Engine& engine,
                                    const std::function<bool(const ReplayReport&)>& observer) {
  Replay replay(options, engine, observer);
  VARVE_TRY(replay.open(sources));
  return replay.run();
}

}  // namespace varve
