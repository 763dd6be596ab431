#include "storage/codec/string_page.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr unsigned kIndexedFlag = 1, kZstdFlag = 2;
constexpr size_t kZstdBytesMin = 4096;  // see the header
constexpr int kZstdFast = 1, kZstdExhaustive = 6;

struct ZstdFree {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Entries by first appearance.
class Entries {
 public:
  explicit Entries(std::span<const std::string_view> values) : values_(values) {
    slots_.fill(kEmpty);
    for (size_t row = 0; row < values.size(); ++row) index_[row] = add(row);
  }
  size_t size() const { return size_; }
  std::string_view entry(size_t i) const { return values_[first_row_[i]]; }
  const int64_t* index() const { return index_.data(); }

 private:
  static constexpr size_t kSlots = 2 * kVectorValues;
  static constexpr uint16_t kEmpty = 0xffff;
  int64_t add(size_t row) {
    const std::string_view value = values_[row];
    size_t slot = XXH3_64bits(value.data(), value.size()) % kSlots;
    for (; slots_[slot] != kEmpty; slot = (slot + 1) % kSlots) {
      if (entry(slots_[slot]) == value) return slots_[slot];
    }
    slots_[slot] = static_cast<uint16_t>(size_);
    first_row_[size_] = static_cast<uint16_t>(row);
    return static_cast<int64_t>(size_++);
  }
  std::span<const std::string_view> values_;
  std::array<uint16_t, kSlots> slots_;
  std::array<uint16_t, kVectorValues> first_row_;
  std::array<int64_t, kVectorValues> index_;
  size_t size_ = 0;
};

// The zstd frame of `bytes`, or nothing when it does not help.
std::string compressed(const std::string& bytes, Effort effort) {
  if (bytes.size() < kZstdBytesMin) return {};
  thread_local const std::unique_ptr<ZSTD_CCtx, ZstdFree> context(ZSTD_createCCtx());
  VARVE_CHECK(context != nullptr);
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const int level = effort == Effort::kFast ? kZstdFast : kZstdExhaustive;
  const size_t size =
      ZSTD_compressCCtx(context.get(), frame.data(), frame.size(), bytes.data(), bytes.size(), level);
  VARVE_CHECK(!ZSTD_isError(size));  // the bound was allocated: only a bug of ours can fail
  if (size >= bytes.size()) return {};
  frame.resize(size);
  return frame;
}

bool decompress(std::string_view frame, std::string& out) {
  thread_local const std::unique_ptr<ZSTD_DCtx, ZstdFree> context(ZSTD_createDCtx());
  VARVE_CHECK(context != nullptr);
  return ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size()) == out.size();
}

}  // namespace

void encode_string_page(std::span<const std::string_view> values, Effort effort, std::string& out) {
  const size_t n = values.size();
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  const Entries entries(values);
  // With more than 7 of 8 rows distinct the index costs more than the repeats it saves.
  const bool indexed = entries.size() * 8 <= n * 7 || entries.size() == 1;
  const size_t count = indexed ? entries.size() : n;

  std::array<int64_t, kVectorValues> lengths;
  std::string bytes;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view value = indexed ? entries.entry(i) : values[i];
    lengths[i] = static_cast<int64_t>(value.size());
    bytes += value;
  }
  VARVE_CHECK(bytes.size() <= kStringPageBytesMax);

  const std::string frame = compressed(bytes, effort);
  ByteWriter writer(out);
  writer.u8(static_cast<uint8_t>((indexed ? kIndexedFlag : 0) | (frame.empty() ? 0 : kZstdFlag)));
  if (indexed) writer.varint(count);
  encode_int_page({lengths.data(), count}, effort, out);
  if (!frame.empty()) writer.varint(frame.size());
  out += frame.empty() ? bytes : frame;
  if (indexed) encode_int_page({entries.index(), n}, effort, out);
}

Result<void> decode_string_page(std::span<const uint8_t> page, size_t n, StringPage& out) {
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  ByteReader reader(page);
  if (!decode_string_page(reader, n, out) || !reader.at_end()) return corruption("bad string page");
  return {};
}

bool decode_string_page(ByteReader& reader, size_t n, StringPage& out) {
  const unsigned kind = reader.u8();
  if (!reader.ok() || kind > (kIndexedFlag | kZstdFlag)) return false;
  const uint64_t entries = kind & kIndexedFlag ? reader.varint() : n;
  if (entries == 0 || entries > n) return false;

  std::array<int64_t, kVectorValues> numbers;
  if (!decode_int_page(reader, entries, numbers.data())) return false;
  out.ends.resize(entries);
  size_t total = 0;
  for (size_t i = 0; i < entries; ++i) {
    const uint64_t length = static_cast<uint64_t>(numbers[i]);
    if (length > kStringPageBytesMax - total) return false;
    total += length;
    out.ends[i] = static_cast<uint32_t>(total);
  }

  if (kind & kZstdFlag) {
    const uint64_t frame_bytes = reader.varint();
    const std::string_view frame = reader.bytes(frame_bytes);
    if (!reader.ok() || ZSTD_getFrameContentSize(frame.data(), frame.size()) != total) return false;
    out.bytes.resize(total);
    if (!decompress(frame, out.bytes)) return false;
  } else {
    out.bytes = reader.bytes(total);
    if (!reader.ok()) return false;
  }

  out.index.resize(n);
  if ((kind & kIndexedFlag) == 0) {
    std::iota(out.index.begin(), out.index.end(), uint16_t{0});
    return true;
  }
  if (!decode_int_page(reader, n, numbers.data())) return false;
  for (size_t row = 0; row < n; ++row) {
    if (static_cast<uint64_t>(numbers[row]) >= entries) return false;
    out.index[row] = static_cast<uint16_t>(numbers[row]);
  }
  return true;
}

}  // namespace varve
