// A stored row as a Kafka message of [[kafka_out]]:
//   value  one JSON object: {"time":"2026-01-02T03:04:05.006Z", tags as strings..., fields...}; absent ones are left out.
//          Doubles always have a point or exponent, so that they are doubles again; NaN and infinities are null
//   key    the series, as line protocol writes it: "table,site=pier,sensor=a\ 1", tags in order of their names
// Threads: values.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "storage/model/row_batch.h"

namespace varve {

class OutRows {
 public:
  explicit OutRows(const RowBatch& batch);  // borrowed
  // They overwrite the text.
  void write_key(size_t row, std::string& key) const;
  void write_value(size_t row, std::string& value) const;

 private:
  const RowBatch& batch_;
  std::string table_;                   // escaped
  std::vector<const TagColumn*> tags_;  // by name
};

// "{table}" of the template replaced; what a topic may not contain becomes "_".
std::string out_topic(std::string_view topic_template, std::string_view table);

}  // namespace varve
