#include "storage/model/types.h"

namespace varve {

std::string_view field_type_name(FieldType type) {
  switch (type) {
    case FieldType::kDouble:
      return "double";
    case FieldType::kInt64:
      return "int64";
    case FieldType::kBool:
      return "bool";
    case FieldType::kString:
      return "string";
  }
  return "unknown";
}

std::string_view column_kind_name(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kTime:
      return "time";
    case ColumnKind::kTag:
      return "tag";
    case ColumnKind::kField:
      return "field";
  }
  return "unknown";
}

std::optional<FieldType> field_type_from_byte(uint8_t byte) {
  if (byte > static_cast<uint8_t>(FieldType::kString)) return std::nullopt;
  return static_cast<FieldType>(byte);
}

}  // namespace varve
