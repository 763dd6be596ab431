// The identity of a series within its table, as bytes: tags sorted by name, absent ones left out, each name and value
// with NUL written as 00 FF and ended by 00 00. Keys compare as byte strings; two tag sets are equal exactly when their
// keys are. Segments are sorted by this key.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/error.h"

namespace varve {

using TagPair = std::pair<std::string_view, std::string_view>;  // name, value; value not empty

// One tag of a key; tags come sorted by name.
void append_series_key(std::string& out, std::string_view name, std::string_view value);
// `tags` sorted by name.
void append_series_key(std::string& out, const std::vector<TagPair>& tags);
// kCorruption when `key` is not one.
Result<std::vector<std::pair<std::string, std::string>>> decode_series_key(std::string_view key);

}  // namespace varve
