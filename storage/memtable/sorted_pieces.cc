#include "storage/memtable/sorted_pieces.h"

#include <algorithm>

namespace varve {

const SortedPieces::Runs& SortedPieces::update(const RowBuffer& buffer,
                                               const SortedRun::SortByKey& sort_by_key) {
  const size_t rows = buffer.rows();
  if (end_ == rows) return runs_;
  size_t begin = end_;
  while (!runs_.empty() &&
         (rows <= kWholeRows || begin - begins_.back() <= 2 * std::max(rows - begin, kSmallRows))) {
    begin = begins_.back();
    runs_.pop_back();
    begins_.pop_back();
  }
  runs_.push_back(std::make_shared<const SortedRun>(buffer, begin, sort_by_key));
  begins_.push_back(begin);
  end_ = rows;
  return runs_;
}

std::shared_ptr<const SortedRun> SortedPieces::whole(const RowBuffer& buffer) const {
  return runs_.size() == 1 && end_ == buffer.rows() ? runs_.front() : nullptr;
}

void SortedPieces::clear() {
  runs_.clear();
  begins_.clear();
  end_ = 0;
}

}  // namespace varve
