// The series of one table: tag set -> dense id, kept in memory.
// Tag values are dictionary codes per tag; a series is its tuple of codes. Both are found through hash tables.
// Memory: measured 65 bytes a series whose host name (11 bytes) is its own and whose region is one of nine; a
// snapshot shares it, an order takes 8 bytes a series more.
// Threads: SeriesIndex methods lock inside; SeriesSnapshot and SeriesOrder are immutable and shared by readers.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/row_batch.h"
#include "storage/model/series_key.h"
#include "storage/scan.h"
#include "storage/series/hash_slots.h"
#include "storage/series/shared_rows.h"
#include "storage/series/text_arena.h"

namespace varve {

constexpr SeriesId kNoSeries = UINT32_MAX;

// All series up to the moment it was taken.
class SeriesSnapshot {
 public:
  size_t size() const { return codes_.rows(); }
  const std::vector<std::string>& tag_names() const { return tag_names_; }
  // Empty = the series lacks the tag.
  std::string_view value(SeriesId series, size_t tag_index) const {
    const uint32_t code = codes_[series][tag_index];
    return code == kAbsentTag ? std::string_view() : TextArena::text(*tags_[tag_index].values[code]);
  }
  std::optional<size_t> tag_index(std::string_view name) const;
  std::vector<TagPair> tags(SeriesId series) const;  // sorted by name, without absent ones
  std::string key(SeriesId series) const;            // see series_key.h
  bool key_before(SeriesId a, SeriesId b) const;     // key(a) < key(b), without making keys

 private:
  friend class SeriesIndex;
  struct Tag {
    SharedRows<const char*> values;           // by code
    std::shared_ptr<const TextArena> memory;  // of the values
  };
  std::vector<std::string> tag_names_;
  std::vector<size_t> tags_by_name_;  // tag indexes in the order of their names
  std::vector<Tag> tags_;
  SharedRows<uint32_t> codes_{0};
};

// The series in the order of their keys, which is the order of rows in runs and segments.
class SeriesOrder {
 public:
  SeriesOrder() = default;
  // Of all series of `snapshot`; `known` is an order of its first ones.
  SeriesOrder(const SeriesOrder& known, const SeriesSnapshot& snapshot);

  size_t size() const { return series_.size(); }
  const std::vector<SeriesId>& series() const { return series_; }  // ascending by key
  uint32_t rank(SeriesId series) const { return ranks_[series]; }  // its index in series()

 private:
  std::vector<SeriesId> series_;
  std::vector<uint32_t> ranks_;
};

// The tags of some series as a segment stores them.
struct StoredTag {
  std::string_view name;
  const StringColumn* values = nullptr;
  std::span<const uint32_t> codes;  // of each series: 0 = it lacks the tag, k = values[k - 1]
};

class SeriesIndex {
 public:
  explicit SeriesIndex(uint64_t series_max) : series_max_(series_max) {}

  // The series of each row of `batch`, made as needed. With `limited`, rows beyond the limit get kNoSeries;
  // `widest_tag` then names the tag with the most values.
  std::vector<SeriesId> resolve(const RowBatch& batch, bool limited, std::string& widest_tag);
  // `count` series, whatever the limit: for what is already stored.
  std::vector<SeriesId> resolve_stored(std::span<const StoredTag> tags, size_t count);
  // Nothing is made.
  std::optional<SeriesId> find(const std::vector<TagPair>& tags) const;

  std::shared_ptr<const SeriesSnapshot> snapshot() const;
  // Of all series. Made when first asked for after a series was added: 1 s for a million new ones.
  std::shared_ptr<const SeriesOrder> order() const;
  // The last one made; it may lack the newest series.
  std::shared_ptr<const SeriesOrder> known_order() const;
  void sort_by_key(std::vector<SeriesId>& series) const;
  uint64_t size() const;

 private:
  struct Tag {
    std::string name;
    SharedRows<const char*> values{1};  // by code
    std::shared_ptr<TextArena> memory = std::make_shared<TextArena>();
    HashSlots codes;
  };

  size_t tag_index(std::string_view name);  // widen_to_tags() comes before the next series
  void widen_to_tags();
  static std::optional<uint32_t> find_value(const Tag& tag, uint64_t hash, std::string_view value);
  static uint32_t value_code(Tag& tag, std::string_view value);
  std::optional<SeriesId> find_codes(uint64_t hash, const std::vector<uint32_t>& codes) const;
  // The series of `codes` (one per tag of the index); made when absent unless the limit is reached: kNoSeries.
  SeriesId find_or_add(const std::vector<uint32_t>& codes, bool limited);
  bool full(bool limited) const { return limited && codes_.rows() >= series_max_; }

  const uint64_t series_max_;
  mutable std::mutex mutex_;  // guards everything below
  std::deque<Tag> tags_;
  SharedRows<uint32_t> codes_{0};  // of each series, one a tag
  HashSlots series_;
  mutable std::shared_ptr<const SeriesSnapshot> snapshot_;  // null when stale
  mutable std::shared_ptr<const SeriesOrder> order_ = std::make_shared<SeriesOrder>();

  mutable std::mutex order_mutex_;  // one order is made at a time; taken before mutex_
};

}  // namespace varve
