// Runs one decoder over messages, for tests: rows as text, then "reason[@line]" of each reject.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "ingest/decode/decoder.h"
#include "tests/support/batch_text.h"

namespace varve {

class Decoding {
 public:
  explicit Decoding(const DecodeMapping& mapping, const StoredTypes& stored_types = {})
      : decoder_(std::move(*make_decoder(mapping, stored_types))) {}

  std::vector<std::string> operator()(std::string_view payload,
                                      const MessageContext& context = {.topic = "readings",
                                                                       .timestamp_ns = 123}) {
    rejects.clear();
    decoder_->decode(payload, context, rows, rejects);
    std::vector<std::string> texts = take_texts(rows);
    for (const DecodeReject& reject : rejects) {
      texts.push_back(reject.line == 0 ? reject.reason : fmt::format("{}@{}", reject.reason, reject.line));
    }
    return texts;
  }

  RowSet rows;
  std::vector<DecodeReject> rejects;

 private:
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace varve
