// Rows as text, one a line, for comparison in tests: "db.table tag=value,... field=type:value,... time",
// names sorted.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ingest/decode/row_set.h"
#include "storage/model/row_batch.h"

namespace varve {

inline std::string row_text(const RowBatch& batch, size_t row) {
  std::vector<std::string> tags;
  for (const TagColumn& tag : batch.tags) {
    if (tag.codes[row] != kAbsentTag)
      tags.push_back(fmt::format("{}={}", tag.name, tag.values[tag.codes[row]]));
  }
  std::vector<std::string> fields;
  for (const FieldColumn& field : batch.fields) {
    if (!field.data.is_valid(row)) continue;
    std::string text;
    switch (field.data.type) {
      case FieldType::kDouble:
        text = fmt::format("d:{}", field.data.doubles[row]);
        break;
      case FieldType::kInt64:
        text = fmt::format("i:{}", field.data.ints[row]);
        break;
      case FieldType::kBool:
        text = fmt::format("b:{}", field.data.bools[row] != 0);
        break;
      case FieldType::kString:
        text = fmt::format("s:{}", field.data.strings[row]);
        break;
    }
    fields.push_back(fmt::format("{}={}", field.name, text));
  }
  std::sort(tags.begin(), tags.end());
  std::sort(fields.begin(), fields.end());
  return fmt::format("{}.{} {} {} {}", batch.database, batch.table, fmt::join(tags, ","),
                     fmt::join(fields, ","), batch.times[row]);
}

inline std::vector<std::string> batch_texts(const std::vector<RowBatch>& batches) {
  std::vector<std::string> texts;
  for (const RowBatch& batch : batches) {
    for (size_t row = 0; row < batch.rows(); ++row) texts.push_back(row_text(batch, row));
  }
  return texts;
}

inline std::vector<std::string> take_texts(RowSet& rows) {
  return batch_texts(rows.take().batches);
}

// Entries of all columns: what the memory of batches grows with.
inline size_t cells(const std::vector<RowBatch>& batches) {
  size_t sum = 0;
  for (const RowBatch& batch : batches) sum += batch.rows() * (batch.tags.size() + batch.fields.size());
  return sum;
}

}  // namespace varve
