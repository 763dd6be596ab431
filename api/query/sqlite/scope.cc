#include "api/query/sqlite/scope.h"

#include "api/sql/text.h"

namespace varve {

ScopeColumn* ScopeItem::find(std::string_view column) {
  ScopeColumn* folded = nullptr;
  for (ScopeColumn& candidate : columns) {
    if (candidate.name == column) return &candidate;
    if (folded == nullptr && equal_ignoring_case(candidate.name, column)) folded = &candidate;
  }
  return folded;
}

std::optional<FoundColumn> find_column(Scope& scope, std::string_view qualifier, std::string_view name) {
  const auto find = [&](std::string_view wanted) -> std::optional<FoundColumn> {
    for (ScopeItem& item : scope.items) {
      if (!qualifier.empty() && !equal_ignoring_case(item.name, qualifier)) continue;
      if (ScopeColumn* column = item.find(wanted)) return FoundColumn{&item, column};
    }
    return std::nullopt;
  };
  auto found = find(name);
  if (found || !equal_ignoring_case(name, "timestamp")) return found;
  found = find(kTimeColumn);
  if (found && found->column->type != SqlType::kTimestamp) found.reset();
  return found;
}

std::vector<std::string> column_names(const std::vector<Scope*>& scopes) {
  std::vector<std::string> names;
  for (const Scope* scope : scopes) {
    for (const ScopeItem& item : scope->items) {
      for (const ScopeColumn& column : item.columns) names.push_back(column.name);
    }
    for (const NamedType& alias : scope->aliases) names.push_back(alias.name);
  }
  return names;
}

std::vector<std::string> item_names(const std::vector<Scope*>& scopes) {
  std::vector<std::string> names;
  for (const Scope* scope : scopes) {
    for (const ScopeItem& item : scope->items) names.push_back(item.name);
  }
  return names;
}

}  // namespace varve
