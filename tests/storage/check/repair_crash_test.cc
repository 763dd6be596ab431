// A repair or a backup that stops at any of its file calls, and is run again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/backup/backup.h"
#include "storage/segment/format.h"
#include "storage/wal/format.h"
#include "tests/storage/check/store_fixture.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

// The real file system until the `stop_at`th call that changes something; that call and all later ones fail.
class StoppingFileSystem : public FileSystem {
 public:
  explicit StoppingFileSystem(int stop_at) : left_(stop_at) {}
  bool stopped() const { return left_ <= 0; }

  Result<std::unique_ptr<RandomAccessFile>> open_read(const std::string& path) override {
    return real_.open_read(path);
  }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    VARVE_TRY(count());
    VARVE_ASSIGN(auto file, real_.create(path));
    return std::make_unique<File>(*this, std::move(file));
  }
  Result<void> truncate(const std::string& path, uint64_t bytes) override {
    VARVE_TRY(count());
    return real_.truncate(path, bytes);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    VARVE_TRY(count());
    return real_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override {
    VARVE_TRY(count());
    return real_.remove(path);
  }
  Result<void> link(const std::string& from, const std::string& to) override {
    VARVE_TRY(count());
    return real_.link(from, to);
  }
  Result<void> create_directories(const std::string& path) override {
    VARVE_TRY(count());
    return real_.create_directories(path);
  }
  Result<void> sync_directory(const std::string& path) override {
    VARVE_TRY(count());
    return real_.sync_directory(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
  Result<bool> exists(const std::string& path) override { return real_.exists(path); }
  Result<uint64_t> free_bytes(const std::string& path) override { return real_.free_bytes(path); }
  Result<uint64_t> total_bytes(const std::string& path) override { return real_.total_bytes(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return real_.lock(path); }

 private:
  class File : public WritableFile {
   public:
    File(StoppingFileSystem& owner, std::unique_ptr<WritableFile> file)
        : owner_(owner), file_(std::move(file)) {}
    Result<void> append(std::string_view bytes) override {
      if (const auto stopped = owner_.count(); !stopped) {
        if (owner_.left_ == 0) (void)file_->append(bytes.substr(0, bytes.size() / 2)).has_value();
        return stopped;
      }
      return file_->append(bytes);
    }
    Result<void> sync() override {
      VARVE_TRY(owner_.count());
      return file_->sync();
    }
    Result<void> preallocate(uint64_t bytes) override { return file_->preallocate(bytes); }

   private:
    StoppingFileSystem& owner_;
    std::unique_ptr<WritableFile> file_;
  };

  Result<void> count() {
    if (--left_ > 0) return {};
    return Error{ErrorCode::kIo, "stopped"};
  }

  FileSystem& real_ = real_file_system();
  int left_;
};

class RepairCrash : public ::testing::Test {
 protected:
  void SetUp() override { build_small_store(master_); }

  // A damaged page, a segment lost whole, a hole in the log; the catalog gone too if asked.
  void damage(const std::string& data, bool catalog) {
    int number = 0;
    for (const std::string& file : files_below(data)) {
      std::string bytes = read_file(join_path(data, file));
      if (file.ends_with(".seg")) {
        bytes[number == 1 ? bytes.size() - 1 : kSegmentHeaderBytes + 5] ^= 1;
        write_file(join_path(data, file), bytes);
        ++number;
      } else if (file.ends_with(".wal")) {
        bytes[kWalFirstRecordOffset + (bytes.size() - kWalFirstRecordOffset) / 2] ^= 1;
        write_file(join_path(data, file), bytes);
      }
    }
    if (catalog) write_file(join_path(data, "catalog.db"), "gone");
  }
  static Values values_of(const std::string& data) {
    OpenStore store(data);
    EXPECT_TRUE(store.ok()) << store.error();
    return store.ok() ? store.values() : Values();
  }

  TempDir work_;
  const std::string master_ = (work_ / "master").string();
};

TEST_F(RepairCrash, ARepairStoppedAnywhereIsFinishedByTheNext) {
  for (const bool catalog : {false, true}) {
    const std::string damaged = (work_ / fmt::format("damaged{}", catalog)).string();
    fs::copy(master_, damaged, fs::copy_options::recursive);
    damage(damaged, catalog);
    const std::string whole = damaged + "-whole";
    fs::copy(damaged, whole, fs::copy_options::recursive);
    check(whole, true);
    ASSERT_THAT(check(whole).problems, IsEmpty());
    const Values expected = values_of(whole);
    for (int stop_at = 1;; ++stop_at) {
      SCOPED_TRACE(fmt::format("catalog {}, stopped at call {}", catalog, stop_at));
      const std::string data = damaged + "-" + std::to_string(stop_at);
      fs::copy(damaged, data, fs::copy_options::recursive);
      StoppingFileSystem files(stop_at);
      CheckOptions options;
      options.data_directory = data;
      options.repair = true;
      options.file_system = &files;
      const auto first = check_store(options);
      ASSERT_EQ(first.has_value(), !files.stopped());
      if (first) break;
      check(data, true);
      ASSERT_THAT(check(data).problems, IsEmpty());
      const Difference changed = difference(expected, values_of(data));
      ASSERT_THAT(changed.missing, IsEmpty());
      ASSERT_THAT(changed.wrong, IsEmpty());
      fs::remove_all(data);
    }
  }
}

TEST_F(RepairCrash, ABackupStoppedAnywhereIsNoBackup) {
  for (int stop_at = 1;; ++stop_at) {
    SCOPED_TRACE(stop_at);
    StoppingFileSystem files(stop_at);
    BackupOptions options;
    options.data_directory = master_;
    options.to = (work_ / ("backup" + std::to_string(stop_at))).string();
    options.file_system = &files;
    const auto made = back_up(options);
    if (made) {
      EXPECT_TRUE(fs::exists(options.to));
      break;
    }
    // Once renamed only the sync of the folder above can fail: then all of it is there.
    if (fs::exists(options.to)) {
      EXPECT_FALSE(fs::exists(options.to + ".partial"));
      EXPECT_THAT(check(options.to).problems, IsEmpty());
    }
  }
}

}  // namespace
}  // namespace varve::test
