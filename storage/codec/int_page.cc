// Reading integer pages. The encoder is in int_page_encoder.cc.
#include "storage/codec/int_page.h"

#include <algorithm>
#include <array>

#include "storage/base/check.h"
#include "storage/codec/int_page_kind.h"
#include "storage/codec/loops.h"

namespace varve {
namespace {

using Values = std::array<int64_t, kVectorValues>;

uint64_t u(int64_t v) {
  return static_cast<uint64_t>(v);
}

struct PlainHeader {
  IntPredictor predictor;
  unsigned width;
  uint64_t factor = 1, origin = 0, base = 0, a = 0, b = 0;
  size_t patch_count = 0;
  unsigned patch_width = 0;
  const uint8_t *positions = nullptr, *patches = nullptr, *packed = nullptr;
};

bool read_plain_header(ByteReader& reader, unsigned kind, size_t n, PlainHeader& h) {
  h.predictor = static_cast<IntPredictor>(kind & kPredictorMask);
  h.width = reader.u8();
  if (kind & kScaledFlag) {
    h.factor = reader.varint();
    h.origin = u(reader.signed_varint());
  }
  h.base = u(reader.signed_varint());
  if (h.predictor != IntPredictor::kFor) h.a = u(reader.signed_varint());
  if (h.predictor == IntPredictor::kDod) h.b = u(reader.signed_varint());
  if (kind & kFractionFlag) {
    h.b = reader.varint();
    if (h.predictor != IntPredictor::kGrid || h.b == 0 || h.b >> kRampShift) return false;
  }
  if (kind & kPatchedFlag) {
    const uint64_t count = reader.varint();
    h.patch_width = reader.u8();
    if (count == 0 || count > n || h.patch_width > kWidthMax) return false;
    h.patch_count = static_cast<size_t>(count);
    h.positions = take_packed(reader, stream_bytes(h.patch_count, position_bits(n)));
    h.patches = take_packed(reader, stream_bytes(h.patch_count, h.patch_width));
  }
  if (h.width > kWidthMax) return false;
  h.packed = take_packed(reader, packed_bytes(n, h.width));
  return reader.ok();
}

// Calls put(position, residual) for each patch; false if a position lies outside the page.
template <class Put>
bool apply_patches(const PlainHeader& h, size_t n, Put put) {
  uint64_t positions[kVectorValues], patches[kVectorValues];
  unpack_stream(h.positions, h.patch_count, position_bits(n), 0, positions);
  unpack_stream(h.patches, h.patch_count, h.patch_width, 0, patches);
  for (size_t i = 0; i < h.patch_count; ++i) {
    if (positions[i] >= n) return false;
    put(positions[i], h.base + u(unzigzag(patches[i])));
  }
  return true;
}

bool decode_plain(const PlainHeader& h, size_t n, int64_t* values) {
  // Signed and unsigned versions of one type may alias; the arithmetic is unsigned to wrap.
  uint64_t* out = reinterpret_cast<uint64_t*>(values);
  if (h.predictor == IntPredictor::kGrid && h.width == 0 && h.b == 0 && h.patch_count == 0) {
    fill_line(out, n, h.origin + h.base * h.factor, h.a * h.factor);
    return true;
  }
  unpack_bits(h.packed, n, h.width, h.base, out);
  if (h.patch_count && !apply_patches(h, n, [out](size_t i, uint64_t v) { out[i] = v; })) return false;
  switch (h.predictor) {
    case IntPredictor::kDelta:
      prefix_sum(out, n, h.a);
      break;
    case IntPredictor::kGrid:
      add_ramp(out, n, {h.a, h.b});
      break;
    case IntPredictor::kDod:
      prefix_sum(out, n, h.b);
      prefix_sum(out, n, h.a);
      break;
    default:
      break;
  }
  if (h.factor != 1) scale(out, n, h.origin, h.factor);
  return true;
}

bool decode_inner_page(ByteReader& reader, size_t n, int64_t* out) {
  const unsigned kind = reader.u8();
  if (kind > kKindMask || (kind & kPredictorMask) > static_cast<unsigned>(IntPredictor::kDod)) return false;
  PlainHeader header;
  return read_plain_header(reader, kind, n, header) && decode_plain(header, n, out);
}

bool decode_runs(ByteReader& reader, size_t n, int64_t* out) {
  const uint64_t runs = reader.varint();
  if (runs == 0 || runs > n) return false;
  Values value, length;
  if (!decode_inner_page(reader, runs, value.data()) || !decode_inner_page(reader, runs, length.data()))
    return false;
  size_t at = 0;
  for (size_t i = 0; i < runs; ++i) {
    if (u(length[i]) >= n - at) return false;
    const size_t count = static_cast<size_t>(length[i]) + 1;
    std::fill_n(out + at, count, value[i]);
    at += count;
    if (at == n) return i + 1 == runs;
  }
  return false;
}

bool decode_dictionary(ByteReader& reader, size_t n, int64_t* out) {
  const uint64_t size = reader.varint();
  if (size == 0 || size > kDictionaryMax) return false;
  std::array<int64_t, kDictionaryMax> distinct = {};
  if (!decode_inner_page(reader, size, distinct.data()) || !decode_inner_page(reader, n, out)) return false;
  uint64_t seen = 0;
  for (size_t i = 0; i < n; ++i) seen |= u(out[i]);
  if (seen >= kDictionaryMax) return false;
  for (size_t i = 0; i < n; ++i) out[i] = distinct[static_cast<size_t>(out[i])];
  return true;
}

bool decode_kind(ByteReader& reader, unsigned kind, size_t n, int64_t* out) {
  if (kind > kKindMask) return false;
  if (kind == static_cast<unsigned>(IntPredictor::kRle)) return decode_runs(reader, n, out);
  if (kind == static_cast<unsigned>(IntPredictor::kDict)) return decode_dictionary(reader, n, out);
  if ((kind & kPredictorMask) > static_cast<unsigned>(IntPredictor::kDod)) return false;
  PlainHeader header;
  return read_plain_header(reader, kind, n, header) && decode_plain(header, n, out);
}

}  // namespace

Result<void> decode_int_page(std::span<const uint8_t> page, size_t n, int64_t* out) {
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  ByteReader reader(page);
  if (!decode_int_page(reader, n, out) || !reader.at_end()) return corruption("bad integer page");
  return {};
}

bool decode_int_page(ByteReader& reader, size_t n, int64_t* out) {
  return decode_kind(reader, reader.u8(), n, out) && reader.ok();
}

bool decode_int_page_divided(ByteReader& reader, size_t n, double divisor, double* out) {
  const unsigned kind = reader.u8();
  const bool fused =
      n == kVectorValues && (kind & ~kPatchedFlag) == static_cast<unsigned>(IntPredictor::kFor);
  if (fused) {
    PlainHeader h;
    if (!read_plain_header(reader, kind, n, h)) return false;
    unpack_divide(h.packed, h.width, h.base, divisor, out);
    return h.patch_count == 0 ||
           apply_patches(h, n, [=](size_t i, uint64_t v) { out[i] = small_int_to_double(v) / divisor; });
  }
  Values values;
  if (!decode_kind(reader, kind, n, values.data()) || !reader.ok()) return false;
  divide_small_ints(values.data(), n, divisor, out);
  return true;
}

}  // namespace varve
