#include "tests/fuzz/targets.h"

#include <bit>
#include <vector>

#include "storage/base/check.h"
#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"

namespace varve::fuzz {
namespace {

struct Input {
  size_t n;
  std::vector<uint8_t> page;  // its own allocation, so that the sanitizer sees every byte read beyond
};

bool split(const uint8_t* data, size_t size, Input& input) {
  if (size < 2) return false;
  input.n = (data[0] + size_t{256} * data[1]) % kVectorValues + 1;
  input.page.assign(data + 2, data + size);
  return true;
}
std::span<const uint8_t> bytes_of(const std::string& page) {
  return {reinterpret_cast<const uint8_t*>(page.data()), page.size()};
}

}  // namespace

void int_page(const uint8_t* data, size_t size) {
  Input input;
  if (!split(data, size, input)) return;
  std::vector<int64_t> values(input.n), again(input.n);
  if (!decode_int_page(input.page, input.n, values.data())) return;
  for (const Effort effort : {Effort::kFast, Effort::kExhaustive}) {
    std::string page;
    encode_int_page(values, effort, page);
    VARVE_CHECK(decode_int_page(bytes_of(page), input.n, again.data()));
    VARVE_CHECK(again == values);
  }
}

void double_page(const uint8_t* data, size_t size) {
  Input input;
  if (!split(data, size, input)) return;
  std::vector<double> values(input.n), again(input.n);
  if (!decode_double_page(input.page, input.n, values.data())) return;
  std::string page;
  encode_double_page(values, Effort::kFast, page);
  VARVE_CHECK(decode_double_page(bytes_of(page), input.n, again.data()));
  for (size_t i = 0; i < input.n; ++i) {
    VARVE_CHECK(std::bit_cast<uint64_t>(again[i]) == std::bit_cast<uint64_t>(values[i]));
  }
}

void bool_page(const uint8_t* data, size_t size) {
  Input input;
  if (!split(data, size, input)) return;
  std::vector<uint8_t> values(input.n), again(input.n);
  if (!decode_bool_page(input.page, input.n, values.data())) return;
  for (const uint8_t value : values) VARVE_CHECK(value <= 1);
  std::string page;
  encode_bool_page(values, Effort::kFast, page);
  VARVE_CHECK(decode_bool_page(bytes_of(page), input.n, again.data()));
  VARVE_CHECK(again == values);
}

void string_page(const uint8_t* data, size_t size) {
  Input input;
  if (!split(data, size, input)) return;
  StringPage values, again;
  if (!decode_string_page(input.page, input.n, values)) return;
  std::vector<std::string_view> views(input.n);
  size_t total = 0;
  for (size_t i = 0; i < input.n; ++i) total += (views[i] = values[i]).size();
  if (total > size_t{1} << 20) return;  // correct, but slow to encode again
  std::string page;
  encode_string_page(views, Effort::kFast, page);
  VARVE_CHECK(decode_string_page(bytes_of(page), input.n, again));
  for (size_t i = 0; i < input.n; ++i) VARVE_CHECK(again[i] == views[i]);
}

}  // namespace varve::fuzz
