#include "ingest/retry.h"

#include <charconv>

#include "ingest/decode/line_protocol.h"
#include "ingest/kafka/pipeline.h"
#include "ingest/kafka/start_source.h"

namespace varve {
namespace {

class KeptHeaders : public MessageHeaders {
 public:
  explicit KeptHeaders(const KeptInput& input) : input_(input) {}
  std::optional<std::string_view> last(const std::string& name) const override {
    for (auto at = input_.headers.rbegin(); at != input_.headers.rend(); ++at) {
      if (at->first != name) continue;
      if (!at->second) return std::nullopt;
      return *at->second;
    }
    return std::nullopt;
  }
  void each(const Each& take) const override {
    for (const auto& [name, value] : input_.headers) {
      take(name, value ? std::optional<std::string_view>(*value) : std::nullopt);
    }
  }

 private:
  const KeptInput& input_;
};

void note_refused(RetryCounts& counts, const std::string& reason, const std::string& detail) {
  RetryCounts::Refusal& refusal = counts.refused[reason];
  if (refusal.count++ == 0) refusal.first = detail;
}

}  // namespace

// One log record: what inputs gave, and those of them that nothing was refused of.
struct QuarantineRetry::Outcome {
  AdmittedWrite write;
  std::vector<const KeptInput*> done;
};

void RetryCounts::add(const RetryCounts& more) {
  selected += more.selected;
  retried += more.retried;
  rows += more.rows;
  truncated += more.truncated;
  not_retriable += more.not_retriable;
  for (const auto& [reason, refusal] : more.refused) {
    Refusal& ours = refused[reason];
    if (ours.count == 0) ours.first = refusal.first;
    ours.count += refusal.count;
  }
}

Result<RetryCounts> QuarantineRetry::retry(const std::vector<KeptInput>& inputs) const {
  RetryCounts counts;
  std::vector<const KeptInput*> lines;
  std::vector<std::vector<const KeptInput*>> messages(sources_.size());
  for (const KeptInput& input : inputs) {
    ++counts.selected;
    if (input.truncated) {
      ++counts.truncated;
      continue;
    }
    if (input.source == kHttpSource) {
      lines.push_back(&input);
      continue;
    }
    size_t at = 0;
    while (at < sources_.size() && sources_[at].name != input.source) ++at;
    if (at == sources_.size()) {
      ++counts.not_retriable;
    } else {
      messages[at].push_back(&input);
    }
  }
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (!messages[i].empty()) VARVE_TRY(retry_kafka(sources_[i], messages[i], counts));
  }
  if (!lines.empty()) VARVE_TRY(retry_lines(lines, counts));
  return counts;
}

Result<void> QuarantineRetry::retry_kafka(const KafkaSourceOptions& source,
                                          const std::vector<const KeptInput*>& inputs,
                                          RetryCounts& counts) const {
  VARVE_ASSIGN(auto decoder, make_source_decoder(source, engine_));
  KafkaPipeline pipeline(source.name, engine_, std::move(decoder));
  if (source.make_processor) {  // its own: what it remembers of rows seen is not the source's
    VARVE_ASSIGN(auto processor, with_context(source.make_processor(engine_), source.name));
    pipeline.process_with(std::move(processor));
  }
  for (size_t next = 0; next < inputs.size();) {
    std::vector<std::shared_ptr<KafkaPartition>> partitions;
    std::vector<KeptHeaders> headers;
    headers.reserve(inputs.size());  // the pipeline points into it
    std::vector<const KeptInput*> added;
    for (; next < inputs.size() && !pipeline.full(); ++next) {
      const KeptInput& input = *inputs[next];
      // Of its own, so that a message refused several times is not taken for one seen before.
      auto& partition = partitions.emplace_back(std::make_shared<KafkaPartition>());
      partition->id = {input.topic, input.partition};
      headers.emplace_back(input);
      PolledMessage message{.partition = partition.get(),
                            .offset = input.offset,
                            .has_payload = true,
                            .payload = input.payload,
                            .timestamp_ns = input.timestamp_ns,
                            .headers = &headers.back()};
      if (input.key) message.key = *input.key;
      if (const auto ready = pipeline.prepare(message); !ready) {
        note_refused(counts, "not_now", ready.error().message);
        continue;
      }
      pipeline.add(message);
      added.push_back(&input);
    }
    std::vector<RefusedRow> refused;
    SealedWrite sealed = pipeline.seal(refused);
    sealed.write.positions.clear();  // reading goes on where it is
    std::vector<uint8_t> failed(added.size(), 0);
    for (const auto& one : refused) {
      if (failed[one.message]++ == 0) note_refused(counts, one.reject.reason, one.reject.detail);
    }
    Outcome outcome{std::move(sealed.write), {}};
    for (size_t i = 0; i < added.size(); ++i) {
      if (failed[i] == 0) outcome.done.push_back(added[i]);
    }
    VARVE_TRY(store(std::move(outcome), counts));
  }
  return {};
}

Result<void> QuarantineRetry::retry_lines(const std::vector<const KeptInput*>& inputs,
                                          RetryCounts& counts) const {
  RowSet rows;
  std::vector<uint8_t> failed(inputs.size(), 0);
  std::vector<LineReject> rejects;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const KeptInput& input = *inputs[i];
    int64_t precision_ns = 1;
    const char* const end = input.precision.data() + input.precision.size();
    (void)std::from_chars(input.precision.data(), end, precision_ns);
    rejects.clear();
    rows.set_message(static_cast<uint32_t>(i));
    LineProtocolOptions options{input.database.empty() ? std::string(kDefaultDatabase) : input.database,
                                precision_ns, input.timestamp_ns};
    options.number_rows = false;
    parse_line_protocol(input.payload, options, rows, rejects);
    if (rejects.empty()) continue;
    failed[i] = 1;
    note_refused(counts, rejects.front().reason, rejects.front().detail);
  }
  RowSet::Taken taken = rows.take();
  Outcome outcome{engine_.admit(std::move(taken.batches)), {}};
  for (const RejectedRow& row : outcome.write.rejected()) {
    const uint32_t input = taken.messages[row.batch][row.row];
    if (failed[input]++ == 0) note_refused(counts, row.reason, row.detail);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (failed[i] == 0) outcome.done.push_back(inputs[i]);
  }
  return store(std::move(outcome), counts);
}

Result<void> QuarantineRetry::store(Outcome outcome, RetryCounts& counts) const {
  const size_t rows = outcome.write.rows();
  if (rows == 0 && outcome.done.empty()) return {};
  if (!outcome.done.empty()) {
    std::vector<RowBatch> marks;
    marks.push_back(mark_retried(outcome.done));
    outcome.write.merge(engine_.admit(std::move(marks)));
  }
  VARVE_TRY(engine_.append_and_wait(std::move(outcome.write)));
  counts.rows += rows;
  counts.retried += outcome.done.size();
  return {};
}

}  // namespace varve
