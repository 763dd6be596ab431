#include "ingest/quarantine.h"

#include <algorithm>

#include "ingest/decode/printable.h"

namespace varve {
QuarantineBuilder::QuarantineBuilder(const Clock& clock)
    : clock_(clock), builder_(std::string(kDefaultDatabase), std::string(kQuarantineTable)) {}

void QuarantineBuilder::add(const RefusedInput& input) {
  last_time_ns_ = std::max(clock_.wall_ns(), last_time_ns_ + 1);
  builder_.begin_row();
  builder_.tag("source", printable(input.source, kTagValueBytesMax));
  builder_.tag("topic", printable(input.topic, kTagValueBytesMax));
  builder_.tag("reason", printable(input.reason, kTagValueBytesMax));
  builder_.field_int("partition", input.partition);
  builder_.field_int("offset", input.offset);
  builder_.field_string("detail", printable(input.detail, kQuarantinePayloadBytesMax));
  builder_.field_string("payload", printable(input.payload, kQuarantinePayloadBytesMax));
  builder_.end_row(last_time_ns_);
}

size_t QuarantineBuilder::rows() const {
  return builder_.rows();
}

RowBatch QuarantineBuilder::finish() {
  return builder_.finish();
}

}  // namespace varve
