// Statements given before, one a line, in $XDG_STATE_HOME/varve/history (else ~/.local/state/varve/history), readable
// by its owner only. Shells running side by side append to the same file.
// Errors:  kIo naming the file; a shell goes on without.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "storage/base/error.h"

namespace varve {

constexpr size_t kHistoryEntriesMax = 1000;
constexpr size_t kHistoryEntryBytesMax = 64 << 10;  // longer statements are not kept

class History {
 public:
  static std::string default_path();  // empty without a home
  // Reads the newest entries and, when the file has grown far beyond them, writes it anew with these only.
  static Result<History> open(const std::string& path);

  const std::vector<std::string>& entries() const { return entries_; }  // oldest first
  // Not an entry equal to the last one, nor one that begins with a space.
  Result<bool> add(const std::string& entry);

 private:
  explicit History(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::vector<std::string> entries_;
};

}  // namespace varve
