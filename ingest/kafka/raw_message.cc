#include "ingest/kafka/raw_message.h"

namespace varve {
namespace {

std::optional<std::string_view> bytes_or_null(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

}  // namespace

ArchivedMessage raw_message(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  ArchivedMessage out;
  out.topic = rd_kafka_topic_name(message.rkt);
  out.partition = message.partition;
  out.offset = message.offset;
  out.timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  out.timestamp_type = type == RD_KAFKA_TIMESTAMP_CREATE_TIME       ? TimestampType::kCreate
                       : type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TimestampType::kLogAppend
                                                                    : TimestampType::kNone;
  out.key = bytes_or_null(message.key, message.key_len);
  out.value = bytes_or_null(message.payload, message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return out;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    out.headers.emplace_back(name, bytes_or_null(value, size));
  }
  return out;
}

PolledMessage polled_message(const rd_kafka_message_t& message, KafkaPartition& partition,
                             const MessageHeaders& headers) {
  const int64_t timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
  PolledMessage polled{.partition = &partition,
                       .offset = message.offset,
                       .has_payload = message.payload != nullptr,
                       .payload = {static_cast<const char*>(message.payload), message.len},
                       .timestamp_ns = timestamp_ms >= 0 ? timestamp_ms * kNsPerMs : real_clock().wall_ns(),
                       .headers = &headers};
  polled.key = bytes_or_null(message.key, message.key_len);
  return polled;
}

}  // namespace varve
