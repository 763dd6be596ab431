// Writes Avro's binary encoding for tests, from the specification alone: nothing of the decoder is used.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve {

class AvroWriter {
 public:
  std::string bytes;

  AvroWriter& confluent(uint32_t id) {
    bytes.push_back('\0');
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(id >> shift));
    return *this;
  }
  AvroWriter& single_object(uint64_t fingerprint) {
    bytes += "\xC3\x01";
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(fingerprint >> shift));
    return *this;
  }
  AvroWriter& whole(int64_t value) {
    uint64_t rest = value < 0 ? (~static_cast<uint64_t>(value) << 1) | 1 : static_cast<uint64_t>(value) << 1;
    for (; rest >= 128; rest /= 128) bytes.push_back(static_cast<char>(rest % 128 + 128));
    bytes.push_back(static_cast<char>(rest));
    return *this;
  }
  AvroWriter& boolean(bool value) {
    bytes.push_back(value ? 1 : 0);
    return *this;
  }
  AvroWriter& real(double value) { return raw(&value, sizeof value); }
  AvroWriter& small_real(float value) { return raw(&value, sizeof value); }
  AvroWriter& text(std::string_view value) {
    whole(static_cast<int64_t>(value.size()));
    bytes += value;
    return *this;
  }
  AvroWriter& fixed(std::string_view value) {
    bytes += value;
    return *this;
  }

 private:
  AvroWriter& raw(const void* value, size_t size) {
    bytes.append(static_cast<const char*>(value), size);
    return *this;
  }
};

}  // namespace varve
