// Runs the fuzz targets of the decoders over their corpus with seeded damage, so that every build exercises
// them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/targets.h"

namespace varve {
namespace {

std::vector<std::string> corpus(const std::string& name) {
  std::vector<std::string> inputs;
  for (const auto& file :
       std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
    std::ifstream in(file.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

template <class Target>
void replay(const std::string& name, Target target) {
  const std::vector<std::string> inputs = corpus(name);
  ASSERT_FALSE(inputs.empty());
  constexpr std::string_view kTelling = "{}[]\",:\\= \n\r0-.e";  // bytes that mean something to a parser
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string input = inputs[seed % inputs.size()];
    for (size_t edits = random() % 4; edits > 0 && input.size() > 4; --edits) {
      const size_t at = random() % input.size();
      switch (random() % 4) {
        case 0:
          input[at] = static_cast<char>(random());
          break;
        case 1:
          input[at] = kTelling[random() % kTelling.size()];
          break;
        case 2:
          input.erase(at, 1 + random() % 4);
          break;
        default:
          input.insert(at, input.substr(at, 1 + random() % 16));
      }
    }
    target(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
}

TEST(DecodeReplay, JsonSurvivesDamage) {
  replay("json", fuzz::json);
}
TEST(DecodeReplay, CsvSurvivesDamage) {
  replay("csv", fuzz::csv);
}
TEST(DecodeReplay, AvroSurvivesDamage) {
  replay("avro", fuzz::avro);
}
TEST(DecodeReplay, ConnectSurvivesDamage) {
  replay("connect", fuzz::connect);
}
TEST(DecodeReplay, LineProtocolSurvivesDamage) {
  replay("line_protocol", fuzz::line_protocol);
}

}  // namespace
}  // namespace varve
