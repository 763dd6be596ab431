#include "api/query/admission.h"

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace varve {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever = std::chrono::minutes(2);

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(10));
  return condition();
}

TEST(Admission, LetsInWhileThereArePlaces) {
  Admission admission({2, 0, milliseconds(0)});
  const std::atomic<bool> stop{false};
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn);
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn);
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kQueueFull);
  admission.leave("a");
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn);
}

TEST(Admission, WaitsNoLongerThanItsLimit) {
  Admission admission({1, 1, milliseconds(1)});
  const std::atomic<bool> stop{false};
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn);
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kLate);
  EXPECT_EQ(admission.waiting(), 0U);
}

TEST(Admission, AStopEndsTheWait) {
  Admission admission({1, 1, kForever});
  std::atomic<bool> stop{false};
  EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn);
  std::jthread stopper([&] {
    EXPECT_TRUE(eventually([&] { return admission.waiting() == 1; }));
    stop = true;
  });
  EXPECT_EQ(admission.enter("b", [&] { return stop.load(); }), Admission::Entry::kStopped);
  EXPECT_EQ(admission.waiting(), 0U);
}

// Client a holds both places and has three queries waiting before b comes.
TEST(Admission, GivesTheNextPlaceToTheClientWithTheFewestQueriesThenToTheFirst) {
  Admission admission({2, 8, kForever});
  const std::atomic<bool> stop{false};
  admission.enter("a", [&] { return stop.load(); });
  admission.enter("a", [&] { return stop.load(); });
  std::mutex mutex;
  std::vector<std::string> order;
  std::vector<std::jthread> threads;
  uint32_t waiting = 0;
  for (const char* name : {"a1", "a2", "a3", "b1", "b2"}) {
    threads.emplace_back([&, name] {
      EXPECT_EQ(admission.enter(std::string(1, name[0]), [&] { return stop.load(); }), Admission::Entry::kIn);
      const std::lock_guard lock(mutex);
      order.emplace_back(name);
    });
    ++waiting;
    ASSERT_TRUE(eventually([&] { return admission.waiting() == waiting; }));
  }
  // Running a a, a leaves: b has none. Running a b, a leaves: a has none. Then b has none, a has none, and only a waits.
  size_t admitted = 0;
  for (const char* leaves : {"a", "a", "b", "a", "b"}) {
    admission.leave(leaves);
    ++admitted;
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return order.size() == admitted;
    }));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"b1", "a1", "b2", "a2", "a3"}));
}

TEST(Admission, RefusesBeyondTheQueue) {
  Admission admission({1, 1, kForever});
  std::atomic<bool> stop{false};
  admission.enter("a", [&] { return stop.load(); });
  std::jthread waiter(
      [&] { EXPECT_EQ(admission.enter("a", [&] { return stop.load(); }), Admission::Entry::kIn); });
  ASSERT_TRUE(eventually([&] { return admission.waiting() == 1; }));
  EXPECT_EQ(admission.enter("b", [&] { return stop.load(); }), Admission::Entry::kQueueFull);
  admission.leave("a");
}

}  // namespace
}  // namespace varve
