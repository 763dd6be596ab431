#include "api/grafana/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/grafana/filters.h"
#include "api/query/planner.h"
#include "api/sql/text.h"

namespace varve::grafana {
namespace {

TableName table_name(std::string database, std::string name) {
  TableName result;
  result.database = std::move(database);
  result.name = std::move(name);
  return result;
}

// `text` as a table, bare or after a database.
std::optional<TableInfo> find_whole(const Engine& engine, const std::string& text) {
  if (auto table = find_table(engine, table_name("", text))) return std::move(*table);
  for (size_t dot = text.find('.'); dot != std::string::npos; dot = text.find('.', dot + 1)) {
    if (dot == 0) continue;
    auto table = find_table(engine, table_name(text.substr(0, dot), text.substr(dot + 1)));
    if (table) return std::move(*table);
  }
  return std::nullopt;
}

// `text` as a table, or a table and a field.
std::optional<Named> find_parts(const Engine& engine, const std::string& text) {
  if (auto table = find_whole(engine, text)) return Named{std::move(*table), {}};
  for (size_t dot = text.rfind('.'); dot != std::string::npos && dot > 0; dot = text.rfind('.', dot - 1)) {
    auto table = find_whole(engine, text.substr(0, dot));
    if (!table) continue;
    const ColumnInfo* const column = find_column(*table, text.substr(dot + 1));
    if (column != nullptr) return Named{std::move(*table), column->name};
  }
  return std::nullopt;
}

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
  if (auto named = find_parts(engine, text)) return std::move(*named);
  if (text.find('\\') != std::string::npos) {
    if (auto named = find_parts(engine, unescaped(text))) return std::move(*named);
  }
  // Whose error is the most helpful: of a table without the field, or of no table at all.
  auto refused = find_table(engine, table_name("", text));
  const size_t dot = text.rfind('.');
  if (dot == std::string::npos || dot == 0) return tl::make_unexpected(std::move(refused.error()));
  const auto table = find_whole(engine, text.substr(0, dot));
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
