#include "tests/words/markdown.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "tests/support/http_client.h"

namespace varve::test {
namespace {

constexpr seconds kPatience{90};

// "What was refused" -> "what-was-refused"
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ') {
      anchor.push_back('-');
    } else if (byte >= 0x80 || std::isalnum(byte) != 0 || c == '-' || c == '_') {
      anchor.push_back(static_cast<char>(std::tolower(byte)));
    }
  }
  return anchor;
}

void take_links(const std::string& line, size_t number, std::vector<Link>& links) {
  static const std::regex kLink(R"(\]\(([^()\s]+)\))");
  for (std::sregex_iterator at(line.begin(), line.end(), kLink), end; at != end; ++at) {
    links.push_back({(*at)[1].str(), number});
  }
}

}  // namespace

Markdown read_markdown(const std::string& path) {
  std::ifstream in(std::filesystem::path(VARVE_SOURCE_DIR) / path);
  if (!in) throw std::runtime_error("cannot read " + path);
  Markdown file;
  file.path = path;
  bool in_block = false;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("```")) {
      in_block = !in_block;
      if (in_block) file.blocks.push_back({line.substr(3), {}, number + 1});
      continue;
    }
    if (in_block) {
      file.blocks.back().lines.push_back(line);
      continue;
    }
    if (const size_t text = line.find_first_not_of('#');
        text > 0 && text < line.size() && line[text] == ' ') {
      const std::string anchor = anchor_of(line.substr(text + 1));
      std::string unique = anchor;
      for (int n = 1; !file.anchors.insert(unique).second; ++n) unique = anchor + "-" + std::to_string(n);
    }
    take_links(line, number, file.links);
  }
  if (in_block) throw std::runtime_error(path + ": a code block is not closed");
  return file;
}

std::vector<std::string> markdown_files() {
  const std::filesystem::path root = VARVE_SOURCE_DIR;
  std::vector<std::string> files;
  for (auto walk = std::filesystem::recursive_directory_iterator(root);
       walk != std::filesystem::recursive_directory_iterator(); ++walk) {
    const std::string name = walk->path().filename().string();
    if (walk->is_directory() && (name == "node_modules" || name == ".git" || name.starts_with("build"))) {
      walk.disable_recursion_pending();
    } else if (name.ends_with(".md")) {
      files.push_back(std::filesystem::relative(walk->path(), root).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

ExampleServer::ExampleServer() {
  const std::string config = (folder_ / "varve.toml").string();
  std::ofstream(config) << "[server]\nlisten = \"" << address() << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", config});
  if (!wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience)) {
    throw std::runtime_error("the server does not start: " + process_->log_tail());
  }
}

Finished ExampleServer::shell(std::string command, seconds limit) const {
  const std::string documented = "127.0.0.1:8484";
  for (size_t at = 0; (at = command.find(documented, at)) != std::string::npos; at += address().size()) {
    command.replace(at, documented.size(), address());
  }
  const std::string programs = std::filesystem::path(VARVE_BINARY).parent_path().string();
  return run({"sh", "-c", "cd '" + folder().string() + "' && PATH='" + programs + "':$PATH\n" + command},
             limit);
}

}  // namespace varve::test
