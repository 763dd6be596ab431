// Where reading a partition begins:
//   1. our own position: in the store, or further on in writes of this process not yet durable
//   2. unless another store of the same group has read on meanwhile: then its commit, which is further
//   3. without a position of our own: the broker's committed offset
//   4. else the option `start`
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/kafka/partition.h"
#include "storage/base/error.h"

namespace varve {

struct StartRule {
  enum class Kind { kEarliest, kLatest, kTime };
  Kind kind = Kind::kEarliest;
  int64_t time_ms = 0;

  // "earliest", "latest" or a time; kInvalidArgument naming what is accepted.
  static Result<StartRule> parse(const std::string& text);
};

// The metadata of a commit names the store that made it.
std::string commit_metadata(std::string_view store_id);
// Steps 1 to 3 above; nullopt = step 4.
std::optional<int64_t> choose_start(std::optional<int64_t> own, const PartitionOffset& committed,
                                    std::string_view store_id);

}  // namespace varve
