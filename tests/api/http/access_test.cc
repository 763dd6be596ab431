// Who may call what: every role at every route, every way to show a token, and what a wrong one gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "api/http/access.h"
#include "api/http/server.h"
#include "api/http/token_guard.h"
#include "tests/api/http/raw_client.h"
#include "tests/support/memory_engine.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

// Takes writes and forgets them.
class Store final : public MemoryEngine {
 public:
  AdmittedWrite admit(std::vector<RowBatch>) override { return {}; }
  Result<void> append(AdmittedWrite&&, AppendDone done) override {
    done(Lsn{1});
    return {};
  }
};

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() : tokens_(std::move(*TokenStore::open(folder_.path().string()))) {
    store_.insert("varve", "water", 1000, {{"site", "pier"}}, {{"ph", 7.5}});
    store_.insert("varve", "secret", 1000, {}, {{"v", 1.5}});
  }
  void serve(bool open_without_tokens = true, bool only_local_names = false) {
    HttpOptions options{"127.0.0.1", 0};
    options.open_without_tokens = open_without_tokens;
    options.only_local_names = only_local_names;
    server_ = std::move(*HttpServer::start(options, metrics_));
    HttpServices services{&store_, &queries_, &metrics_, [] { return std::vector<SourceStatus>(); },
                          [] { return std::vector<MirrorStatus>(); }};
    services.tokens = tokens_.get();
    services.retry = &retry_;
    server_->serve(std::move(services));
  }
  uint16_t port() const { return server_->port(); }
  std::string make(const std::string& name, const std::string& role, std::vector<std::string> tables = {}) {
    const auto made = create_token(*tokens_, {name, role, std::move(tables)}, real_clock());
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made->token;
  }
  RawAnswer call(const std::string& method, const std::string& target, const std::string& token,
                 const std::string& body = "") {
    return ask(port(), method + " " + target + " HTTP/1.1\r\nHost: h\r\n" +
                           (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
                           "Content-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\n\r\n" + body);
  }
  int query(const std::string& sql, const std::string& token) {
    return call("POST", "/api/v1/query", token, sql).status;
  }

  TempDir folder_;
  std::unique_ptr<TokenStore> tokens_;
  MetricsRegistry metrics_;
  Store store_;
  QueryService queries_{store_, {}, metrics_};
  QuarantineRetry retry_{{}, store_};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(AccessTest, EveryRouteDeclaresWhoMayCallIt) {
  serve();
  ASSERT_GT(server_->routes().size(), 15u);
  for (const RouteFacts& route : server_->routes()) {
    EXPECT_NE(route.access, Access::kUndeclared)
        << route.method << " " << route.path << ": say who may call it, as the last member of its Route";
    const bool changes = route.method != "GET" && route.path != "/api/v1/query" && route.path != "/query";
    if (changes && !route.path.starts_with("/grafana")) {
      EXPECT_THAT(route.access, AnyOf(Access::kWrite, Access::kAdmin)) << route.method << " " << route.path;
    }
  }
}

TEST_F(AccessTest, EachRoleGetsItsRoutesAndNoOthers) {
  struct Person {
    std::string name, token;
    bool read, read_all, write, admin;
  };
  const std::vector<Person> people = {
      {"nobody", "", false, false, false, false},
      {"stranger", new_token(), false, false, false, false},
      {"reader", make("reader", "read"), true, true, false, false},
      {"reader of water", make("water", "read", {"water"}), true, false, false, false},
      {"writer", make("writer", "write"), false, false, true, false},
      {"writer of water", make("water-writer", "write", {"water"}), false, false, true, false},
      {"admin", make("admin", "admin"), true, true, true, true},
  };
  serve();
  for (const RouteFacts& route : server_->routes()) {
    for (const Person& who : people) {
      const bool known = who.read || who.write;
      const bool may = route.access == Access::kOpen || route.access == Access::kProbe ||
                       (route.access == Access::kRead && who.read) ||
                       (route.access == Access::kAsk && known) ||
                       (route.access == Access::kReadAll && who.read_all) ||
                       (route.access == Access::kWrite && who.write) || who.admin;
      const std::string path =
          route.path + (route.path.size() > 1 && route.path.ends_with("/") ? "water" : "");
      if (path == "/api/v1/live" && may) continue;  // without an end
      const int status = call(route.method, path, who.token).status;
      const std::string what = route.method + " " + path + " for " + who.name;
      if (may) {
        EXPECT_NE(status, 401) << what;
        EXPECT_NE(status, 403) << what;
      } else if (known) {
        EXPECT_EQ(status, 403) << what;
      } else {
        EXPECT_THAT(status, AnyOf(401, 429)) << what;
      }
    }
  }
}

TEST_F(AccessTest, WithoutTokensALocalServerIsOpen) {
  serve();
  EXPECT_EQ(query("SELECT * FROM water", ""), 200);
  EXPECT_EQ(call("POST", "/write", "").status, 204);
  EXPECT_EQ(call("GET", "/metrics", "").status, 200);
  EXPECT_EQ(call("GET", "/api/v1/tokens", "").status, 200);
}

TEST_F(AccessTest, WithoutTokensAServerForOthersIsShut) {
  serve(false);
  EXPECT_EQ(query("SELECT * FROM water", ""), 401);
  EXPECT_EQ(call("POST", "/api/v1/tokens", "", R"({"name":"me","role":"admin"})").status, 401);
  EXPECT_EQ(call("GET", "/healthz", "").status, 200);
}

TEST_F(AccessTest, TokensAreTakenInEachFormClientsSend) {
  const std::string token = make("reader", "read");
  serve();
  const auto with = [&](const std::string& header) {
    return get(port(), "/api/v1/tables", "Authorization: " + header + "\r\n").status;
  };
  EXPECT_EQ(with("Bearer " + token), 200);
  EXPECT_EQ(with("bearer   " + token + " "), 200);
  EXPECT_EQ(with("Token " + token), 200);
  EXPECT_EQ(with("Token anyone:" + token), 200);
  EXPECT_EQ(with(token), 401);
  EXPECT_EQ(with("Digest " + token), 401);
  EXPECT_EQ(with("Bearer " + token.substr(0, token.size() - 1)), 401);
  EXPECT_EQ(with("Bearer " + token_hash(token)), 401) << "the stored hash is no token";
  EXPECT_EQ(with("Bearer " + token + "\r\nAuthorization: Bearer x"), 401) << "two are none";
  EXPECT_EQ(with("Bearer " + std::string(600, 'a')), 401);
  EXPECT_EQ(token_of_header("Basic dTp0b2tlbg=="), "token");
  EXPECT_EQ(token_of_header("Basic dG9rZW4="), "token");
  EXPECT_EQ(token_of_header("Basic !!"), "");

  EXPECT_EQ(get(port(), "/query?q=SHOW+MEASUREMENTS&db=varve&u=me&p=" + token).status, 200);
  EXPECT_EQ(get(port(), "/query?q=SHOW+MEASUREMENTS&db=varve&u=me&p=wrong").status, 401);
  EXPECT_EQ(get(port(), "/api/v1/tables?p=" + token).status, 401) << "only where InfluxDB's clients do it";
}

TEST_F(AccessTest, RefusalsSpeakAsTheRouteDoes) {
  const std::string reader = make("reader", "read");
  serve();
  const RawAnswer ours = call("GET", "/api/v1/tables", "");
  EXPECT_EQ(Json::parse(ours.body)["error"]["code"], "unauthorized");
  EXPECT_EQ(ours.headers.at("www-authenticate"), "Bearer realm=\"varve\"");
  const RawAnswer v1 = call("POST", "/write", "");
  EXPECT_EQ(v1.status, 401);
  EXPECT_TRUE(Json::parse(v1.body)["error"].is_string());
  EXPECT_THAT(v1.headers.at("www-authenticate"), HasSubstr("Basic"));
  EXPECT_TRUE(v1.headers.contains("x-influxdb-version"));
  const RawAnswer v2 = call("POST", "/api/v2/write?bucket=b", reader);
  EXPECT_EQ(v2.status, 403);
  EXPECT_EQ(Json::parse(v2.body)["code"], "forbidden");
  EXPECT_THAT(Json::parse(v2.body)["message"], HasSubstr("the role write"));
  const RawAnswer unknown = call("GET", "/nowhere", "");
  EXPECT_EQ(unknown.status, 401) << "what there is, is not for strangers";
  EXPECT_EQ(call("GET", "/nowhere", reader).status, 404);
  EXPECT_EQ(call("OPTIONS", "/api/v1/query", "").status, 204) << "a browser's preflight has no token";
}

TEST_F(AccessTest, AScopeHoldsOverHttp) {
  const std::string reader = make("reader", "read", {"water"});
  const std::string writer = make("writer", "write", {"water"});
  serve();
  EXPECT_EQ(query("SELECT * FROM water", reader), 200);
  EXPECT_EQ(query("SELECT * FROM secret", reader), 403);
  EXPECT_EQ(query("SELECT * FROM water w JOIN secret s ON w.time = s.time", reader), 403);
  EXPECT_THAT(call("GET", "/api/v1/tables", reader).body, Not(HasSubstr("secret")));
  EXPECT_EQ(call("GET", "/api/v1/tables/water", reader).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/tables/secret", reader).status, 403);
  EXPECT_EQ(call("GET", "/api/v1/tables/none", reader).status, 403);
  EXPECT_EQ(call("GET", "/query?db=varve&q=SELECT+*+FROM+secret", reader).status, 403);
  EXPECT_EQ(call("GET", "/query?db=varve&q=SELECT+*+FROM+water", reader).status, 200);
  EXPECT_EQ(call("POST", "/write?db=varve", writer, "water ph=1 1\n").status, 204);
  EXPECT_EQ(call("POST", "/write?db=varve", writer, "water ph=1 1\nsecret v=1 1\n").status, 403);
  EXPECT_EQ(call("POST", "/write?db=other", writer, "water ph=1 1\n").status, 403);
  EXPECT_EQ(call("POST", "/api/v3/write_lp?db=varve", writer, "secret v=1 1\n").status, 403);
}

TEST_F(AccessTest, WritersMakeDatabasesAsTelegrafDoesAndReadNothing) {
  const std::string all = make("all", "write");
  const std::string lake = make("lake", "write", {"lake.ice"});
  const std::string reader = make("reader", "read");
  const std::string admin = make("admin", "admin");
  serve();
  const auto ask = [&](const std::string& statement, const std::string& token) {
    return call("POST", "/query?q=" + statement, token);
  };
  // Telegraf 1.x and client libraries, before their first write.
  EXPECT_EQ(ask("CREATE+DATABASE+%22lake%22", all).status, 200);
  EXPECT_EQ(ask("CREATE+DATABASE+telegraf+WITH+DURATION+1d", all).status, 200);
  EXPECT_EQ(ask("CREATE+DATABASE+lake", lake).status, 200);
  EXPECT_EQ(ask("CREATE+DATABASE+other", lake).status, 403);
  EXPECT_EQ(ask("CREATE+DATABASE+other", reader).status, 403);
  EXPECT_EQ(ask("CREATE+DATABASE+other", "").status, 401);
  const std::string names = ask("SHOW+DATABASES", admin).body;
  EXPECT_THAT(names, HasSubstr("lake"));
  EXPECT_THAT(names, HasSubstr("telegraf"));
  EXPECT_THAT(names, Not(HasSubstr("other")));
  for (const char* statement :
       {"SHOW+DATABASES", "SHOW+MEASUREMENTS+ON+varve", "SELECT+*+FROM+varve..water", "DROP+DATABASE+lake",
        "KILL+QUERY+1", "CREATE+DATABASE+a;SELECT+*+FROM+varve..water",
        "CREATE+RETENTION+POLICY+a+ON+lake+DURATION+1d+REPLICATION+1"}) {
    for (const std::string& token : {all, lake}) {
      const RawAnswer refused = ask(statement, token);
      EXPECT_EQ(refused.status, 403) << statement;
      EXPECT_TRUE(Json::parse(refused.body)["error"].is_string()) << statement;
    }
  }
  EXPECT_EQ(call("GET", "/query?db=varve&q=SELECT+*+FROM+water", all).status, 403);
  EXPECT_EQ(query("SELECT * FROM water", all), 403);
}

TEST_F(AccessTest, OnlyAdminsDeleteRows) {
  const std::string reader = make("reader", "read");
  const std::string admin = make("admin", "admin");
  serve();
  EXPECT_EQ(query("DELETE FROM water WHERE time < '2020-01-01'", reader), 403);
  EXPECT_EQ(call("POST", "/query?db=varve&q=DROP+MEASUREMENT+water", reader).status, 403);
  EXPECT_EQ(store_.describe("varve", "water")->rows, 1u);
  EXPECT_EQ(query("DELETE FROM water WHERE time < '2020-01-01'", admin), 200);
}

TEST_F(AccessTest, ProbesTellStrangersOnlyTheirStatus) {
  const std::string reader = make("reader", "read");
  serve();
  EXPECT_EQ(call("GET", "/readyz", "").status, 200);
  EXPECT_EQ(call("GET", "/readyz", "").body, "ready\n");
  EXPECT_THAT(call("GET", "/readyz", reader).body, HasSubstr("durability"));
}

TEST_F(AccessTest, TokensComeAndGoWhileItRuns) {
  const std::string admin = make("admin", "admin");
  serve();
  const RawAnswer made =
      call("POST", "/api/v1/tokens", admin, R"({"name":"new","role":"read","tables":["water"]})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("cache-control"), "no-store");
  const std::string token = Json::parse(made.body)["token"];
  EXPECT_EQ(Json::parse(made.body)["tables"][0], "varve.water");
  EXPECT_EQ(query("SELECT * FROM water", token), 200);
  const std::string list = call("GET", "/api/v1/tokens", admin).body;
  EXPECT_THAT(list, HasSubstr("\"new\""));
  EXPECT_THAT(list, Not(HasSubstr(token)));
  EXPECT_THAT(list, Not(HasSubstr(token_hash(token))));
  EXPECT_EQ(call("DELETE", "/api/v1/tokens/new", admin).status, 200);
  EXPECT_EQ(call("DELETE", "/api/v1/tokens/new", admin).status, 404);
  EXPECT_EQ(query("SELECT * FROM water", token), 401);

  // Another program changes the file: known within a second.
  const auto other = std::move(*TokenStore::open(folder_.path().string()));
  const auto theirs = create_token(*other, {"theirs", "read", {}}, real_clock());
  ASSERT_TRUE(theirs.has_value());
  const auto opens = [&](bool wanted) {
    for (int i = 0; i < 300; ++i) {
      if ((query("SELECT * FROM water", theirs->token) == 200) == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  EXPECT_TRUE(opens(true));
  EXPECT_TRUE(*other->remove("theirs"));
  EXPECT_TRUE(opens(false));
}

TEST_F(AccessTest, TokenRequestsThatCannotBeAreRefused) {
  serve();
  for (const char* body :
       {"", "[]", "{}", R"({"name":"a"})", R"({"name":"a","role":"root"})", R"({"name":"a b","role":"read"})",
        R"({"name":"a","role":"admin","tables":["t"]})", R"({"name":"a","role":"read","tables":["*"]})",
        R"({"name":"a","role":"read","x":1})", R"({"name":"a","role":"read","tables":[1]})"}) {
    EXPECT_EQ(call("POST", "/api/v1/tokens", "", body).status, 400) << body;
  }
  EXPECT_TRUE(tokens_->list()->empty());
}

TEST_F(AccessTest, WrongTokensAreCountedAndSlowedDown) {
  const std::string reader = make("reader", "read");
  serve();
  RawAnswer last;
  for (uint32_t i = 0; i <= TokenGuard::kFailuresMax; ++i) last = call("GET", "/api/v1/tables", "wrong");
  EXPECT_EQ(last.status, 429);
  EXPECT_GT(std::stoi(last.headers.at("retry-after")), 0);
  EXPECT_EQ(call("GET", "/api/v1/tables", "").status, 401) << "no guess, no count";
  EXPECT_EQ(call("GET", "/api/v1/tables", reader).status, 200) << "others behind the same address go on";
  EXPECT_THAT(call("GET", "/metrics", reader).body, HasSubstr("varve_http_failed_logins_total 11"));
}

TEST_F(AccessTest, ALocalServerWithoutTokensAnswersNoNameOfTheInternet) {
  serve(true, true);
  const auto as = [&](const std::string& host) {
    return ask(port(), "GET /api/v1/tables HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status;
  };
  for (const char* host : {"localhost:8484", "127.0.0.1:1", "[::1]:8484", "varve", "a.localhost"}) {
    EXPECT_EQ(as(host), 200) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8484", "127.0.0.1.evil.example", "1.2.3.4.nip.io"}) {
    EXPECT_EQ(as(host), 421) << host;
  }
  EXPECT_EQ(ask(port(), "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
}

TEST(Token, HasItsBitsAndItsHash) {
  const std::string token = new_token();
  EXPECT_EQ(token.size(), 6u + 43);
  EXPECT_TRUE(token.starts_with("varve_"));
  EXPECT_NE(token, new_token());
  EXPECT_EQ(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace varve::test
