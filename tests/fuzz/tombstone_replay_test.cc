// Runs the tombstone fuzz target over real ones with seeded damage, so that every build exercises it.
#include <gtest/gtest.h>

#include <random>

#include "storage/model/series_key.h"
#include "storage/tombstone/format.h"
#include "tests/fuzz/targets.h"

namespace varve {
namespace {

TEST(FuzzReplay, TombstonesSurviveDamage) {
  RowDelete rows{"varve", "water", {-5, 5}, false, {}};
  for (const char* site : {"a", "b", "c"}) append_series_key(rows.series.emplace_back(), {{"site", site}});
  std::string body;
  ByteWriter out(body);
  encode_row_delete(rows, out);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string input = seed % 2 == 0 ? body : encode_tombstone({3, 4, rows});
    for (uint64_t edits = random() % 4; edits > 0; --edits) {
      input[random() % input.size()] = static_cast<char>(random());
      if (random() % 4 == 0) input.resize(1 + random() % input.size());
    }
    fuzz::tombstone(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
}

}  // namespace
}  // namespace varve
