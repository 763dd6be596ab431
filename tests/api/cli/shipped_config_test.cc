// What config/ ships must fit the program: its configurations load, its command lines parse, its mounts exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/cli/arguments.h"
#include "api/cli/config.h"

namespace varve {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const fs::path kConfig = fs::path(VARVE_SOURCE_DIR) / "config";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::istringstream text(read(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// The words of ["a", "b"] in the line; none when there is no such list.
std::vector<std::string> list_in(const std::string& line) {
  const size_t begin = line.find("[\"");
  if (begin == std::string::npos) return {};
  const Json list = Json::parse(line.substr(begin, line.rfind(']') + 1 - begin), nullptr, false);
  return list.is_array() ? list.get<std::vector<std::string>>() : std::vector<std::string>{};
}

void expect_parses(std::vector<std::string> words, const fs::path& where) {
  std::vector<const char*> argv{"varve"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  const Command command = parse_arguments(static_cast<int>(argv.size()), argv.data());
  EXPECT_FALSE(std::holds_alternative<ExitNow>(command)) << where << ": varve " << Json(words).dump();
}

TEST(ShippedConfig, EveryConfigurationLoads) {
  size_t found = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kConfig)) {
    if (entry.path().extension() != ".toml") continue;
    ++found;
    const auto config = load_config(entry.path().string(), {});
    EXPECT_TRUE(config) << entry.path() << ": " << config.error().message;
  }
  EXPECT_GE(found, 3U);
}

TEST(ShippedConfig, ContainersSpeakToTheNamesTheComposeFileGives) {
  const auto config = load_config((kConfig / "docker/varve.toml").string(), {});
  ASSERT_TRUE(config) << config.error().message;
  const std::string compose = read(kConfig / "docker/docker-compose.yml");
  const std::string kafka = config->kafka.at(0).brokers;
  EXPECT_THAT(compose, HasSubstr("\n  " + kafka.substr(0, kafka.find(':')) + ":\n"));
  EXPECT_THAT(compose, HasSubstr("PLAINTEXT://" + kafka));
  EXPECT_EQ(config->mirrors.at(0).url, "http://influxdb:8086");
  EXPECT_THAT(compose, HasSubstr("\n  influxdb:\n"));
  EXPECT_FALSE(config->server.insecure) << "the image is for every network";
  EXPECT_THAT(compose, HasSubstr("\"--set\", \"server.insecure=true\""));
  EXPECT_EQ(config->server.port, 8484);
  EXPECT_THAT(read(kConfig / "docker/Dockerfile"), HasSubstr("EXPOSE 8484\n"));
  EXPECT_THAT(read(kConfig / "prometheus/prometheus.yml"), HasSubstr("\"varve:8484\""));
  EXPECT_EQ(config->log.format, LogFormat::kJson);
}

TEST(ShippedConfig, EveryCommandLineOfContainersAndUnitsParses) {
  size_t found = 0;
  for (const char* file : {"docker/Dockerfile", "docker/docker-compose.yml", "kubernetes/statefulset.yaml"}) {
    for (const std::string& line : lines_of(kConfig / file)) {
      const bool command = line.find("CMD [") != std::string::npos ||
                           line.find("command: [") != std::string::npos ||
                           line.find("args: [") != std::string::npos;
      if (!command) continue;
      std::vector<std::string> words = list_in(line);
      ASSERT_FALSE(words.empty()) << file << ": " << line;
      if (words[0] == "varve") words.erase(words.begin());
      ++found;
      expect_parses(words, file);
    }
  }
  for (const std::string& line : lines_of(kConfig / "systemd/varve.service")) {
    if (!line.starts_with("ExecStart=")) continue;
    std::istringstream rest(line);
    std::vector<std::string> words{std::istream_iterator<std::string>(rest), {}};
    EXPECT_THAT(words.at(0), ::testing::EndsWith("/varve"));
    words.erase(words.begin());
    ++found;
    expect_parses(words, "systemd");
  }
  EXPECT_EQ(found, 6U);
}

TEST(ShippedConfig, EveryMountedFileExists) {
  size_t found = 0;
  for (const std::string& line : lines_of(kConfig / "docker/docker-compose.yml")) {
    const size_t begin = line.find("- .");
    if (begin == std::string::npos) continue;
    ++found;
    const std::string path = line.substr(begin + 2, line.find(':', begin) - begin - 2);
    EXPECT_TRUE(fs::exists(kConfig / "docker" / path)) << line;
  }
  EXPECT_GE(found, 3U);
}

// Each alert has a line on what to do, and a part of the runbook by its name.
TEST(ShippedConfig, EveryAlertHasItsRunbook) {
  const std::string runbook = read(kConfig / "prometheus/README.md");
  std::vector<std::string> lines = lines_of(kConfig / "prometheus/varve.rules.yml");
  size_t found = 0;
  std::string name;
  for (const std::string& line : lines) {
    constexpr std::string_view kAlert = "- alert: ";
    constexpr std::string_view kUrl = "runbook_url: README.md#";
    if (const size_t at = line.find(kAlert); at != std::string::npos) {
      ++found;
      name = line.substr(at + kAlert.size());
      EXPECT_THAT(runbook, HasSubstr("\n### " + name + "\n"));
    }
    if (const size_t at = line.find(kUrl); at != std::string::npos) {
      std::string anchor = name;
      for (char& c : anchor) c = static_cast<char>(std::tolower(c));
      EXPECT_EQ(line.substr(at + kUrl.size()), anchor);
    }
  }
  EXPECT_GE(found, 20U);
  const std::string rules = read(kConfig / "prometheus/varve.rules.yml");
  for (const char* key : {"runbook: ", "runbook_url: ", "summary: ", "severity: "}) {
    size_t count = 0;
    for (size_t at = rules.find(key); at != std::string::npos; at = rules.find(key, at + 1)) ++count;
    EXPECT_EQ(count, found) << key;
  }
}

}  // namespace
}  // namespace varve
