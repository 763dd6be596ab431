// What the tests of processing share: JSON lines through a decoder and a processor, and rows as text.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "api/process/rules.h"
#include "ingest/decode/decoder.h"
#include "tests/support/fake_engine.h"

namespace varve {

class Processing {
 public:
  explicit Processing(ProcessRules rules) {
    mapping_.table = "t";
    mapping_.tags = {"id", "site"};
    rules.tags = mapping_.tags;
    auto made = make_row_processor(rules, engine_);
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    if (made) processor_ = std::move(*made);
    decoder_ = std::move(*make_decoder(mapping_));
  }

  // One write: message i stands at offset `first_offset` + i, and Kafka's time is `timestamp_ns`. Rows as
  // "time tag=value field=value", names in order.
  std::vector<std::string> run(const std::vector<std::string>& messages, int64_t first_offset = 0,
                               int64_t timestamp_ns = 0) {
    RowSet rows;
    std::vector<MessageOrigin> origins;
    std::vector<DecodeReject> rejects;
    for (size_t i = 0; i < messages.size(); ++i) {
      rows.set_message(static_cast<uint32_t>(i));
      decoder_->decode(messages[i], {.topic = "t", .timestamp_ns = timestamp_ns}, rows, rejects);
      origins.push_back({1, first_offset + static_cast<int64_t>(i), timestamp_ns});
    }
    EXPECT_TRUE(rejects.empty()) << rejects[0].detail;
    RowSet::Taken taken = rows.take();
    refused.clear();
    counts = {};
    processor_->process(taken, origins, refused, counts);
    return texts(taken);
  }

  std::vector<RefusedRow> refused;
  ProcessCounts counts;

 private:
  static std::vector<std::string> texts(const RowSet::Taken& taken) {
    std::vector<std::string> out;
    for (size_t b = 0; b < taken.batches.size(); ++b) {
      const RowBatch& batch = taken.batches[b];
      EXPECT_EQ(taken.messages[b].size(), batch.rows());
      for (size_t row = 0; row < batch.rows(); ++row) {
        std::vector<std::string> cells;
        for (const TagColumn& tag : batch.tags) {
          if (tag.codes[row] != kAbsentTag)
            cells.push_back("#" + tag.name + "=" + tag.values[tag.codes[row]]);
        }
        for (const FieldColumn& field : batch.fields) {
          const Value value = field.data.value(row);
          if (const auto* number = std::get_if<double>(&value))
            cells.push_back(fmt::format("{}={}", field.name, *number));
          if (const auto* whole = std::get_if<int64_t>(&value))
            cells.push_back(fmt::format("{}={}i", field.name, *whole));
          if (const auto* flag = std::get_if<bool>(&value))
            cells.push_back(fmt::format("{}={}", field.name, *flag));
          if (const auto* text = std::get_if<std::string>(&value))
            cells.push_back(field.name + "='" + *text + "'");
        }
        std::sort(cells.begin(), cells.end());
        out.push_back(fmt::format("{} {}", batch.times[row] / 1'000'000'000, fmt::join(cells, " ")));
      }
    }
    return out;
  }

  FakeEngine engine_;
  DecodeMapping mapping_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<RowProcessor> processor_;
};

// {"ts":1700000000 + i, "id":"a", REST}
inline std::string reading(int i, const std::string& rest, const std::string& id = "a") {
  return fmt::format(R"({{"ts":{},"id":"{}",{}}})", 1'700'000'000 + i, id, rest);
}

}  // namespace varve
