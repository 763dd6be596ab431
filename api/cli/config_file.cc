#include "api/cli/config_file.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <sstream>

#include "api/cli/config_values.h"

namespace varve {
namespace {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts(1);
  for (const char c : path) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::optional<size_t> index_of(const std::string& text) {
  size_t index = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, index);
  if (error != std::errc() || at != end) return std::nullopt;
  return index;
}

// The node one step below; tables are made as needed, a list's element one past the end too.
Result<toml::node*> step(toml::node& parent, const std::string& key, const std::string& next,
                         const std::string& where) {
  if (toml::array* const list = parent.as_array()) {
    const auto index = index_of(key);
    if (!index || *index > list->size()) {
      return invalid_argument(
          fmt::format("{}: there is no element {}, the list has {}", where, key, list->size()));
    }
    if (*index == list->size()) list->push_back(toml::table{});
    return list->get(*index);
  }
  toml::table* const table = parent.as_table();
  if (table == nullptr) return invalid_argument(fmt::format("{}: nothing can stand below {}", where, key));
  if (!table->contains(key)) {
    if (index_of(next)) {
      table->insert(key, toml::array{});
    } else {
      table->insert(key, toml::table{});
    }
  }
  return table->get(key);
}

Result<void> apply_override(toml::table& root, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return invalid_argument(
        fmt::format("--set {}: expected KEY=VALUE, e.g. kafka.0.brokers=127.0.0.1:9092", text));
  }
  const std::string where = "--set " + text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const std::vector<std::string> parts = split_path(std::string_view(text).substr(0, equals));
  toml::node* node = &root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    VARVE_ASSIGN(node, step(*node, parts[i], parts[i + 1], where));
  }
  toml::table parsed;
  try {
    parsed = toml::parse("v = " + value, std::string_view("--set"));
  } catch (const toml::parse_error&) {
    // Not a TOML value: taken as a string below.
  }
  if (parsed.size() != 1) parsed = toml::table{{"v", value}};
  toml::table* const table = node->as_table();
  if (table == nullptr) return invalid_argument(fmt::format("{}: name a key of a table", where));
  table->insert_or_assign(parts.back(), std::move(*parsed.get("v")));
  return {};
}

// "kafka.0.topics" = its value as TOML. Tables of tables go on below; everything else is one value.
void flatten(const toml::node& node, const std::string& path, ConfigValues& out) {
  if (const toml::table* const table = node.as_table()) {
    for (const auto& [key, below] : *table) {
      flatten(below, path.empty() ? std::string(key.str()) : path + "." + std::string(key.str()), out);
    }
    return;
  }
  const toml::array* const list = node.as_array();
  if (list != nullptr && !list->empty() && list->is_homogeneous(toml::node_type::table)) {
    for (size_t i = 0; i < list->size(); ++i) flatten(*list->get(i), path + "." + std::to_string(i), out);
    return;
  }
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  out[path] = text.str();
}

}  // namespace

Result<toml::table> parse_config_table(std::string_view toml, const std::string& file_name,
                                       const std::vector<std::string>& overrides) {
  toml::table root;
  try {
    root = toml::parse(toml, file_name);
  } catch (const toml::parse_error& error) {
    return invalid_argument(
        fmt::format("{}:{}: {}", file_name, error.source().begin.line, std::string(error.description())));
  }
  for (const std::string& override_text : overrides) VARVE_TRY(apply_override(root, override_text));
  return root;
}

Result<ConfigValues> config_values(std::string_view toml, const std::string& file_name,
                                   const std::vector<std::string>& overrides) {
  VARVE_ASSIGN(const toml::table root, parse_config_table(toml, file_name, overrides));
  ConfigValues values;
  flatten(root, "", values);
  return values;
}

}  // namespace varve
