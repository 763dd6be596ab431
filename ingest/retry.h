// Rows of varve_quarantine decoded again, by their source as it is configured now. The rows a message gives and the mark
// that it was retried are one log record: after a kill it is either both or neither. A message of which anything is
// refused stays as it is (its good rows are stored all the same, once more over what they were).
// Errors: retry(): what the store says; then nothing of the current record was kept.
// Threads: any.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ingest/kafka/source.h"
#include "ingest/quarantine.h"
#include "storage/engine.h"

namespace varve {

struct RetryCounts {
  struct Refusal {
    uint64_t count = 0;
    std::string first;  // detail of the first
  };
  uint64_t selected = 0;
  uint64_t retried = 0;                    // taken in, and marked
  uint64_t rows = 0;                       // stored
  std::map<std::string, Refusal> refused;  // again, by reason
  uint64_t truncated = 0;                  // cut at kQuarantinePayloadBytesMax: cannot be decoded
  uint64_t not_retriable = 0;              // of a mirror, or of a source that is not configured
  void add(const RetryCounts& more);
};

class QuarantineRetry {
 public:
  QuarantineRetry(std::vector<KafkaSourceOptions> sources, Engine& engine)
      : sources_(std::move(sources)), engine_(engine) {}
  Result<RetryCounts> retry(const std::vector<KeptInput>& inputs) const;

 private:
  struct Outcome;
  Result<void> retry_kafka(const KafkaSourceOptions& source, const std::vector<const KeptInput*>& inputs,
                           RetryCounts& counts) const;
  Result<void> retry_lines(const std::vector<const KeptInput*>& inputs, RetryCounts& counts) const;
  Result<void> store(Outcome outcome, RetryCounts& counts) const;

  std::vector<KafkaSourceOptions> sources_;
  Engine& engine_;
};

}  // namespace varve
