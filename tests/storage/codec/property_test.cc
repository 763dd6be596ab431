// Properties of pages of any values, drawn by rapidcheck, which prints how to repeat a failure.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <limits>

#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"
#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::exact_copy;

constexpr Effort kEfforts[] = {Effort::kFast, Effort::kExhaustive};
constexpr size_t kMargin = 8;  // values around the output that nobody may write

// 1..1024 values: few, all, or anything between.
template <class T>
rc::Gen<std::vector<T>> page_of(rc::Gen<T> value) {
  const auto size = rc::gen::oneOf(rc::gen::inRange<size_t>(1, 9), rc::gen::just(kVectorValues),
                                   rc::gen::inRange<size_t>(1, kVectorValues + 1));
  return rc::gen::mapcat(size, [value](size_t n) { return rc::gen::container<std::vector<T>>(n, value); });
}

rc::Gen<int64_t> any_int() {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  return rc::gen::weightedOneOf<int64_t>(
      {{4, rc::gen::resize(100, rc::gen::arbitrary<int64_t>())},
       {2, rc::gen::inRange<int64_t>(-50, 50)},
       {1, rc::gen::elementOf(std::vector<int64_t>{kMin, kMin + 1, -1, 0, 1, kMax - 1, kMax})}});
}

// Bits of a double: any, the odd ones, or a decimal.
rc::Gen<uint64_t> any_double_bits() {
  const auto nan = rc::gen::map(rc::gen::resize(100, rc::gen::arbitrary<uint64_t>()),
                                [](uint64_t bits) { return bits | 0x7ff0000000000000; });  // and infinities
  const auto decimal = rc::gen::map(rc::gen::inRange<int64_t>(-1'000'000, 1'000'000), [](int64_t v) {
    return std::bit_cast<uint64_t>(static_cast<double>(v) / 100);
  });
  return rc::gen::weightedOneOf<uint64_t>(
      {{2, rc::gen::resize(100, rc::gen::arbitrary<uint64_t>())},
       {2, nan},
       {1, rc::gen::elementOf(std::vector<uint64_t>{0, 0x8000000000000000, 1, 0x7ff0000000000000,
                                                    0xfff0000000000000, 0x7fefffffffffffff,
                                                    0x0010000000000000})},
       {20, decimal}});
}

// Decodes into the middle of a larger array and checks that its margins stay as they were.
template <class T, class Decode>
std::vector<T> decode_inside_margins(const std::string& page, size_t n, T canary, Decode decode) {
  std::vector<T> out(n + 2 * kMargin, canary);
  RC_ASSERT(decode(exact_copy(page), n, out.data() + kMargin).has_value());
  for (size_t i = 0; i < kMargin; ++i) {
    RC_ASSERT(std::memcmp(&out[i], &canary, sizeof canary) == 0);
    RC_ASSERT(std::memcmp(&out[kMargin + n + i], &canary, sizeof canary) == 0);
  }
  return {out.begin() + kMargin, out.begin() + static_cast<std::ptrdiff_t>(kMargin + n)};
}

void expect_property(const char* what, auto property) {
  EXPECT_TRUE(rc::check(what, property));
}

TEST(PageProperty, AnyIntegersComeBack) {
  expect_property("integer pages", [] {
    const auto values = *page_of(any_int());
    for (const Effort effort : kEfforts) {
      std::string page;
      encode_int_page(values, effort, page);
      RC_ASSERT(decode_inside_margins<int64_t>(page, values.size(), 0x5a5a5a5a,
                                               [](const auto& bytes, size_t n, auto* out) {
                                                 return decode_int_page(bytes, n, out);
                                               }) == values);
    }
  });
}

TEST(PageProperty, SumsOfAnyIntegersComeBack) {
  expect_property("walks", [] {
    auto values = *page_of(any_int());
    uint64_t walk = 0;
    for (int64_t& v : values) v = static_cast<int64_t>(walk += static_cast<uint64_t>(v));
    for (const Effort effort : kEfforts) {
      std::string page;
      encode_int_page(values, effort, page);
      std::vector<int64_t> back(values.size());
      RC_ASSERT(decode_int_page(exact_copy(page), back.size(), back.data()).has_value());
      RC_ASSERT(back == values);
    }
  });
}

TEST(PageProperty, EveryBitOfAnyDoublesComesBack) {
  expect_property("double pages", [] {
    const auto bits = *page_of(any_double_bits());
    std::vector<double> values(bits.size());
    std::memcpy(values.data(), bits.data(), bits.size() * 8);
    for (const Effort effort : kEfforts) {
      std::string page;
      encode_double_page(values, effort, page);
      const auto back = decode_inside_margins<double>(
          page, values.size(), 1.25,
          [](const auto& bytes, size_t n, auto* out) { return decode_double_page(bytes, n, out); });
      RC_ASSERT(std::memcmp(back.data(), bits.data(), bits.size() * 8) == 0);
    }
  });
}

TEST(PageProperty, AnyBooleansComeBack) {
  expect_property("boolean pages", [] {
    const auto values = *page_of(rc::gen::inRange<uint8_t>(0, 2));
    for (const Effort effort : kEfforts) {
      std::string page;
      encode_bool_page(values, effort, page);
      RC_ASSERT(decode_inside_margins<uint8_t>(page, values.size(), 0x5a,
                                               [](const auto& bytes, size_t n, auto* out) {
                                                 return decode_bool_page(bytes, n, out);
                                               }) == values);
    }
  });
}

TEST(PageProperty, AnyStringsComeBack) {
  expect_property("string pages", [] {
    const auto few = *rc::gen::container<std::vector<std::string>>(5, rc::gen::string<std::string>());
    const auto values = *page_of(rc::gen::oneOf(rc::gen::elementOf(few), rc::gen::string<std::string>()));
    for (const Effort effort : kEfforts) {
      std::string page;
      encode_string_page(std::vector<std::string_view>(values.begin(), values.end()), effort, page);
      StringPage back;
      RC_ASSERT(decode_string_page(exact_copy(page), values.size(), back).has_value());
      for (size_t i = 0; i < values.size(); ++i) RC_ASSERT(back[i] == values[i]);
    }
  });
}

}  // namespace
}  // namespace varve
