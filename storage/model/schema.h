// The columns of a table as others see them.
// Threads: values.
#pragma once

#include <string>

#include "storage/model/types.h"

namespace varve {

struct ColumnInfo {
  std::string name;
  ColumnKind kind = ColumnKind::kField;
  FieldType type = FieldType::kDouble;  // fields only
};

}  // namespace varve
