#include "storage/series/series_index.h"

#include <algorithm>
#include <numeric>

#include "storage/base/checksum.h"

namespace varve {
namespace {

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

// ---- SeriesSnapshot ----

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

// Keys are names and values one after the other, so the first tag in which the two differ decides; where one lacks
// it, the other is the smaller one, unless the first has no tag left and so is the beginning of the other.
bool SeriesSnapshot::key_before(SeriesId a, SeriesId b) const {
  const uint32_t* const of_a = codes_[a];
  const uint32_t* const of_b = codes_[b];
  const auto has_more = [&](const uint32_t* codes, size_t from) {
    return std::any_of(tags_by_name_.begin() + static_cast<ptrdiff_t>(from), tags_by_name_.end(),
                       [&](size_t tag) { return codes[tag] != kAbsentTag; });
  };
  for (size_t i = 0; i < tags_by_name_.size(); ++i) {
    const size_t tag = tags_by_name_[i];
    if (of_a[tag] == of_b[tag]) continue;
    if (of_a[tag] == kAbsentTag) return !has_more(of_a, i);
    if (of_b[tag] == kAbsentTag) return has_more(of_b, i);
    return value(a, tag) < value(b, tag);
  }
  return false;
}

// ---- SeriesOrder ----

SeriesOrder::SeriesOrder(const SeriesOrder& known, const SeriesSnapshot& snapshot)
    : series_(known.series_), ranks_(snapshot.size()) {
  series_.resize(snapshot.size());
  const auto first_new = series_.begin() + static_cast<ptrdiff_t>(known.size());
  std::iota(first_new, series_.end(), static_cast<SeriesId>(known.size()));
  const auto before = [&](SeriesId a, SeriesId b) { return snapshot.key_before(a, b); };
  std::sort(first_new, series_.end(), before);
  std::inplace_merge(series_.begin(), first_new, series_.end(), before);
  for (size_t rank = 0; rank < series_.size(); ++rank) ranks_[series_[rank]] = static_cast<uint32_t>(rank);
}

// ---- SeriesIndex ----

size_t SeriesIndex::tag_index(std::string_view name) {
  for (size_t i = 0; i < tags_.size(); ++i) {
    if (tags_[i].name == name) return i;
  }
  tags_.emplace_back();
  tags_.back().name = std::string(name);
  snapshot_ = nullptr;
  return tags_.size() - 1;
}

void SeriesIndex::widen_to_tags() {
  if (codes_.width() < tags_.size()) codes_.widen(tags_.size(), kAbsentTag);
}

std::optional<uint32_t> SeriesIndex::find_value(const Tag& tag, uint64_t hash, std::string_view value) {
  return tag.codes.find(hash, [&](uint32_t code) { return TextArena::text(*tag.values[code]) == value; });
}

uint32_t SeriesIndex::value_code(Tag& tag, std::string_view value) {
  if (value.empty()) return kAbsentTag;
  const uint64_t hash = checksum64(value);
  if (const auto known = find_value(tag, hash, value)) return *known;
  const auto code = static_cast<uint32_t>(tag.values.rows());
  const char* const text = tag.memory->add(value);
  tag.values.push(&text);
  tag.codes.insert(hash, code);
  return code;
}

std::optional<SeriesId> SeriesIndex::find_codes(uint64_t hash, const std::vector<uint32_t>& codes) const {
  return series_.find(
      hash, [&](uint32_t series) { return std::equal(codes.begin(), codes.end(), codes_[series]); });
}

SeriesId SeriesIndex::find_or_add(const std::vector<uint32_t>& codes, bool limited) {
  const uint64_t hash = hash_codes(codes);
  if (const auto known = find_codes(hash, codes)) return *known;
  if (full(limited)) return kNoSeries;
  const auto series = static_cast<SeriesId>(codes_.rows());
  codes_.push(codes.data());
  series_.insert(hash, series);
  snapshot_ = nullptr;
  return series;
}

std::vector<SeriesId> SeriesIndex::resolve(const RowBatch& batch, bool limited, std::string& widest_tag) {
  std::vector<SeriesId> out(batch.rows(), kNoSeries);
  const std::lock_guard lock(mutex_);
  std::vector<size_t> positions;
  // Batch code -> code here, filled as rows use it.
  std::vector<std::vector<uint32_t>> mapping;
  for (const TagColumn& tag : batch.tags) {
    positions.push_back(tag_index(tag.name));
    mapping.emplace_back(tag.values.size(), kUnmapped);
  }
  widen_to_tags();
  std::vector<uint32_t> codes(tags_.size(), kAbsentTag);
  size_t unknown = 0;   // how many of `codes` are
  size_t resolved = 0;  // the row they are of
  // Streams give their series one after the other, again and again: after so many rows the first one came back.
  size_t period = 0;
  const auto same_tags = [&](size_t a, size_t b) {
    return std::all_of(batch.tags.begin(), batch.tags.end(),
                       [&](const TagColumn& tag) { return tag.codes[a] == tag.codes[b]; });
  };
  for (size_t row = 0; row < batch.rows(); ++row) {
    if (period != 0 && same_tags(row, row - period)) {
      out[row] = out[row - period];
      continue;
    }
    bool same = row > 0;
    for (size_t i = 0; i < batch.tags.size(); ++i) {
      const uint32_t code = batch.tags[i].codes[row];
      if (row > 0 && code == batch.tags[i].codes[resolved]) continue;
      same = false;
      uint32_t& own = codes[positions[i]];
      if (own == kUnknown) --unknown;
      own = kAbsentTag;
      if (code == kAbsentTag) continue;
      uint32_t& mapped = mapping[i][code];
      if (mapped == kUnmapped) {
        Tag& tag = tags_[positions[i]];
        const std::string& value = batch.tags[i].values[code];
        mapped = !full(limited) || value.empty()
                     ? value_code(tag, value)
                     : find_value(tag, checksum64(value), value).value_or(kUnknown);
      }
      own = mapped;
      if (own == kUnknown) ++unknown;
    }
    out[row] = same ? out[resolved] : unknown == 0 ? find_or_add(codes, limited) : kNoSeries;
    resolved = row;
    if (period == 0 && row > 0 && out[row] == out[0]) period = row;
    if (out[row] == kNoSeries && widest_tag.empty() && !tags_.empty()) {
      const auto widest = std::max_element(tags_.begin(), tags_.end(), [](const Tag& a, const Tag& b) {
        return a.values.rows() < b.values.rows();
      });
      widest_tag = widest->name;
    }
  }
  return out;
}

std::vector<SeriesId> SeriesIndex::resolve_stored(std::span<const StoredTag> tags, size_t count) {
  std::vector<SeriesId> out(count);
  const std::lock_guard lock(mutex_);
  std::vector<size_t> positions;
  std::vector<std::vector<uint32_t>> mapping;
  for (const StoredTag& tag : tags) {
    positions.push_back(tag_index(tag.name));
    Tag& own = tags_[positions.back()];
    std::vector<uint32_t>& mapped = mapping.emplace_back(1, kAbsentTag);
    for (size_t i = 0; i < tag.values->size(); ++i) mapped.push_back(value_code(own, (*tag.values)[i]));
  }
  widen_to_tags();
  std::vector<uint32_t> codes(tags_.size(), kAbsentTag);
  for (size_t series = 0; series < count; ++series) {
    for (size_t i = 0; i < tags.size(); ++i) codes[positions[i]] = mapping[i][tags[i].codes[series]];
    out[series] = find_or_add(codes, false);
  }
  return out;
}

std::optional<SeriesId> SeriesIndex::find(const std::vector<TagPair>& tags) const {
  const std::lock_guard lock(mutex_);
  std::vector<uint32_t> codes(tags_.size(), kAbsentTag);
  for (const auto& [name, value] : tags) {
    const auto tag = std::find_if(tags_.begin(), tags_.end(),
                                  [&wanted = name](const Tag& known) { return known.name == wanted; });
    if (tag == tags_.end()) return std::nullopt;
    const auto code = find_value(*tag, checksum64(value), value);
    if (!code) return std::nullopt;
    codes[static_cast<size_t>(tag - tags_.begin())] = *code;
  }
  return find_codes(hash_codes(codes), codes);
}

uint64_t SeriesIndex::size() const {
  const std::lock_guard lock(mutex_);
  return codes_.rows();
}

std::shared_ptr<const SeriesSnapshot> SeriesIndex::snapshot() const {
  const std::lock_guard lock(mutex_);
  if (snapshot_ != nullptr) return snapshot_;
  auto made = std::make_shared<SeriesSnapshot>();
  made->codes_ = codes_;
  for (const Tag& tag : tags_) {
    made->tag_names_.push_back(tag.name);
    made->tags_.push_back({tag.values, tag.memory});
  }
  made->tags_by_name_.resize(tags_.size());
  std::iota(made->tags_by_name_.begin(), made->tags_by_name_.end(), size_t{0});
  std::sort(made->tags_by_name_.begin(), made->tags_by_name_.end(),
            [&](size_t a, size_t b) { return made->tag_names_[a] < made->tag_names_[b]; });
  snapshot_ = made;
  return snapshot_;
}

std::shared_ptr<const SeriesOrder> SeriesIndex::known_order() const {
  const std::lock_guard lock(mutex_);
  return order_;
}

void SeriesIndex::sort_by_key(std::vector<SeriesId>& series) const {
  const auto known = known_order();
  const auto newest = std::max_element(series.begin(), series.end());
  if (newest == series.end() || *newest < known->size()) {
    std::sort(series.begin(), series.end(),
              [&](SeriesId a, SeriesId b) { return known->rank(a) < known->rank(b); });
  } else {
    const auto now = snapshot();
    std::sort(series.begin(), series.end(), [&](SeriesId a, SeriesId b) { return now->key_before(a, b); });
  }
}

std::shared_ptr<const SeriesOrder> SeriesIndex::order() const {
  const std::lock_guard one_at_a_time(order_mutex_);
  const auto now = snapshot();
  const auto known = known_order();
  if (known->size() == now->size()) return known;
  auto made = std::make_shared<SeriesOrder>(*known, *now);
  const std::lock_guard lock(mutex_);
  return order_ = std::move(made);
}

}  // namespace varve
