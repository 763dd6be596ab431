// Reads one TOML table key by key: each call names a key once and stores its value if the file has it.
// finish() then refuses what no call has named. Every error names the place, the key's whole path and what is
// accepted. Errors: the first one is kept and the rest of the calls do nothing. Threads: one thread. Only
// config*.cc include this (toml++ is slow to compile).
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

using KnownKeys =
    std::map<std::string, std::string>;  // by path; the value read, or what it is without one, as text

// "FILE:LINE" of the node, or "--set" for what came from the command line.
std::string place_of(const toml::node* node, const std::string& file_name);

class ConfigReader {
 public:
  // `known` collects all keys asked for, when given.
  ConfigReader(const toml::table& table, std::string path, const std::string& file_name,
               KnownKeys* known = nullptr)
      : table_(table), path_(std::move(path)), file_name_(file_name), known_(known) {}

  void text(std::string_view key, std::string& out);
  void flag(std::string_view key, bool& out);
  void count(std::string_view key, uint64_t min, uint64_t max, uint64_t& out);
  void duration(std::string_view key, bool zero_is_fine, int64_t& out_ns);
  void bytes(std::string_view key, bool zero_is_fine, uint64_t& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  void text_map(std::string_view key, std::map<std::string, std::string>& out);  // scalars become text
  void word(std::string_view key, const std::vector<std::string>& words, std::string& out);
  // A table below this one, or null; and an array of tables.
  const toml::table* table(std::string_view key);
  std::vector<const toml::table*> tables(std::string_view key);

  bool has(std::string_view key) const { return table_.contains(key); }
  // An error at a key this reader has already read.
  void fail(std::string_view key, std::string_view what);
  // The same at an element of a list: "key kafka.0.set.1: ...".
  void fail_element(std::string_view key, size_t index, std::string_view what);
  Result<void> finish();  // unknown keys, or the first error

 private:
  template <class T>
  struct Note;  // into `known`, once the value is there

  const toml::node* find(std::string_view key);  // null when absent or after an error

  const toml::table& table_;
  std::string path_;  // "" or "kafka.0."
  const std::string& file_name_;
  KnownKeys* known_;
  std::vector<std::string> asked_;
  std::optional<Error> error_;
};

}  // namespace varve
