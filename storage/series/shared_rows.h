// Rows of a fixed number of values in memory, appended to by one writer. A copy costs a pointer a chunk, shares the
// memory, and goes on seeing the rows there were when it was made.
// Threads: copies may be read on any thread while the writer, under a lock of its own, appends to the original.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace varve {

template <class T>
class SharedRows {
 public:
  explicit SharedRows(size_t width) : width_(width) {}

  size_t rows() const { return rows_; }
  size_t width() const { return width_; }
  const T* operator[](size_t row) const {
    return chunks_[row / kChunkRows].get() + (row % kChunkRows) * width_;
  }

  void push(const T* values) {
    if (rows_ == chunks_.size() * kChunkRows - unused_) grow();
    std::copy_n(values, width_, chunks_.back().get() + (rows_ % kChunkRows) * width_);
    ++rows_;
  }

  // Rows so far get `fill` in the new places.
  void widen(size_t width, T fill) {
    SharedRows wider(width);
    std::vector<T> values(width, fill);
    for (size_t row = 0; row < rows_; ++row) {
      std::copy_n((*this)[row], width_, values.data());
      wider.push(values.data());
    }
    *this = std::move(wider);
  }

 private:
  static constexpr size_t kChunkRows = 4096;  // the last chunk grows from kFirstRows: most tables are small
  static constexpr size_t kFirstRows = 16;

  void grow() {
    const size_t in_last = rows_ % kChunkRows;
    const size_t capacity = in_last == 0 ? (chunks_.empty() ? kFirstRows : kChunkRows) : in_last * 2;
    std::shared_ptr<T[]> chunk(new T[std::max<size_t>(capacity * width_, 1)]);
    if (in_last == 0) {
      chunks_.push_back(std::move(chunk));
    } else {
      // Readers keep the old one: what it holds stays as it is.
      std::copy_n(chunks_.back().get(), in_last * width_, chunk.get());
      chunks_.back() = std::move(chunk);
    }
    unused_ = kChunkRows - capacity;
  }

  size_t width_;
  size_t rows_ = 0;
  size_t unused_ = 0;  // rows the last chunk has no memory for
  std::vector<std::shared_ptr<T[]>> chunks_;
};

}  // namespace varve
