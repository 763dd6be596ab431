// Copies of a catalog: to look at one without touching it, and to back up one that is in use.
#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "storage/catalog/catalog.h"
#include "storage/catalog/database.h"

namespace varve {
namespace {

// A folder of this process alone, gone at the end of the scope.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make() {
    std::error_code failed;
    const auto parent = std::filesystem::canonical(std::filesystem::temp_directory_path(failed), failed);
    if (failed) return Error{ErrorCode::kIo, "no temporary folder (set TMPDIR): " + failed.message()};
    std::random_device random;
    TemporaryFolder folder((parent / fmt::format("varve-{:08x}{:08x}", random(), random())).string());
    VARVE_TRY(real_file_system().create_directories(folder.path_));
    return folder;
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace

Result<CatalogState> read_catalog(FileSystem& file_system, const std::string& path) {
  VARVE_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make());
  const std::string copy = join_path(folder.path(), "catalog.db");
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const auto bytes = file_system.read_all(path + suffix);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound && *suffix != '\0') continue;
    if (!bytes) return bytes.error();
    VARVE_ASSIGN(const auto file, real_file_system().create(copy + suffix));
    VARVE_TRY(file->append(*bytes));
  }
  // An empty file is what SQLite makes a new database of: here it is a lost catalog.
  VARVE_ASSIGN(const auto file, file_system.open_read(path));
  VARVE_ASSIGN(const uint64_t size, file->size());
  if (size == 0) return corruption(fmt::format("the catalog {} is empty", path));
  auto catalog = Catalog::open(copy);
  auto state = catalog ? (*catalog)->load() : Result<CatalogState>(catalog.error());
  if (state) return state;
  Error error = std::move(state.error());
  for (size_t at = error.message.find(copy); at != std::string::npos; at = error.message.find(copy)) {
    error.message.replace(at, copy.size(), path);
  }
  return error;
}

Result<void> copy_catalog(FileSystem& file_system, const std::string& path, const std::string& to,
                          const std::string& vfs) {
  return copy_database(file_system, path, to, vfs);
}

Result<void> copy_database(FileSystem& file_system, const std::string& path, const std::string& to,
                           const std::string& vfs) {
  // SQLite takes an empty file for a new one; its own would be readable by others.
  VARVE_TRY(file_system.create(to));
  {
    VARVE_ASSIGN(const auto database, Database::open(path, vfs));
    VARVE_TRY(database->run("VACUUM INTO ?", std::string_view(to)));
  }
  // SQLite does not sync what it vacuums into.
  VARVE_ASSIGN(const auto copy, file_system.open_read(to));
  VARVE_ASSIGN(const uint64_t bytes, copy->size());
  return file_system.truncate(to, bytes);  // to its own length: only the sync
}

}  // namespace varve
