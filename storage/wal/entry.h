// What one log record carries: deletes, then rows of any tables, and how far the streams they came from have been
// read. All stand in the same checksummed record, so they become durable together or not at all.
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/row_batch.h"
#include "storage/model/row_delete.h"
#include "storage/wal/lsn.h"

namespace varve {

// How far a numbered part of an outside stream has been read.
struct StreamPosition {
  std::string stream;
  int32_t partition = 0;
  int64_t next_offset = 0;  // the first one not in the store
};

struct WalEntry {
  std::vector<RowDelete> deletes;  // of what was written before this record
  std::vector<RowBatch> batches;
  std::vector<StreamPosition> positions;
};

std::string encode_wal_entry(const WalEntry& entry);
// kCorruption when the payload is not one entry, whole; kUnsupported when a newer version wrote it.
Result<WalEntry> decode_wal_entry(std::string_view payload);

}  // namespace varve
