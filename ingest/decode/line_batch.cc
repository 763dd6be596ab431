#include "ingest/decode/line_batch.h"

#include <algorithm>

#include "storage/base/same_text.h"

namespace varve {

bool LineBatch::fits(std::span<const FieldItem> fields) {
  return std::all_of(fields.begin(), fields.end(), [](const FieldItem& item) {
    return item.type == FieldType::kDouble || item.type == FieldType::kInt64;
  });
}

LineBatch::LineBatch(std::string_view database, std::string_view table, std::span<const FieldItem> fields,
                     size_t rows_expected) {
  batch_.database = database;
  batch_.table = table;
  batch_.times.reserve(rows_expected);
  sets_of_rows_.reserve(rows_expected);
  lines_.reserve(rows_expected);
  for (const FieldItem& item : fields) {
    names_.push_back(item.name);
    batch_.fields.push_back({std::string(item.name), ColumnVector(item.type)});
    ColumnVector& column = batch_.fields.back().data;
    if (item.type == FieldType::kDouble) {
      column.doubles.reserve(rows_expected);
    } else {
      column.ints.reserve(rows_expected);
    }
  }
}

bool LineBatch::same_fields(std::span<const FieldItem> fields) const {
  if (fields.size() != names_.size()) return false;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string_view name = fields[i].name;
    // Mostly the very bytes, because the parser gives a name that repeats as it was first.
    if (name.data() == names_[i].data() ? name.size() != names_[i].size() : !same_text(name, names_[i]))
      return false;
    if (fields[i].type != batch_.fields[i].data.type) return false;
  }
  return true;
}

bool LineBatch::add(uint32_t set, std::span<const LineTag> tags, std::span<const FieldItem> fields,
                    int64_t time_ns, uint32_t line) {
  if (!same_fields(fields) || is_too_sparse(rows(), batch_.tags.size() + names_.size(), values_))
    return false;
  const bool seen = set < number_of_set_.size() && number_of_set_[set] != kNotSeen;
  if (!seen && !add_set(set, tags)) return false;
  for (size_t i = 0; i < fields.size(); ++i) {
    ColumnVector& column = batch_.fields[i].data;
    if (column.type == FieldType::kDouble) {
      column.doubles.push_back(fields[i].number);
    } else {
      column.ints.push_back(fields[i].whole);
    }
  }
  values_ += tags.size() + fields.size();
  batch_.times.push_back(time_ns);
  sets_of_rows_.push_back(number_of_set_[set]);
  lines_.push_back(line);
  return true;
}

// The column of this name, made when there is none.
size_t LineBatch::tag_column(size_t guess, std::string_view name) {
  if (guess < batch_.tags.size() && same_text(batch_.tags[guess].name, name)) return guess;
  const auto known = std::find_if(batch_.tags.begin(), batch_.tags.end(),
                                  [&](const TagColumn& column) { return same_text(column.name, name); });
  if (known != batch_.tags.end()) return static_cast<size_t>(known - batch_.tags.begin());
  batch_.tags.push_back({std::string(name), {}, {}});
  tags_.emplace_back();
  return tags_.size() - 1;
}

// False when a name is given twice or is a field's; then the set has no number.
bool LineBatch::add_set(uint32_t set, std::span<const LineTag> tags) {
  for (size_t i = 0; i < tags.size(); ++i) {
    const std::string_view name = tags[i].first;
    const auto same = [&](std::string_view other) { return same_text(other, name); };
    if (std::any_of(names_.begin(), names_.end(), same)) return false;
    for (size_t k = 0; k < i; ++k) {
      if (same(tags[k].first)) return false;
    }
  }
  for (size_t i = 0; i < tags.size(); ++i) {
    const size_t at = tag_column(i, tags[i].first);
    std::vector<std::string>& values = batch_.tags[at].values;
    const auto [code, added] = tags_[at].codes.try_emplace(tags[i].second, values.size());
    if (added) values.emplace_back(tags[i].second);
    tags_[at].code_of_set.resize(sets_, kAbsentTag);
    tags_[at].code_of_set.push_back(code->second);
  }
  if (set >= number_of_set_.size()) number_of_set_.resize(set + size_t{1}, kNotSeen);
  number_of_set_[set] = sets_++;
  return true;
}

LineBatch::Finished LineBatch::finish() {
  for (size_t at = 0; at < tags_.size(); ++at) {
    std::vector<uint32_t>& code_of_set = tags_[at].code_of_set;
    code_of_set.resize(sets_, kAbsentTag);
    std::vector<uint32_t>& codes = batch_.tags[at].codes;
    codes.resize(rows());
    for (size_t row = 0; row < rows(); ++row) codes[row] = code_of_set[sets_of_rows_[row]];
  }
  return {std::move(batch_), std::move(lines_)};
}

}  // namespace varve
