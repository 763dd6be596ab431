#include "api/query/tag_chunk.h"

namespace varve {

TagChunk::TagChunk(const std::vector<SlotSource>& slots)
    : slots_(slots), values_(slots.size(), ColumnVector(FieldType::kString)) {
  chunk_.rows = 1;
  chunk_.slots.resize(slots.size());
}

void TagChunk::fill(const SeriesTags& tags) {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].kind != ColumnKind::kTag) continue;
    const std::string_view value = tags.value(slots_[slot].name);
    values_[slot].clear();
    if (value.empty()) {
      values_[slot].push_null();
    } else {
      values_[slot].push_string(value);
    }
    chunk_.slots[slot] = view_of(values_[slot], true);
  }
}

bool TagChunk::passes(const SeriesTags& tags, Scalar& filter, EvalContext& context) {
  fill(tags);
  passed_.clear();
  select_true(filter.evaluate(chunk_, context), 1, passed_);
  return !passed_.empty();
}

}  // namespace varve
