// The names a part of a statement can see while it is translated.
// Threads: values; nothing shared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/sqlite/source_tables.h"

namespace varve {

struct NamedType {
  std::string name;
  KnownType type;
};

struct ScopeColumn {
  std::string name;
  KnownType type;
  SourceColumn* source = nullptr;  // of a table; null for what a sub-query gives
  bool merged = false;             // USING or NATURAL: the column of the left side stands for both
};

// One table, sub-query or common table expression of a FROM.
struct ScopeItem {
  std::string name;  // by which it is qualified; may be empty
  std::vector<ScopeColumn> columns;
  bool known = true;  // its columns are

  ScopeColumn* find(std::string_view column);
};

struct Scope {
  std::vector<ScopeItem> items;
  std::vector<NamedType> aliases;  // of the SELECT list so far
  bool lenient = false;            // names found nowhere are left to SQLite
};

struct FoundColumn {
  ScopeItem* item = nullptr;
  ScopeColumn* column = nullptr;
};

// In `scope` alone. `qualifier` may be empty. The name `timestamp` finds a column `time` when nothing else has it.
std::optional<FoundColumn> find_column(Scope& scope, std::string_view qualifier, std::string_view name);
// "did you mean": the names a column could have meant, outer scopes included.
std::vector<std::string> column_names(const std::vector<Scope*>& scopes);
std::vector<std::string> item_names(const std::vector<Scope*>& scopes);  // a sub-query without a name is ""

}  // namespace varve
