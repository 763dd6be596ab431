#include "api/http/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace varve {
namespace {

TEST(Workers, GrowWhileEveryOneIsBusy) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> running{0};
  std::promise<void> all;
  Workers workers({.kept = 1, .max = 8, .queue = 16, .idle = std::chrono::seconds(60)});
  for (int i = 0; i < 8; ++i) {  // in a burst: no worker has had time to wake
    ASSERT_TRUE(workers.enqueue([&] {
      if (++running == 8) all.set_value();
      released.wait();
    }));
  }
  all.get_future().wait();  // hangs unless all eight run at once
  release.set_value();
}

TEST(Workers, RefuseWhenEveryPlaceIsTaken) {
  std::promise<void> started, release;
  std::atomic<int> done{0};
  Workers workers({.kept = 1, .max = 1, .queue = 2, .idle = std::chrono::seconds(60)});
  ASSERT_TRUE(workers.enqueue([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(workers.enqueue([&] { ++done; }));
  EXPECT_TRUE(workers.enqueue([&] { ++done; }));
  EXPECT_FALSE(workers.enqueue([&] { ++done; }));
  release.set_value();
  workers.shutdown();
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(workers.enqueue([] {}));
}

TEST(Workers, IdleExtrasLeaveAndNewOnesCome) {
  Workers workers({.kept = 0, .max = 4, .queue = 16, .idle = std::chrono::seconds(0)});
  for (int i = 0; i < 200; ++i) {
    const auto done = std::make_shared<std::promise<void>>();
    ASSERT_TRUE(workers.enqueue([done] { done->set_value(); }));
    done->get_future().wait();
  }
}

}  // namespace
}  // namespace varve
