#include "storage/model/series_key.h"

namespace varve {
namespace {

constexpr char kEscapedNul = '\xff';

void append_escaped(std::string& out, std::string_view text) {
  size_t from = 0;
  for (size_t nul = text.find('\0'); nul != std::string_view::npos; nul = text.find('\0', from)) {
    out.append(text.substr(from, nul + 1 - from));
    out.push_back(kEscapedNul);
    from = nul + 1;
  }
  out.append(text.substr(from));
  out.append(2, '\0');
}

bool take_escaped(std::string_view& key, std::string& text) {
  text.clear();
  while (true) {
    const size_t nul = key.find('\0');
    if (nul == std::string_view::npos || nul + 1 >= key.size()) return false;
    text.append(key.substr(0, nul));
    const char next = key[nul + 1];
    key.remove_prefix(nul + 2);
    if (next == '\0') return true;
    if (next != kEscapedNul) return false;
    text.push_back('\0');
  }
}

}  // namespace

void append_series_key(std::string& out, std::string_view name, std::string_view value) {
  append_escaped(out, name);
  append_escaped(out, value);
}

void append_series_key(std::string& out, const std::vector<TagPair>& tags) {
  for (const auto& [name, value] : tags) append_series_key(out, name, value);
}

Result<std::vector<std::pair<std::string, std::string>>> decode_series_key(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> tags;
  while (!key.empty()) {
    std::string name;
    std::string value;
    if (!take_escaped(key, name) || !take_escaped(key, value)) return corruption("series key is malformed");
    tags.emplace_back(std::move(name), std::move(value));
  }
  return tags;
}

}  // namespace varve
