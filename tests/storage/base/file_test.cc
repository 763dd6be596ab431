#include "storage/base/file.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::span<uint8_t> span_of(std::string& text) {
    return {reinterpret_cast<uint8_t*>(text.data()), text.size()};
  }

  test::TempDir folder_;
  FileSystem& files_ = real_file_system();
};

TEST_F(FileTest, WritesAndReadsBack) {
  auto file = files_.create(path("a"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE((*file)->append("hello "));
  EXPECT_TRUE((*file)->append(""));
  EXPECT_TRUE((*file)->append("world"));
  EXPECT_TRUE((*file)->sync());
  EXPECT_EQ(*files_.read_all(path("a")), "hello world");
  struct stat info {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U) << "readings are nobody else's business";
}

TEST_F(FileTest, ReadsShortOnlyAtTheEnd) {
  ASSERT_TRUE(files_.write_atomically(path("a"), "0123456789"));
  const auto file = files_.open_read(path("a"));
  EXPECT_EQ(*(*file)->size(), 10U);
  std::string out(4, '?');
  EXPECT_EQ(*(*file)->read(3, span_of(out)), 4U);
  EXPECT_EQ(out, "3456");
  EXPECT_EQ(*(*file)->read(8, span_of(out)), 2U);
  EXPECT_EQ(*(*file)->read(10, span_of(out)), 0U);
  EXPECT_EQ(*(*file)->read(1 << 20, span_of(out)), 0U);
}

TEST_F(FileTest, ReservedSpaceIsZerosAndWritesStartAtTheBeginning) {
  auto file = files_.create(path("a"));
  ASSERT_TRUE((*file)->preallocate(5000));
  ASSERT_TRUE((*file)->append("abc"));
  EXPECT_EQ(*files_.read_all(path("a")), "abc" + std::string(4997, '\0'));
}

TEST_F(FileTest, CreateRefusesAnExistingName) {
  ASSERT_TRUE(files_.write_atomically(path("a"), "keep"));
  std::filesystem::create_symlink(path("nowhere"), path("link"));
  for (const char* name : {"a", "link"}) {
    const auto again = files_.create(path(name));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kIo);
    EXPECT_THAT(again.error().message, HasSubstr(path(name)));
  }
  EXPECT_EQ(*files_.read_all(path("a")), "keep");
  EXPECT_FALSE(*files_.exists(path("nowhere")));
}

TEST_F(FileTest, AbsentFilesAreNotFoundByEveryCall) {
  const std::string gone = path("gone");
  const std::string below = path("gone/below");
  EXPECT_EQ(files_.open_read(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.create(below).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.truncate(gone, 0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.rename(gone, path("b")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.remove(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.list(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.sync_directory(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.free_bytes(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.total_bytes(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.lock(below).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_.read_all(gone).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(*files_.exists(gone));
  EXPECT_THAT(files_.open_read(gone).error().message, HasSubstr(gone + ": No such file or directory"));
}

TEST_F(FileTest, TruncateShortensAndLengthens) {
  ASSERT_TRUE(files_.write_atomically(path("a"), "0123456789"));
  ASSERT_TRUE(files_.truncate(path("a"), 4));
  EXPECT_EQ(*files_.read_all(path("a")), "0123");
  ASSERT_TRUE(files_.truncate(path("a"), 6));
  EXPECT_EQ(*files_.read_all(path("a")), std::string("0123\0\0", 6));
}

TEST_F(FileTest, ListsNamesSorted) {
  for (const char* name : {"b", "a", "c"}) ASSERT_TRUE(files_.write_atomically(path(name), ""));
  ASSERT_TRUE(files_.create_directories(path("d/e/f")));
  EXPECT_THAT(*files_.list(folder_.path().string()), ElementsAre("a", "b", "c", "d"));
  ASSERT_TRUE(files_.rename(path("c"), path("a")));
  ASSERT_TRUE(files_.remove(path("b")));
  EXPECT_THAT(*files_.list(folder_.path().string()), ElementsAre("a", "d"));
}

TEST_F(FileTest, CreatesFoldersAndAcceptsExistingOnes) {
  ASSERT_TRUE(files_.create_directories(path("x/y/z")));
  ASSERT_TRUE(files_.create_directories(path("x/y/z")));
  ASSERT_TRUE(files_.create_directories(path("x/y/w/")));
  struct stat info {};
  ASSERT_EQ(::stat(path("x/y/z").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_TRUE(files_.write_atomically(path("file"), ""));
  EXPECT_FALSE(files_.create_directories(path("file"))) << "a file is in the way";
  EXPECT_FALSE(files_.create_directories(path("file/below")));
}

TEST_F(FileTest, AtomicWritesReplaceAndLeaveNothingBehind) {
  ASSERT_TRUE(files_.write_atomically(path("a"), "old"));
  ASSERT_TRUE(files_.write_atomically(path("a.tmp"), "left by a crash"));
  ASSERT_TRUE(files_.write_atomically(path("a"), "new"));
  EXPECT_EQ(*files_.read_all(path("a")), "new");
  EXPECT_THAT(*files_.list(folder_.path().string()), ElementsAre("a"));
}

TEST_F(FileTest, ALockIsHeldOnceEvenWithinOneProcess) {
  auto held = files_.lock(path("lock"));
  ASSERT_TRUE(held);
  const auto second = files_.lock(path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(path("lock")));
  held->reset();
  EXPECT_TRUE(files_.lock(path("lock"))) << "free again";
}

TEST_F(FileTest, FreeBytesAreThoseOfTheDisk) {
  EXPECT_GT(*files_.free_bytes(folder_.path().string()), 0U);
  EXPECT_GE(*files_.total_bytes(folder_.path().string()), *files_.free_bytes(folder_.path().string()));
}

// The process may write files up to `bytes`, as on a disk that is full beyond that.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(FileTest, CallsWithoutRoomAreExhaustedAndNameTheFile) {
  const FileSizeLimit limit(64 << 10);
  auto file = std::move(*files_.create(path("a")));
  const auto reserved = file->preallocate(1 << 20);
  const auto written = file->append(std::string(100'000, 'x'));
  const auto atomic = files_.write_atomically(path("b"), std::string(100'000, 'x'));
  for (const auto& refused : {reserved, written, atomic}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
    EXPECT_THAT(refused.error().message, HasSubstr("the disk is full"));
    EXPECT_THAT(refused.error().message, HasSubstr(folder_.path().string()));
  }
  EXPECT_TRUE(file->sync());
  EXPECT_FALSE(*files_.exists(path("b.tmp"))) << "what was written before the end is given back";
}

TEST(Path, JoinsAndFindsParents) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(parent_directory("a/b"), "a");
  EXPECT_EQ(parent_directory("a/b/"), "a");
  EXPECT_EQ(parent_directory("a"), ".");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("/"), "/");
}

}  // namespace
}  // namespace varve
