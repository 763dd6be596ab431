#include "ingest/kafka/client.h"

#include <fmt/format.h>

#include <array>
#include <mutex>

#include "storage/base/log.h"

namespace varve {
namespace {

constexpr size_t kErrorTextBytes = 512;  // librdkafka's own size for such buffers
constexpr int kSyslogError = 3;          // the levels of log callbacks are syslog's
constexpr int kSyslogWarning = 4;
constexpr int kSyslogNotice = 5;

// librdkafka repeats itself while a broker is away; one line per kind (its "facility") and minute says as
// much. Called from librdkafka's threads.
void log_from_librdkafka(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  if (level > kSyslogNotice) return;
  if (std::string_view(facility) == "FAIL") return;  // connection errors: both clients tell them themselves
  static std::mutex mutex;
  static std::map<std::string, LogLimiter>
      limiters;  // guarded by mutex; facilities are a few dozen constants
  {
    const std::lock_guard lock(mutex);
    if (!limiters[fmt::format("{}:{}", client == nullptr ? "" : rd_kafka_name(client), facility)].allow()) {
      return;
    }
  }
  const LogLevel ours = level <= kSyslogError     ? LogLevel::kError
                        : level <= kSyslogWarning ? LogLevel::kWarn
                                                  : LogLevel::kInfo;
  log_message(ours, "librdkafka", fmt::format("{}: {}", facility, text));
}

}  // namespace

KafkaPartitionList make_partition_list() {
  return KafkaPartitionList(rd_kafka_topic_partition_list_new(0));
}

Result<KafkaOwned<rd_kafka_conf_t>> make_kafka_conf(const std::map<std::string, std::string>& defaults,
                                                    const std::map<std::string, std::string>& properties) {
  KafkaOwned<rd_kafka_conf_t> conf(rd_kafka_conf_new());
  std::array<char, kErrorTextBytes> text{};
  for (const auto* map : {&defaults, &properties}) {
    for (const auto& [key, value] : *map) {
      if (rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), text.data(), text.size()) !=
          RD_KAFKA_CONF_OK) {
        return invalid_argument(fmt::format("Kafka property {} = \"{}\": {}", key, value, text.data()));
      }
    }
  }
  rd_kafka_conf_set_log_cb(conf.get(), log_from_librdkafka);
  return conf;
}

Result<KafkaOwned<rd_kafka_t>> make_kafka_client(rd_kafka_type_t type, KafkaOwned<rd_kafka_conf_t> conf) {
  std::array<char, kErrorTextBytes> text{};
  KafkaOwned<rd_kafka_t> client(rd_kafka_new(type, conf.get(), text.data(), text.size()));
  if (client == nullptr) return invalid_argument(fmt::format("Kafka client: {}", text.data()));
  (void)conf.release();  // the client owns it now
  return client;
}

std::string kafka_error_text(rd_kafka_resp_err_t code) {
  return rd_kafka_err2str(code);
}

bool LogLimiter::allow() {
  const int64_t now = real_clock().monotonic_ns();
  if (now < next_ns_) return false;
  next_ns_ = now + kIntervalNs;
  return true;
}

}  // namespace varve
