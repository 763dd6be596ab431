// The API's description against the server's own table of routes, and against the rules of OpenAPI 3.1 that a typing
// mistake breaks. tests/clients has a validator look at it, and its examples run.
#include "api/http/openapi.h"

#include <set>

#include "tests/api/http/http_fixture.h"

namespace varve {
namespace {

Json document() {
  return Json::parse(openapi_json());
}

// "GET /api/v1/tables/{}": a name in the path is the route's prefix.
std::set<std::string> described() {
  std::set<std::string> all;
  const Json json = document();
  for (const auto& [path, operations] : json["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper;
      for (const char c : method) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      const size_t name = path.find('{');
      all.insert(upper + " " + path.substr(0, name) + (name == std::string::npos ? "" : "{}"));
    }
  }
  return all;
}

// Calls visit(value, where) for every value of the document.
void walk(const Json& json, const std::string& where,
          const std::function<void(const Json&, const std::string&)>& visit) {
  visit(json, where);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) walk(value, where + "/" + key, visit);
  } else if (json.is_array()) {
    for (size_t i = 0; i < json.size(); ++i) walk(json[i], where + "/" + std::to_string(i), visit);
  }
}

class OpenApi : public Http {
 protected:
  // Those of the page are files, not the API.
  std::set<std::string> routed() const {
    std::set<std::string> all;
    for (const RouteFacts& route : server_->routes()) {
      const bool prefix = route.path.size() > 1 && route.path.ends_with("/");
      const bool page =
          route.path == "/" || route.path.starts_with("/assets/") || route.path.ends_with(".svg");
      if (!page) all.insert(route.method + " " + route.path + (prefix ? "{}" : ""));
    }
    // Of a server with a quarantine to retry and with tokens, which this one has not.
    for (const char* route : {"POST /api/v1/quarantine/retry", "GET /api/v1/tokens", "POST /api/v1/tokens",
                              "DELETE /api/v1/tokens/{}"}) {
      all.insert(route);
    }
    return all;
  }
};

TEST_F(OpenApi, DescribesEveryRouteAndNoOther) {
  const std::set<std::string> said = described(), there = routed();
  for (const std::string& one : there) EXPECT_TRUE(said.contains(one)) << "not in openapi.json: " << one;
  for (const std::string& one : said) EXPECT_TRUE(there.contains(one)) << "no such route: " << one;
  EXPECT_GT(there.size(), 15U);
}

TEST_F(OpenApi, IsServed) {
  const RawAnswer answer = get(port(), "/api/v1/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json_of(answer), document());
}

// ---- what holds for every route ----

class EveryRoute : public OpenApi {
 protected:
  // A target below each path, with the methods there.
  std::map<std::string, std::set<std::string>> targets() const {
    std::map<std::string, std::set<std::string>> all;
    for (const RouteFacts& route : server_->routes()) {
      const bool prefix = route.path.size() > 1 && route.path.ends_with("/");
      std::set<std::string>& methods = all[route.path + (prefix ? "1" : "")];
      methods.insert(route.method);
      if (route.method == "GET") methods.insert("HEAD");
    }
    return all;
  }
  RawAnswer send(const std::string& method, const std::string& target,
                 const std::string& headers = "") const {
    return ask(port(),
               method + " " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" + headers + "\r\n");
  }
};

TEST_F(EveryRoute, RefusesOtherMethodsAndNamesItsOwn) {
  for (const auto& [target, methods] : targets()) {
    std::string allowed;
    for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) {
      if (methods.contains(method)) allowed += (allowed.empty() ? "" : ", ") + std::string(method);
    }
    for (const char* method : {"PUT", "PATCH", "DELETE", "POST", "GET"}) {
      if (methods.contains(method)) continue;
      const RawAnswer answer = send(method, target);
      EXPECT_EQ(answer.status, 405) << method << " " << target;
      EXPECT_EQ(answer.headers.at("allow"), allowed) << target;
      EXPECT_EQ(json_of(answer)["error"]["code"], "method_not_allowed") << target;
    }
    const RawAnswer options = send("OPTIONS", target);
    EXPECT_EQ(options.status, 204) << target;
    EXPECT_EQ(options.headers.at("allow"), allowed) << target;
  }
}

TEST_F(EveryRoute, RefusesRangesAndForeignPagesAndCarriesAnId) {
  for (const auto& [target, methods] : targets()) {
    for (const std::string& method : methods) {
      if (method == "HEAD") continue;
      const RawAnswer range = send(method, target, "Range: bytes=0-1\r\n");
      EXPECT_EQ(range.status, 416) << method << " " << target;
      EXPECT_EQ(json_of(range)["error"]["code"], "range_not_supported") << target;
      EXPECT_EQ(range.headers.at("x-request-id").size(), 36U) << target;
      if (method == "GET") continue;
      const RawAnswer foreign = send(method, target, "Origin: http://evil.example\r\n");
      EXPECT_EQ(foreign.status, 403) << method << " " << target;
      EXPECT_EQ(json_of(foreign)["error"]["code"], "cross_origin") << target;
    }
  }
}

TEST_F(EveryRoute, IsRefusedWhileTheServerDrainsButForProbes) {
  const auto all = targets();
  server_->begin_drain();
  for (const auto& [target, methods] : all) {
    if (target == "/healthz" || target == "/readyz" || target == "/metrics") continue;
    const RawAnswer answer = send(*methods.begin(), target);
    EXPECT_EQ(answer.status, 503) << target;
    EXPECT_EQ(json_of(answer)["error"]["code"], "draining") << target;
  }
}

TEST(StartingServer, AnswersOnlyThatItLives) {
  MetricsRegistry metrics;
  const auto server = HttpServer::start({"127.0.0.1", 0}, metrics);
  ASSERT_TRUE(server);
  EXPECT_EQ(get((*server)->port(), "/healthz").status, 200);
  for (const char* target : {"/readyz", "/api/v1/query?q=x", "/nowhere"}) {
    const RawAnswer answer = get((*server)->port(), target);
    EXPECT_EQ(answer.status, 503) << target;
    EXPECT_EQ(json_of(answer)["error"]["code"], "starting") << target;
  }
}

TEST(OpenApiDocument, HasWhatEveryDocumentNeeds) {
  const Json json = document();
  EXPECT_TRUE(json["openapi"].get<std::string>().starts_with("3.1."));
  EXPECT_TRUE(json["info"].contains("title"));
  EXPECT_TRUE(json["info"].contains("version"));
  std::set<std::string> tags, ids;
  for (const Json& tag : json["tags"]) tags.insert(tag["name"]);
  for (const auto& [path, operations] : json["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      const std::string where = method + " " + path;
      EXPECT_TRUE(ids.insert(operation["operationId"].get<std::string>()).second)
          << where << ": the id is not unique";
      EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << where;
      for (const Json& tag : operation["tags"]) EXPECT_TRUE(tags.contains(tag)) << where << ": " << tag;
      EXPECT_FALSE(operation["responses"].empty()) << where;
      std::set<std::string> named;
      for (const Json& parameter : operation.value("parameters", Json::array())) {
        if (parameter.contains("$ref")) continue;
        EXPECT_TRUE(parameter.contains("schema")) << where << ": " << parameter["name"];
        if (parameter["in"] != "path") continue;
        EXPECT_EQ(parameter["required"], true) << where;
        named.insert(parameter["name"]);
      }
      for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
        const std::string name = path.substr(at + 1, path.find('}', at) - at - 1);
        EXPECT_EQ(named.erase(name), 1U) << where << ": {" << name << "} is not described";
      }
      EXPECT_TRUE(named.empty()) << where << ": a parameter that is not in the path";
    }
  }
}

TEST(OpenApiDocument, EveryReferenceLeadsSomewhereAndEveryPartIsUsed) {
  const Json json = document();
  std::set<std::string> used;
  walk(json, "", [&](const Json& value, const std::string& where) {
    if (!value.is_object() || !value.contains("$ref")) return;
    const std::string target = value["$ref"];
    ASSERT_TRUE(target.starts_with("#/")) << where;
    EXPECT_TRUE(json.contains(Json::json_pointer(target.substr(1)))) << where << ": " << target;
    used.insert(target);
  });
  for (const auto& [kind, parts] : json["components"].items()) {
    if (kind == "securitySchemes") continue;  // named without a reference
    for (const auto& [name, part] : parts.items()) {
      const std::string self = "#/components/" + kind + "/" + name;
      // LiveRows is the data of events, which no media type describes.
      EXPECT_TRUE(used.contains(self) || name == "LiveRows") << self << " is used by nothing";
    }
  }
}

TEST(OpenApiDocument, EveryAnswerAndBodyHasATypeAndASchema) {
  walk(document(), "", [&](const Json& value, const std::string& where) {
    if (!value.is_object() || !value.contains("content")) return;
    for (const auto& [type, media] : value["content"].items()) {
      EXPECT_NE(type.find('/'), std::string::npos) << where;
      EXPECT_TRUE(media.contains("schema")) << where << ": " << type;
    }
  });
}

TEST(OpenApiDocument, ObjectsRequireOnlyWhatTheyHave) {
  walk(document(), "", [&](const Json& value, const std::string& where) {
    if (!value.is_object() || !value.contains("required") || !value["required"].is_array()) return;
    if (!value.contains("properties")) return;
    for (const Json& name : value["required"]) {
      EXPECT_TRUE(value["properties"].contains(name.get<std::string>())) << where << ": " << name;
    }
  });
}

}  // namespace
}  // namespace varve
