#include "ingest/archive/container.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "storage/base/bytes.h"
#include "storage/base/check.h"

namespace varve {

const std::string_view kArchiveSchema =
    R"({"type":"record","name":"Message","namespace":"varve.kafka","fields":[)"
    R"({"name":"topic","type":"string"},{"name":"partition","type":"int"},{"name":"offset","type":"long"},)"
    R"({"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},)"
    R"({"name":"timestamp_type","type":{"type":"enum","name":"TimestampType",)"
    R"("symbols":["none","create","log_append"]}},)"
    R"({"name":"key","type":["null","bytes"]},{"name":"value","type":["null","bytes"]},)"
    R"({"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[)"
    R"({"name":"name","type":"string"},{"name":"value","type":["null","bytes"]}]}}}]})";

namespace {

constexpr std::string_view kMagic("Obj\1", 4);
constexpr uint64_t kHeaderBytesMax = 64 << 10;  // ours takes 900 bytes
constexpr uint64_t kBlockHeadBytesMax = 20;     // two varints
constexpr uint64_t kSearchBytes = 1 << 20;      // read at a time when looking for a sync marker
constexpr int kDeflateLevel = 1;                // the fastest: it runs on the consumer's thread
constexpr uint64_t kMessageBytesMin = 8;        // every field of a record takes one byte at least
constexpr size_t kDamagesMax = 1000;            // named for each file; more of them say nothing new

// Avro's long is what this project calls a signed varint.
void put_long(ByteWriter& out, int64_t value) {
  out.signed_varint(value);
}
void put_bytes(ByteWriter& out, std::string_view bytes) {
  put_long(out, static_cast<int64_t>(bytes.size()));
  out.bytes(bytes);
}
void put_optional(ByteWriter& out, const std::optional<std::string_view>& bytes) {
  put_long(out, bytes ? 1 : 0);
  if (bytes) put_bytes(out, *bytes);
}

std::string_view get_bytes(ByteReader& in) {
  const int64_t size = in.signed_varint();
  if (size < 0) in.fail();
  return in.ok() ? in.bytes(static_cast<uint64_t>(size)) : std::string_view();
}
std::optional<std::string_view> get_optional(ByteReader& in) {
  const int64_t branch = in.signed_varint();
  if (branch == 0) return std::nullopt;
  if (branch != 1) in.fail();
  return get_bytes(in);
}

// Of an array's or map's next block; a negative count is followed by the block's size.
uint64_t get_count(ByteReader& in) {
  int64_t count = in.signed_varint();
  if (count < 0) {
    (void)in.signed_varint();
    count = count == std::numeric_limits<int64_t>::min() ? std::numeric_limits<int64_t>::max() : -count;
  }
  if (static_cast<uint64_t>(count) > in.remaining()) in.fail();  // each element takes a byte at least
  return in.ok() ? static_cast<uint64_t>(count) : 0;
}

ArchivedMessage get_message(ByteReader& in) {
  ArchivedMessage message;
  message.topic = get_bytes(in);
  const int64_t partition = in.signed_varint();
  message.offset = in.signed_varint();
  message.timestamp_ms = in.signed_varint();
  const int64_t type = in.signed_varint();
  if (partition < std::numeric_limits<int32_t>::min() || partition > std::numeric_limits<int32_t>::max() ||
      type < 0 || type > 2) {
    in.fail();
    return message;
  }
  message.partition = static_cast<int32_t>(partition);
  message.timestamp_type = static_cast<TimestampType>(type);
  message.key = get_optional(in);
  message.value = get_optional(in);
  for (uint64_t count = get_count(in); count > 0; count = get_count(in)) {
    for (; count > 0 && in.ok(); --count) {
      const std::string_view name = get_bytes(in);
      message.headers.emplace_back(name, get_optional(in));
    }
  }
  return message;
}

std::string deflated(std::string_view bytes) {
  z_stream stream{};
  VARVE_CHECK(deflateInit2(&stream, kDeflateLevel, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // NOLINT: zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  VARVE_CHECK(code == Z_STREAM_END);
  return out;
}

// nullopt when it is not raw deflate, or is more than a block may hold.
std::optional<std::string> inflated(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return std::nullopt;
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // NOLINT: zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  int code = Z_OK;
  while (code == Z_OK && out.size() < kArchiveBlockBytesMax) {
    const size_t before = out.size();
    out.resize(before + std::max<size_t>(4 * bytes.size(), 4096));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  const bool whole = code == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

}  // namespace

std::string archive_file_header(ArchiveCodec codec, const SyncMarker& sync) {
  std::string header(kMagic);
  ByteWriter out(header);
  put_long(out, 2);
  put_bytes(out, "avro.schema");
  put_bytes(out, kArchiveSchema);
  put_bytes(out, "avro.codec");
  put_bytes(out, codec == ArchiveCodec::kDeflate ? "deflate" : "null");
  put_long(out, 0);
  out.bytes({sync.data(), sync.size()});
  return header;
}

void append_archive_record(const ArchivedMessage& message, std::string& bytes) {
  ByteWriter out(bytes);
  put_bytes(out, message.topic);
  put_long(out, message.partition);
  put_long(out, message.offset);
  put_long(out, message.timestamp_ms);
  put_long(out, static_cast<int64_t>(message.timestamp_type));
  put_optional(out, message.key);
  put_optional(out, message.value);
  if (!message.headers.empty()) {
    put_long(out, static_cast<int64_t>(message.headers.size()));
    for (const auto& [name, value] : message.headers) {
      put_bytes(out, name);
      put_optional(out, value);
    }
  }
  put_long(out, 0);
}

std::string archive_block(std::string_view records, uint64_t count, ArchiveCodec codec,
                          const SyncMarker& sync) {
  std::string compressed;
  if (codec == ArchiveCodec::kDeflate) {
    compressed = deflated(records);
    records = compressed;
  }
  std::string block;
  block.reserve(records.size() + kBlockHeadBytesMax + sync.size());
  ByteWriter out(block);
  put_long(out, static_cast<int64_t>(count));
  put_bytes(out, records);
  out.bytes({sync.data(), sync.size()});
  return block;
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(std::unique_ptr<RandomAccessFile> file) {
  std::unique_ptr<ArchiveReader> reader(new ArchiveReader());
  reader->file_ = std::move(file);
  VARVE_ASSIGN(reader->size_, reader->file_->size());
  VARVE_TRY(reader->read_header());
  return reader;
}

Result<std::string> ArchiveReader::read_at(uint64_t offset, uint64_t bytes) const {
  std::string out(std::min(bytes, size_ - std::min(size_, offset)), '\0');
  VARVE_ASSIGN(const size_t got, file_->read(offset, {reinterpret_cast<uint8_t*>(out.data()), out.size()}));
  out.resize(got);
  return out;
}

Result<void> ArchiveReader::read_header() {
  VARVE_ASSIGN(const std::string head, read_at(0, kHeaderBytesMax));
  ByteReader in(head);
  if (in.bytes(kMagic.size()) != kMagic) return corruption("not an Avro object container file");
  std::string_view schema, codec = "null";
  for (uint64_t count = get_count(in); count > 0; count = get_count(in)) {
    for (; count > 0 && in.ok(); --count) {
      const std::string_view name = get_bytes(in);
      const std::string_view value = get_bytes(in);
      if (name == "avro.schema") schema = value;
      if (name == "avro.codec") codec = value;
    }
  }
  const std::string_view sync = in.bytes(sync_.size());
  if (!in.ok()) return corruption("the header of the Avro file is damaged or ends early");
  if (schema != kArchiveSchema) return unsupported("an Avro file of something else than varve's archive");
  if (codec != "null" && codec != "deflate") {
    return unsupported("an Avro file of a codec other than null and deflate");
  }
  codec_ = codec == "deflate" ? ArchiveCodec::kDeflate : ArchiveCodec::kNull;
  std::copy(sync.begin(), sync.end(), sync_.begin());
  offset_ = whole_bytes_ = in.offset();
  return {};
}

Result<bool> ArchiveReader::next(ArchivedMessage& message) {
  while (next_message_ == messages_.size()) {
    if (offset_ >= size_) return false;
    VARVE_TRY(read_block());
  }
  message = std::move(messages_[next_message_++]);
  return true;
}

// Leaves the messages of the block at offset_, or none when it is damaged.
Result<void> ArchiveReader::read_block() {
  messages_.clear();
  next_message_ = 0;
  VARVE_ASSIGN(const std::string head, read_at(offset_, kBlockHeadBytesMax));
  ByteReader in(head);
  const int64_t count = in.signed_varint();
  const int64_t bytes = in.signed_varint();
  const auto damaged = [this](std::string what) {
    messages_.clear();
    return skip_damage(std::move(what));
  };
  if (!in.ok() || count < 0 || bytes < 0 || static_cast<uint64_t>(bytes) > kArchiveBlockBytesMax) {
    return damaged("the block's head is damaged");
  }
  const uint64_t begin = offset_ + in.offset();
  const uint64_t block_bytes = static_cast<uint64_t>(bytes);
  if (block_bytes + sync_.size() > size_ - begin) return damaged("the file ends within a block");
  VARVE_ASSIGN(block_, read_at(begin, block_bytes + sync_.size()));
  if (std::string_view(block_).substr(block_bytes) != std::string_view(sync_.data(), sync_.size())) {
    return damaged("the block does not end in the file's sync marker");
  }
  block_.resize(block_bytes);
  if (codec_ == ArchiveCodec::kDeflate) {
    auto plain = inflated(block_);
    if (!plain) return damaged("the block cannot be decompressed");
    block_ = std::move(*plain);
  }
  if (static_cast<uint64_t>(count) > block_.size() / kMessageBytesMin) {
    return damaged("the block is too short for its messages");
  }
  ByteReader records(block_);
  for (int64_t i = 0; i < count && records.ok(); ++i) messages_.push_back(get_message(records));
  if (!records.at_end()) return damaged("the block's messages are damaged");
  offset_ = whole_bytes_ = begin + block_bytes + sync_.size();
  ++whole_blocks_;
  return {};
}

// Goes on behind the next sync marker, or to the end.
Result<void> ArchiveReader::skip_damage(std::string what) {
  if (damage_.size() < kDamagesMax) damage_.push_back({offset_, std::move(what)});
  const std::string_view marker(sync_.data(), sync_.size());
  for (uint64_t from = offset_; from < size_; from += kSearchBytes) {
    VARVE_ASSIGN(const std::string window, read_at(from, kSearchBytes + marker.size() - 1));
    const size_t at = window.find(marker);
    if (at == std::string::npos) continue;
    offset_ = from + at + marker.size();
    return {};
  }
  offset_ = size_;
  return {};
}

}  // namespace varve
