#include "storage/segment/tag_values.h"

#include <algorithm>
#include <numeric>

#include "storage/base/checksum.h"

namespace varve {
namespace {

constexpr size_t kSlotsMin = 64;

}  // namespace

uint32_t TagValues::code(std::string_view value) {
  if (size() > 0 && values_[last_] == value) return last_;
  if (ascending_ && (size() == 0 || value > values_[size() - 1])) return add(value);
  if (ascending_) {
    ascending_ = false;
    grow();
  }
  const size_t slot = slot_of(value);
  if (slots_[slot] != 0) return last_ = slots_[slot] - 1;
  slots_[slot] = static_cast<uint32_t>(size() + 1);
  add(value);
  if (size() * 2 > slots_.size()) grow();
  return last_;
}

uint32_t TagValues::add(std::string_view value) {
  last_ = static_cast<uint32_t>(size());
  values_.push_back(value);
  return last_;
}

void TagValues::grow() {
  size_t slots = kSlotsMin;
  while (slots < size() * 4) slots *= 2;
  slots_.assign(slots, 0);
  for (size_t i = 0; i < size(); ++i) slots_[slot_of(values_[i])] = static_cast<uint32_t>(i + 1);
}

size_t TagValues::slot_of(std::string_view value) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = checksum64(value) & mask;
  while (slots_[slot] != 0 && values_[slots_[slot] - 1] != value) slot = (slot + 1) & mask;
  return slot;
}

TagValues::Sorted TagValues::sorted() && {
  Sorted sorted;
  sorted.rank.resize(size());
  std::iota(sorted.rank.begin(), sorted.rank.end(), uint32_t{0});
  if (ascending_) {
    sorted.values = std::move(values_);
    return sorted;
  }
  std::vector<uint32_t> order = sorted.rank;
  std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return values_[a] < values_[b]; });
  for (size_t i = 0; i < order.size(); ++i) {
    sorted.values.push_back(values_[order[i]]);
    sorted.rank[order[i]] = static_cast<uint32_t>(i);
  }
  return sorted;
}

}  // namespace varve
