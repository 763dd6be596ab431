// Runs the fuzz targets over real pages with seeded damage, so that every build exercises them.
#include <gtest/gtest.h>

#include <tuple>

#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"
#include "storage/segment/writer.h"
#include "tests/fuzz/targets.h"
#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::Random;

// Up to four random edits: a byte set, a bit flipped, a piece cut out or doubled.
void damage(Random& random, std::string& bytes) {
  for (size_t edits = testing::below(random, 5); edits > 0 && bytes.size() > 4; --edits) {
    const size_t at = testing::below(random, bytes.size()), length = 1 + testing::below(random, 4);
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      default:
        bytes.insert(at, bytes.substr(at, length));
        break;
    }
  }
}

template <class MakePage, class Target>
void replay(MakePage make_page, Target target) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const size_t n = testing::page_size(random);
    std::string input = {static_cast<char>((n - 1) & 255), static_cast<char>((n - 1) >> 8)};
    make_page(random, static_cast<int>(seed), n, input);
    damage(random, input);
    target(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
}

TEST(FuzzReplay, IntPagesSurviveDamage) {
  replay(
      [](Random& random, int seed, size_t n, std::string& out) {
        encode_int_page(testing::ints(random, seed % testing::kIntShapes, n), Effort::kExhaustive, out);
      },
      fuzz::int_page);
}

TEST(FuzzReplay, DoublePagesSurviveDamage) {
  replay(
      [](Random& random, int seed, size_t n, std::string& out) {
        encode_double_page(testing::doubles(random, seed % testing::kDoubleShapes, n), Effort::kFast, out);
      },
      fuzz::double_page);
}

TEST(FuzzReplay, BoolPagesSurviveDamage) {
  replay(
      [](Random& random, int, size_t n, std::string& out) {
        std::vector<uint8_t> values(n);
        const size_t share = 1 + testing::below(random, 40);
        for (uint8_t& value : values) value = testing::below(random, share) == 0;
        encode_bool_page(values, Effort::kFast, out);
      },
      fuzz::bool_page);
}

TEST(FuzzReplay, StringPagesSurviveDamage) {
  replay(
      [](Random& random, int seed, size_t n, std::string& out) {
        const auto values = testing::strings(random, seed % testing::kStringShapes, n);
        encode_string_page(std::vector<std::string_view>(values.begin(), values.end()), Effort::kFast, out);
      },
      fuzz::string_page);
}

// Twenty rows of three series at times 1..20, in the layout of the target's input.
std::string segment_input() {
  SegmentWriter writer({42, 1, 1, 0, {}, {}},
                       {"d", "t", {"k"}, {{"x", FieldType::kDouble}, {"s", FieldType::kString}}, {}},
                       Effort::kFast);
  std::vector<ColumnVector> columns = {ColumnVector(FieldType::kDouble), ColumnVector(FieldType::kString)};
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 20; ++i) {
    times.push_back(i + 1);
    i % 5 ? columns[0].push_double(static_cast<double>(i) / 4) : columns[0].push_null();
    columns[1].push_string(i % 3 ? "on" : "off");
  }
  for (const auto& [name, first, count] : {std::tuple{"a", 0, 3}, {"b", 3, 7}, {"c", 10, 10}}) {
    EXPECT_TRUE(writer.begin_series({{"k", name}}));
    const auto begin = static_cast<size_t>(first);
    EXPECT_TRUE(writer.append({times.data() + begin, static_cast<size_t>(count)}, columns, begin));
  }
  const std::string image = *writer.finish();
  const auto footer = *parse_segment_footer(image.substr(image.size() - kSegmentFooterBytes), image.size());
  const size_t data = footer.index_offset - kSegmentHeaderBytes;
  std::string input;
  ByteWriter out(input);
  out.fixed(static_cast<uint16_t>(data));
  out.u8(static_cast<uint8_t>(footer.rows - 1));
  out.u8(static_cast<uint8_t>(footer.time_max - 1));
  out.bytes(std::string_view(image).substr(kSegmentHeaderBytes, data + footer.index_bytes));
  return input;
}

TEST(FuzzReplay, SegmentsSurviveDamage) {
  const std::string good = segment_input();
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::string input = good;
    damage(random, input);
    fuzz::segment(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
}

}  // namespace
}  // namespace varve
