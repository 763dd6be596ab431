#include "storage/check/quarantine_copy.h"

#include <fmt/format.h>

#include "storage/leftovers.h"

namespace varve {
namespace {

Result<bool> same_bytes(FileSystem& files, const std::string& a, const std::string& b) {
  VARVE_ASSIGN(const std::string left, files.read_all(a));
  VARVE_ASSIGN(const std::string right, files.read_all(b));
  return left == right;
}

}  // namespace

Result<std::string> keep_copy(FileSystem& file_system, const std::string& data_directory,
                              const std::string& file) {
  const std::string from = join_path(data_directory, file);
  const std::string base = join_path(join_path(data_directory, kQuarantineFolder), file);
  VARVE_TRY(file_system.create_directories(parent_directory(base)));
  for (int copy = 1;; ++copy) {
    std::string target = copy == 1 ? base : fmt::format("{}-{}", base, copy);
    VARVE_ASSIGN(const bool taken, file_system.exists(target));
    if (taken) {
      VARVE_ASSIGN(const bool same, same_bytes(file_system, from, target));
      if (!same) continue;
      return target;
    }
    VARVE_ASSIGN(const std::string bytes, file_system.read_all(from));
    VARVE_TRY(file_system.write_atomically(target, bytes));
    return target;
  }
}

Result<void> write_report(FileSystem& file_system, const std::string& copy, const std::string& text) {
  return file_system.write_atomically(copy + ".txt", text);
}

}  // namespace varve
