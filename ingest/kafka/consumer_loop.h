// The consumer thread's work, one step at a time: poll, decode, append, commit, and the rebalances in
// between. Order that makes it exactly once: rows and positions in one log record; a revoked partition is
// given back only after its appends are durable (or 5 s have passed: then the store's own positions settle
// it); commits come last. Pressure: at most kAppendsInFlightMax writes; when the store refuses one, it is
// held and tried again, and after a second the partitions are paused while polling goes on, so that the group
// does not throw us out. A write the engine took and then could not keep (a full disk) is read again from Kafka, with
// all that came after it. A partition whose next message cannot be decoded yet (a schema registry is away) is paused by
// itself and read again from that message, once a second. Threads: step() and shut_down() on one thread; status() from any.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ingest/archive/archive.h"
#include "ingest/kafka/append_window.h"
#include "ingest/kafka/assignment.h"
#include "ingest/kafka/consumer.h"
#include "ingest/kafka/control.h"
#include "ingest/kafka/headers.h"
#include "ingest/kafka/pipeline.h"
#include "ingest/kafka/source.h"
#include "ingest/rate_window.h"
#include "storage/base/metrics.h"

namespace varve {

class ConsumerLoop {
 public:
  static Result<std::unique_ptr<ConsumerLoop>> make(KafkaSourceOptions options, Engine& engine,
                                                    MetricsRegistry& metrics,
                                                    std::unique_ptr<Decoder> decoder);
  ~ConsumerLoop();

  void step();  // takes 20 ms or so
  void
  shut_down();  // finishes what is in flight (5 s at most) and commits; leaving the group is the destructor's
  SourceStatus status() const;

  // What an operator asks for (control.h); on the thread of step(), between two steps.
  Result<std::vector<MovedPartition>> resume(const ResumeRequest& request);
  Result<std::vector<MovedPartition>> rewind(const RewindRequest& request);

 private:
  ConsumerLoop(KafkaSourceOptions options, Engine& engine, MetricsRegistry& metrics, StartRule rule,
               std::unique_ptr<Decoder> decoder, std::unique_ptr<KafkaConsumer> consumer,
               std::unique_ptr<RawArchive> archive);

  void poll_round();
  void take_message(const rd_kafka_message_t& message);
  void take_error(const rd_kafka_message_t& message);
  // Nothing more of it is read until an operator says where to go on (resume), or it is assigned again.
  void halt(KafkaPartition& partition, int64_t skip_to, std::string why);
  void verify(KafkaPartition& partition, const rd_kafka_message_t& message);
  void hold(KafkaPartition& partition, int64_t offset, std::string why);
  void retry_held_partitions();

  void seal_polled();
  void append_held();
  bool archive_held();  // false: the archive could not be written; refusal_ says why
  void roll_archive();
  void count(const SealedWrite& sealed);
  void count_processed(const ProcessCounts& counts);
  void wait_out_pressure();
  void set_paused(bool paused);
  struct Move {
    KafkaPartition* partition = nullptr;
    int64_t to = 0;
    std::string gap;  // what the row about it says; empty = none
  };
  Result<void> ready_to_move();
  Result<std::vector<MovedPartition>> move(const std::vector<Move>& moves);
  bool read_from_durable();        // of all that is assigned; nothing is in flight. False: try again
  void start_over();               // reads again from what is durable; nothing is in flight
  bool drain(int64_t timeout_ns);  // true when nothing is held or in flight any more

  void handle_rebalances();
  bool handle_assigned(const Rebalance& rebalance);  // false: to be tried again
  void handle_revoked();

  std::vector<PartitionOffset> offsets_to_commit() const;
  void commit_now_and_then();

  void publish_status();
  bool describe(SourceStatus& status) const;  // state and detail; true when something is wrong
  void release_messages();
  void update_lag_gauges();

  KafkaSourceOptions options_;
  Engine& engine_;
  MetricsRegistry& metrics_;
  std::string commit_metadata_;
  Counter& rows_counter_;
  Counter& messages_counter_;
  Counter& bytes_counter_;
  uint64_t collector_ = 0;
  std::shared_ptr<AppendWindow> window_ = std::make_shared<AppendWindow>();
  KafkaPipeline pipeline_;
  KafkaAssignment assignment_;
  std::unique_ptr<KafkaConsumer> consumer_;
  const std::unique_ptr<RawArchive> archive_;  // null = none

  std::vector<rd_kafka_message_t*> polled_;  // scratch of one poll
  std::vector<rd_kafka_message_t*> kept_;    // what the pipeline's payloads point into
  std::deque<KafkaHeaders> headers_;         // of these messages
  std::optional<SealedWrite> held_;          // not accepted by the engine yet
  int64_t held_since_ns_ = 0;
  std::string refusal_;  // why the engine refused the held write; empty = it did not, the window is full
  bool paused_ = false;
  std::optional<Error> failure_;  // nothing more is read

  std::optional<Rebalance> pending_assign_;
  int64_t next_assign_try_ns_ = 0;
  std::string assign_problem_;
  bool joined_ = false;
  std::map<std::string, std::string> topic_problems_;
  int64_t next_commit_ns_ = 0;
  int64_t next_publish_ns_ = 0;
  int64_t next_archive_roll_ns_ = 0;
  std::string logged_problem_;
  std::set<TopicPartition> gauged_;  // partitions with a lag gauge; the collector's own
  RateWindow message_rate_, row_rate_;
  LogLimiter problem_log_;
  LogLimiter oddity_log_;

  mutable std::mutex status_mutex_;
  SourceStatus status_;  // guarded by status_mutex_
};

}  // namespace varve
