#include "api/cli/config_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/nearest.h"
#include "storage/base/units.h"

namespace varve {
namespace {

std::string list_of(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

std::string text_of(const std::string& text) {
  return text;
}
std::string text_of(bool flag) {
  return flag ? "true" : "false";
}
std::string text_of(uint64_t number) {
  return std::to_string(number);
}
std::string text_of(int64_t number) {
  return std::to_string(number);
}
std::string text_of(const std::vector<std::string>& words) {
  return "[" + list_of(words) + "]";
}
std::string text_of(const std::map<std::string, std::string>& map) {
  std::string text;
  for (const auto& [name, value] : map) text.append(text.empty() ? "" : ", ").append(name + " = " + value);
  return "{" + text + "}";
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::string expected(std::string_view what, const toml::node& node) {
  return fmt::format("expected {}, got {}", what, type_name(node));
}

}  // namespace

template <class T>
struct ConfigReader::Note {
  ConfigReader& reader;
  std::string_view key;
  const T& out;
  ~Note() {
    if (reader.known_ != nullptr) (*reader.known_)[reader.path_ + std::string(key)] = text_of(out);
  }
};

std::string place_of(const toml::node* node, const std::string& file_name) {
  if (node == nullptr) return file_name;
  const toml::source_region& source = node->source();
  if (source.begin.line == 0 || !source.path || *source.path != file_name) return "--set";
  return fmt::format("{}:{}", file_name, source.begin.line);
}

const toml::node* ConfigReader::find(std::string_view key) {
  asked_.emplace_back(key);
  if (known_ != nullptr) known_->try_emplace(path_ + std::string(key));
  return error_ ? nullptr : table_.get(key);
}

void ConfigReader::fail(std::string_view key, std::string_view what) {
  if (error_) return;
  const toml::node* const node = table_.get(key);
  error_ = invalid_argument(fmt::format(
      "{}: key {}{}: {}", place_of(node != nullptr ? node : &table_, file_name_), path_, key, what));
}

void ConfigReader::fail_element(std::string_view key, size_t index, std::string_view what) {
  if (error_) return;
  const toml::array* const list = table_.get_as<toml::array>(key);
  const toml::node* const element = list == nullptr ? nullptr : list->get(index);
  error_ = invalid_argument(fmt::format("{}: key {}{}.{}: {}",
                                        place_of(element != nullptr ? element : &table_, file_name_), path_,
                                        key, index, what));
}

void ConfigReader::text(std::string_view key, std::string& out) {
  const Note<std::string> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const auto* const value = node->as_string();
  if (value == nullptr) return fail(key, expected("a string", *node));
  out = value->get();
}

void ConfigReader::flag(std::string_view key, bool& out) {
  const Note<bool> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const auto* const value = node->as_boolean();
  if (value == nullptr) return fail(key, expected("true or false", *node));
  out = value->get();
}

void ConfigReader::count(std::string_view key, uint64_t min, uint64_t max, uint64_t& out) {
  const Note<uint64_t> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const auto* const value = node->as_integer();
  if (value == nullptr) return fail(key, expected("an integer", *node));
  if (value->get() < 0 || static_cast<uint64_t>(value->get()) < min ||
      static_cast<uint64_t>(value->get()) > max) {
    return fail(key, fmt::format("{} is out of range, expected {} to {}", value->get(), min, max));
  }
  out = static_cast<uint64_t>(value->get());
}

void ConfigReader::duration(std::string_view key, bool zero_is_fine, int64_t& out_ns) {
  const Note<int64_t> note{*this, key, out_ns};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const auto* const value = node->as_string();
  if (value == nullptr) return fail(key, expected("a duration like \"60s\" or \"1d\"", *node));
  const Result<int64_t> parsed = parse_duration(value->get());
  if (!parsed) return fail(key, parsed.error().message);
  if (*parsed == 0 && !zero_is_fine) return fail(key, "must be longer than 0");
  out_ns = *parsed;
}

void ConfigReader::bytes(std::string_view key, bool zero_is_fine, uint64_t& out) {
  const Note<uint64_t> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const auto* const value = node->as_string();
  if (value == nullptr) return fail(key, expected("a size like \"512MiB\"", *node));
  const Result<uint64_t> parsed = parse_bytes(value->get());
  if (!parsed) return fail(key, parsed.error().message);
  if (*parsed == 0 && !zero_is_fine) return fail(key, "must be more than 0");
  out = *parsed;
}

void ConfigReader::texts(std::string_view key, std::vector<std::string>& out) {
  const Note<std::vector<std::string>> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const toml::array* const list = node->as_array();
  if (list == nullptr) return fail(key, expected("a list of strings", *node));
  out.clear();
  for (const toml::node& element : *list) {
    if (!element.is_string())
      return fail(key, "expected a list of strings, it holds " + std::string(type_name(element)));
    out.push_back(element.as_string()->get());
  }
}

void ConfigReader::text_map(std::string_view key, std::map<std::string, std::string>& out) {
  const Note<std::map<std::string, std::string>> note{*this, key, out};
  const toml::node* const node = find(key);
  if (node == nullptr) return;
  const toml::table* const values = node->as_table();
  if (values == nullptr) return fail(key, expected("a table of name = value", *node));
  for (const auto& [name, value] : *values) {
    std::string text;
    if (value.is_string()) {
      text = value.as_string()->get();
    } else if (value.is_integer()) {
      text = std::to_string(value.as_integer()->get());
    } else if (value.is_boolean()) {
      text = value.as_boolean()->get() ? "true" : "false";
    } else {
      return fail(key, fmt::format("{} must be a string, integer or bool (a name with dots needs quotes)",
                                   std::string(name.str())));
    }
    out[std::string(name.str())] = std::move(text);
  }
}

void ConfigReader::word(std::string_view key, const std::vector<std::string>& words, std::string& out) {
  text(key, out);
  if (error_ || !has(key) || std::find(words.begin(), words.end(), out) != words.end()) return;
  fail(key, fmt::format("\"{}\" is not one of {}", out, list_of(words)));
}

const toml::table* ConfigReader::table(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) fail(key, expected("a table", *node));
  return node->as_table();
}

std::vector<const toml::table*> ConfigReader::tables(std::string_view key) {
  const toml::node* const node = find(key);
  std::vector<const toml::table*> result;
  if (node == nullptr) return result;
  const toml::array* const list = node->as_array();
  if (list == nullptr) {
    fail(key, fmt::format("write it as [[{}]], there may be several", key));
    return result;
  }
  for (const toml::node& element : *list) {
    if (!element.is_table()) {
      fail(key, fmt::format("write it as [[{}]] sections", key));
      return {};
    }
    result.push_back(element.as_table());
  }
  return result;
}

Result<void> ConfigReader::finish() {
  if (error_) return *error_;
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    const std::string nearest = nearest_name(name, asked_);
    return invalid_argument(
        fmt::format("{}: key {}{}: unknown key, {}", place_of(&node, file_name_), path_, name,
                    nearest.empty() ? "known here: " + list_of(asked_) : "did you mean " + nearest + "?"));
  }
  return {};
}

}  // namespace varve
