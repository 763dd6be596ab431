// Strings end to end in memory that never moves.
// Threads: what add() returned may be read on any thread that learnt of it after add().
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace varve {

class TextArena {
 public:
  // Where the text lies, to be given to text(). Costs the text and 4 bytes.
  const char* add(std::string_view text) {
    const size_t needed = sizeof(uint32_t) + text.size();
    if (needed > left_) {
      chunk_bytes_ = std::min(kChunkBytesMax, chunk_bytes_ * 2);
      left_ = std::max(chunk_bytes_, needed);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      next_ = chunks_.back().get();
    }
    char* const at = next_;
    const auto length = static_cast<uint32_t>(text.size());
    std::memcpy(at, &length, sizeof length);
    std::memcpy(at + sizeof length, text.data(), text.size());
    next_ += needed;
    left_ -= needed;
    return at;
  }
  static std::string_view text(const char* at) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    return {at + sizeof length, length};
  }

 private:
  static constexpr size_t kChunkBytesMax = 64 << 10;  // doubled up to it: most tables have few strings

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t chunk_bytes_ = 128;
};

}  // namespace varve
