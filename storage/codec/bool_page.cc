#include "storage/codec/bool_page.h"

#include <array>

#include "storage/base/check.h"

namespace varve {

void encode_bool_page(std::span<const uint8_t> values, Effort effort, std::string& out) {
  VARVE_CHECK(!values.empty() && values.size() <= kVectorValues);
  std::array<int64_t, kVectorValues> wide;
  for (size_t i = 0; i < values.size(); ++i) wide[i] = values[i] != 0;
  encode_int_page({wide.data(), values.size()}, effort, out);
}

bool decode_bool_page(ByteReader& reader, size_t n, uint8_t* out) {
  std::array<int64_t, kVectorValues> wide;
  if (!decode_int_page(reader, n, wide.data())) return false;
  uint64_t seen = 0;
  for (size_t i = 0; i < n; ++i) {
    seen |= static_cast<uint64_t>(wide[i]);
    out[i] = static_cast<uint8_t>(wide[i]);
  }
  return seen <= 1;
}

Result<void> decode_bool_page(std::span<const uint8_t> page, size_t n, uint8_t* out) {
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  ByteReader reader(page);
  if (!decode_bool_page(reader, n, out) || !reader.at_end()) return corruption("bad bool page");
  return {};
}

}  // namespace varve
