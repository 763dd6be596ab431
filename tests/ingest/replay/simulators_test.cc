#include "ingest/replay/simulators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "ingest/replay/json_text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'767'225'600LL * kNsPerSecond;  // 2026-01-01

class StandingClock : public Clock {
 public:
  int64_t wall_ns() const override { return kNow; }
  int64_t monotonic_ns() const override { return 0; }
};

std::vector<GeneratedMessage> take(const std::string& kind, uint64_t seed, uint64_t count) {
  const StandingClock clock;
  SimulatorOptions options;
  options.kind = kind;
  options.seed = seed;
  options.count = count;
  auto simulator = make_simulator(options, clock);
  EXPECT_TRUE(simulator.has_value()) << simulator.error().message;
  EXPECT_EQ((*simulator)->total(), count);
  std::vector<GeneratedMessage> out;
  GeneratedMessage message;
  while ((*simulator)->next(message).value_or(false)) out.push_back(message);
  return out;
}

TEST(Simulators, RepeatThemselvesForTheSameSeedOnly) {
  for (const char* kind : {"water", "clickstream", "machines"}) {
    const auto first = take(kind, 7, 1'000);
    const auto again = take(kind, 7, 1'000);
    const auto other = take(kind, 8, 1'000);
    ASSERT_EQ(first.size(), 1'000) << kind;
    size_t differing = 0;
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].value, again[i].value) << kind;
      EXPECT_EQ(first[i].key, again[i].key) << kind;
      differing += first[i].value != other[i].value ? 1 : 0;
    }
    EXPECT_GT(differing, 900) << kind;
  }
}

TEST(Simulators, WaterDriftsFallsSilentComesLateAndBreaksNowAndThen) {
  constexpr size_t kCount = 200'000;
  const auto messages = take("water", 42, kCount);
  size_t broken = 0;
  size_t late = 0;
  std::set<int64_t> times;
  std::set<std::string> sites;
  for (const auto& message : messages) {
    const auto json = nlohmann::json::parse(message.value, nullptr, false);
    if (json.is_discarded()) {
      ++broken;
      continue;
    }
    EXPECT_EQ(json.at("sensor_id"), message.key);
    sites.insert(json.at("site"));
    const double ph = json.at("ph");
    EXPECT_TRUE(ph > 5 && ph < 10) << ph;
    for (const char* name : {"temperature_c", "turbidity_ntu", "conductivity_us", "dissolved_oxygen_mg_l",
                             "battery_v", "status"}) {
      EXPECT_TRUE(json.at(name).is_number()) << name;
    }
    const auto time = parse_timestamp(json.at("ts").get<std::string>());
    ASSERT_TRUE(time.has_value()) << message.value;
    if (*time < kNow) ++late;
    EXPECT_TRUE(*time < kNow || times.insert(*time).second) << "a time came twice: " << message.value;
  }
  EXPECT_EQ(sites.size(), 10);
  EXPECT_TRUE(broken >= 5 && broken <= 60) << broken;  // 1 in 10,000
  EXPECT_TRUE(late >= 50 && late <= 200) << late;      // 1 in 2,000
}

TEST(Simulators, OthersAreAlwaysValidJson) {
  for (const char* kind : {"clickstream", "machines"}) {
    for (const auto& message : take(kind, 1, 5'000)) {
      const auto json = nlohmann::json::parse(message.value, nullptr, false);
      ASSERT_FALSE(json.is_discarded()) << message.value;
      EXPECT_TRUE(json.at("ts").is_number_integer());
      EXPECT_FALSE(message.key.empty());
    }
  }
}

TEST(Simulators, RefuseWhatTheyAreNot) {
  SimulatorOptions options;
  options.kind = "volcano";
  const auto unknown = make_simulator(options);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("use water, clickstream or machines"));
  options.kind = "water";
  options.sensors = 0;
  EXPECT_FALSE(make_simulator(options).has_value());
}

TEST(JsonText, WritesFixedPointNumbers) {
  struct Case {
    int64_t scaled;
    int decimals;
    const char* text;
  };
  for (const auto& test : std::vector<Case>{{0, 0, "0"},
                                            {0, 3, "0.000"},
                                            {7, 3, "0.007"},
                                            {-7, 3, "-0.007"},
                                            {7312, 3, "7.312"},
                                            {-1234, 2, "-12.34"},
                                            {42, 0, "42"},
                                            {INT64_MIN, 0, "-9223372036854775808"}}) {
    std::string out;
    append_fixed_point(out, test.scaled, test.decimals);
    EXPECT_EQ(out, test.text);
  }
}

}  // namespace
}  // namespace varve
