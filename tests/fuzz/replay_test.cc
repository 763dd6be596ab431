// Runs the fuzz targets over real pages with seeded damage, so that every build exercises them.
#include <gtest/gtest.h>

#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"
#include "tests/fuzz/codec_fuzz.h"
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

TEST(FuzzReplay, StringPagesSurviveDamage) {
  replay(
      [](Random& random, int seed, size_t n, std::string& out) {
        const auto values = testing::strings(random, seed % testing::kStringShapes, n);
        encode_string_page(std::vector<std::string_view>(values.begin(), values.end()), Effort::kFast, out);
      },
      fuzz::string_page);
}

}  // namespace
}  // namespace varve
