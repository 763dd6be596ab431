// Three streams that look like real ones, about a million messages a second on one core, no allocation per
// message.
//   water        sensors in lakes: values drift and have a daily cycle, batteries run down, sensors fall
//   silent for a
//                while; one reading in 2,000 comes minutes to hours late, one in 10,000 is cut off in the
//                middle
//   clickstream  visitors of a shop: pages, referrers, sessions, durations, now and then an amount
//   machines     hosts reporting CPU use, in the shape of the Time Series Benchmark Suite's cpu table
// Times are the clock's, to the microsecond and never twice the same, so that no reading overwrites another.
#include "ingest/replay/simulators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numbers>

#include "ingest/replay/json_text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr uint32_t kSensorsMax = 10'000'000;  // state is some 100 bytes each: 1 GB

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): tiny, fast, and any seed will do.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return ((next() >> 32) * bound) >> 32; }  // bound at most 2^32
  int64_t between(int64_t low, int64_t high) {                               // both included
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool one_in(uint64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// Microseconds of the clock, each at most once.
class UniqueTime {
 public:
  explicit UniqueTime(const Clock& clock) : clock_(clock) {}
  int64_t next_us() { return last_us_ = std::max(clock_.wall_ns() / kNsPerUs, last_us_ + 1); }

 private:
  const Clock& clock_;
  int64_t last_us_ = 0;
};

// RFC 3339 with microseconds; the date and second are written once a second.
class TimeText {
 public:
  void append(std::string& out, int64_t us) {
    const int64_t second = us / 1'000'000;
    if (second != second_) {
      second_ = second;
      prefix_ = format_timestamp(second * kNsPerSecond);
      prefix_.pop_back();  // the Z
      prefix_.push_back('.');
    }
    out += prefix_;
    std::array<char, 6> digits{};
    int64_t rest = us % 1'000'000;
    for (auto at = digits.rbegin(); at != digits.rend(); ++at) {
      *at = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    out.append(digits.data(), digits.size());
    out.push_back('Z');
  }

 private:
  int64_t second_ = INT64_MIN;
  std::string prefix_;
};

class Simulator : public Generator {
 public:
  Simulator(const SimulatorOptions& options, const Clock& clock)
      : random_(options.seed != 0 ? options.seed : static_cast<uint64_t>(clock.wall_ns())),
        time_(clock),
        count_(options.count) {}

  Result<bool> next(GeneratedMessage& message) final {
    if (count_ != 0 && made_ == count_) return false;
    ++made_;
    message.timestamp_ms = 0;
    message.value.clear();
    make(message);
    return true;
  }
  std::optional<uint64_t> total() const final { return count_ == 0 ? std::nullopt : std::optional(count_); }

 protected:
  virtual void make(GeneratedMessage& message) = 0;

  static void add_text(std::string& out, std::string_view name, std::string_view plain) {
    out.append(name).append("\"").append(plain).push_back('"');
  }
  static void add_number(std::string& out, std::string_view name, int64_t scaled, int decimals) {
    out.append(name);
    append_fixed_point(out, scaled, decimals);
  }

  Random random_;
  UniqueTime time_;

 private:
  uint64_t count_;
  uint64_t made_ = 0;
};

class WaterSimulator : public Simulator {
 public:
  WaterSimulator(const SimulatorOptions& options, const Clock& clock) : Simulator(options, clock) {
    for (uint32_t i = 0; i < options.sensors; ++i) {
      Sensor& sensor = sensors_.emplace_back();
      sensor.id = fmt::format("s-{:04}", i);
      sensor.site = kSites[i % kSites.size()];
      sensor.ph = random_.between(6'800, 8'400);
      sensor.temperature = random_.between(12'000, 22'000);
      sensor.turbidity = random_.between(300, 4'000);
      sensor.conductivity = random_.between(2'000, 6'000);
      sensor.oxygen = random_.between(6'500, 10'500);
      sensor.battery = random_.between(3'500, 4'150);
      sensor.phase = static_cast<double>(random_.below(1'000)) / 1'000;
    }
  }

 private:
  static constexpr std::array<std::string_view, 10> kSites{"montrose", "ohio-street", "calumet", "rainbow",
                                                           "osterman", "63rd-street", "foster",  "leone",
                                                           "oak",      "promontory"};
  static constexpr uint64_t kLateOneIn = 2'000;
  static constexpr uint64_t kBrokenOneIn = 10'000;
  static constexpr uint64_t kSilenceOneIn = 20'000;  // then a sensor skips its next turns
  static constexpr int64_t kLateMinMs = 60LL * 1'000;
  static constexpr int64_t kLateMaxMs = 6 * 3'600LL * 1'000;

  struct Sensor {
    std::string id;
    std::string_view site;
    // In thousandths of the unit; conductivity in tenths.
    int64_t ph = 0, temperature = 0, turbidity = 0, conductivity = 0, oxygen = 0, battery = 0;
    double phase = 0;  // of the daily cycle, in days
    uint32_t silent_turns = 0;
  };

  // A random walk that stays within its bounds.
  void drift(int64_t& value, int64_t step, int64_t low, int64_t high) {
    value = std::clamp(value + random_.between(-step, step), low, high);
  }

  Sensor& next_sensor() {
    for (size_t tried = 0; tried < sensors_.size(); ++tried) {
      Sensor& sensor = sensors_[turn_];
      turn_ = turn_ + 1 == sensors_.size() ? 0 : turn_ + 1;
      if (sensor.silent_turns == 0) return sensor;
      --sensor.silent_turns;
    }
    return sensors_[turn_];  // all are silent: somebody has to speak
  }

  void make(GeneratedMessage& message) override {
    Sensor& sensor = next_sensor();
    if (random_.one_in(kSilenceOneIn)) sensor.silent_turns = static_cast<uint32_t>(random_.between(10, 500));
    drift(sensor.ph, 4, 6'000, 9'500);
    drift(sensor.temperature, 6, 4'000, 28'000);
    drift(sensor.turbidity, 12, 50, 30'000);
    drift(sensor.conductivity, 3, 500, 12'000);
    drift(sensor.oxygen, 6, 3'000, 14'000);
    if (random_.one_in(500)) sensor.battery = sensor.battery > 3'200 ? sensor.battery - 1 : 4'150;

    int64_t us = time_.next_us();
    if (random_.one_in(kLateOneIn)) us -= 1'000 * random_.between(kLateMinMs, kLateMaxMs);
    const double day = static_cast<double>(us % 86'400'000'000) / 86.4e9;
    const double cycle = std::sin(2 * std::numbers::pi * (day + sensor.phase));

    std::string& out = message.value;
    out.append(R"({"ts":")");
    times_.append(out, us);
    out.push_back('"');
    add_text(out, R"(,"sensor_id":)", sensor.id);
    add_text(out, R"(,"site":)", sensor.site);
    add_number(out, R"(,"ph":)", sensor.ph + std::lround(cycle * 120), 3);
    add_number(out, R"(,"temperature_c":)", (sensor.temperature + std::lround(cycle * 2'500)) / 10, 2);
    add_number(out, R"(,"turbidity_ntu":)", sensor.turbidity, 3);
    add_number(out, R"(,"conductivity_us":)", sensor.conductivity, 1);
    add_number(out, R"(,"dissolved_oxygen_mg_l":)", (sensor.oxygen - std::lround(cycle * 400)) / 10, 2);
    add_number(out, R"(,"battery_v":)", sensor.battery, 3);
    add_number(out, R"(,"status":)", sensor.battery < 3'300 ? 1 : 0, 0);
    out.push_back('}');
    if (random_.one_in(kBrokenOneIn)) out.resize(random_.below(out.size() - 2) + 1);
    message.key = sensor.id;
  }

  std::vector<Sensor> sensors_;
  size_t turn_ = 0;
  TimeText times_;
};

class ClickSimulator : public Simulator {
 public:
  ClickSimulator(const SimulatorOptions& options, const Clock& clock) : Simulator(options, clock) {
    for (uint32_t i = 0; i < options.sensors; ++i) {
      visitors_.push_back({fmt::format("u-{:05}", i), fmt::format("{:016x}", random_.next()), 0});
    }
  }

 private:
  static constexpr std::array<std::string_view, 12> kPages{"/",         "/search",  "/sale",     "/cart",
                                                           "/checkout", "/account", "/p/kettle", "/p/lamp",
                                                           "/p/chair",  "/p/desk",  "/p/rug",    "/help"};
  static constexpr std::array<std::string_view, 5> kReferrers{"direct", "search", "mail", "social",
                                                              "partner"};

  struct Visitor {
    std::string user;
    std::string session;
    size_t referrer;
  };

  void make(GeneratedMessage& message) override {
    Visitor& visitor = visitors_[random_.below(visitors_.size())];
    if (random_.one_in(30)) {
      visitor.session.clear();
      fmt::format_to(std::back_inserter(visitor.session), "{:016x}", random_.next());
      visitor.referrer = random_.below(kReferrers.size());
    }
    const std::string_view page =
        kPages[std::min(random_.below(kPages.size()), random_.below(kPages.size()))];
    std::string& out = message.value;
    add_number(out, R"({"ts":)", time_.next_us(), 0);
    add_text(out, R"(,"user":)", visitor.user);
    add_text(out, R"(,"session":)", visitor.session);
    add_text(out, R"(,"page":)", page);
    add_text(out, R"(,"referrer":)", kReferrers[visitor.referrer]);
    add_number(out, R"(,"duration_ms":)", random_.between(80, 4'000) * random_.between(1, 20), 0);
    if (page == "/checkout") add_number(out, R"(,"amount":)", random_.between(500, 30'000), 2);
    out.push_back('}');
    message.key = visitor.user;
  }

  std::vector<Visitor> visitors_;
};

class MachineSimulator : public Simulator {
 public:
  MachineSimulator(const SimulatorOptions& options, const Clock& clock) : Simulator(options, clock) {
    for (uint32_t i = 0; i < options.sensors; ++i) {
      Host& host = hosts_.emplace_back();
      host.name = fmt::format("host_{}", i);
      const size_t region = random_.below(kRegions.size());
      host.tags =
          fmt::format(R"(,"hostname":"{}","region":"{}","datacenter":"{}{}","os":"{}","service":"{}")",
                      host.name, kRegions[region], kRegions[region], "abc"[random_.below(3)],
                      kSystems[random_.below(kSystems.size())], random_.below(20));
      for (int64_t& value : host.usage) value = random_.between(0, 100);
    }
  }

 private:
  static constexpr std::array<std::string_view, 4> kRegions{"eu-west-1", "eu-central-1", "us-east-1",
                                                            "ap-southeast-2"};
  static constexpr std::array<std::string_view, 3> kSystems{"debian12", "ubuntu24.04", "alpine3"};
  static constexpr std::array<std::string_view, 10> kUsage{
      R"(,"usage_user":)",   R"(,"usage_system":)",    R"(,"usage_idle":)",    R"(,"usage_nice":)",
      R"(,"usage_iowait":)", R"(,"usage_irq":)",       R"(,"usage_softirq":)", R"(,"usage_steal":)",
      R"(,"usage_guest":)",  R"(,"usage_guest_nice":)"};

  struct Host {
    std::string name;
    std::string tags;
    std::array<int64_t, kUsage.size()> usage{};
  };

  void make(GeneratedMessage& message) override {
    Host& host = hosts_[turn_];
    turn_ = turn_ + 1 == hosts_.size() ? 0 : turn_ + 1;
    std::string& out = message.value;
    add_number(out, R"({"ts":)", time_.next_us(), 0);
    out += host.tags;
    for (size_t i = 0; i < kUsage.size(); ++i) {
      host.usage[i] = std::clamp<int64_t>(host.usage[i] + random_.between(-1, 1), 0, 100);
      add_number(out, kUsage[i], host.usage[i], 0);
    }
    out.push_back('}');
    message.key = host.name;
  }

  std::vector<Host> hosts_;
  size_t turn_ = 0;
};

}  // namespace

Result<std::unique_ptr<Generator>> make_simulator(const SimulatorOptions& options, const Clock& clock) {
  if (options.sensors == 0 || options.sensors > kSensorsMax) {
    return invalid_argument(fmt::format("{} sensors: use 1 to {}", options.sensors, kSensorsMax));
  }
  if (options.kind == "water") return std::unique_ptr<Generator>(new WaterSimulator(options, clock));
  if (options.kind == "clickstream") return std::unique_ptr<Generator>(new ClickSimulator(options, clock));
  if (options.kind == "machines") return std::unique_ptr<Generator>(new MachineSimulator(options, clock));
  return invalid_argument(
      fmt::format("there is no simulator \"{}\"; use water, clickstream or machines", options.kind));
}

Result<std::unique_ptr<Generator>> make_simulator(const SimulatorOptions& options) {
  return make_simulator(options, real_clock());
}

}  // namespace varve
