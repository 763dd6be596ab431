#include "api/cli/shell/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace varve {
namespace {

Result<void> write_private(const std::string& path, const std::string& text, int flags) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  if (file < 0) return io_error("open " + path, errno);
  // A file made by another program keeps its mode unless told so.
  if (fchmod(file, 0600) != 0) {
    const int error = errno;
    ::close(file);
    return io_error("chmod " + path, error);
  }
  for (size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(file, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::close(file);
      return io_error("write " + path, error);
    }
    at += static_cast<size_t>(written);
  }
  ::close(file);
  return {};
}

}  // namespace

std::string History::default_path() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/varve/history";
  const char* const home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.local/state/varve/history"
                                           : std::string();
}

Result<History> History::open(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(folder, error);
    if (error) return io_error("make " + folder.string(), error.value());
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  History history(path);
  std::ifstream in(path);
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    ++lines;
    if (!line.empty()) history.entries_.push_back(std::move(line));
    if (history.entries_.size() >= 2 * kHistoryEntriesMax) {
      history.entries_.erase(history.entries_.begin(), history.entries_.end() - kHistoryEntriesMax);
    }
  }
  if (history.entries_.size() > kHistoryEntriesMax) {
    history.entries_.erase(history.entries_.begin(), history.entries_.end() - kHistoryEntriesMax);
  }
  if (lines > 2 * kHistoryEntriesMax) {
    std::string text;
    for (const std::string& entry : history.entries_) text += entry + "\n";
    VARVE_TRY(write_private(path + ".new", text, O_TRUNC));
    std::filesystem::rename(path + ".new", path, error);
    if (error) return io_error("rename " + path + ".new", error.value());
  } else {
    VARVE_TRY(write_private(path, {}, O_APPEND));  // so that a folder that takes no file is told at once
  }
  return history;
}

Result<bool> History::add(const std::string& entry) {
  if (entry.empty() || entry.front() == ' ' || entry.size() > kHistoryEntryBytesMax) return false;
  if (!entries_.empty() && entries_.back() == entry) return false;
  entries_.push_back(entry);
  if (entries_.size() > kHistoryEntriesMax) entries_.erase(entries_.begin());
  VARVE_TRY(write_private(path_, entry + "\n", O_APPEND));
  return true;
}

}  // namespace varve
