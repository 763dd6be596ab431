#include "tests/support/fault_file_system.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

void write(FaultFileSystem& files, const std::string& path, std::string_view bytes, bool sync) {
  auto file = files.create(path);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE((*file)->append(bytes));
  if (!sync) return;
  ASSERT_TRUE((*file)->sync());
}

TEST(FaultFileSystem, APowerCutDropsUnsyncedNamesAndBytes) {
  FaultFileSystem files;
  ASSERT_TRUE(files.create_directories("/d"));
  write(files, "/d/durable", "abc", true);
  write(files, "/d/bytes", "abc", false);
  ASSERT_TRUE(files.sync_directory("/d"));
  write(files, "/d/name", "abc", true);
  auto open = files.open_read("/d/durable");
  files.power_cut();
  EXPECT_EQ(*files.read_all("/d/durable"), "abc");
  EXPECT_EQ(*files.read_all("/d/bytes"), "");
  EXPECT_FALSE(*files.exists("/d/name"));
  uint8_t byte = 0;
  EXPECT_FALSE((*open)->read(0, {&byte, 1})) << "handles from before are dead";
}

TEST(FaultFileSystem, ARenameOrRemovalIsUndoneUnlessItsFolderWasSynced) {
  FaultFileSystem files;
  ASSERT_TRUE(files.create_directories("/d"));
  write(files, "/d/a", "abc", true);
  ASSERT_TRUE(files.sync_directory("/d"));
  ASSERT_TRUE(files.rename("/d/a", "/d/b"));
  files.power_cut();
  EXPECT_EQ(*files.list("/d"), std::vector<std::string>{"a"});
  ASSERT_TRUE(files.rename("/d/a", "/d/b"));
  ASSERT_TRUE(files.sync_directory("/d"));
  ASSERT_TRUE(files.remove("/d/b"));
  files.power_cut();
  EXPECT_EQ(*files.list("/d"), std::vector<std::string>{"b"});
  ASSERT_TRUE(files.write_atomically("/d/b", "new"));
  files.power_cut();
  EXPECT_EQ(*files.read_all("/d/b"), "new");
}

TEST(FaultFileSystem, FailsTheNthCallAndWritesAPartFirst) {
  FaultFileSystem files;
  ASSERT_TRUE(files.create_directories("/d"));
  auto file = files.create("/d/a");
  files.fail(FileCall::kAppend, 2, {ErrorCode::kIo, "full"}, 2, 2);
  EXPECT_TRUE((*file)->append("one"));
  EXPECT_EQ((*file)->append("two").error().message, "/d/a: full");
  EXPECT_FALSE((*file)->append("three"));
  EXPECT_TRUE((*file)->append("four"));
  EXPECT_EQ(files.bytes("/d/a"), "onetwthfour");
  EXPECT_EQ(files.calls(FileCall::kAppend), 4);
}

TEST(FaultFileSystem, KeepsTheRulesOfARealOne) {
  FaultFileSystem files;
  EXPECT_EQ(files.create("/d/a").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files.list("/d").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(files.create_directories("/d/e"));
  EXPECT_EQ(*files.list("/d"), std::vector<std::string>{"e"});
  write(files, "/d/a", "abc", false);
  EXPECT_EQ(files.create("/d/a").error().code, ErrorCode::kIo);
  EXPECT_EQ(files.remove("/d/b").error().code, ErrorCode::kNotFound);
  auto lock = files.lock("/d/lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(files.lock("/d/lock").error().code, ErrorCode::kUnavailable);
  lock->reset();
  EXPECT_TRUE(files.lock("/d/lock"));
}

}  // namespace
}  // namespace varve
