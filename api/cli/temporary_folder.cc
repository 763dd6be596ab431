#include "api/cli/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace varve {

Result<TemporaryFolder> TemporaryFolder::make(const std::string& purpose) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) return invalid_argument("no folder for temporary files: " + error.message());
  std::string path = (parent / ("varve-" + purpose + "-XXXXXX")).string();
  if (mkdtemp(path.data()) == nullptr) return io_error("make a folder like " + path, errno);
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace varve
