#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

namespace varve::testing {
namespace {

TEST(Process, KeepsExitCodeAndBothStreamsApart) {
  auto finished = run({"sh", "-c", "echo one; echo two >&2; exit 3"});
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_EQ(finished.out, "one\n");
  EXPECT_EQ(finished.err, "two\n");
}

TEST(Process, AddsToTheEnvironmentAndSetsTheFolder) {
  TempDir folder;
  Process process({"sh", "-c", "echo $VARVE_X; pwd -P"},
                  {.environment = {{"VARVE_X", "y"}}, .folder = folder.path()});
  EXPECT_EQ(process.wait(seconds(10)), 0);
  EXPECT_EQ(process.out(), "y\n" + std::filesystem::canonical(folder.path()).string() + "\n");
}

TEST(Process, AProgramThatCannotStartThrows) {
  EXPECT_THROW(Process({"/no/such/program"}), std::runtime_error);
}

TEST(Process, StopEscalatesFromTermToKill) {
  TempDir folder;
  Process polite({"sleep", "100"});
  EXPECT_EQ(polite.stop(), 128 + SIGTERM);
  Process stubborn({"sh", "-c", "trap '' TERM; touch ready; while :; do sleep 0.1; done"},
                   {.folder = folder.path()});
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(folder / "ready"); }, seconds(10)));
  EXPECT_EQ(stubborn.stop(milliseconds(100)), 128 + SIGKILL);
  EXPECT_FALSE(stubborn.running());
}

TEST(Process, RunThrowsWhenTimeIsUp) {
  EXPECT_THROW(run({"sleep", "100"}, milliseconds(50)), std::runtime_error);
}

TEST(FreePort, GivesEachPortOnce) {
  EXPECT_NE(free_port(), free_port());
}

TEST(TempDir, IsGoneWithItsContentsAfterTheScope) {
  std::filesystem::path path;
  {
    TempDir folder;
    path = folder.path();
    std::ofstream(folder / "file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace varve::testing
