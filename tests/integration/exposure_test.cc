// The program as it is exposed to others: TLS as openssl sees it, no open door without tokens, no root, no secret in
// any file or log, no file for other users.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{90};

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Exposure : public ::testing::Test {
 protected:
  std::string data() const { return (folder_ / "data").string(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string config(const std::string& server_keys, const std::string& host = "127.0.0.1") {
    std::ofstream(path("varve.toml")) << "[server]\nlisten = \"" << host << ":" << port_ << "\"\n"
                                      << server_keys << "[storage]\ndata = \"" << data() << "\"\n";
    return path("varve.toml");
  }
  std::vector<std::string> command(const std::string& file) const {
    return {VARVE_BINARY, "serve", "--allow-root", "--config", file};
  }
  std::string create_token(const std::string& name, const std::string& role) {
    const Finished made =
        run({VARVE_BINARY, "token", "create", "--role", role, "--name", name, "--data", data()}, kPatience);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return made.out.substr(0, made.out.find('\n'));
  }
  void make_certificate(const std::string& name) {
    const Finished made =
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=" + name, "-keyout", path("key.pem"), "-out", path("cert.pem")},
            kPatience);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    ASSERT_EQ(::chmod(path("key.pem").c_str(), 0600), 0);
  }
  std::string tls_keys() const {
    return "tls_certificate = \"" + path("cert.pem") + "\"\ntls_key = \"" + path("key.pem") + "\"\n";
  }
  // What `openssl s_client` says of a connection; it ends at once.
  Finished s_client(const std::vector<std::string>& options = {}) const {
    std::vector<std::string> command = {
        "sh", "-c",
        "exec timeout 20 openssl s_client -connect 127.0.0.1:" + std::to_string(port_) + " \"$@\" </dev/null",
        "s_client"};
    command.insert(command.end(), options.begin(), options.end());
    return run(command, kPatience);
  }
  bool listens() const {
    return wait_until([&] { return s_client().out.find("BEGIN CERTIFICATE") != std::string::npos; },
                      kPatience);
  }

  TempDir folder_;
  const uint16_t port_ = free_port();
};

TEST_F(Exposure, TlsIsOfVersion12OrLater) {
  make_certificate("first.test");
  Process server(command(config(tls_keys())));
  ASSERT_TRUE(listens()) << server.log_tail();
  EXPECT_THAT(s_client({"-tls1_3"}).out, HasSubstr("TLSv1.3"));
  EXPECT_THAT(s_client({"-tls1_2"}).out, HasSubstr("TLSv1.2"));
  for (const char* old : {"-tls1_1", "-tls1"}) {
    const Finished refused = s_client({old, "-cipher", "ALL:@SECLEVEL=0"});
    EXPECT_NE(refused.exit_code, 0) << old;
    EXPECT_THAT(refused.out, Not(HasSubstr("BEGIN CERTIFICATE"))) << old;
  }
  EXPECT_THAT(s_client({"-tls1_2"}).out, HasSubstr("Compression: NONE"));
  for (const char* weak : {"NULL", "RC4", "3DES", "EXPORT"}) {
    EXPECT_THAT(s_client({"-tls1_2", "-cipher", weak}).out, Not(HasSubstr("BEGIN CERTIFICATE"))) << weak;
  }
  // No renegotiation: the server must not survive an R with the same session.
  const Finished again =
      run({"sh", "-c",
           "(sleep 1; echo R; sleep 1) | timeout 20 openssl s_client -tls1_2 -connect 127.0.0.1:" +
               std::to_string(port_) + " 2>&1"},
          kPatience);
  EXPECT_THAT(again.out, HasSubstr("RENEGOTIATING"));
  EXPECT_THAT(again.out, HasSubstr("no renegotiation"));
  // Requests, one after the other on one connection; plain HTTP gets none.
  const std::string url = "https://127.0.0.1:" + std::to_string(port_);
  const Finished two = run({"curl", "-sk", url + "/healthz", url + "/healthz"}, kPatience);
  EXPECT_EQ(two.out, "ok\nok\n");
  EXPECT_NE(http_get("http://127.0.0.1:" + std::to_string(port_) + "/healthz").status, 200);

  // The certificate changes at SIGHUP, for new connections; a wrong one changes nothing.
  EXPECT_THAT(s_client().out, HasSubstr("first.test"));
  make_certificate("second.test");
  server.signal(SIGHUP);
  EXPECT_TRUE(wait_until([&] { return s_client().out.find("second.test") != std::string::npos; }, kPatience));
  std::ofstream(path("cert.pem")) << "no certificate";
  server.signal(SIGHUP);
  EXPECT_TRUE(wait_until(
      [&] { return server.err().find("the certificate stays as it was") != std::string::npos; }, kPatience));
  EXPECT_THAT(s_client().out, HasSubstr("second.test"));
  EXPECT_EQ(server.stop(), 0);
}

TEST_F(Exposure, AKeyThatOthersMayReadIsRefused) {
  make_certificate("first.test");
  ASSERT_EQ(::chmod(path("key.pem").c_str(), 0640), 0);
  const Finished refused = run(command(config(tls_keys())), kPatience);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("others may read"));
  EXPECT_THAT(refused.err, HasSubstr("chmod 600"));
}

TEST_F(Exposure, OtherMachinesAreLetInOnlyWithTokens) {
  const Finished refused = run(command(config("", "0.0.0.0")), kPatience);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("varve token create --role admin"));
  EXPECT_FALSE(std::filesystem::exists(data())) << "nothing was touched";

  const std::string token = create_token("me", "admin");
  const std::string url = "http://127.0.0.1:" + std::to_string(port_);
  {
    Process server(command(config("", "0.0.0.0")));
    ASSERT_TRUE(wait_until([&] { return http_get(url + "/readyz").status == 200; }, kPatience))
        << server.log_tail();
    EXPECT_EQ(http_get(url + "/api/v1/tables").status, 401);
    EXPECT_EQ(http_get(url + "/api/v1/tables", {{"Authorization", "Bearer " + token}}).status, 200);
    // The last token goes: nobody comes in any more.
    EXPECT_EQ(run({VARVE_BINARY, "token", "revoke", "--name", "me", "--data", data()}, kPatience).exit_code,
              0);
    EXPECT_TRUE(wait_until(
        [&] {
          return http_get(url + "/api/v1/tables", {{"Authorization", "Bearer " + token}}).status == 401;
        },
        kPatience));
    EXPECT_EQ(server.stop(), 0);
  }
  Process open(command(config("insecure = true\n", "0.0.0.0")));
  EXPECT_TRUE(wait_until([&] { return http_get(url + "/api/v1/tables").status == 200; }, kPatience))
      << open.log_tail();
  EXPECT_THAT(open.err(), HasSubstr("server.insecure"));
}

TEST_F(Exposure, RootServesOnlyWhenTold) {
  if (::geteuid() != 0) GTEST_SUCCEED() << "another user may";
  const Finished refused = run({VARVE_BINARY, "serve", "--config", config("")}, milliseconds(20'000));
  if (::geteuid() != 0) return;
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--allow-root"));
  Process told({VARVE_BINARY, "serve", "--config", config("allow_root = true\n")});
  EXPECT_TRUE(wait_until(
      [&] { return http_get("http://127.0.0.1:" + std::to_string(port_) + "/readyz").status == 200; },
      kPatience));
}

TEST_F(Exposure, NoSecretIsWrittenAndNoFileIsForOthers) {
  const std::string admin = create_token("boss", "admin");
  const std::string url = "http://127.0.0.1:" + std::to_string(port_);
  const HttpHeaders as_admin = {{"Authorization", "Bearer " + admin}};
  Process server(command(config("")));
  ASSERT_TRUE(wait_until([&] { return http_get(url + "/readyz").status == 200; }, kPatience))
      << server.log_tail();
  const Finished made = run(
      {VARVE_BINARY, "token", "create", "--role", "read", "--name", "reader", "--url", url, "--token", admin},
      kPatience);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string reader = made.out.substr(0, made.out.find('\n'));
  ASSERT_EQ(reader.size(), 49u);
  EXPECT_EQ(http_post(url + "/write?u=x&p=" + admin, "m v=1 1\n", "text/plain").status, 204);
  EXPECT_EQ(http_get(url + "/query?db=varve&q=SHOW+MEASUREMENTS&p=" + reader).status, 200);
  EXPECT_EQ(http_get(url + "/nowhere?p=" + reader, as_admin).status, 404);
  EXPECT_EQ(http_post(url + "/api/v1/query", "SELEC", "text/plain", as_admin).status, 400);
  EXPECT_EQ(http_get(url + "/api/v1/tables", {{"Authorization", "Bearer " + reader + "x"}}).status, 401);
  const Finished list = run({VARVE_BINARY, "token", "list", "--url", url, "--token", admin}, kPatience);
  EXPECT_THAT(list.out, HasSubstr("reader"));
  EXPECT_EQ(
      run({VARVE_BINARY, "token", "revoke", "--name", "reader", "--url", url, "--token", admin}, kPatience)
          .exit_code,
      0);
  EXPECT_EQ(http_get(url + "/api/v1/tables", {{"Authorization", "Bearer " + reader}}).status, 401);

  EXPECT_THAT(text_of("/proc/" + std::to_string(server.pid()) + "/limits"),
              ::testing::ContainsRegex("Max core file size +0 "));

  std::string said = http_get(url + "/metrics", as_admin).body +
                     http_get(url + "/api/v1/status", as_admin).body +
                     http_get(url + "/api/v1/tokens", as_admin).body;
  EXPECT_THAT(said, HasSubstr("varve_http_failed_logins_total"));
  ASSERT_EQ(run({VARVE_BINARY, "backup", "--data", data(), "--to", path("backup")}, kPatience).exit_code, 0);
  EXPECT_EQ(server.stop(), 0);
  said += server.out() + server.err();
  EXPECT_THAT(said, HasSubstr("audit"));
  EXPECT_THAT(said, HasSubstr("created token reader"));
  EXPECT_THAT(said, HasSubstr("revoked token reader"));
  for (const std::string& secret : {admin, reader}) {
    EXPECT_THAT(said, Not(HasSubstr(secret.substr(6))));
    size_t files = 0;
    for (const char* root : {"data", "backup"}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / root)) {
        const auto mode = static_cast<unsigned>(entry.status().permissions()) & 0777;
        EXPECT_EQ(mode & 077, 0u) << entry.path();
        if (!entry.is_regular_file()) continue;
        ++files;
        EXPECT_EQ(text_of(entry.path()).find(secret.substr(6)), std::string::npos) << entry.path();
      }
    }
    EXPECT_GT(files, 4u);
  }
}

// Whoever may write to the data folder, but not to what the server may, plants a link where a file of ours was.
TEST_F(Exposure, LinksInTheDataFolderAreNotFollowed) {
  const std::string admin = create_token("boss", "admin");
  const std::string url = "http://127.0.0.1:" + std::to_string(port_);
  const HttpHeaders as_admin = {{"Authorization", "Bearer " + admin}};
  const auto serve = [&] {
    auto server = std::make_unique<Process>(command(config("")));
    EXPECT_TRUE(wait_until([&] { return http_get(url + "/readyz").status == 200; }, kPatience))
        << server->log_tail();
    return server;
  };
  {
    const auto server = serve();
    ASSERT_EQ(http_post(url + "/write", "m v=1 1\n", "text/plain", as_admin).status, 204);
    EXPECT_EQ(server->stop(), 0);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data())) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  ASSERT_GE(files.size(), 4U);
  const std::filesystem::path elsewhere = folder_ / "elsewhere";
  for (const auto& file : files) {
    std::filesystem::rename(file, elsewhere);
    std::filesystem::create_symlink(elsewhere, file);
    const std::string before = text_of(elsewhere);
    {
      // It does not start; or, for what it can do without (the mark of a backup), says so and goes on.
      Process server(command(config("")));
      EXPECT_TRUE(wait_until(
          [&] {
            return server.wait(milliseconds(0)) == 1 ||
                   (http_get(url + "/readyz").status == 200 &&
                    server.err().find("symbolic links") != std::string::npos);
          },
          kPatience))
          << file << server.log_tail();
      server.stop();
      EXPECT_THAT(server.err(), HasSubstr(file.filename().string()));
    }
    EXPECT_TRUE(std::filesystem::is_symlink(file)) << file;
    EXPECT_EQ(text_of(elsewhere), before) << file;
    std::filesystem::remove(file);
    std::filesystem::rename(elsewhere, file);
  }
  const auto server = serve();
  EXPECT_THAT(http_get(url + "/api/v1/query?format=csv&q=SELECT%20v%20FROM%20m", as_admin).body,
              HasSubstr("1.0"));
  EXPECT_EQ(server->stop(), 0);
}

}  // namespace
}  // namespace varve::test
