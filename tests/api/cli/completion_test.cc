// The completion files, in the shells they are for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/process.h"
#include "tests/support/terminal.h"

namespace varve::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{60};

class CompletionFiles : public ::testing::Test {
 protected:
  std::string script(const std::string& shell) {
    const Finished made = run({VARVE_BINARY, "completion", shell}, kPatience);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    const std::string path = (folder_ / ("varve." + shell)).string();
    std::ofstream(path) << made.out;
    return path;
  }
  // What bash would offer for the last word.
  std::string bash(const std::vector<std::string>& words) {
    std::string line = "set -u; source " + script("bash") + "; COMP_WORDS=(";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size() - 1) + "; _varve; echo \"${COMPREPLY[@]-}\"";
    const Finished offered = run({"bash", "--norc", "-c", line}, kPatience);
    EXPECT_EQ(offered.exit_code, 0) << offered.err;
    EXPECT_EQ(offered.err, "");
    return offered.out;
  }
  TempDir folder_;
};

TEST_F(CompletionFiles, BashOffersCommandsOptionsAndTheirWords) {
  EXPECT_THAT(bash({"varve", ""}), AllOf(HasSubstr("serve"), HasSubstr("query"), HasSubstr("--version")));
  EXPECT_EQ(bash({"varve", "quer"}), "query\n");
  EXPECT_THAT(bash({"varve", "quarantine", ""}),
              AllOf(HasSubstr("list"), HasSubstr("retry"), HasSubstr("export")));
  EXPECT_THAT(bash({"varve", "quarantine", "list", "--"}),
              AllOf(HasSubstr("--where"), Not(HasSubstr("--format"))));
  EXPECT_EQ(bash({"varve", "query", "--format", "nd"}), "ndjson\n");
  EXPECT_EQ(bash({"varve", "query", "--url", "http://a", "--wat"}), "--watch\n") << "a value in between";
  EXPECT_EQ(bash({"varve", "completion", "f"}), "fish\n");
  EXPECT_EQ(bash({"varve", "query", "--token", "x"}), "\n") << "nothing is known about tokens";
}

TEST_F(CompletionFiles, BashOffersFilesWhereAFileIsTaken) {
  std::ofstream(folder_ / "beach.toml") << "";
  EXPECT_EQ(bash({"varve", "serve", "--config", (folder_ / "bea").string()}),
            (folder_ / "beach.toml").string() + "\n");
}

TEST_F(CompletionFiles, FishOffersTheSame) {
  const std::string path = script("fish");
  const auto fish = [&](const std::string& line) {
    const Finished offered =
        run({"fish", "--no-config", "-c", "source " + path + "; complete -C '" + line + "'"}, kPatience);
    EXPECT_EQ(offered.exit_code, 0) << offered.err;
    return offered.out;
  };
  EXPECT_THAT(fish("varve quer"), HasSubstr("query\tRun SQL"));
  EXPECT_THAT(fish("varve quarantine "),
              AllOf(HasSubstr("list\t"), HasSubstr("retry\t"), Not(HasSubstr("serve\t"))));
  EXPECT_THAT(fish("varve query --format nd"), HasSubstr("ndjson"));
}

TEST_F(CompletionFiles, ZshCompletesAtItsPrompt) {
  const std::string path = script("zsh");
  Terminal zsh({"zsh", "-f"}, {{"PS1", "ready> "}, {"HOME", folder_.path().string()}});
  ASSERT_TRUE(zsh.see("ready> ")) << zsh.shown();
  zsh.type("autoload -Uz compinit && compinit -u -D && source " + path + " && echo load''ed\r");
  ASSERT_TRUE(zsh.see("loaded")) << zsh.shown();
  zsh.type("varve quar\t");
  EXPECT_TRUE(zsh.see("varve quarantine")) << zsh.shown();
}

}  // namespace
}  // namespace varve::test
