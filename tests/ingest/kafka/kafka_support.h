// What the Kafka tests share: a decoder that needs no JSON, producing, and waiting for a condition.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ingest/decode/decoder.h"
#include "ingest/kafka/producer.h"

namespace varve {

// "NUMBER" becomes a row of table t: time = NUMBER ns, tag topic, field value = NUMBER; anything else is
// refused as "poison".
class NumberDecoder : public Decoder {
 public:
  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override {
    int64_t number = 0;
    const char* end = payload.data() + payload.size();
    const auto [at, code] = std::from_chars(payload.data(), end, number);
    if (code != std::errc() || at != end) {
      rejects.push_back({"poison", "not a number", 0});
      return;
    }
    rows.add_row("varve", "t", number, [&](RowBatchBuilder& row) {
      row.tag("topic", context.topic);
      return row.field_int("value", number);
    });
  }
};

// Tests wait for conditions, with this much patience on a loaded machine.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline void send(const std::string& brokers, const std::string& topic,
                 const std::vector<std::string>& values) {
  KafkaProducerOptions options;
  options.brokers = brokers;
  options.topic = topic;
  auto producer = KafkaProducer::open(options);
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  for (const auto& value : values) {
    const auto sent = (*producer)->produce(value, value, 0);
    ASSERT_TRUE(sent.has_value()) << sent.error().message;
  }
  const auto flushed = (*producer)->flush(30'000'000'000);
  ASSERT_TRUE(flushed.has_value()) << flushed.error().message;
}

inline std::vector<std::string> numbers(int64_t from, int64_t to) {
  std::vector<std::string> out;
  for (int64_t i = from; i < to; ++i) out.push_back(std::to_string(i));
  return out;
}

}  // namespace varve
