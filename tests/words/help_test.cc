// Every command of the program explains itself by examples that are true. Commands are found by walking --help, so that a
// new one is held to this, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "ingest/kafka/embedded_broker.h"
#include "tests/support/http_client.h"
#include "tests/words/markdown.h"

namespace varve::test {
namespace {

constexpr seconds kPatience{90};

struct Help {
  std::string path;  // "varve quarantine list"
  std::string text;
  std::vector<std::string> commands;
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

Help ask(const std::string& path) {
  std::vector<std::string> argv = words_of(path);
  argv[0] = VARVE_BINARY;
  argv.push_back("--help");
  const Finished answer = run(argv, kPatience);
  EXPECT_EQ(answer.exit_code, 0) << path << ": " << answer.err;
  Help help{path, answer.out, {}};
  std::istringstream lines(answer.out);
  bool listed = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Subcommands:") {
      listed = true;
    } else if (listed && line.starts_with("  ") && line.size() > 2 && line[2] != ' ') {
      help.commands.push_back(words_of(line)[0]);
    } else if (!line.starts_with(" ")) {
      listed = false;
    }
  }
  return help;
}

void walk(const std::string& path, std::vector<Help>& out) {
  Help help = ask(path);
  const std::vector<std::string> below = help.commands;
  out.push_back(std::move(help));
  for (const std::string& command : below) walk(path + " " + command, out);
}

const std::vector<Help>& all_help() {
  static const std::vector<Help> all = [] {
    std::vector<Help> found;
    walk("varve", found);
    return found;
  }();
  return all;
}

// The lines below "Example:" that begin with "  varve ", with those they go on in after a backslash.
std::vector<std::string> examples_in(const std::string& help) {
  std::vector<std::string> found;
  std::istringstream lines(help);
  bool goes_on = false;
  for (std::string line; std::getline(lines, line);) {
    if (goes_on) {
      found.back() += "\n" + line;
    } else if (line.starts_with("  varve ")) {
      found.push_back(line.substr(2));
    } else {
      continue;
    }
    goes_on = line.ends_with('\\');
  }
  return found;
}

std::vector<std::string> all_examples() {
  std::vector<std::string> examples;
  for (const Help& help : all_help()) {
    for (std::string& example : examples_in(help.text)) examples.push_back(std::move(example));
  }
  return examples;
}

TEST(Help, EveryCommandHasAnExample) {
  ASSERT_GT(all_help().size(), 10U);
  const std::vector<std::string> examples = all_examples();
  for (const Help& help : all_help()) {
    if (!help.commands.empty()) continue;
    const bool shown = std::any_of(examples.begin(), examples.end(), [&](const std::string& example) {
      return example == help.path || example.starts_with(help.path + " ");
    });
    EXPECT_TRUE(shown) << help.path << " --help has no example";
  }
}

// What an example may fail with when it runs, beyond a good end: the state of things it speaks of is not that of the test.
const char* excuse(const std::string& example) {
  const std::pair<const char*, const char*> excuses[] = {
      {"varve mirror", "no mirror"},
      {"varve ingest", "no Kafka source"},
  };
  for (const auto& [command, why] : excuses) {
    if (example.starts_with(command)) return why;
  }
  return nullptr;
}

class HelpExamples : public ::testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::start();
    ASSERT_TRUE(broker.has_value());
    broker_ = std::move(*broker);
    write("readings,site=pier temperature_c=20.5 1735689600000000000\n");
    std::ofstream(server_.folder() / "beach.csv")
        << "Beach Name,Measurement Timestamp,Water Temperature\nOhio Street,07/01/2015 03:00:00 PM,20.3\n";
    std::ofstream(server_.folder() / "report.sql") << "SELECT count(*) AS n FROM readings;\n";
  }
  void write(const std::string& lines) {
    ASSERT_EQ(http_post(server_.url() + "/write", lines, "text/plain").status, 204);
  }
  std::string placed(std::string example) const {
    example = std::regex_replace(example, std::regex("127\\.0\\.0\\.1:9092"), broker_->bootstrap());
    example = std::regex_replace(example, std::regex("/backup/"), server_.folder().string() + "/backup/");
    // Every command that talks to a server takes --url.
    const std::string command = example.substr(0, example.find_first_of("\n>|"));
    for (const Help& help : all_help()) {
      if (!help.commands.empty() || !(command == help.path || command.starts_with(help.path + " "))) continue;
      if (help.text.find("--url") == std::string::npos || command.find("--url") != std::string::npos ||
          example.find(" --data ") != std::string::npos)
        continue;
      return help.path + " --url " + server_.url() + example.substr(help.path.size());
    }
    return example;
  }

  ExampleServer server_;
  std::unique_ptr<EmbeddedBroker> broker_;
};

TEST_F(HelpExamples, Run) {
  size_t run = 0;
  std::filesystem::create_directories(server_.folder() / "backup");
  std::vector<std::string> examples = all_examples();
  // Once there is a token the server asks for one.
  std::stable_partition(examples.begin(), examples.end(),
                        [](const std::string& example) { return !example.starts_with("varve token"); });
  for (const std::string& example : examples) {
    // These run until they are stopped, or on a store that is stopped; other tests start them.
    const bool endless = example.starts_with("varve serve") || example.starts_with("varve demo") ||
                         example.find("--watch") != std::string::npos;
    const bool stopped_store = example.starts_with("varve check") || example.starts_with("varve replay");
    const std::string limit = endless ? "timeout --preserve-status -s INT 2 env " : "";
    const Finished done = server_.shell(limit + placed(example) + " < /dev/null", kPatience);
    SCOPED_TRACE(example + "\n" + done.out.substr(0, 2000) + done.err.substr(0, 2000));
    EXPECT_NE(done.exit_code, 2) << "the program does not understand its own example";
    const bool interrupted = endless && done.exit_code == 128 + SIGINT;
    EXPECT_TRUE(done.exit_code < 126 || interrupted) << "it could not run, or crashed";
    ++run;
    if (endless || stopped_store || done.exit_code == 0) continue;
    const char* const why = excuse(example);
    EXPECT_TRUE(why != nullptr && done.err.find(why) != std::string::npos) << done.exit_code;
  }
  EXPECT_GT(run, 15U);
}

}  // namespace
}  // namespace varve::test
