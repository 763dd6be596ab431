#include "storage/series/series_index.h"

#include <algorithm>
#include <numeric>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr size_t kSlotsMin = 64;

// Codes that stand for no dictionary entry, below kAbsentTag.
constexpr uint32_t kUnmapped = kAbsentTag - 1;  // not looked up yet
constexpr uint32_t kUnknown =
    kAbsentTag - 2;  // new, and the table is full: never added, so it costs no memory

uint64_t mix(uint64_t x) {  // splitmix64's finaliser
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Absent tags do not take part, so that a tag the table gains later leaves older series where they are.
uint64_t hash_codes(std::span<const uint32_t> codes) {
  uint64_t hash = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] != kAbsentTag) hash += mix((static_cast<uint64_t>(i) << 32) | codes[i]);
  }
  return mix(hash);
}

}  // namespace

std::optional<size_t> SeriesSnapshot::tag_index(std::string_view name) const {
  for (size_t i = 0; i < tag_names_.size(); ++i) {
    if (tag_names_[i] == name) return i;
  }
  return std::nullopt;
}

std::vector<TagPair> SeriesSnapshot::tags(SeriesId series) const {
  std::vector<TagPair> tags;
  tags.reserve(tags_by_name_.size());
  for (const size_t tag : tags_by_name_) {
    const std::string_view text = value(series, tag);
    if (!text.empty()) tags.emplace_back(tag_names_[tag], text);
  }
  return tags;
}

std::string SeriesSnapshot::key(SeriesId series) const {
  std::string key;
  append_series_key(key, tags(series));
  return key;
}

SeriesIndex::SeriesIndex(uint64_t series_max) : series_max_(series_max), slots_(kSlotsMin, 0) {}

size_t SeriesIndex::tag_index(std::string_view name) {
  for (size_t i = 0; i < tags_.size(); ++i) {
    if (tags_[i].name == name) return i;
  }
  tags_.emplace_back();
  tags_.back().name = std::string(name);
  snapshot_ = nullptr;
  return tags_.size() - 1;
}

uint32_t SeriesIndex::value_code(Tag& tag, std::string_view value) {
  if (value.empty()) return kAbsentTag;
  const auto found = tag.codes.find(value);
  if (found != tag.codes.end()) return found->second;
  const auto code = static_cast<uint32_t>(tag.values.size());
  tag.values.emplace_back(value);
  tag.codes.emplace(tag.values.back(), code);
  return code;
}

bool SeriesIndex::equal(SeriesId series, std::span<const uint32_t> codes) const {
  const std::span<const uint32_t> own(codes_.data() + starts_[series], starts_[series + 1] - starts_[series]);
  const size_t common = std::min(own.size(), codes.size());
  if (!std::equal(own.begin(), own.begin() + static_cast<ptrdiff_t>(common), codes.begin())) return false;
  const auto absent = [](uint32_t code) { return code == kAbsentTag; };
  return std::all_of(own.begin() + static_cast<ptrdiff_t>(common), own.end(), absent) &&
         std::all_of(codes.begin() + static_cast<ptrdiff_t>(common), codes.end(), absent);
}

void SeriesIndex::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const size_t mask = slots_.size() - 1;
  for (size_t series = 0; series < hashes_.size(); ++series) {
    size_t slot = hashes_[series] & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(series + 1);
  }
}

std::optional<SeriesId> SeriesIndex::find_or_add(std::span<const uint32_t> codes, bool limited) {
  const uint64_t hash = hash_codes(codes);
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const SeriesId series = slots_[slot] - 1;
    if (hashes_[series] == hash && equal(series, codes)) return series;
  }
  if (limited && hashes_.size() >= series_max_) return std::nullopt;
  const auto series = static_cast<SeriesId>(hashes_.size());
  codes_.insert(codes_.end(), codes.begin(), codes.end());
  starts_.push_back(codes_.size());
  hashes_.push_back(hash);
  slots_[slot] = series + 1;
  snapshot_ = nullptr;
  if (hashes_.size() * 2 > slots_.size()) grow();
  return series;
}

std::vector<std::optional<SeriesId>> SeriesIndex::resolve(const RowBatch& batch, bool limited,
                                                          std::string& widest_tag) {
  std::vector<std::optional<SeriesId>> out(batch.rows());
  const std::lock_guard lock(mutex_);
  std::vector<size_t> positions;
  // Batch code -> code here, filled as rows use it.
  std::vector<std::vector<uint32_t>> mapping;
  for (const TagColumn& tag : batch.tags) {
    positions.push_back(tag_index(tag.name));
    mapping.emplace_back(tag.values.size(), kUnmapped);
  }
  std::vector<uint32_t> codes(tags_.size(), kAbsentTag);
  for (size_t row = 0; row < batch.rows(); ++row) {
    bool same = row > 0;
    bool known = true;
    for (size_t i = 0; i < batch.tags.size(); ++i) {
      const uint32_t code = batch.tags[i].codes[row];
      if (row > 0 && code == batch.tags[i].codes[row - 1]) {
        known = known && codes[positions[i]] != kUnknown;
        continue;
      }
      same = false;
      if (code == kAbsentTag) {
        codes[positions[i]] = kAbsentTag;
        continue;
      }
      uint32_t& mapped = mapping[i][code];
      if (mapped == kUnmapped) {
        Tag& tag = tags_[positions[i]];
        const std::string& value = batch.tags[i].values[code];
        const bool full = limited && hashes_.size() >= series_max_;
        mapped = full && !tag.codes.contains(value) ? kUnknown : value_code(tag, value);
      }
      codes[positions[i]] = mapped;
      known = known && mapped != kUnknown;
    }
    out[row] = same ? out[row - 1] : known ? find_or_add(codes, limited) : std::nullopt;
    if (!out[row] && widest_tag.empty() && !tags_.empty()) {
      const auto widest = std::max_element(tags_.begin(), tags_.end(), [](const Tag& a, const Tag& b) {
        return a.values.size() < b.values.size();
      });
      widest_tag = widest->name;
    }
  }
  return out;
}

SeriesId SeriesIndex::resolve_stored(const std::vector<TagPair>& tags) {
  const std::lock_guard lock(mutex_);
  std::vector<size_t> positions;
  for (const auto& [name, value] : tags) positions.push_back(tag_index(name));
  std::vector<uint32_t> codes(tags_.size(), kAbsentTag);
  for (size_t i = 0; i < tags.size(); ++i)
    codes[positions[i]] = value_code(tags_[positions[i]], tags[i].second);
  return *find_or_add(codes, false);
}

uint64_t SeriesIndex::size() const {
  const std::lock_guard lock(mutex_);
  return hashes_.size();
}

std::shared_ptr<const SeriesSnapshot> SeriesIndex::snapshot() const {
  const std::lock_guard lock(mutex_);
  if (snapshot_ != nullptr) return snapshot_;
  auto made = std::make_shared<SeriesSnapshot>();
  made->count_ = hashes_.size();
  for (const Tag& tag : tags_) {
    made->tag_names_.push_back(tag.name);
    made->values_.emplace_back(tag.values.begin(), tag.values.end());
  }
  made->tags_by_name_.resize(tags_.size());
  std::iota(made->tags_by_name_.begin(), made->tags_by_name_.end(), size_t{0});
  std::sort(made->tags_by_name_.begin(), made->tags_by_name_.end(),
            [&](size_t a, size_t b) { return made->tag_names_[a] < made->tag_names_[b]; });
  made->codes_.assign(made->count_ * tags_.size(), kAbsentTag);
  for (size_t series = 0; series < made->count_; ++series) {
    std::copy(codes_.begin() + static_cast<ptrdiff_t>(starts_[series]),
              codes_.begin() + static_cast<ptrdiff_t>(starts_[series + 1]),
              made->codes_.begin() + static_cast<ptrdiff_t>(series * tags_.size()));
  }
  snapshot_ = made;
  return snapshot_;
}

}  // namespace varve
