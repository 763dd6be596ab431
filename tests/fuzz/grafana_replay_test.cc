// Runs the Grafana fuzz target over real requests with seeded damage, so that every build exercises it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/targets.h"

namespace varve {
namespace {

TEST(FuzzReplay, DamagedGrafanaRequestsAreAnsweredOrRefused) {
  std::vector<std::string> bodies;
  for (const auto& file :
       std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/fuzz/corpus/grafana")) {
    std::ifstream in(file.path(), std::ios::binary);
    bodies.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  std::sort(bodies.begin(), bodies.end());  // the same on every machine
  ASSERT_GE(bodies.size(), 10U);
  const auto run = [](const std::string& body) {
    SCOPED_TRACE(body);
    fuzz::grafana(reinterpret_cast<const uint8_t*>(body.data()), body.size());
  };
  for (const std::string& body : bodies) run(body);
  constexpr std::string_view kTelling = "{}[]\",:\\0-e.$|=!~ nt\n\xc2";
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    std::mt19937_64 random(seed);
    std::string body = bodies[random() % bodies.size()];
    if (seed % 5 == 0) body[0] = static_cast<char>('0' + random() % 8);  // as another route's
    for (uint64_t edits = 1 + random() % 4; edits > 0 && body.size() > 8; --edits) {
      const size_t at = 1 + random() % (body.size() - 1);
      const size_t length = 1 + random() % 8;
      switch (random() % 5) {
        case 0:
          body[at] = static_cast<char>(random());
          break;
        case 1:
          body[at] = kTelling[random() % kTelling.size()];
          break;
        case 2:
          body.erase(at, length);
          break;
        case 3: {  // a piece of another request, which keeps more of them JSON
          const std::string& other = bodies[random() % bodies.size()];
          const size_t from = 1 + random() % (other.size() - 1);
          body.insert(at, other.substr(from, random() % 40));
          break;
        }
        default: {  // a number or a word becomes another
          const size_t digit = body.find_first_of("0123456789", at);
          if (digit != std::string::npos) body.replace(digit, 1, std::to_string(random()));
          break;
        }
      }
    }
    run(body);
  }
}

}  // namespace
}  // namespace varve
