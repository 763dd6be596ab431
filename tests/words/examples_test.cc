// What the README.md files show is what happens.
//   ```sql   statements ended by `;`, each followed by its answer as comments: "-- cell | cell" a row, "-- error: text" or
//            "-- ..." for further rows. They run in order against one store, after the block `line-protocol` of the file.
//   ```sh    commands after "$ ", with the output below; "..." stands for anything.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/query/aggregate.h"
#include "api/query/functions.h"
#include "tests/support/http_client.h"
#include "tests/words/markdown.h"

namespace varve::test {
namespace {

using Json = nlohmann::ordered_json;

// "..." in `pattern` stands for any text.
bool fits(std::string_view text, std::string_view pattern) {
  const size_t gap = pattern.find("...");
  if (gap == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, gap))) return false;
  text.remove_prefix(gap);
  pattern.remove_prefix(gap + 3);
  for (size_t at = 0; at <= text.size(); ++at) {
    if (fits(text.substr(at), pattern)) return true;
  }
  return false;
}

std::string without_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

struct SqlExample {
  std::string sql;
  std::vector<std::string> answer;
  size_t line = 0;
};

std::vector<SqlExample> sql_examples(const Markdown& file) {
  std::vector<SqlExample> examples;
  for (const CodeBlock& block : file.blocks) {
    if (block.language != "sql") continue;
    bool open = false;
    for (size_t i = 0; i < block.lines.size(); ++i) {
      const std::string& line = block.lines[i];
      if (line.empty()) continue;
      if (line.starts_with("--") && !open) {
        if (!examples.empty()) examples.back().answer.push_back(line.size() > 3 ? line.substr(3) : "");
        continue;
      }
      if (!open) examples.push_back({"", {}, block.line + i});
      SqlExample& example = examples.back();
      example.sql += (example.sql.empty() ? "" : "\n") + line;
      open = !line.ends_with(';');
      if (!open) example.sql.pop_back();
    }
  }
  return examples;
}

std::vector<std::string> answer_lines(const HttpAnswer& answer) {
  const Json json = Json::parse(answer.body, nullptr, false);
  if (answer.status != 200) return {"error: " + json["error"].value("message", answer.body)};
  std::vector<std::string> lines;
  for (const Json& row : json["rows"]) {
    std::string line;
    for (const Json& cell : row) {
      if (!line.empty()) line += " | ";
      line += cell.is_null() ? "NULL" : cell.is_string() ? cell.get<std::string>() : cell.dump();
    }
    lines.push_back(line);
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "-- " + line + "\n";
  return text;
}

TEST(Words, TheSqlReferenceIsTrueAndWhole) {
  const Markdown file = read_markdown("api/sql/README.md");
  const ExampleServer server;
  for (const CodeBlock& block : file.blocks) {
    if (block.language != "line-protocol") continue;
    std::string lines;
    for (const std::string& line : block.lines) lines += line + "\n";
    ASSERT_EQ(http_post(server.url() + "/write", lines, "text/plain").status, 204);
  }
  const std::vector<SqlExample> examples = sql_examples(file);
  std::string all;
  for (const SqlExample& example : examples) {
    const HttpAnswer answer = http_post(server.url() + "/api/v1/query", example.sql, "text/plain");
    const std::vector<std::string> got = answer_lines(answer);
    EXPECT_TRUE(fits(joined(got), joined(example.answer)))
        << file.path << ":" << example.line << ": " << example.sql << "\nanswers\n"
        << joined(got);
    all += " " + example.sql;
  }
  EXPECT_GT(examples.size(), 30U);
  std::vector<std::string> functions = function_names();
  for (std::string& name : aggregate_names()) functions.push_back(std::move(name));
  for (const std::string& name : functions) {
    EXPECT_TRUE(all.find(" " + name + "(") != std::string::npos ||
                all.find("(" + name + "(") != std::string::npos)
        << file.path << " has no example of " << name << "()";
  }
}

void run_commands(const std::string& path, size_t at_least) {
  const Markdown file = read_markdown(path);
  const ExampleServer server;
  size_t run = 0;
  for (const CodeBlock& block : file.blocks) {
    if (block.language != "sh") continue;
    for (size_t i = 0; i < block.lines.size();) {
      const std::string place = path + ":" + std::to_string(block.line + i);
      ASSERT_TRUE(block.lines[i].starts_with("$ ")) << place << ": " << block.lines[i];
      std::string command = block.lines[i++].substr(2);
      // A command goes on after a backslash, and while a quote is open.
      while (i < block.lines.size() &&
             (command.ends_with('\\') || std::count(command.begin(), command.end(), '\'') % 2 == 1)) {
        command += "\n" + block.lines[i++];
      }
      std::string expected;
      while (i < block.lines.size() && !block.lines[i].starts_with("$ ")) expected += block.lines[i++] + "\n";
      const Finished done = server.shell(command);
      std::string got;
      for (const char c : done.out + done.err) {
        if (c != '\r') got.push_back(c);
      }
      EXPECT_TRUE(fits(without_end(got), without_end(expected))) << place << ": " << command << "\nanswers\n"
                                                                 << got;
      ++run;
    }
  }
  EXPECT_GE(run, at_least) << path;
}

TEST(Words, TheHttpExamplesAreTrue) {
  run_commands("api/http/README.md", 12);
}

TEST(Words, TheInfluxqlExamplesAreTrue) {
  run_commands("api/influxql/README.md", 4);
}

}  // namespace
}  // namespace varve::test
