// Ownership of librdkafka's C objects, and the configuration both clients share.
// Errors: kInvalidArgument naming the property librdkafka refuses.
// Threads: values; librdkafka handles may be used from any thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/error.h"

namespace varve {

struct KafkaDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(const struct rd_kafka_metadata* metadata) const { rd_kafka_metadata_destroy(metadata); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
  void operator()(rd_kafka_ListConsumerGroupOffsets_t* question) const {
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
  }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};

template <class T>
using KafkaOwned = std::unique_ptr<T, KafkaDeleter>;
using KafkaPartitionList = KafkaOwned<rd_kafka_topic_partition_list_t>;

KafkaPartitionList make_partition_list();

// A configuration with `defaults`, then `properties` over them, and librdkafka's own log lines going to ours,
// the same kind at most once a minute.
Result<KafkaOwned<rd_kafka_conf_t>> make_kafka_conf(const std::map<std::string, std::string>& defaults,
                                                    const std::map<std::string, std::string>& properties);

// Takes the configuration. kInvalidArgument with librdkafka's reason.
Result<KafkaOwned<rd_kafka_t>> make_kafka_client(rd_kafka_type_t type, KafkaOwned<rd_kafka_conf_t> conf);

// "Broker: Unknown topic or partition", as people read it.
std::string kafka_error_text(rd_kafka_resp_err_t code);

// Lets one through per minute: what goes wrong on a network goes wrong many times a second.
// Threads: one at a time.
class LogLimiter {
 public:
  static constexpr int64_t kIntervalNs = 60 * kNsPerSecond;
  bool allow();

 private:
  int64_t next_ns_ = 0;
};

}  // namespace varve
