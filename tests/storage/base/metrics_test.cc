#include "storage/base/metrics.h"

#include <gmock/gmock.h>

#include <sstream>
#include <thread>

namespace varve {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, RendersHelpAndTypeOnceBeforeAFamilysSamples) {
  MetricsRegistry registry;
  registry.counter("varve_b_total", "Bs.", {{"kind", "x"}}).add(2);
  registry.gauge("varve_a", "As.").set(1.5);
  registry.counter("varve_b_total", "Bs.", {{"kind", "a"}}).add();
  EXPECT_EQ(registry.render(),
            "# HELP varve_a As.\n# TYPE varve_a gauge\nvarve_a 1.5\n"
            "# HELP varve_b_total Bs.\n# TYPE varve_b_total counter\n"
            "varve_b_total{kind=\"a\"} 1\nvarve_b_total{kind=\"x\"} 2\n");
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  MetricsRegistry registry;
  EXPECT_EQ(&registry.counter("c_total", "C."), &registry.counter("c_total", "C."));
  EXPECT_NE(&registry.counter("c_total", "C."), &registry.counter("c_total", "C.", {{"a", "b"}}));
}

TEST(Metrics, EscapesLabelsAndHelp) {
  MetricsRegistry registry;
  registry.gauge("g", "back\\slash \"quoted\"\nnext line", {{"l", "a\\b\"c\nd"}}).set(1);
  EXPECT_EQ(registry.render(),
            "# HELP g back\\\\slash \"quoted\"\\nnext line\n# TYPE g gauge\ng{l=\"a\\\\b\\\"c\\nd\"} 1\n");
}

TEST(Metrics, NumbersAreWholeOrSpelledAsPrometheusReadsThem) {
  MetricsRegistry registry;
  registry.counter("c_total", "C.").add(12'345'678'901'234);
  registry.gauge("g", "G.", {{"v", "inf"}}).set(std::numeric_limits<double>::infinity());
  registry.gauge("g", "G.", {{"v", "nan"}}).set(std::numeric_limits<double>::quiet_NaN());
  registry.gauge("g", "G.", {{"v", "neg"}}).set(-std::numeric_limits<double>::infinity());
  const std::string text = registry.render();
  EXPECT_THAT(text, HasSubstr("c_total 12345678901234\n"));
  EXPECT_THAT(text, HasSubstr("g{v=\"inf\"} +Inf\n"));
  EXPECT_THAT(text, HasSubstr("g{v=\"neg\"} -Inf\n"));
  EXPECT_THAT(text, HasSubstr("g{v=\"nan\"} NaN\n"));
}

TEST(Metrics, HistogramBucketsAreCumulativeAndEndInTheCount) {
  MetricsRegistry registry;
  LatencyHistogram& histogram = registry.histogram("h_seconds", "H.", {{"op", "x"}});
  for (const int64_t ns : {0, 1000, 1001, 2'000'000, 1'000'000'000}) histogram.observe_ns(ns);
  histogram.observe_ns(int64_t{3600} * 1'000'000'000);  // past the last bound
  const std::string text = registry.render();
  EXPECT_THAT(text, HasSubstr("# TYPE h_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{op=\"x\",le=\"1e-06\"} 2\n"))
      << "a bound belongs to its bucket";
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{op=\"x\",le=\"2.5e-06\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{op=\"x\",le=\"100\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{op=\"x\",le=\"+Inf\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_count{op=\"x\"} 6\n"));
  uint64_t last = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("_bucket") == std::string::npos) continue;
    const uint64_t value = std::stoull(line.substr(line.rfind(' ')));
    EXPECT_GE(value, last);
    last = value;
  }
  EXPECT_NEAR(histogram.sum_seconds(), 3601.002002001, 1e-9);
}

TEST(Metrics, CollectorsRunBeforeEachRenderingUntilRemoved) {
  MetricsRegistry registry;
  int runs = 0;
  const uint64_t id = registry.add_collector([&] { registry.gauge("runs", "R.").set(++runs); });
  EXPECT_THAT(registry.render(), HasSubstr("runs 1\n"));
  EXPECT_THAT(registry.render(), HasSubstr("runs 2\n"));
  registry.remove_collector(id);
  registry.render();
  EXPECT_EQ(runs, 2);
}

TEST(Metrics, MayBeWrittenWhileRendered) {
  MetricsRegistry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        registry.counter("c_total", "C.", {{"t", std::to_string(t)}}).add();
        registry.histogram("h_seconds", "H.").observe_ns(i);
      }
    });
  }
  for (int i = 0; i < 20; ++i) registry.render();
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(registry.render(), HasSubstr("c_total{t=\"3\"} 1000\n"));
  EXPECT_THAT(registry.render(), HasSubstr("h_seconds_count 4000\n"));
}

TEST(Metrics, AFamilyIsBoundedAndWhatIsBeyondIsOther) {
  MetricsRegistry registry;
  for (size_t i = 0; i < 3 * MetricsRegistry::kSeriesPerFamilyMax; ++i) {
    registry.counter("c_total", "C.", {{"who", std::to_string(i)}}).add();
    registry.histogram("h_seconds", "H.", {{"who", std::to_string(i)}}).observe_ns(1);
  }
  registry.counter("c_total", "C.", {{"who", "0"}}).add();  // one that was there
  const std::string text = registry.render();
  size_t series = 0;
  for (size_t at = text.find("\nc_total{"); at != std::string::npos; at = text.find("\nc_total{", at + 1))
    ++series;
  EXPECT_EQ(series, MetricsRegistry::kSeriesPerFamilyMax + 1);
  EXPECT_THAT(text, HasSubstr("c_total{who=\"other\"} 2000\n"));
  EXPECT_THAT(text, HasSubstr("c_total{who=\"0\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_count{who=\"other\"} 2000\n"));
}

TEST(Metrics, TotalsAreShownAsCountersAndBrokenTextAsReplacementCharacters) {
  MetricsRegistry registry;
  registry.total("cpu_seconds_total", "C.").set(1.25);
  registry.gauge("g", "G.", {{"table", "a\xff"}}).set(1);
  const std::string text = registry.render();
  EXPECT_THAT(text, HasSubstr("# TYPE cpu_seconds_total counter\ncpu_seconds_total 1.25\n"));
  EXPECT_THAT(text, HasSubstr("g{table=\"a\xef\xbf\xbd\"} 1\n"));
}

}  // namespace
}  // namespace varve
