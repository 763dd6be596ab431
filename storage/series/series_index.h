// The series of one table: tag set -> dense id, kept in memory.
// Tag values are dictionary codes per tag; a series is its tuple of codes, found through an open-addressing hash table.
// Ids, names and dictionary strings never move or change once given, so views of them stay valid while the index lives.
// Threads: SeriesIndex methods lock inside; a SeriesSnapshot is immutable and shared by readers.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/model/row_batch.h"
#include "storage/model/series_key.h"
#include "storage/scan.h"

namespace varve {

// All series up to the moment it was taken.
class SeriesSnapshot {
 public:
  size_t size() const { return count_; }
  const std::vector<std::string>& tag_names() const { return tag_names_; }
  // Empty = the series lacks the tag.
  std::string_view value(SeriesId series, size_t tag_index) const {
    const uint32_t code = codes_[series * tag_names_.size() + tag_index];
    return code == kAbsentTag ? std::string_view() : values_[tag_index][code];
  }
  std::optional<size_t> tag_index(std::string_view name) const;
  std::vector<TagPair> tags(SeriesId series) const;  // sorted by name, without absent ones
  std::string key(SeriesId series) const;            // see series_key.h

 private:
  friend class SeriesIndex;
  size_t count_ = 0;
  std::vector<std::string> tag_names_;
  std::vector<size_t> tags_by_name_;                   // tag indexes in the order of their names
  std::vector<std::vector<std::string_view>> values_;  // per tag, by code
  std::vector<uint32_t> codes_;                        // count_ x tags
};

class SeriesIndex {
 public:
  explicit SeriesIndex(uint64_t series_max);

  // The series of each row of `batch`, made as needed. With `limited`, rows beyond the limit get no series
  // (nullopt); `widest_tag` then names the tag with the most values.
  std::vector<std::optional<SeriesId>> resolve(const RowBatch& batch, bool limited, std::string& widest_tag);
  // One series, whatever the limit: for what is already stored.
  SeriesId resolve_stored(const std::vector<TagPair>& tags);

  std::shared_ptr<const SeriesSnapshot> snapshot() const;
  uint64_t size() const;

 private:
  struct Tag {
    std::string name;
    std::deque<std::string> values;  // by code; a deque never moves its elements
    std::unordered_map<std::string_view, uint32_t> codes;
  };

  size_t tag_index(std::string_view name);
  uint32_t value_code(Tag& tag, std::string_view value);
  // The series of `codes` (one per tag of the index); made when absent unless the limit is reached.
  std::optional<SeriesId> find_or_add(std::span<const uint32_t> codes, bool limited);
  bool equal(SeriesId series, std::span<const uint32_t> codes) const;
  void grow();

  const uint64_t series_max_;
  mutable std::mutex mutex_;  // guards everything below
  std::deque<Tag> tags_;
  // Series `i` has the codes [starts_[i], starts_[i + 1]) of codes_: of the tags known when it was made.
  std::vector<uint32_t> codes_;
  std::vector<uint64_t> starts_{0};
  std::vector<uint64_t> hashes_;  // by series
  std::vector<uint32_t> slots_;   // series + 1, 0 = free; a power of two, at most half full
  mutable std::shared_ptr<const SeriesSnapshot> snapshot_;  // null when stale
};

}  // namespace varve
