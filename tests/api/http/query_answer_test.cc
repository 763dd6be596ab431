#include "api/http/query_answer.h"

#include <gtest/gtest.h>

#include <future>

namespace varve {
namespace {

// Writes what it is given; counts how often it was asked to.
class FixedText final : public AnswerText {
 public:
  FixedText(std::string text, int& written) : text_(std::move(text)), written_(written) {}
  QueryResult<bool> write(const QueryRequest&, const Put& put) override {
    ++written_;
    return put(text_);
  }
  void fail(const QueryError&) override { ADD_FAILURE() << "no text was handed out"; }

 private:
  const std::string text_;
  int& written_;
};

TEST(QueryAnswer, IsBusyWhenNoThreadTakesIt) {
  int written = 0;
  Workers none({.kept = 0, .max = 0, .queue = 0, .idle = std::chrono::seconds(60)});
  QueryAnswer answer(none, {}, std::make_unique<FixedText>("x", written));
  ASSERT_EQ(answer.wait([] { return false; }), QueryAnswer::Start::kFailed);
  EXPECT_EQ(answer.error().kind, QueryErrorKind::kBusy);
  EXPECT_EQ(answer.error().code, "busy");
  EXPECT_EQ(answer.error().hint, "try again");
  EXPECT_EQ(written, 0);
}

TEST(QueryAnswer, IsBusyWhenItsThreadsAreAllTakenAndTheQueueIsFull) {
  std::promise<void> started;
  std::promise<void> release;
  Workers one({.kept = 1, .max = 1, .queue = 1, .idle = std::chrono::seconds(60)});
  ASSERT_TRUE(one.enqueue([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(one.enqueue([] {}));
  int written = 0;
  {
    QueryAnswer refused(one, {}, std::make_unique<FixedText>("x", written));
    EXPECT_EQ(refused.wait([] { return false; }), QueryAnswer::Start::kFailed);
    EXPECT_EQ(refused.error().code, "busy");
  }
  release.set_value();
  EXPECT_EQ(written, 0);
}

TEST(QueryAnswer, IsWholeWhenItFits) {
  int written = 0;
  Workers one({.kept = 1, .max = 1, .queue = 1, .idle = std::chrono::seconds(60)});
  QueryAnswer answer(one, {}, std::make_unique<FixedText>("all of it", written));
  ASSERT_EQ(answer.wait([] { return false; }), QueryAnswer::Start::kWhole);
  EXPECT_EQ(answer.take_whole(), "all of it");
  EXPECT_EQ(written, 1);
}

}  // namespace
}  // namespace varve
