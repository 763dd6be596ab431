#include "storage/wal/entry.h"

#include <fmt/format.h>

#include "storage/base/bytes.h"

namespace varve {
namespace {

// entry: u8 version | varint deletes | deletes x row delete (row_delete.h)
//        | varint batches | batches x row batch (row_batch.cc)
//        | varint positions
//        | positions x (string stream | signed varint partition | signed varint next offset)
constexpr uint8_t kEntryVersion = 1;

}  // namespace

std::string encode_wal_entry(const WalEntry& entry) {
  std::string payload;
  // Growing step by step would copy megabytes.
  size_t bytes = 0;
  for (const RowBatch& batch : entry.batches) bytes += batch.memory_bytes();
  payload.reserve(bytes);
  ByteWriter out(payload);
  out.u8(kEntryVersion);
  out.varint(entry.deletes.size());
  for (const RowDelete& rows : entry.deletes) encode_row_delete(rows, out);
  out.varint(entry.batches.size());
  for (const RowBatch& batch : entry.batches) encode_row_batch(batch, out);
  out.varint(entry.positions.size());
  for (const StreamPosition& position : entry.positions) {
    out.string(position.stream);
    out.signed_varint(position.partition);
    out.signed_varint(position.next_offset);
  }
  return payload;
}

Result<WalEntry> decode_wal_entry(std::string_view payload) {
  ByteReader in(payload);
  WalEntry entry;
  const uint8_t version = in.u8();
  if (in.ok() && version != kEntryVersion) {
    return unsupported(fmt::format("log entry has version {}, this program reads {}; use a newer program",
                                   version, kEntryVersion));
  }
  const uint64_t deletes = in.varint();
  for (uint64_t i = 0; i < deletes && in.ok(); ++i) {
    VARVE_ASSIGN(RowDelete rows, with_context(decode_row_delete(in), "log entry"));
    entry.deletes.push_back(std::move(rows));
  }
  const uint64_t batches = in.varint();
  for (uint64_t i = 0; i < batches && in.ok(); ++i) {
    VARVE_ASSIGN(RowBatch batch, with_context(decode_row_batch(in), "log entry"));
    entry.batches.push_back(std::move(batch));
  }
  const uint64_t positions = in.varint();
  for (uint64_t i = 0; i < positions && in.ok(); ++i) {
    StreamPosition position;
    position.stream = in.string();
    const int64_t partition = in.signed_varint();
    position.partition = static_cast<int32_t>(partition);
    if (position.partition != partition) in.fail();
    position.next_offset = in.signed_varint();
    entry.positions.push_back(std::move(position));
  }
  if (!in.at_end()) return corruption(fmt::format("log entry is malformed near byte {}", in.offset()));
  return entry;
}

}  // namespace varve
