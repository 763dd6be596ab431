// Little-endian byte writing and reading.
// ByteWriter appends to a std::string it does not own. ByteReader is a cursor over input bytes that remembers its
// first error: read ten fields, then check ok() once; after an error every read returns zero or empty.
// Varints are LEB128, at most 10 bytes; signed ones are zigzag.
// Threads: values; nothing shared.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace varve {

static_assert(std::endian::native == std::endian::little, "file formats are written in native order");

inline uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1)));
}

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class T>
  void fixed(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out_.append(bytes, sizeof value);
  }
  void u8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void signed_varint(int64_t value) { varint(zigzag(value)); }
  // value(0) ... value(count - 1), faster than one by one.
  template <class Value>
  void varints(size_t count, const Value& value) {
    char buffer[4096];
    char* to = buffer;
    for (size_t i = 0; i < count; ++i) {
      uint64_t v = value(i);
      for (; v >= 0x80; v >>= 7) *to++ = static_cast<char>(v | 0x80);
      *to++ = static_cast<char>(v);
      if (to > buffer + sizeof buffer - 10) {
        out_.append(buffer, static_cast<size_t>(to - buffer));
        to = buffer;
      }
    }
    out_.append(buffer, static_cast<size_t>(to - buffer));
  }
  void bytes(std::string_view data) { out_.append(data); }
  // varint length, then the bytes.
  void string(std::string_view data) {
    varint(data.size());
    bytes(data);
  }
  // `count` values in memory order.
  template <class T>
  void array(const T* values, size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count == 0) return;
    out_.append(reinterpret_cast<const char*>(values), count * sizeof(T));
  }
  size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : data_(data) {}
  explicit ByteReader(std::span<const uint8_t> data)
      : data_(reinterpret_cast<const char*>(data.data()), data.size()) {}

  bool ok() const { return ok_; }
  size_t offset() const { return offset_; }
  size_t remaining() const { return data_.size() - offset_; }
  bool at_end() const { return ok_ && offset_ == data_.size(); }
  void fail() { ok_ = false; }

  template <class T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (!take(sizeof value)) return value;
    std::memcpy(&value, data_.data() + offset_ - sizeof value, sizeof value);
    return value;
  }
  uint8_t u8() { return fixed<uint8_t>(); }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = u8();
      if (!ok_) return 0;
      if (shift == 63 && byte > 1) break;  // over 64 bits
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  int64_t signed_varint() { return unzigzag(varint()); }
  std::string_view bytes(size_t count) {
    if (!take(count)) return {};
    return data_.substr(offset_ - count, count);
  }
  std::string_view string() { return bytes(varint()); }
  template <class T>
  void array(T* values, size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count > remaining() / sizeof(T)) ok_ = false;
    if (!ok_ || count == 0) return;
    std::memcpy(values, data_.data() + offset_, count * sizeof(T));
    offset_ += count * sizeof(T);
  }

 private:
  bool take(size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return false;
    }
    offset_ += count;
    return true;
  }

  std::string_view data_;
  size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace varve
