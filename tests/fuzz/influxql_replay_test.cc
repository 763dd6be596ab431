// Runs the InfluxQL fuzz target over real statements with seeded damage, so that every build exercises it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/api/influxql/statement_texts.h"
#include "tests/fuzz/targets.h"

namespace varve {
namespace {

TEST(FuzzReplay, DamagedInfluxqlIsAnsweredOrRefused) {
  std::vector<std::string> texts;  // such that mean something without damage
  for (const test::StatementText& text : test::statement_texts()) {
    if (text.outcome == "ok") texts.push_back(text.statement);
  }
  for (const auto& file :
       std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/fuzz/corpus/influxql")) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    texts.insert(texts.end(), 20, text);
  }
  std::sort(texts.begin(), texts.end());  // the same on every machine
  ASSERT_GT(texts.size(), 200U);
  constexpr std::string_view kTelling =
      "()\"'/\\;,.:$=~!<>*+-0 \n\xc2";  // bytes that mean something to the lexer
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    std::mt19937_64 random(seed);
    std::string text = texts[random() % texts.size()];
    if (seed % 7 == 0) text += "; " + texts[random() % texts.size()];
    for (uint64_t edits = random() % 4; edits > 0 && text.size() > 4; --edits) {
      const size_t at = random() % text.size();
      const size_t length = 1 + random() % 6;
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text[at] = kTelling[random() % kTelling.size()];
          break;
        case 2:
          text.erase(at, length);
          break;
        default:
          text.insert(at, text.substr(text.size() - at - 1, length));
          break;
      }
    }
    SCOPED_TRACE(text);
    fuzz::influxql(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  }
}

}  // namespace
}  // namespace varve
