// The headers of a message librdkafka handed out, read when they are asked for. Valid as long as the message.
// Threads: one thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include "ingest/decode/message_part.h"

namespace varve {

class KafkaHeaders : public MessageHeaders {
 public:
  explicit KafkaHeaders(const rd_kafka_message_t& message) : message_(message) {}

  std::optional<std::string_view> last(const std::string& name) const override {
    const rd_kafka_headers_t* const headers = list();
    const void* value = nullptr;
    size_t bytes = 0;
    if (headers == nullptr ||
        rd_kafka_header_get_last(headers, name.c_str(), &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        value == nullptr) {
      return std::nullopt;
    }
    return std::string_view(static_cast<const char*>(value), bytes);
  }

  void each(const Each& take) const override {
    const rd_kafka_headers_t* const headers = list();
    if (headers == nullptr) return;
    const char* name = nullptr;
    const void* value = nullptr;
    size_t bytes = 0;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      if (value == nullptr) {
        take(name, std::nullopt);
      } else {
        take(name, std::string_view(static_cast<const char*>(value), bytes));
      }
    }
  }

 private:
  const rd_kafka_headers_t* list() const {
    rd_kafka_headers_t* headers = nullptr;  // parsed at the first call, and kept with the message
    const auto found = rd_kafka_message_headers(&message_, &headers);
    return found == RD_KAFKA_RESP_ERR_NO_ERROR ? headers : nullptr;
  }

  const rd_kafka_message_t& message_;
};

}  // namespace varve
