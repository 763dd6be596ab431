// An open-addressing hash table of numbers 0, 1, ...; what they stand for is kept by the caller. 8 bytes a slot, at
// most three quarters full: 11 to 21 bytes a number.
// Threads: as a standard container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace varve {

class HashSlots {
 public:
  // The number of this hash for which `equal(number)` holds.
  template <class Equal>
  std::optional<uint32_t> find(uint64_t hash, const Equal& equal) const {
    const auto short_hash = static_cast<uint32_t>(hash);
    for (size_t at = short_hash & mask(); slots_[at].number != 0; at = (at + 1) & mask()) {
      const Slot& slot = slots_[at];
      if (slot.hash == short_hash && equal(slot.number - 1)) return slot.number - 1;
    }
    return std::nullopt;
  }
  // Not there yet.
  void insert(uint64_t hash, uint32_t number) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    place({static_cast<uint32_t>(hash), number + 1});
    ++used_;
  }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[static_cast<uint32_t>(hash) & mask()]); }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t number = 0;  // + 1; 0 = free
  };
  size_t mask() const { return slots_.size() - 1; }
  void place(const Slot& slot) {
    size_t at = slot.hash & mask();
    while (slots_[at].number != 0) at = (at + 1) & mask();
    slots_[at] = slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != 0) place(slot);
    }
  }

  std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two
  size_t used_ = 0;
};

}  // namespace varve
