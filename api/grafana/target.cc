#include "api/grafana/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/grafana/filters.h"
#include "api/query/planner.h"
#include "api/sql/text.h"

namespace varve::grafana {
namespace {

constexpr size_t kTargetBytesMax = 4 * kNameBytesMax;  // database, table and field, with some escapes

TableName table_name(std::string database, std::string name) {
  TableName result;
  result.database = std::move(database);
  result.name = std::move(name);
  return result;
}

// Which tables there are, looked at once: a target's text may be cut at many places.
class Tables {
 public:
  explicit Tables(const Engine& engine) : engine_(engine), tables_(engine.tables()) {}

  // `text` as a table, bare or after a database.
  std::optional<TableInfo> find_whole(std::string_view text) const {
    if (auto table = find("", text)) return table;
    size_t cuts = 0;
    for (size_t dot = text.find('.'); dot != std::string_view::npos && cuts < kCutsMax;
         dot = text.find('.', dot + 1), ++cuts) {
      if (dot == 0) continue;
      if (auto table = find(text.substr(0, dot), text.substr(dot + 1))) return table;
    }
    return std::nullopt;
  }

  // `text` as a table, or a table and a field.
  std::optional<Named> find_parts(std::string_view text) const {
    if (auto table = find_whole(text)) return Named{std::move(*table), {}};
    size_t cuts = 0;
    for (size_t dot = text.rfind('.'); dot != std::string_view::npos && dot > 0 && cuts < kCutsMax;
         dot = text.rfind('.', dot - 1), ++cuts) {
      auto table = find_whole(text.substr(0, dot));
      if (!table) continue;
      const ColumnInfo* const column = find_column(*table, text.substr(dot + 1));
      if (column == nullptr) continue;
      std::string field = column->name;
      return Named{std::move(*table), std::move(field)};
    }
    return std::nullopt;
  }

 private:
  static constexpr size_t kCutsMax = 16;  // dots in names that are tried; guessed

  std::optional<TableInfo> find(std::string_view database, std::string_view name) const {
    const bool there = std::any_of(tables_.begin(), tables_.end(), [&](const TableInfo& table) {
      return (database.empty() || equal_ignoring_case(table.database, database)) &&
             equal_ignoring_case(table.name, name);
    });
    if (!there) return std::nullopt;
    auto table = find_table(engine_, table_name(std::string(database), std::string(name)));
    if (!table) return std::nullopt;
    return std::move(*table);
  }

  const Engine& engine_;
  const std::vector<TableInfo> tables_;
};

// A variable's value in a target comes with the special characters of regular expressions escaped.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

}  // namespace

bool is_sql(std::string_view text) {
  constexpr std::string_view kBegins[] = {"select", "with", "show", "describe", "explain", "values"};
  const size_t from = text.find_first_not_of(" \t\r\n(");
  if (from == std::string_view::npos) return false;
  text.remove_prefix(from);
  const std::string word = ascii_lower(text.substr(0, text.find_first_of(" \t\r\n(*")));
  if (word.size() == text.size()) return false;  // a table of that name
  return std::find(std::begin(kBegins), std::end(kBegins), word) != std::end(kBegins);
}

QueryResult<Named> find_named(const Engine& engine, const std::string& text) {
  if (text.size() > kTargetBytesMax) {
    return tl::make_unexpected(invalid_query(
        "bad_request", fmt::format("a target of {} bytes names no table", text.size()), 0, "or write SQL"));
  }
  const Tables tables(engine);
  if (auto named = tables.find_parts(text)) return std::move(*named);
  if (text.find('\\') != std::string::npos) {
    if (auto named = tables.find_parts(unescaped(text))) return std::move(*named);
  }
  // Whose error is the most helpful: of a table without the field, or of no table at all.
  auto refused = find_table(engine, table_name("", text));
  const size_t dot = text.rfind('.');
  if (dot == std::string::npos || dot == 0) return tl::make_unexpected(std::move(refused.error()));
  const auto table = tables.find_whole(std::string_view(text).substr(0, dot));
  if (!table) return tl::make_unexpected(std::move(refused.error()));
  std::vector<std::string> names;
  for (const ColumnInfo& column : table->columns) names.push_back(column.name);
  const std::string field = text.substr(dot + 1);
  return tl::make_unexpected(QueryError{QueryErrorKind::kInvalid, "unknown_column",
                                        fmt::format("table `{}` has no column `{}`", table->name, field),
                                        std::nullopt, nearest_hint(field, names)});
}

std::string shown_name(const TableInfo& table, const std::vector<TableInfo>& tables) {
  const auto others = std::count_if(tables.begin(), tables.end(),
                                    [&](const TableInfo& other) { return other.name == table.name; });
  if (table.database == kDefaultDatabase || others == 1) return table.name;
  return fmt::format("{}.{}", table.database, table.name);
}

}  // namespace varve::grafana
