// A folder of this process alone, removed with everything in it at the end of the scope.
// Threads: a value.
#pragma once

#include <string>

#include "storage/base/error.h"

namespace varve {

class TemporaryFolder {
 public:
  // varve-PURPOSE-XXXXXX in the system's folder for such.
  static Result<TemporaryFolder> make(const std::string& purpose);
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace varve
