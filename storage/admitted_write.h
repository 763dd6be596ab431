// The inside of an AdmittedWrite (see engine.h).
#pragma once

#include <memory>
#include <vector>

#include "storage/engine.h"
#include "storage/table.h"

namespace varve {

struct AdmittedWrite::State {
  struct Part {
    std::shared_ptr<Table> table;
    CheckedBatch checked;
  };
  std::vector<Part> parts;
  std::vector<RejectedRow> rejected;
  uint64_t log_epoch = UINT64_MAX;  // when its rows were admitted, see Wal::epoch(); none yet
};

}  // namespace varve
