// Every relative link and anchor of every Markdown file leads somewhere, and every folder that has words is linked to.
#include <gtest/gtest.h>

#include "tests/words/markdown.h"

namespace varve::test {
namespace {

TEST(Links, LeadSomewhere) {
  const std::filesystem::path root = VARVE_SOURCE_DIR;
  size_t checked = 0;
  for (const std::string& path : markdown_files()) {
    const Markdown file = read_markdown(path);
    for (const Link& link : file.links) {
      if (link.target.find("://") != std::string::npos || link.target.starts_with("mailto:")) continue;
      ++checked;
      const size_t hash = std::min(link.target.find('#'), link.target.size());
      const std::string below = link.target.substr(0, hash);
      const std::filesystem::path to = below.empty() ? root / path : (root / path).parent_path() / below;
      const std::string place = path + ":" + std::to_string(link.line) + ": " + link.target;
      if (!std::filesystem::exists(to)) {
        ADD_FAILURE() << place << ": there is no such file";
        continue;
      }
      if (hash == link.target.size()) continue;
      const std::string anchor = link.target.substr(hash + 1);
      const std::string other = std::filesystem::relative(to, root).lexically_normal().string();
      if (!read_markdown(other).anchors.contains(anchor)) ADD_FAILURE() << place << ": no such heading";
    }
  }
  EXPECT_GT(checked, 20U) << "no links were found";
}

}  // namespace
}  // namespace varve::test
