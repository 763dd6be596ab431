// The `table` key of a mapping: a fixed name, "{topic}" or "{field:NAME}".
// Threads: a value.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct TableTemplate {
  enum class Kind { kFixed, kTopic, kField } kind = Kind::kFixed;
  std::string name;  // the table, or the field that holds it
};

// kInvalidArgument saying what is accepted.
Result<TableTemplate> parse_table_template(std::string_view text);

}  // namespace varve
