// The parts of a Markdown file that tests look at, and a server with an empty store that examples run against.
// Errors:  throws std::runtime_error when a file cannot be read or the server does not start.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace varve::test {

struct CodeBlock {
  std::string language;  // "sql", "sh", "" ...
  std::vector<std::string> lines;
  size_t line = 0;  // of its first line, from 1
};

struct Link {
  std::string target;  // "config/varve.toml#storage"
  size_t line = 0;
};

struct Markdown {
  std::string path;  // from the repository's root
  std::vector<CodeBlock> blocks;
  std::vector<Link> links;        // also of images
  std::set<std::string> anchors;  // of headings, as GitHub makes them
};

Markdown read_markdown(const std::string& path);
std::vector<std::string> markdown_files();  // all of the repository, from its root

class ExampleServer {
 public:
  ExampleServer();
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::filesystem::path& folder() const { return folder_.path(); }  // varve.toml, and data/ below it
  // By sh in folder(), with the program as `varve` and this server in place of 127.0.0.1:8484.
  Finished shell(std::string command, seconds limit = seconds(60)) const;

 private:
  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> process_;
};

}  // namespace varve::test
