#include "storage/codec/double_page.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "storage/base/check.h"
#include "storage/codec/int_page_kind.h"
#include "storage/codec/loops.h"

namespace varve {
namespace {

constexpr uint8_t kOrderedKind = 255;
constexpr size_t kSample = 32;         // values looked at to guess the places
constexpr size_t kSampleStride = 13;   // odd, and far from 1
constexpr size_t kHopelessSample = 8;  // so many at once, none a decimal: not half of the page are
constexpr size_t kGoodShare = 50;      // at most n / 50 exceptions: ORDERED cannot win
constexpr size_t kHopelessShare = 4;   // above n / 4 exceptions: DECIMAL cannot win
constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
static_assert(std::size(kPowers) == kDecimalPlacesMax + 1);

// The fewest decimal places that give the value back, or -1.
int places_of(double value) {
  if (!(std::fabs(value) < 0x1p51)) return -1;
  for (unsigned places = 0; places <= kDecimalPlacesMax; ++places) {
    const double scaled = value * kPowers[places];
    if (!(std::fabs(scaled) < 0x1p51)) return -1;
    const double rounded = (scaled + kMantissaDouble) - kMantissaDouble;
    const double back = rounded / kPowers[places];
    if (std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(value)) return static_cast<int>(places);
    if (back == value) return -1;  // -0.0
  }
  return -1;
}

struct Decimals {
  unsigned places = 0;
  size_t exceptions = kVectorValues + 1;
  std::array<int64_t, kVectorValues> digits;
  std::array<uint8_t, kVectorValues> exact;
};

class DecimalSearch {
 public:
  explicit DecimalSearch(std::span<const double> values) : values_(values) {}

  // The places that leave fewest exceptions; null when the values are no decimals.
  Decimals* run() {
    const size_t n = values_.size(), count = std::min(n, kSample);
    size_t votes[kDecimalPlacesMax + 1] = {}, none = 0;
    for (size_t i = 0; i < count; ++i) {
      // Spread from the start, so that values that are no decimals show soon: each costs all 16 divisions.
      const int places = places_of(values_[i * kSampleStride % count * n / count]);
      places < 0 ? ++none : ++votes[places];
      if (none >= std::min(count / 2 + 1, kHopelessSample) && none == i + 1) return nullptr;
    }
    if (none * 2 > count) return nullptr;
    unsigned most = kDecimalPlacesMax;
    while (most > 0 && votes[most] == 0) --most;
    attempt(most, 0);
    for (unsigned more = most + 1; more <= std::min(kDecimalPlacesMax, most + 2); ++more) {
      if (best_->exceptions * kGoodShare <= n) break;
      attempt(more, 0);
    }
    attempt_fewer(most, votes, count);
    return best_->exceptions * kHopelessShare <= n ? best_ : nullptr;
  }

 private:
  void attempt(unsigned places, size_t tolerated) {
    spare_->places = places;
    spare_->exceptions = to_decimals(values_.data(), values_.size(), kPowers[places], spare_->digits.data(),
                                     spare_->exact.data());
    if (spare_->exceptions < best_->exceptions + tolerated) std::swap(best_, spare_);
  }
  // A few values with many places must not widen the page: fewer places and some exceptions may be smaller.
  void attempt_fewer(unsigned most, const size_t* votes, size_t count) {
    unsigned fewer = most;
    size_t seen = 0;
    for (unsigned places = most; places > 0; --places) {
      seen += votes[places];
      if (seen * 20 > count) break;
      fewer = places - 1;
    }
    if (fewer < most) attempt(fewer, values_.size() / 16);
  }

  std::span<const double> values_;
  Decimals a_, b_;
  Decimals* best_ = &a_;
  Decimals* spare_ = &b_;
};

void encode_decimals(std::span<const double> values, Decimals& decimals, Effort effort, std::string& out) {
  const size_t n = values.size();
  ByteWriter writer(out);
  writer.u8(static_cast<uint8_t>(decimals.places));
  writer.varint(decimals.exceptions);
  if (decimals.exceptions) {
    std::array<uint64_t, kVectorValues> positions;
    std::array<double, kVectorValues> exceptions;
    std::array<int64_t, kVectorValues> ordered;
    size_t count = 0;
    // An exception takes its neighbour's digits, so that it costs no width there.
    size_t good = 0;
    while (good < n && !decimals.exact[good]) ++good;
    int64_t fill = good < n ? decimals.digits[good] : 0;
    for (size_t i = 0; i < n; ++i) {
      if (decimals.exact[i]) {
        fill = decimals.digits[i];
        continue;
      }
      decimals.digits[i] = fill;
      positions[count] = i;
      exceptions[count++] = values[i];
    }
    const unsigned width = position_bits(n);
    append_stream(positions.data(), count, width, out);
    ordered_from_doubles(exceptions.data(), count, ordered.data());
    encode_int_page({ordered.data(), count}, effort, out);
  }
  encode_int_page({decimals.digits.data(), n}, effort, out);
}

void encode_ordered(std::span<const double> values, Effort effort, std::string& out) {
  std::array<int64_t, kVectorValues> ordered;
  ordered_from_doubles(values.data(), values.size(), ordered.data());
  ByteWriter(out).u8(kOrderedKind);
  encode_int_page({ordered.data(), values.size()}, effort, out);
}

bool decode_ordered(ByteReader& reader, size_t n, double* out) {
  std::array<int64_t, kVectorValues> ordered;
  if (!decode_int_page(reader, n, ordered.data())) return false;
  doubles_from_ordered(ordered.data(), n, out);
  return true;
}

bool decode_decimals(ByteReader& reader, unsigned places, size_t n, double* out) {
  if (places > kDecimalPlacesMax) return false;
  const uint64_t count = reader.varint();
  if (count == 0) return decode_int_page_divided(reader, n, kPowers[places], out);
  if (count > n) return false;
  std::array<uint64_t, kVectorValues> positions;
  std::array<double, kVectorValues> exceptions;
  const unsigned width = position_bits(n);
  const uint8_t* packed = take_packed(reader, stream_bytes(count, width));
  if (!reader.ok()) return false;
  unpack_stream(packed, count, width, 0, positions.data());
  if (!decode_ordered(reader, count, exceptions.data())) return false;
  if (!decode_int_page_divided(reader, n, kPowers[places], out)) return false;
  for (size_t i = 0; i < count; ++i) {
    if (positions[i] >= n) return false;
    out[positions[i]] = exceptions[i];
  }
  return true;
}

}  // namespace

std::optional<double> encode_double_page(std::span<const double> values, Effort effort, std::string& out) {
  const size_t n = values.size();
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  DecimalSearch search(values);
  Decimals* decimals = search.run();
  if (decimals == nullptr) {
    encode_ordered(values, effort, out);
    return std::nullopt;
  }
  const size_t start = out.size();
  encode_decimals(values, *decimals, effort, out);
  if (decimals->exceptions == 0) {
    const auto total = static_cast<int64_t>(sum(decimals->digits.data(), n));  // 1024 * 2^51 < 2^63
    return static_cast<double>(total) / kPowers[decimals->places];
  }
  if (decimals->exceptions * kGoodShare <= n) return std::nullopt;
  std::string ordered;
  encode_ordered(values, effort, ordered);
  if (ordered.size() < out.size() - start) out.replace(start, std::string::npos, ordered);
  return std::nullopt;
}

Result<void> decode_double_page(std::span<const uint8_t> page, size_t n, double* out) {
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  ByteReader reader(page);
  if (!decode_double_page(reader, n, out) || !reader.at_end()) return corruption("bad double page");
  return {};
}

bool decode_double_page(ByteReader& reader, size_t n, double* out) {
  const unsigned kind = reader.u8();
  if (!reader.ok()) return false;
  return kind == kOrderedKind ? decode_ordered(reader, n, out) : decode_decimals(reader, kind, n, out);
}

}  // namespace varve
