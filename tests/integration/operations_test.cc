// The files of config/ and the /metrics of a running server, judged by the tools that will read them: promtool,
// docker compose, hadolint, kubernetes-validate, kubectl and systemd-analyze.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "tests/support/exposition.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kSource = VARVE_SOURCE_DIR;

// A tool that ./dev setup test has fetched.
std::string tool(const std::string& path) {
  if (!fs::exists(path)) throw std::runtime_error("'" + path + "' is not there: run ./dev setup test");
  return path;
}
std::string promtool() {
  return tool(VARVE_PROMTOOL);
}
std::string config_tool(const std::string& name) {
  return tool(std::string(VARVE_CONFIG_TOOLS) + "/bin/" + name);
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void expect_fine(std::vector<std::string> words) {
  const Finished finished = run(words);
  EXPECT_EQ(finished.exit_code, 0) << words[0] << "\n" << finished.out << finished.err;
}

class Operations : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // With a source and a mirror, so that all their metrics are there.
  std::unique_ptr<Process> serve() {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string()
                        << "\"\n[[kafka]]\nbrokers = \"127.0.0.1:" << free_port()
                        << "\"\n[[mirror]]\nurl = \"http://127.0.0.1:" << free_port() << "\"\n";
    auto process = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", path});
    EXPECT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(90)))
        << process->log_tail();
    // A row with no time for its format: refused ones are counted, too.
    EXPECT_EQ(http_post(url() + "/write", "water,site=a v=1.5\n", "text/plain").status, 204);
    EXPECT_EQ(http_get(url() + "/api/v1/query?q=" + url_encode("SELECT * FROM water")).status, 200);
    return process;
  }

  TempDir folder_;
  uint16_t port_ = free_port();
};

TEST_F(Operations, PromtoolFindsNothingToSayAboutTheMetrics) {
  const auto server = serve();
  const std::string file = (folder_ / "metrics.txt").string();
  std::ofstream(file) << http_get(url() + "/metrics").body;
  const Finished checked = run({"/bin/sh", "-c", "\"$0\" check metrics < \"$1\"", promtool(), file});
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_EQ(checked.out + checked.err, "");
}

TEST_F(Operations, PromtoolAcceptsTheConfigurationAndTheRulesFireAsTheyShould) {
  expect_fine({promtool(), "check", "config", (kSource / "config/prometheus/prometheus.yml").string()});
  expect_fine({promtool(), "check", "rules", (kSource / "config/prometheus/varve.rules.yml").string()});
  expect_fine({promtool(), "test", "rules", (kSource / "tests/config/alerts.yml").string()});
}

// A rule on a metric that is not there never fires.
TEST_F(Operations, EveryMetricOfTheRulesIsServed) {
  const auto server = serve();
  const std::string text = http_get(url() + "/metrics").body;
  const Exposition served = read_exposition(text);
  ASSERT_EQ(served.fault, "");
  // Counted only once it happens.
  const std::set<std::string> later{"varve_ingest_rejected_total"};
  std::istringstream lines(read(kSource / "config/prometheus/varve.rules.yml"));
  std::set<std::string> used;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" expr: ") == std::string::npos) continue;
    for (const std::string prefix : {"varve_", "process_"}) {
      for (size_t at = line.find(prefix); at != std::string::npos; at = line.find(prefix, at + 1)) {
        const size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at);
        if (at == 0 || line[at - 1] == '"' || line[at - 1] == '_') continue;
        used.insert(line.substr(at, end - at));
      }
    }
  }
  EXPECT_GE(used.size(), 15U);
  for (const std::string& name : used) {
    if (later.contains(name) || name == "varve_") continue;
    EXPECT_TRUE(served.has(name)) << name;
  }
}

TEST_F(Operations, TheProbesOfThePodAreAnswered) {
  const auto server = serve();
  std::istringstream lines(read(kSource / "config/kubernetes/statefulset.yaml"));
  size_t found = 0;
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kPath = " path: ";
    const size_t at = line.find(kPath);
    if (at == std::string::npos) continue;
    ++found;
    EXPECT_EQ(http_get(url() + line.substr(at + kPath.size())).status, 200) << line;
  }
  EXPECT_EQ(found, 3U);
}

TEST_F(Operations, SystemdFindsTheUnitWellFormedAndWellClosed) {
  std::string unit = read(kSource / "config/systemd/varve.service");
  const std::string program = "ExecStart=/usr/local/bin/varve";
  const size_t at = unit.find(program);
  ASSERT_NE(at, std::string::npos);
  unit.replace(at, program.size(), std::string("ExecStart=") + VARVE_BINARY);
  const std::string file = (folder_ / "varve.service").string();
  std::ofstream(file) << unit;
  const Finished verified = run({"systemd-analyze", "verify", "--man=no", file});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(verified.out + verified.err, "");
  // 10 = open to all, 0 = nothing left to do anything with; in tenths.
  const Finished rated = run({"systemd-analyze", "security", "--offline=true", "--threshold=20", file});
  EXPECT_EQ(rated.exit_code, 0) << rated.out;
}

TEST_F(Operations, TheImageIsLinted) {
  expect_fine({config_tool("hadolint"), (kSource / "config/docker/Dockerfile").string()});
  expect_fine({config_tool("docker-compose"), "-f", (kSource / "config/docker/docker-compose.yml").string(),
               "config", "-q"});
}

// The second stage installs what the program is linked with.
TEST_F(Operations, TheImageHasTheLibrariesTheProgramNeeds) {
  const std::string dockerfile = read(kSource / "config/docker/Dockerfile");
  const std::string stage = dockerfile.substr(dockerfile.rfind("\nFROM "));
  std::istringstream needed(run({"readelf", "-d", VARVE_BINARY}).out);
  std::set<std::string> libraries;
  std::vector<std::string> question{"dpkg", "-S"};
  for (std::string line; std::getline(needed, line);) {
    if (line.find("(NEEDED)") == std::string::npos) continue;
    const size_t begin = line.find('[') + 1;
    const std::string library = line.substr(begin, line.find(']') - begin);
    libraries.insert(library);
    question.push_back("*/" + library);
  }
  EXPECT_GE(libraries.size(), 10U);
  // "PACKAGE:ARCHITECTURE: PATH"; libc6 and what belongs to it are in every image.
  std::istringstream owners(run(question).out);
  for (std::string owner; std::getline(owners, owner);) {
    const std::string package = owner.substr(0, owner.find(':'));
    const bool installed = package == "libc6" || package == "libgcc-s1" ||
                           stage.find(" " + package + " ") != std::string::npos ||
                           stage.find(" " + package + "\n") != std::string::npos;
    if (installed) libraries.erase(owner.substr(owner.rfind('/') + 1));
  }
  EXPECT_THAT(libraries, ::testing::IsEmpty());
}

TEST_F(Operations, TheManifestsAreWhatKubernetesKnows) {
  for (const char* file : {"namespace.yaml", "service.yaml", "statefulset.yaml", "networkpolicy.yaml"}) {
    expect_fine(
        {config_tool("kubernetes-validate"), "--strict", (kSource / "config/kubernetes" / file).string()});
  }
  const Finished built = run({config_tool("kubectl"), "kustomize", (kSource / "config/kubernetes").string()});
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("kind: StatefulSet"));
  EXPECT_THAT(built.out, HasSubstr("image: registry.example/varve:"));
  EXPECT_THAT(built.out, HasSubstr("name: varve-config-")) << "the pod's configuration is the generated one";
  const std::string all = (folder_ / "all.yaml").string();
  std::ofstream(all) << built.out;
  expect_fine({config_tool("kubernetes-validate"), "--strict", all});
}

}  // namespace
}  // namespace varve::test
