// Sends every accepted row to a Kafka topic as JSON (out_json.h) or Avro (out_avro.h), at least once and in order, as a cursor on the log. A
// slow or dead broker never touches ingest or queries: the log keeps what was not sent. The position moves when the
// brokers have confirmed (idempotent producer, acks=all) every row up to it.
//   header varve.id        "STORE:LSN:ROW": the same row sent again after a kill has the same id
//   header varve.table, varve.database; of Avro without a registry also avro.schema
// A message the client or broker finds too large is put into varve_quarantine (kafka_out_refused) and passed over. After
// any other failure, of a schema registry, too, the sink says so, waits and begins again at the saved position. Deletes are not sent.
// Memory: kQueueKbytes of messages in the producer's queue.
// Threads: starts one sender thread and librdkafka's own; status() from any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/status.h"
#include "storage/base/clock.h"
#include "storage/engine.h"

namespace varve {

enum class OutFormat { kJson, kAvro };

struct KafkaOutOptions {
  std::string name = "kafka_out.0";  // of the cursor, too: keep it stable
  std::string brokers = "127.0.0.1:9092";
  std::string topic = "varve.{table}";
  std::vector<std::string> tables{"*"};  // "*" = all but varve's own (varve_*), which are never sent
  OutFormat format = OutFormat::kJson;
  std::string schema_registry;                    // of Avro: URL; empty = the schema goes with each message
  std::string schema_registry_auth;               // "user:password"; empty = none
  std::map<std::string, std::string> properties;  // handed to librdkafka as they are
  int64_t retry_ns = 5 * kNsPerSecond;            // after a failure; tests make it short
};

class KafkaOut {
 public:
  static constexpr uint64_t kQueueKbytes = 32 << 10;  // 32 MiB: seconds of sending at 10 MB/s (guessed)

  // kInvalidArgument when librdkafka refuses an option, or the registry's URL is none.
  static Result<std::unique_ptr<KafkaOut>> start(KafkaOutOptions options, Engine& engine,
                                                 MetricsRegistry& metrics);
  virtual ~KafkaOut() = default;  // stops within seconds, saving the position
  virtual MirrorStatus status() const = 0;
};

}  // namespace varve
