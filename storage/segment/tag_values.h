// The distinct values of one tag while a segment is written: value -> code, in order of first appearance.
// Series come in the order of their keys, so the first tag's values ascend and others repeat: neither needs a hash
// table, which is built only when a value comes out of order.
// Memory: the values once, and 8 bytes a value where the table is needed. Threads: one at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/model/column.h"

namespace varve {

class TagValues {
 public:
  uint32_t code(std::string_view value);  // added when it is new
  size_t size() const { return values_.size(); }
  size_t bytes() const { return values_.bytes.size(); }

  struct Sorted {
    StringColumn values;         // ascending
    std::vector<uint32_t> rank;  // of each code
  };
  Sorted sorted() &&;

 private:
  uint32_t add(std::string_view value);
  void grow();
  size_t slot_of(std::string_view value) const;

  StringColumn values_;          // by code
  bool ascending_ = true;        // so far: then there is no table
  uint32_t last_ = 0;            // the code given last
  std::vector<uint32_t> slots_;  // code + 1, 0 = free; a power of two, at most half full
};

}  // namespace varve
