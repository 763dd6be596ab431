// The beginnings of the lines of one body, measurement and tags, found again by their bytes: a stream repeats its
// series, mostly in the same order, so comparing with what followed last time finds nearly all of them without a hash,
// and no name or value is looked for again.
// Texts are borrowed from the body. Threads: belongs to one thread.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/checksum.h"
#include "storage/series/hash_slots.h"

namespace varve {

using LineTag = std::pair<std::string_view, std::string_view>;

struct TagSet {
  std::string_view text;   // measurement and tags as written; in the body a space follows
  std::string_view table;  // at the beginning of `text`
  std::span<const LineTag> tags;
  uint32_t number = 0;  // from 0
};

class TagSets {
 public:
  static constexpr size_t kTextBytesMax = 1024;  // longer ones are read each time (guessed)
  static constexpr size_t kTagsMax =
      32 * 1024;  // of all sets, 1 MiB; later sets are read each time (guessed)

  // The set that `rest` of the body begins with.
  bool find(std::string_view rest, TagSet& found) {
    if (sets_.empty()) return false;
    const Entry& guess = sets_[sets_[last_].next];
    if (begins(rest, guess.text)) return give(sets_[last_].next, found);
    const void* space = std::memchr(rest.data(), ' ', std::min(rest.size(), kTextBytesMax + 1));
    if (space == nullptr) return false;
    const auto text = rest.substr(0, static_cast<size_t>(static_cast<const char*>(space) - rest.data()));
    const auto known =
        slots_.find(checksum64(text), [&](uint32_t number) { return sets_[number].text == text; });
    return known && give(*known, found);
  }

  // One that find() did not know; it gets its number. The tags are copied. False: there is no room.
  bool add(TagSet& set) {
    if (set.text.size() > kTextBytesMax || tags_.size() + set.tags.size() > kTagsMax ||
        sets_.size() == kTagsMax) {
      return false;
    }
    const auto number = static_cast<uint32_t>(sets_.size());
    sets_.push_back({set.text, set.table.size(), tags_.size(), set.tags.size(), 0});
    tags_.insert(tags_.end(), set.tags.begin(), set.tags.end());
    slots_.insert(checksum64(set.text), number);
    sets_[last_].next = number;
    last_ = number;
    set.number = number;
    return true;
  }

 private:
  struct Entry {
    std::string_view text;
    size_t table_bytes;
    size_t first_tag;  // in tags_
    size_t tags;
    uint32_t next;  // the one that followed it last
  };
  static bool begins(std::string_view rest, std::string_view text) {
    return rest.size() > text.size() && rest[text.size()] == ' ' &&
           std::memcmp(rest.data(), text.data(), text.size()) == 0;
  }
  bool give(uint32_t number, TagSet& found) {
    sets_[last_].next = number;
    last_ = number;
    const Entry& set = sets_[number];
    found = {set.text, set.text.substr(0, set.table_bytes), std::span(tags_).subspan(set.first_tag, set.tags),
             number};
    return true;
  }

  std::vector<Entry> sets_;
  std::vector<LineTag> tags_;
  HashSlots slots_;
  uint32_t last_ = 0;  // found or added
};

}  // namespace varve
