#include "ingest/kafka/dry_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <set>

#include "ingest/decode/line_protocol.h"
#include "ingest/kafka/consumer.h"
#include "ingest/kafka/headers.h"
#include "ingest/kafka/pipeline.h"
#include "ingest/kafka/raw_message.h"
#include "ingest/kafka/start_rule.h"
#include "ingest/kafka/start_source.h"

namespace varve {
namespace {

constexpr std::string_view kCursor = "dry-run";
constexpr int kPollMs = 100;
constexpr size_t kPollMessages = 1'000;
// Once there are enough messages, partitions that have not had their share are waited for this long (guessed).
constexpr int64_t kFairNs = kNsPerSecond;
constexpr size_t kAsideBytesMax =
    64 << 20;  // of payloads beyond a partition's share, in case others have less

class DryRun {
 public:
  DryRun(const KafkaSourceOptions& source, Engine& engine, const DryRunOptions& options,
         const std::function<bool()>& go_on)
      : source_(source), engine_(engine), options_(options), go_on_(go_on) {}

  Result<DryRunReport> run();

 private:
  struct Place {
    std::shared_ptr<KafkaPartition> partition = std::make_shared<KafkaPartition>();
    uint64_t taken = 0;
    bool ended = false;  // nothing more is read of it
  };

  Result<void> open();
  Result<std::vector<PartitionOffset>> find_starts(const std::vector<TopicPartition>& ids);
  Result<void> read();
  Result<void> look_at(KafkaOwned<rd_kafka_message_t> message);
  Result<void> take(Place& place, KafkaOwned<rd_kafka_message_t> message);
  void take_error(Place& place, const rd_kafka_message_t& message);
  bool enough(int64_t first_ns) const;
  Result<void> write();
  void note_rows(const RowBatch& batch);
  Result<void> describe_tables();

  const KafkaSourceOptions& source_;
  Engine& engine_;
  const DryRunOptions& options_;
  const std::function<bool()>& go_on_;
  StartRule rule_;
  DryRunReport report_;
  std::unique_ptr<KafkaConsumer> consumer_;
  std::unique_ptr<KafkaPipeline> pipeline_;
  std::unique_ptr<LogCursor> cursor_;
  std::map<TopicPartition, Place> places_;
  uint64_t share_ = 0;  // of a partition
  std::deque<KafkaOwned<rd_kafka_message_t>> aside_;
  size_t aside_bytes_ = 0;
  // Of the write being gathered.
  std::vector<KafkaOwned<rd_kafka_message_t>> kept_;
  std::deque<KafkaHeaders> headers_;
  std::map<std::pair<std::string, std::string>, DryRunTable> tables_;
};

Result<DryRunReport> DryRun::run() {
  VARVE_TRY(open());
  VARVE_TRY(read());
  VARVE_TRY(describe_tables());
  return std::move(report_);
}

Result<void> DryRun::open() {
  VARVE_ASSIGN(rule_, StartRule::parse(source_.start));
  VARVE_ASSIGN(auto decoder, make_source_decoder(source_, engine_));
  pipeline_ = std::make_unique<KafkaPipeline>(source_.name, engine_, std::move(decoder));
  if (source_.make_processor) {
    VARVE_ASSIGN(auto processor, source_.make_processor(engine_));
    pipeline_->process_with(std::move(processor));
  }
  VARVE_ASSIGN(cursor_, engine_.open_cursor(kCursor));
  KafkaConsumer::Options options{source_.brokers, source_.group, {}, source_.properties};
  options.properties["enable.partition.eof"] = "true";
  VARVE_ASSIGN(consumer_, KafkaConsumer::open(std::move(options)));
  VARVE_ASSIGN(const auto ids, consumer_->partitions_of(source_.topics));
  std::set<std::string> found;
  for (const TopicPartition& id : ids) found.insert(id.topic);
  for (const std::string& topic : source_.topics) {
    if (topic.starts_with('^') || found.contains(topic)) continue;
    report_.problems.push_back(fmt::format("topic {} does not exist on {}", topic, source_.brokers));
  }
  if (ids.empty()) {
    return not_found(fmt::format("no topic like {} on {}", fmt::join(source_.topics, ", "), source_.brokers));
  }
  VARVE_ASSIGN(const auto starts, find_starts(ids));
  VARVE_TRY(consumer_->assign(starts));
  for (const TopicPartition& id : ids) places_[id].partition->id = id;
  report_.partitions = ids.size();
  share_ = (options_.messages + ids.size() - 1) / ids.size();
  return {};
}

Result<std::vector<PartitionOffset>> DryRun::find_starts(const std::vector<TopicPartition>& ids) {
  std::vector<PartitionOffset> starts;
  if (rule_.kind == StartRule::Kind::kTime) {
    VARVE_ASSIGN(starts, consumer_->offsets_for_time(ids, rule_.time_ms));
  } else {
    for (const TopicPartition& id : ids) starts.push_back({id, -1, {}});
  }
  for (PartitionOffset& start : starts) {
    if (start.offset >= 0) continue;
    if (rule_.kind == StartRule::Kind::kEarliest) {
      start.offset = RD_KAFKA_OFFSET_BEGINNING;
    } else {
      VARVE_ASSIGN(start.offset, consumer_->end_offset(start.id));
    }
  }
  return starts;
}

bool DryRun::enough(int64_t first_ns) const {
  if (report_.messages >= options_.messages) return true;
  if (report_.messages + aside_.size() >= options_.messages &&
      real_clock().monotonic_ns() - first_ns > kFairNs) {
    return true;
  }
  return rule_.kind != StartRule::Kind::kLatest &&
         std::all_of(places_.begin(), places_.end(), [](const auto& entry) { return entry.second.ended; });
}

Result<void> DryRun::read() {
  int64_t last_ns = real_clock().monotonic_ns();
  int64_t first_ns = last_ns;
  std::vector<rd_kafka_message_t*> polled(kPollMessages);
  while (!enough(first_ns) && real_clock().monotonic_ns() - last_ns < options_.quiet_ns) {
    if (!go_on_()) {
      report_.stopped = true;
      break;
    }
    const size_t count = consumer_->poll(polled, kPollMs);
    const uint64_t before = report_.messages + aside_.size();
    std::vector<KafkaOwned<rd_kafka_message_t>> messages;
    for (size_t i = 0; i < count; ++i) messages.emplace_back(polled[i]);
    for (auto& message : messages) VARVE_TRY(look_at(std::move(message)));
    if (report_.messages + aside_.size() == before) continue;
    last_ns = real_clock().monotonic_ns();
    if (before == 0) first_ns = last_ns;
  }
  for (; !aside_.empty() && report_.messages < options_.messages; aside_.pop_front()) {
    KafkaOwned<rd_kafka_message_t> message = std::move(aside_.front());
    Place& place = places_[{rd_kafka_topic_name(message->rkt), message->partition}];
    VARVE_TRY(take(place, std::move(message)));
  }
  VARVE_TRY(write());
  aside_.clear();  // before the client they came from
  return {};
}

Result<void> DryRun::look_at(KafkaOwned<rd_kafka_message_t> message) {
  if (message->rkt == nullptr) return {};  // about a broker; librdkafka goes on trying
  const auto at = places_.find({rd_kafka_topic_name(message->rkt), message->partition});
  if (at == places_.end()) return {};
  Place& place = at->second;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    take_error(place, *message);
    return {};
  }
  if (report_.messages >= options_.messages) return {};
  if (place.taken < share_) return take(place, std::move(message));
  if (report_.messages + aside_.size() >= options_.messages || aside_bytes_ + message->len > kAsideBytesMax) {
    place.ended = true;
    return {};
  }
  aside_bytes_ += message->len;
  aside_.push_back(std::move(message));
  return {};
}

void DryRun::take_error(Place& place, const rd_kafka_message_t& message) {
  place.ended = true;
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
  report_.problems.push_back(fmt::format("{}[{}] would stop at offset {}: {}", place.partition->id.topic,
                                         place.partition->id.partition, message.offset,
                                         rd_kafka_message_errstr(&message)));
}

Result<void> DryRun::take(Place& place, KafkaOwned<rd_kafka_message_t> message) {
  headers_.emplace_back(*message);
  const PolledMessage polled = polled_message(*message, *place.partition, headers_.back());
  if (const auto ready = pipeline_->prepare(polled); !ready) {
    place.ended = true;
    report_.problems.push_back(fmt::format("{}[{}] would wait at offset {}: {}", place.partition->id.topic,
                                           place.partition->id.partition, message->offset,
                                           ready.error().message));
    return {};
  }
  if (!pipeline_->add(polled)) return {};
  ++place.taken;
  ++report_.messages;
  kept_.push_back(std::move(message));
  return pipeline_->full() ? write() : Result<void>();
}

Result<void> DryRun::write() {
  std::vector<RefusedRow> refused;
  SealedWrite sealed = pipeline_->seal(refused);
  sealed.write.positions.clear();
  report_.rows += sealed.rows;
  report_.tombstones += sealed.tombstones;
  report_.processed.add(sealed.processed);
  for (RefusedRow& row : refused) {
    ++report_.rejected_by_reason[row.reject.reason];
    if (report_.rejects.size() >= kDryRunRejectsMax) continue;
    const rd_kafka_message_t& message = *kept_[row.message];
    report_.rejects.push_back(
        {std::move(row.reject), {rd_kafka_topic_name(message.rkt), message.partition}, message.offset});
  }
  kept_.clear();
  headers_.clear();
  if (sealed.rows == 0) return {};
  VARVE_TRY(engine_.append_and_wait(std::move(sealed.write)));
  LogRecord record;
  while (true) {
    VARVE_ASSIGN(const bool more, cursor_->next(record, 0));
    if (!more) return {};
    for (const RowBatch& batch : record.batches) note_rows(batch);
    VARVE_TRY(cursor_->save(record.lsn));
  }
}

void DryRun::note_rows(const RowBatch& batch) {
  if (batch.rows() == 0) return;
  DryRunTable& table = tables_[{batch.database, batch.table}];
  const auto [first, last] = std::minmax_element(batch.times.begin(), batch.times.end());
  table.time_min = table.rows == 0 ? *first : std::min(table.time_min, *first);
  table.time_max = table.rows == 0 ? *last : std::max(table.time_max, *last);
  table.rows += batch.rows();
  const auto values_of = [&](const std::string& name) -> uint64_t& {
    auto at = std::find_if(table.columns.begin(), table.columns.end(),
                           [&](const DryRunColumn& column) { return column.name == name; });
    if (at == table.columns.end()) at = table.columns.insert(at, DryRunColumn{name});
    return at->values;
  };
  for (const TagColumn& tag : batch.tags) {
    uint64_t& values = values_of(tag.name);
    for (const uint32_t code : tag.codes) values += code != kAbsentTag && !tag.values[code].empty() ? 1 : 0;
  }
  for (const FieldColumn& field : batch.fields) {
    uint64_t& values = values_of(field.name);
    for (size_t row = 0; row < batch.rows(); ++row) values += field.data.is_valid(row) ? 1 : 0;
  }
  LineProtocolWriter writer(batch);
  for (size_t row = 0; row < batch.rows() && table.lines.size() < kDryRunLinesPerTable; ++row) {
    std::string line;
    if (!writer.append(row, line)) continue;
    line.pop_back();
    table.lines.push_back(std::move(line));
  }
}

Result<void> DryRun::describe_tables() {
  for (auto& [id, table] : tables_) {
    VARVE_ASSIGN(const TableInfo info, engine_.describe(id.first, id.second));
    std::vector<DryRunColumn> columns;
    for (const ColumnInfo& column : info.columns) {
      const auto at = std::find_if(table.columns.begin(), table.columns.end(),
                                   [&](const DryRunColumn& seen) { return seen.name == column.name; });
      uint64_t values = at == table.columns.end() ? 0 : at->values;
      if (column.kind == ColumnKind::kTime) values = table.rows;
      if (values > 0) columns.push_back({column.name, column.kind, column.type, values});
    }
    table.columns = std::move(columns);
    table.database = id.first;
    table.name = id.second;
    report_.tables.push_back(std::move(table));
  }
  return {};
}

}  // namespace

Result<DryRunReport> dry_run(const KafkaSourceOptions& source, Engine& engine, const DryRunOptions& options,
                             const std::function<bool()>& go_on) {
  DryRun run(source, engine, options, go_on);
  return with_context(run.run(), source.name);
}

}  // namespace varve
