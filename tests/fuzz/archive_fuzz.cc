#include <string>

#include "ingest/archive/container.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {
namespace {

class Bytes : public RandomAccessFile {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset >= bytes_.size()) return size_t{0};
    return bytes_.copy(reinterpret_cast<char*>(out.data()), out.size(), offset);
  }
  Result<uint64_t> size() const override { return bytes_.size(); }

 private:
  std::string bytes_;
};

constexpr SyncMarker kMarker = {'0', '1', '2', '3', '4', '5', '6', '7',
                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

// Reads to the end; what was read must survive writing and reading.
void read(const std::string& bytes) {
  auto reader = ArchiveReader::open(std::make_unique<Bytes>(bytes));
  if (!reader) return;
  ArchivedMessage message;
  while (true) {
    const auto more = (*reader)->next(message);
    VARVE_CHECK(more.has_value());
    if (!*more) break;
    VARVE_CHECK((*reader)->position() <= bytes.size());
    std::string record;
    append_archive_record(message, record);
    auto again =
        ArchiveReader::open(std::make_unique<Bytes>(archive_file_header(ArchiveCodec::kNull, kMarker) +
                                                    archive_block(record, 1, ArchiveCodec::kNull, kMarker)));
    ArchivedMessage copy;
    VARVE_CHECK(again.has_value() && *(*again)->next(copy));
    VARVE_CHECK(copy.topic == message.topic && copy.partition == message.partition &&
                copy.offset == message.offset && copy.timestamp_ms == message.timestamp_ms &&
                copy.key == message.key && copy.value == message.value && copy.headers == message.headers);
  }
  VARVE_CHECK((*reader)->whole_bytes() <= bytes.size());
}

}  // namespace

void archive(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  for (const ArchiveCodec codec : {ArchiveCodec::kNull, ArchiveCodec::kDeflate}) {
    read(archive_file_header(codec, kMarker) + bytes);
  }
}

}  // namespace varve::fuzz
