#include "ingest/replay/produce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace varve {
namespace {

class Counting : public Generator {
 public:
  explicit Counting(uint64_t end) : end_(end) {}
  Result<bool> next(GeneratedMessage& message) override {
    if (made_ == fail_at) return invalid_argument("file.csv:3: broken");
    if (made_ == end_) return false;
    message.key = "k";
    message.value = std::to_string(made_++);
    return true;
  }
  std::optional<uint64_t> total() const override { return end_; }
  uint64_t fail_at = UINT64_MAX;

 private:
  uint64_t end_;
  uint64_t made_ = 0;
};

class Recording : public KafkaProducer {
 public:
  Result<void> produce(std::string_view, std::string_view value, int64_t) override {
    values.emplace_back(value);
    return {};
  }
  void poll() override {}
  Result<void> flush(int64_t) override {
    failed_ = undeliverable;
    if (undeliverable == 0) return {};
    return unavailable("some were not delivered");
  }
  uint64_t delivered() const override { return values.size() - failed_; }
  uint64_t failed() const override { return failed_; }

  std::vector<std::string> values;
  uint64_t undeliverable = 0;

 private:
  uint64_t failed_ = 0;
};

TEST(Produce, SendsEverythingInOrder) {
  Counting generator(1'000);
  Recording producer;
  int calls = 0;
  const auto report = produce(generator, producer, {}, [&](const ProduceProgress&) { return ++calls > 0; });
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->sent, 1'000);
  EXPECT_EQ(report->delivered, 1'000);
  EXPECT_EQ(report->failed, 0);
  EXPECT_EQ(report->problem, "");
  EXPECT_FALSE(report->stopped);
  EXPECT_EQ(producer.values.back(), "999");
  EXPECT_GE(calls, 1);
}

TEST(Produce, StopsAtTheCountAndKeepsToTheRate) {
  Counting generator(1'000'000);
  Recording producer;
  ProduceOptions options;
  options.rate = 2'000;
  options.count = 400;
  const auto report = produce(generator, producer, options, {});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->sent, 400);
  EXPECT_GE(report->elapsed_ns,
            190'000'000);  // 400 at 2,000 a second: not faster; how much slower is the machine's
}

TEST(Produce, StopsWhenToldAndSaysSo) {
  Counting generator(UINT64_MAX);
  Recording producer;
  const auto report = produce(generator, producer, {}, [](const ProduceProgress& p) { return p.sent < 100; });
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->stopped);
  EXPECT_EQ(report->sent, producer.values.size());
}

TEST(Produce, ReportsWhatWasNotDelivered) {
  Counting generator(10);
  Recording producer;
  producer.undeliverable = 3;
  const auto report = produce(generator, producer, {}, {});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->failed, 3);
  EXPECT_EQ(report->delivered, 7);
  EXPECT_EQ(report->problem, "some were not delivered");
}

TEST(Produce, PassesTheGeneratorsErrorOn) {
  Counting generator(10);
  generator.fail_at = 2;
  Recording producer;
  const auto report = produce(generator, producer, {}, {});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().message, "file.csv:3: broken");
  EXPECT_EQ(producer.values.size(), 2);
}

}  // namespace
}  // namespace varve
