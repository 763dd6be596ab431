// Progress of long commands: a bar with rate and time left on a terminal, nothing elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/kafka/embedded_broker.h"
#include "tests/support/process.h"
#include "tests/support/terminal.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{90};

class ProgressOfProduce : public ::testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::start();
    ASSERT_TRUE(broker.has_value());
    broker_ = std::move(*broker);
  }
  std::vector<std::string> command() const {
    return {VARVE_BINARY, "produce", "--brokers",  broker_->bootstrap(),
            "--topic",    "t",       "--simulate", "water",
            "--count",    "3000",    "--rate",     "3000"};
  }
  std::unique_ptr<EmbeddedBroker> broker_;
};

TEST_F(ProgressOfProduce, IsABarWithRateAndTimeLeftOnATerminal) {
  Terminal terminal(command(), {});
  EXPECT_TRUE(terminal.see("of 3,000 delivered, ")) << terminal.shown();
  EXPECT_TRUE(terminal.see(" messages/s")) << terminal.shown();
  EXPECT_TRUE(terminal.see(" s left")) << terminal.shown();
  EXPECT_TRUE(terminal.see("3,000 messages (")) << terminal.shown();
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_THAT(terminal.raw(), HasSubstr("\r\x1b[K[")) << "in place";
}

TEST_F(ProgressOfProduce, FitsANarrowTerminal) {
  Terminal terminal(command(), {}, {30, 10});
  EXPECT_TRUE(terminal.see("3,000 messages (")) << terminal.shown();
  const std::string& raw = terminal.raw();
  const std::string begin = "\r\x1b[K";
  size_t lines = 0;
  for (size_t at = raw.find(begin); at != std::string::npos; ++lines) {
    const size_t next = raw.find(begin, at + 1);
    if (next == std::string::npos) break;  // the last one, with what is printed after it
    EXPECT_LT(next - at - begin.size(), 30U)
        << "a line that wraps cannot be rewritten: " << raw.substr(at, next - at);
    at = next;
  }
  EXPECT_GT(lines, 0U);
  EXPECT_THAT(raw, HasSubstr("% ")) << "the bar gives way to the numbers";
}

TEST_F(ProgressOfProduce, IsSilentElsewhere) {
  const Finished done = run(command(), kPatience);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("3,000 messages ("));
  EXPECT_THAT(done.err, Not(HasSubstr("% ")));
  EXPECT_THAT(done.err, Not(HasSubstr("\r")));
}

}  // namespace
}  // namespace varve::test
