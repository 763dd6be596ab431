// Untouched Kafka messages as an Avro object container file: readable by any Avro tool.
//   "Obj" 01 | map: avro.schema, avro.codec | sync marker (16 bytes) | block...
//   block:  long count | long bytes | `count` records, compressed by the codec | sync marker
// The schema is kArchiveSchema. Topics and header names go as they came; ones that are not UTF-8 come back whole here,
// but another tool may refuse them as an Avro string.
// Avro files carry no checksums: a changed byte inside a key or value of codec "null" cannot be noticed.
// Errors:  kCorruption naming the offset; kUnsupported for a container of something else.
// Threads: values; a reader belongs to one thread.
// Source:  Apache Avro 1.11 specification, "Object Container Files".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

enum class TimestampType : uint8_t { kNone, kCreate, kLogAppend };

// Views into what it was made of.
struct ArchivedMessage {
  std::string_view topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = -1;  // -1 = none
  TimestampType timestamp_type = TimestampType::kNone;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nullopt = a tombstone
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> headers;
};

enum class ArchiveCodec : uint8_t { kNull, kDeflate };

using SyncMarker = std::array<char, 16>;

extern const std::string_view kArchiveSchema;

// A block of one message of the most Kafka clients take (100 MB) fits; more is damage.
constexpr uint64_t kArchiveBlockBytesMax = 256 << 20;

std::string archive_file_header(ArchiveCodec codec, const SyncMarker& sync);
void append_archive_record(const ArchivedMessage& message, std::string& out);
// `records` are `count` of them, end to end.
std::string archive_block(std::string_view records, uint64_t count, ArchiveCodec codec,
                          const SyncMarker& sync);

// Reads a container from its beginning; past damage it goes on behind the next sync marker.
class ArchiveReader {
 public:
  struct Damage {
    uint64_t offset = 0;  // of the block, in the file
    std::string what;
  };

  // kCorruption when the header is damaged: then nothing in the file can be found.
  static Result<std::unique_ptr<ArchiveReader>> open(std::unique_ptr<RandomAccessFile> file);

  // The next message; its views live until the next call. False at the end of the file. kIo: the disk does not answer.
  Result<bool> next(ArchivedMessage& message);

  // The next call reads another block: the views of all messages so far end with it.
  bool at_block_end() const { return next_message_ == messages_.size(); }

  const std::vector<Damage>& damage() const { return damage_; }
  uint64_t position() const { return offset_; }  // where the next block begins
  uint64_t size() const { return size_; }
  // Up to here the file ends in a whole block (or its header): the place to cut a torn file at.
  uint64_t whole_bytes() const { return whole_bytes_; }
  uint64_t whole_blocks() const { return whole_blocks_; }

 private:
  ArchiveReader() = default;
  Result<void> read_header();
  Result<void> read_block();
  Result<void> skip_damage(std::string what);
  Result<std::string> read_at(uint64_t offset, uint64_t bytes) const;

  std::unique_ptr<RandomAccessFile> file_;
  uint64_t size_ = 0;
  uint64_t offset_ = 0;
  uint64_t whole_bytes_ = 0;
  uint64_t whole_blocks_ = 0;
  ArchiveCodec codec_ = ArchiveCodec::kNull;
  SyncMarker sync_{};
  std::string block_;  // what the messages point into
  std::vector<ArchivedMessage> messages_;
  size_t next_message_ = 0;
  std::vector<Damage> damage_;
};

}  // namespace varve
