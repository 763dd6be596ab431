#include "ingest/kafka/source.h"

#include <stop_token>
#include <thread>

#include "ingest/kafka/consumer_loop.h"
#include "ingest/kafka/start_source.h"

namespace varve {
namespace {

class ThreadedSource : public KafkaSource {
 public:
  explicit ThreadedSource(std::unique_ptr<ConsumerLoop> loop)
      : loop_(std::move(loop)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            loop_->step();
            mailbox_.serve(*loop_);
          }
          mailbox_.close();
          loop_->shut_down();
        }) {}

  SourceStatus status() const override { return loop_->status(); }
  Result<std::vector<MovedPartition>> resume(const ResumeRequest& request) override {
    return mailbox_.send([&request](ConsumerLoop& loop) { return loop.resume(request); });
  }
  Result<std::vector<MovedPartition>> rewind(const RewindRequest& request) override {
    return mailbox_.send([&request](ConsumerLoop& loop) { return loop.rewind(request); });
  }

 private:
  std::unique_ptr<ConsumerLoop> loop_;
  ConsumerMailbox mailbox_;
  std::jthread thread_;  // stops and joins before the loop goes
};

}  // namespace

Result<std::unique_ptr<KafkaSource>> start_kafka_source(KafkaSourceOptions options, Engine& engine,
                                                        MetricsRegistry& metrics,
                                                        std::unique_ptr<Decoder> decoder) {
  VARVE_ASSIGN(auto loop, ConsumerLoop::make(std::move(options), engine, metrics, std::move(decoder)));
  return std::unique_ptr<KafkaSource>(new ThreadedSource(std::move(loop)));
}

Result<std::unique_ptr<Decoder>> make_source_decoder(const KafkaSourceOptions& options, Engine& engine) {
  const StoredTypes stored_types = [&engine](std::string_view database, std::string_view table) {
    std::vector<std::pair<std::string, FieldType>> types;
    const auto info = engine.describe(database, table);
    if (!info) return types;  // no such table yet
    for (const ColumnInfo& column : info->columns) {
      if (column.kind == ColumnKind::kField) types.emplace_back(column.name, column.type);
    }
    return types;
  };
  return with_context(make_decoder(options.mapping, stored_types), options.name);
}

Result<std::unique_ptr<KafkaSource>> KafkaSource::start(KafkaSourceOptions options, Engine& engine,
                                                        MetricsRegistry& metrics) {
  VARVE_ASSIGN(auto decoder, make_source_decoder(options, engine));
  return start_kafka_source(std::move(options), engine, metrics, std::move(decoder));
}

}  // namespace varve
