// Choosing and writing integer pages: every predictor's size is found or estimated, the smallest is written.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>

#include "storage/base/check.h"
#include "storage/codec/int_page.h"
#include "storage/codec/int_page_kind.h"
#include "storage/codec/int_window.h"
#include "storage/codec/loops.h"

namespace varve {
namespace {

constexpr double kEstimateTrust = 1.15;  // an estimate exceeded by more than this is thrown away
// Rows of packed series repeat with small periods; a prime stride keeps a sample from seeing one phase only.
constexpr size_t kSampleStride = 389;
constexpr double kStartBits = 24;       // guess: a typical varint start, step or slope
constexpr double kNestedPageBits = 32;  // what RLE and DICT must save before they are worth a second pass

using Values = std::array<int64_t, kVectorValues>;

uint64_t u(int64_t v) {
  return static_cast<uint64_t>(v);
}
int64_t s(uint64_t v) {
  return static_cast<int64_t>(v);
}
int64_t minus(int64_t a, int64_t b) {
  return s(u(a) - u(b));
}
unsigned bits_of(uint64_t x) {
  return static_cast<unsigned>(std::bit_width(x));
}

// ---- plain pages: FOR, DELTA, GRID, DOD ----

struct Plan {
  IntPredictor predictor = IntPredictor::kFor;
  int64_t a = 0, b = 0;   // start or step; slope or fraction
  double extra_bits = 0;  // of a and b
  Window window;
};

uint64_t distance(int64_t a, int64_t b) {
  const int64_t difference = minus(a, b);
  return difference < 0 ? 0 - u(difference) : u(difference);
}

// Largest divisor of all differences to the first value, with the quotients; 1 if there is no use for it.
uint64_t common_factor(const int64_t* values, size_t n, int64_t* quotients) {
  constexpr size_t kGuessValues = 8;  // most values without a common factor show it here
  uint64_t factor = 0;
  for (size_t i = 1; i < n && (factor == 0 || i <= kGuessValues); ++i) {
    factor = std::gcd(factor, distance(values[i], values[0]));
    if (factor == 1) return 1;
  }
  while (factor != 0 && factor <= u(INT64_MAX)) {
    if (divide_differences(values, n, factor, quotients)) return factor;
    size_t odd = 1;
    while (odd < n && distance(values[odd], values[0]) % factor == 0) ++odd;
    if (odd == n) return 1;  // only at the edge of int64, where the quotients are not exact
    factor = std::gcd(factor, distance(values[odd], values[0]));
    if (factor == 1) return 1;
  }
  return 1;
}

class PlainEncoder {
 public:
  PlainEncoder(std::span<const int64_t> values, Effort effort)
      : values_(values.data()), n_(values.size()), effort_(effort) {
    runs_ = count_runs(values_, n_);
    if (take_line()) return;
    if (runs_ > 1) factor_ = common_factor(values_, n_, quotient_.data());
    scaled_ = factor_ > 1 ? quotient_.data() : values_;
    choose(effort == Effort::kFast);
  }

  size_t runs() const { return runs_; }
  double bits() const { return plan_.window.bits; }
  void write(std::string& out);

 private:
  bool take_line();
  void choose(bool estimate);
  std::optional<Ramp> find_ramp() const;
  uint64_t sampled_spread(Ramp ramp) const;
  void consider(IntPredictor predictor, int64_t a, int64_t b, double extra_bits, const int64_t* residual,
                bool estimate);

  const int64_t* values_;
  size_t n_;
  Effort effort_;
  size_t runs_ = 1;
  uint64_t factor_ = 1;
  const int64_t* scaled_;              // values_ or quotient_
  const int64_t* residual_ = nullptr;  // of the plan
  Plan plan_;
  Values quotient_;
  Values buffers_[2];  // residuals: the best so far and the candidate
  int candidate_ = 0;
};

// Values at one distance, as exact clocks are: a GRID of width 0, and no need to compare.
bool PlainEncoder::take_line() {
  if (n_ <= 2 || runs_ == 1 || !is_line(values_, n_)) return false;
  Window window;
  window.base = values_[0];
  window.width = 0;
  window.bits = kStartBits;
  plan_ = {IntPredictor::kGrid, minus(values_[1], values_[0]), 0, kStartBits, window};
  return true;
}

void PlainEncoder::consider(IntPredictor predictor, int64_t a, int64_t b, double extra_bits,
                            const int64_t* residual, bool estimate) {
  Window window = estimated_window(residual, n_);
  if (!estimate) {
    if (residual_ != nullptr && window.bits + extra_bits > kEstimateTrust * plan_.window.bits)
      return;  // hopeless
    window = exact_window(residual, n_);
  }
  window.bits += extra_bits;
  if (residual_ != nullptr && window.bits >= plan_.window.bits) return;
  plan_ = {predictor, a, b, extra_bits, window};
  residual_ = residual;
  if (residual == buffers_[candidate_].data()) candidate_ ^= 1;
}

// The line through the page, or none when it would not make the values narrower. Its slope comes from the
// means of the first and last quarter: the jitter of two single rows would tilt it and cost half a bit. A
// fraction serves clocks that are a little off; where the true step is whole it is noise and costs, so it
// must win clearly.
std::optional<Ramp> PlainEncoder::find_ramp() const {
  const auto count = static_cast<double>(n_);
  if (n_ < 16) {
    const double slope = static_cast<double>(minus(scaled_[n_ - 1], scaled_[0])) / (count - 1);
    const Ramp ends{u(std::llround(slope)), 0};
    return ends.step == 0 ? std::nullopt : std::optional(ends);
  }
  const size_t quarter = n_ / 4;
  // The sums may wrap: then the line is a bad guess, not an error.
  const uint64_t rises = sum(scaled_ + n_ - quarter, quarter) - sum(scaled_, quarter);
  const double rise = static_cast<double>(s(rises)) / static_cast<double>(quarter);
  const double slope = rise / static_cast<double>(n_ - quarter);
  Ramp best{u(std::llround(slope)), 0};
  uint64_t spread = sampled_spread(best);
  if (std::fabs(slope) < 0x1p52) {
    const int64_t fixed = std::llround(slope * (1 << kRampShift));
    const Ramp fractional{u(fixed >> kRampShift), u(fixed) & low_bits(kRampShift)};
    const uint64_t other = sampled_spread(fractional);
    if (other < spread - spread / 8) {
      best = fractional;
      spread = other;
    }
  }
  return spread < sampled_spread(Ramp{}) ? std::optional(best) : std::nullopt;
}

// How far 64 of the values, or all, lie apart once the ramp is taken off.
uint64_t PlainEncoder::sampled_spread(Ramp ramp) const {
  int64_t low = INT64_MAX, high = INT64_MIN;
  size_t i = 0;
  for (size_t k = 0; k < std::min<size_t>(n_, 64); ++k, i += kSampleStride) {
    while (i >= n_) i -= n_;
    const int64_t residual = s(u(scaled_[i]) - (ramp.step * i + ((ramp.fraction * i) >> kRampShift)));
    low = std::min(low, residual);
    high = std::max(high, residual);
  }
  return u(high) - u(low);
}

void PlainEncoder::choose(bool estimate) {
  residual_ = nullptr;
  if (n_ <= 2 || runs_ == 1) return consider(IntPredictor::kFor, 0, 0, 0, scaled_, estimate);
  // Most often the best comes first: then the others need no exact look.
  int64_t* to = buffers_[candidate_].data();
  deltas(scaled_, n_, to);
  consider(IntPredictor::kDelta, minus(scaled_[0], to[0]), 0, kStartBits, to, estimate);
  consider(IntPredictor::kFor, 0, 0, 0, scaled_, estimate);
  if (const auto ramp = find_ramp()) {
    to = buffers_[candidate_].data();
    subtract_ramp(scaled_, n_, *ramp, to);
    consider(IntPredictor::kGrid, s(ramp->step), s(ramp->fraction), kStartBits, to, estimate);
  }
  if (effort_ == Effort::kExhaustive) {
    to = buffers_[candidate_].data();
    second_deltas(scaled_, n_, to);
    const int64_t slope = minus(minus(minus(scaled_[1], scaled_[0]), to[1]), to[0]);
    consider(IntPredictor::kDod, minus(minus(scaled_[0], slope), to[0]), slope, 2 * kStartBits, to, estimate);
  }
  if (!estimate || !plan_.window.patched) return;
  const double promised = plan_.window.bits;
  plan_.window = fit_window(residual_, n_, plan_.window);
  plan_.window.bits += plan_.extra_bits;
  // The sample lied, or patches do not pay after all.
  if (plan_.window.bits > kEstimateTrust * promised ||
      plan_.window.bits >= static_cast<double>(n_) * plan_.window.full_width) {
    choose(false);
  }
}

void PlainEncoder::write(std::string& out) {
  const Window& window = plan_.window;
  uint64_t packed[kVectorValues];
  uint64_t positions[kVectorValues], patches[kVectorValues];
  size_t patch_count = 0;
  uint64_t patch_mask = 0;
  if (window.patched) {
    const uint64_t outside = ~low_bits(window.width);
    const auto reach = [&](size_t i) { return u(residual_[i]) - u(window.base); };
    const auto look = [&](size_t i) {
      if ((reach(i) & outside) == 0) return;
      positions[patch_count] = i;
      patches[patch_count] = zigzag(s(reach(i)));
      patch_mask |= patches[patch_count++];
    };
    size_t i = 0;
    for (; i + 8 <= n_; i += 8) {  // patches are few: most eights have none
      uint64_t any = 0;
      for (size_t k = 0; k < 8; ++k) any |= reach(i + k);
      if ((any & outside) == 0) continue;
      for (size_t k = 0; k < 8; ++k) look(i + k);
    }
    for (; i < n_; ++i) look(i);
  }
  const bool has_fraction = plan_.predictor == IntPredictor::kGrid && plan_.b != 0;
  ByteWriter writer(out);
  writer.u8(static_cast<uint8_t>(static_cast<unsigned>(plan_.predictor) | (factor_ > 1 ? kScaledFlag : 0) |
                                 (patch_count ? kPatchedFlag : 0) | (has_fraction ? kFractionFlag : 0)));
  writer.u8(static_cast<uint8_t>(window.width));
  if (factor_ > 1) {
    writer.varint(factor_);
    writer.signed_varint(values_[0]);
  }
  writer.signed_varint(window.base);
  if (plan_.predictor != IntPredictor::kFor) writer.signed_varint(plan_.a);
  if (plan_.predictor == IntPredictor::kDod) writer.signed_varint(plan_.b);
  if (has_fraction) writer.varint(u(plan_.b));
  if (patch_count) {
    const unsigned patch_width = bits_of(patch_mask);
    writer.varint(patch_count);
    writer.u8(static_cast<uint8_t>(patch_width));
    append_stream(positions, patch_count, position_bits(n_), out);
    append_stream(patches, patch_count, patch_width, out);
  }
  if (window.width == 0) return;
  residuals(residual_, n_, u(window.base), low_bits(window.width), packed);
  append_packed(packed, n_, window.width, out);
}

// ---- RLE and DICT ----

void encode_plain(std::span<const int64_t> values, Effort effort, std::string& out) {
  PlainEncoder(values, effort).write(out);
}

bool encode_runs(std::span<const int64_t> values, size_t runs, Effort effort, double bits_to_beat,
                 std::string& out) {
  Values value, length;
  size_t count = 0;
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    value[count] = values[i];
    length[count++] = static_cast<int64_t>(end - i - 1);
    i = end;
  }
  VARVE_CHECK(count == runs);
  std::string page;
  ByteWriter writer(page);
  writer.u8(static_cast<uint8_t>(IntPredictor::kRle));
  writer.varint(runs);
  encode_plain({value.data(), runs}, effort, page);
  encode_plain({length.data(), runs}, effort, page);
  if (static_cast<double>(page.size()) * 8 >= bits_to_beat) return false;
  out += page;
  return true;
}

// Distinct values by hash; false when there are more than `size_max`.
class Dictionary {
 public:
  bool build(std::span<const int64_t> values, size_t size_max) {
    slots_.fill(kEmpty);
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t slot = find(values[i]);
      if (slots_[slot] == kEmpty) {
        if (size_ == size_max) return false;
        slots_[slot] = static_cast<uint16_t>(size_);
        distinct_[size_++] = values[i];
      }
      index_[i] = slots_[slot];
    }
    return true;
  }
  size_t size() const { return size_; }
  // Distinct values ascending; `index` gets one position per value.
  void sorted(size_t n, int64_t* distinct, int64_t* index) const {
    uint16_t order[kDictionaryMax], rank[kDictionaryMax];
    std::iota(order, order + size_, uint16_t{0});
    std::sort(order, order + size_, [this](uint16_t a, uint16_t b) { return distinct_[a] < distinct_[b]; });
    for (size_t i = 0; i < size_; ++i) {
      rank[order[i]] = static_cast<uint16_t>(i);
      distinct[i] = distinct_[order[i]];
    }
    for (size_t i = 0; i < n; ++i) index[i] = rank[index_[i]];
  }

 private:
  static constexpr size_t kSlots = 4 * kDictionaryMax;
  static constexpr uint16_t kEmpty = 0xffff;
  size_t find(int64_t value) const {
    size_t slot = (u(value) * 0x9e3779b97f4a7c15) >> 54;  // Fibonacci hashing to the 10 bits of kSlots
    while (slots_[slot] != kEmpty && distinct_[slots_[slot]] != value) slot = (slot + 1) % kSlots;
    return slot;
  }
  std::array<uint16_t, kSlots> slots_;
  std::array<int64_t, kDictionaryMax> distinct_;
  std::array<uint16_t, kVectorValues> index_;
  size_t size_ = 0;
};

bool encode_dictionary(std::span<const int64_t> values, Effort effort, double bits_to_beat,
                       std::string& out) {
  const size_t n = values.size();
  const auto too_large = [&](size_t size) {
    const double index_bits = static_cast<double>(n) * bits_of(size - 1);
    return index_bits + static_cast<double>(size) * 2 >= bits_to_beat;  // 2: hardly any dictionary is less
  };
  size_t size_max = kDictionaryMax;
  while (size_max > 1 && too_large(size_max)) size_max /= 2;
  Dictionary dictionary;
  if (!dictionary.build(values, size_max)) return false;
  const size_t size = dictionary.size();
  Values distinct, index;
  dictionary.sorted(n, distinct.data(), index.data());
  std::string page;
  ByteWriter writer(page);
  writer.u8(static_cast<uint8_t>(IntPredictor::kDict));
  writer.varint(size);
  encode_plain({distinct.data(), size}, effort, page);
  encode_plain({index.data(), n}, effort, page);
  if (static_cast<double>(page.size()) * 8 >= bits_to_beat) return false;
  out += page;
  return true;
}

// Worth hashing 1024 values? 64 of them must show repeats.
bool looks_repetitive(std::span<const int64_t> values) {
  constexpr size_t kSample = 64, kRepeatsMin = 4;
  uint64_t seen[64] = {};  // a bit for each 12-bit hash: two different values rarely share one
  size_t repeats = 0;
  for (size_t i = 0; i < kSample; ++i) {
    const uint64_t hash = (u(values[i * values.size() / kSample]) * 0x9e3779b97f4a7c15) >> 52;
    repeats += seen[hash / 64] >> (hash % 64) & 1;
    seen[hash / 64] |= uint64_t{1} << (hash % 64);
  }
  return repeats >= kRepeatsMin;
}

}  // namespace

void encode_int_page(std::span<const int64_t> values, Effort effort, std::string& out) {
  const size_t n = values.size();
  VARVE_CHECK(n >= 1 && n <= kVectorValues);
  PlainEncoder plain(values, effort);
  const double bits = plain.bits() + kNestedPageBits;
  if (plain.runs() < n / 4 && encode_runs(values, plain.runs(), effort, bits, out)) return;
  // Indices under 6 bits a value rarely beat what FOR and DELTA reach there.
  if (n >= 64 && plain.bits() > 6.0 * static_cast<double>(n) && looks_repetitive(values) &&
      encode_dictionary(values, effort, bits, out)) {
    return;
  }
  plain.write(out);
}

}  // namespace varve
