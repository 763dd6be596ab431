// Where the bytes of a segment come from: memory (memtable runs, tests) or a file.
// Errors:  kCorruption when the source ends before the bytes asked for; kIo from the file.
// Threads: may be shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // Fills `out` or fails.
  virtual Result<void> read(uint64_t offset, std::span<uint8_t> out) const = 0;
  // All bytes, when they lie in memory: then nothing need be copied. Else empty.
  virtual std::string_view view() const { return {}; }
  // Reads go on whatever happens to the file's name.
  virtual Result<void> hold() const { return {}; }
};

Error read_ends_early(uint64_t offset, uint64_t wanted, uint64_t size);

std::shared_ptr<const ByteSource> memory_source(std::string bytes);
Result<std::shared_ptr<const ByteSource>> file_source(std::unique_ptr<RandomAccessFile> file);

}  // namespace varve
