#include "api/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  Command command;
  std::string out;
  std::string err;
};

Parsed parse(std::vector<const char*> words) {
  words.insert(words.begin(), "varve");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Command command = parse_arguments(static_cast<int>(words.size()), words.data());
  (void)std::fflush(stdout);
  return {std::move(command), ::testing::internal::GetCapturedStdout(),
          ::testing::internal::GetCapturedStderr()};
}

int exit_code(const Parsed& parsed) {
  const auto* const exit = std::get_if<ExitNow>(&parsed.command);
  return exit != nullptr ? exit->code : -1;
}

TEST(Arguments, ServeTakesAFileAndOverrides) {
  const Parsed parsed =
      parse({"serve", "--allow-root", "--config", "v.toml", "--set", "a.b=1", "--set", "c=x y"});
  const auto& serve = std::get<ServeArguments>(parsed.command);
  EXPECT_EQ(serve.config, "v.toml");
  EXPECT_TRUE(serve.allow_root);
  EXPECT_THAT(serve.overrides, ElementsAre("a.b=1", "c=x y"));
}

TEST(Arguments, TokensAreMadeInAFolderOrAtAServer) {
  const Parsed made = parse(
      {"token", "create", "--role", "read", "--name", "g", "--table", "a", "--table", "b.*", "--data", "d"});
  const auto& create = std::get<TokenArguments>(made.command);
  EXPECT_EQ(create.verb, TokenArguments::Verb::kCreate);
  EXPECT_EQ(create.role, "read");
  EXPECT_EQ(create.data, "d");
  EXPECT_THAT(create.tables, ElementsAre("a", "b.*"));
  const Parsed revoke = parse({"token", "revoke", "--name", "g", "--url", "http://h:1", "--token", "t"});
  EXPECT_EQ(std::get<TokenArguments>(revoke.command).url, "http://h:1");
  EXPECT_EQ(exit_code(parse({"token", "list"})), 2) << "where?";
  EXPECT_EQ(exit_code(parse({"token", "create", "--role", "root", "--name", "g", "--data", "d"})), 2);
  EXPECT_EQ(exit_code(parse({"token", "list", "--data", "d", "--url", "u"})), 2);
}

TEST(Arguments, DemoHasDefaults) {
  const Parsed parsed = parse({"demo"});
  const auto& demo = std::get<DemoArguments>(parsed.command);
  EXPECT_EQ(demo.port, 8484);
  EXPECT_EQ(demo.sensors, 200u);
  EXPECT_EQ(demo.rate, 20'000u);
}

TEST(Arguments, ProduceTakesARateOrMax) {
  const std::vector<const char*> base = {"produce", "--brokers",  "h:1",  "--topic",
                                         "t",       "--simulate", "water"};
  const auto with = [&](std::vector<const char*> more) {
    more.insert(more.begin(), base.begin(), base.end());
    return parse(more);
  };
  EXPECT_EQ(std::get<ProduceArguments>(with({}).command).rate, std::nullopt);
  EXPECT_EQ(std::get<ProduceArguments>(with({"--rate", "max"}).command).rate, std::nullopt);
  EXPECT_EQ(std::get<ProduceArguments>(with({"--rate", "500"}).command).rate, 500u);
  EXPECT_EQ(std::get<ProduceArguments>(with({"--count", "9"}).command).count, 9u);
  for (const char* wrong : {"0", "-1", "fast", "1e99"})
    EXPECT_EQ(exit_code(with({"--rate", wrong})), 2) << wrong;
}

TEST(Arguments, ProduceTakesCsvColumns) {
  const Parsed parsed =
      parse({"produce", "--brokers", "h:1", "--topic", "t", "--csv", "f.csv", "--time-column",
             "Measurement Timestamp", "--time-format", "%m/%d/%Y %I:%M:%S %p", "--time-zone",
             "America/Chicago", "--key-column", "Beach Name"});
  const auto& produce = std::get<ProduceArguments>(parsed.command);
  EXPECT_EQ(produce.csv, "f.csv");
  EXPECT_EQ(produce.time_column, "Measurement Timestamp");
  EXPECT_EQ(produce.time_format, "%m/%d/%Y %I:%M:%S %p");
  EXPECT_EQ(produce.time_zone, "America/Chicago");
  EXPECT_EQ(produce.key_column, "Beach Name");
}

TEST(Arguments, QueryHasDefaults) {
  const Parsed parsed = parse({"query", "SELECT 1"});
  const auto& query = std::get<QueryArguments>(parsed.command);
  EXPECT_EQ(query.sql, "SELECT 1");
  EXPECT_EQ(query.url, "http://127.0.0.1:8484");
  EXPECT_EQ(query.format, "table");
}

TEST(Arguments, BadOnesAreOneLineAndExitTwo) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"nonsense"},
      {"check"},
      {"check", "--data"},
      {"backup", "--data", "d"},
      {"serve"},
      {"serve", "--allow-root", "--config"},
      {"demo", "--port", "99999"},
      {"demo", "--port", "x"},
      {"demo", "--rate", "0"},
      {"demo", "--sensors", "0"},
      {"demo", "extra"},
      {"produce", "--topic", "t", "--simulate", "water"},
      {"produce", "--brokers", "h:1", "--topic", "t"},
      {"produce", "--brokers", "h:1", "--topic", "t", "--simulate", "fire"},
      {"produce", "--brokers", "h:1", "--topic", "t", "--simulate", "water", "--csv", "f"},
      {"produce", "--brokers", "h:1", "--topic", "t", "--simulate", "water", "--time-column", "c"},
      {"query"},
      {"query", "SELECT 1", "--format", "xml"},
      {"query", "a", "b"},
  };
  for (const auto& words : wrong) {
    const Parsed parsed = parse(words);
    EXPECT_EQ(exit_code(parsed), 2) << (words.empty() ? "" : words.front());
    EXPECT_TRUE(parsed.err.starts_with("varve: ")) << parsed.err;
    EXPECT_EQ(parsed.err.find('\n'), parsed.err.size() - 1) << parsed.err;
  }
}

TEST(Arguments, HelpHasAnExampleForEveryCommand) {
  for (const char* command : {"serve", "demo", "produce", "query"}) {
    const Parsed parsed = parse({command, "--help"});
    EXPECT_EQ(exit_code(parsed), 0);
    EXPECT_THAT(parsed.out, HasSubstr("Example"));
    EXPECT_THAT(parsed.out, HasSubstr(std::string("varve ") + command));
  }
  const Parsed help = parse({"--help"});
  EXPECT_EQ(exit_code(help), 0);
  for (const char* command : {"serve", "demo", "produce", "query"}) EXPECT_THAT(help.out, HasSubstr(command));
}

TEST(Arguments, VersionIsPrinted) {
  const Parsed parsed = parse({"--version"});
  EXPECT_EQ(exit_code(parsed), 0);
  EXPECT_EQ(parsed.out, "varve " VARVE_VERSION "\n");
}

TEST(Arguments, CheckAndBackupNameTheirFolders) {
  const Parsed check = parse({"check", "--data", "d"});
  EXPECT_EQ(std::get<CheckArguments>(check.command).data, "d");
  EXPECT_FALSE(std::get<CheckArguments>(check.command).repair);
  EXPECT_TRUE(std::get<CheckArguments>(parse({"check", "--data", "d", "--repair"}).command).repair);
  const Parsed backup = parse({"backup", "--data", "d", "--to", "e"});
  EXPECT_EQ(std::get<BackupArguments>(backup.command).data, "d");
  EXPECT_EQ(std::get<BackupArguments>(backup.command).to, "e");
  EXPECT_EQ(exit_code(parse({"check"})), 2);
  EXPECT_EQ(exit_code(parse({"backup", "--data", "d"})), 2);
  EXPECT_EQ(exit_code(parse({"check", "--data", "d", "--fix"})), 2);
  for (const char* command : {"check", "backup"}) {
    const Parsed help = parse({command, "--help"});
    EXPECT_EQ(exit_code(help), 0);
    EXPECT_THAT(help.out, HasSubstr("Example"));
  }
}

}  // namespace
}  // namespace varve
