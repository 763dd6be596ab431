#include "storage/segment/byte_source.h"

#include <cstring>

namespace varve {

Error read_ends_early(uint64_t offset, uint64_t wanted, uint64_t size) {
  return corruption(std::to_string(wanted) + " bytes wanted at offset " + std::to_string(offset) +
                    ", but it has " + std::to_string(size));
}

namespace {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  std::string_view view() const override { return bytes_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return read_ends_early(offset, out.size(), bytes_.size());
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  const std::string bytes_;
};

class FileSource final : public ByteSource {
 public:
  FileSource(std::unique_ptr<RandomAccessFile> file, uint64_t size) : file_(std::move(file)), size_(size) {}
  uint64_t size() const override { return size_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
    VARVE_ASSIGN(const size_t got, file_->read(offset, out));
    if (got != out.size()) return read_ends_early(offset, out.size(), size_);
    return {};
  }

 private:
  const std::unique_ptr<RandomAccessFile> file_;
  const uint64_t size_;
};

}  // namespace

std::shared_ptr<const ByteSource> memory_source(std::string bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

Result<std::shared_ptr<const ByteSource>> file_source(std::unique_ptr<RandomAccessFile> file) {
  VARVE_ASSIGN(const uint64_t size, file->size());
  return std::shared_ptr<const ByteSource>(std::make_shared<FileSource>(std::move(file), size));
}

}  // namespace varve
