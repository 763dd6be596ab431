// The words of the data model: field types, column kinds, values, names of system tables.
// time is int64 ns since the Unix epoch, UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace varve {

enum class FieldType : uint8_t { kDouble = 0, kInt64 = 1, kBool = 2, kString = 3 };
enum class ColumnKind : uint8_t { kTime = 0, kTag = 1, kField = 2 };

std::string_view field_type_name(FieldType type);    // "double" "int64" "bool" "string"
std::string_view column_kind_name(ColumnKind kind);  // "time" "tag" "field"
std::optional<FieldType> field_type_from_byte(uint8_t byte);

using Value = std::variant<std::monostate, double, int64_t, bool, std::string>;  // monostate = absent

constexpr std::string_view kDefaultDatabase = "varve";
constexpr std::string_view kTimeColumn = "time";

// Limits of the model; a row that passes one is refused with the limit's name.
constexpr size_t kNameBytesMax = 255;       // database, table and column names (guessed)
constexpr size_t kTagColumnsMax = 256;      // of a table: every series has a place for every tag (guessed)
constexpr size_t kTagValueBytesMax = 4096;  // a tag is an index key, not a document (guessed)
constexpr size_t kStringValueBytesMax = 1 << 20;  // as InfluxDB: 1 MiB

// An inclusive range of times; the default is everything.
struct TimeRange {
  int64_t min = INT64_MIN;
  int64_t max = INT64_MAX;
  bool empty() const { return min > max; }
  bool contains(int64_t t) const { return min <= t && t <= max; }
  bool overlaps(int64_t from, int64_t to) const { return from <= max && min <= to; }
};

}  // namespace varve
