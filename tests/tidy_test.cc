// The house style that a program can check, as a ratchet: every source file, failures as file:line.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace varve::test {
namespace {

constexpr size_t kLinesPerFileMax = 600;  // the target is 500 (header 150); past this a file has two subjects

struct Source {
  std::string path;  // from the repository's root, "storage/wal/writer.cc"
  std::vector<std::string> lines;
};

bool is_source(std::string_view path) {
  return path.ends_with(".h") || path.ends_with(".cc");
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = [] {
    std::vector<Source> result;
    const std::filesystem::path root = VARVE_SOURCE_DIR;
    for (const char* folder : {"storage", "ingest", "api", "web", "tests", "bench"}) {
      for (auto walk = std::filesystem::recursive_directory_iterator(root / folder);
           walk != std::filesystem::recursive_directory_iterator(); ++walk) {
        if (walk->path().filename() == "node_modules") walk.disable_recursion_pending();
        if (!walk->is_regular_file() || !is_source(walk->path().string())) continue;
        Source source{.path = std::filesystem::relative(walk->path(), root).string(), .lines = {}};
        std::ifstream in(walk->path());
        for (std::string line; std::getline(in, line);) source.lines.push_back(line);
        result.push_back(std::move(source));
      }
    }
    return result;
  }();
  return all;
}

// "storage/wal/writer.h" of `#include "storage/wal/writer.h"` or `<...>`; empty when the line is no include.
std::string_view included(std::string_view line) {
  constexpr std::string_view kInclude = "#include ";
  if (!line.starts_with(kInclude)) return {};
  line.remove_prefix(kInclude.size());
  auto end = line.find_first_of("\">", 1);
  return end == std::string_view::npos ? std::string_view() : line.substr(1, end - 1);
}

// Calls check(source, line, 1-based number) for every line.
template <class Check>
void for_each_line(const Check& check) {
  for (const auto& source : sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) check(source, std::string_view(source.lines[i]), i + 1);
  }
}

TEST(Tidy, FindsTheSources) {
  EXPECT_GT(sources().size(), 10U) << "no sources below " << VARVE_SOURCE_DIR;
}

TEST(Tidy, IncludesPointDownOnly) {
  struct Rule {
    std::string_view folder;
    std::vector<std::string_view> never;
  };
  const std::vector<Rule> rules = {
      {"storage/", {"ingest/", "api/", "web/", "tests/", "bench/"}},
      {"ingest/", {"api/", "web/", "tests/", "bench/"}},
      {"api/", {"tests/", "bench/"}},
      {"web/", {"storage/", "ingest/", "api/", "tests/", "bench/"}},
  };
  for_each_line([&](const Source& source, std::string_view line, size_t number) {
    for (const auto& rule : rules) {
      if (!source.path.starts_with(rule.folder)) continue;
      for (auto upper : rule.never) {
        if (included(line).starts_with(upper)) {
          ADD_FAILURE() << source.path << ":" << number << ": " << rule.folder << " must not know " << upper;
        }
      }
    }
  });
}

TEST(Tidy, EachThirdPartyLibraryStaysWithItsOwner) {
  struct Rule {
    std::string_view header;  // prefix of what is included
    std::vector<std::string_view> owners;
  };
  const std::vector<Rule> rules = {
      {"librdkafka/", {"ingest/kafka/"}},
      {"curl/", {"ingest/mirror/", "ingest/http_client", "ingest/curl_url", "api/cli/"}},
      {"httplib.h", {"api/http/", "tests/support/http_client.cc"}},
      {"sqlite3.h", {"storage/catalog/", "api/query/sqlite"}},
      {"simdjson.h", {"ingest/decode/"}},
      {"spdlog/", {"storage/base/log"}},
      {"CLI/", {"api/cli/", "api/main.cc"}},
      {"toml++/", {"api/cli/config"}},
      {"histedit.h", {"api/cli/shell/line_editor.cc"}},
  };
  for_each_line([&](const Source& source, std::string_view line, size_t number) {
    for (const auto& rule : rules) {
      if (!included(line).starts_with(rule.header)) continue;
      if (source.path.starts_with("tests/") && rule.header != "httplib.h")
        continue;  // a test may look from outside
      bool owned = false;
      for (auto owner : rule.owners) owned = owned || source.path.starts_with(owner);
      if (!owned)
        ADD_FAILURE() << source.path << ":" << number << ": only " << rule.owners[0] << " includes "
                      << rule.header;
    }
  });
}

TEST(Tidy, FilesStaySmall) {
  for (const auto& source : sources()) {
    if (source.lines.size() > kLinesPerFileMax) {
      ADD_FAILURE() << source.path << ":" << kLinesPerFileMax << ": the file has " << source.lines.size()
                    << " lines, the limit is " << kLinesPerFileMax;
    }
  }
}

TEST(Tidy, NothingIsPutOff) {
  // Spelled in halves, so that this file passes its own test.
  const std::array<std::string, 2> words = {std::string("TO") + "DO", std::string("FIX") + "ME"};
  for_each_line([&](const Source& source, std::string_view line, size_t number) {
    for (const auto& word : words) {
      if (line.find(word) != std::string_view::npos)
        ADD_FAILURE() << source.path << ":" << number << ": " << word;
    }
  });
}

TEST(Tidy, HeadersOpenWithWhatTheyAreAndPragmaOnce) {
  for (const auto& source : sources()) {
    if (!source.path.ends_with(".h")) continue;
    bool once = false;
    for (const auto& line : source.lines) once = once || line == "#pragma once";
    if (!once) ADD_FAILURE() << source.path << ":1: no #pragma once";
    if (source.lines.empty() || !source.lines[0].starts_with("// ")) {
      ADD_FAILURE() << source.path << ":1: a header opens by saying what it is";
    }
  }
}

}  // namespace
}  // namespace varve::test
