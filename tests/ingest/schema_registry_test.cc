#include "ingest/schema_registry.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_registry.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StillClock : public Clock {
 public:
  int64_t wall_ns() const override { return now_; }
  int64_t monotonic_ns() const override { return now_; }
  void advance(int64_t ns) { now_ += ns; }

 private:
  int64_t now_ = 0;
};

class SchemaRegistryTest : public testing::Test {
 protected:
  SchemaRegistryTest() { registry_.start(); }
  std::unique_ptr<SchemaSource> open(const std::string& auth = "") {
    return std::move(*open_schema_registry({registry_.url(), auth}, clock_));
  }
  static std::string canonical(SchemaSource& source, uint32_t id) {
    const auto schema = source.find(id);
    return schema ? (*schema)->canonical()
                  : fmt::format("{}: {}", error_code_name(schema.error().code), schema.error().message);
  }
  FakeRegistry registry_;
  StillClock clock_;
};

TEST_F(SchemaRegistryTest, AsksOncePerId) {
  registry_.add_schema(7, R"({"type":"string"})");
  registry_.add_schema(8, R"("int")", R"(,"schemaType":"AVRO")");
  const auto source = open("user:secret");
  EXPECT_EQ(canonical(*source, 7), R"("string")");
  EXPECT_EQ(canonical(*source, 8), R"("int")");
  registry_.stop();
  EXPECT_EQ(canonical(*source, 7), R"("string")");
  EXPECT_THAT(registry_.paths(), ElementsAre("/schemas/ids/7", "/schemas/ids/8"));
  EXPECT_EQ(registry_.last_header("authorization"), "Basic dXNlcjpzZWNyZXQ=");
  EXPECT_THAT(registry_.last_header("accept"), HasSubstr("application/vnd.schemaregistry.v1+json"));
}

TEST_F(SchemaRegistryTest, FollowsReferences) {
  registry_.add_schema(
      1, R"({"type":"record","name":"R","fields":[{"name":"v","type":"V"},{"name":"u","type":"U"}]})",
      R"(,"references":[{"name":"V","subject":"v/1","version":2},{"name":"U","subject":"u","version":1}])");
  registry_.answer(
      "/subjects/v%2F1/versions/2", 200,
      R"({"subject":"v/1","version":2,"id":5,"schema":"{\"type\":\"record\",\"name\":\"V\",\"fields\":[{\"name\":\"u\",\"type\":\"U\"}]}",)"
      R"("references":[{"name":"U","subject":"u","version":1}]})");
  registry_.answer("/subjects/u/versions/1", 200,
                   R"({"schema":"{\"type\":\"enum\",\"name\":\"U\",\"symbols\":[\"A\"]}"})");
  const auto source = open();
  EXPECT_EQ(canonical(*source, 1),
            R"({"name":"R","type":"record","fields":[{"name":"v","type":"V"},{"name":"u","type":"U"}]})");
  EXPECT_EQ(registry_.paths().size(), 3U);
  registry_.add_schema(2, R"("int")", R"(,"references":[{"name":"U","subject":"u"}])");
  EXPECT_THAT(canonical(*source, 2),
              HasSubstr("invalid_argument: schema 2: a reference of it has no version"));
  registry_.add_schema(3, R"("int")", R"(,"references":[{"name":"X","subject":"x","version":1}])");
  EXPECT_THAT(canonical(*source, 3), HasSubstr("not_found"));
}

TEST_F(SchemaRegistryTest, RemembersAMissBriefly) {
  const auto source = open();
  EXPECT_THAT(canonical(*source, 9), HasSubstr("not_found: the schema registry"));
  registry_.add_schema(9, R"("int")");
  EXPECT_THAT(canonical(*source, 9), HasSubstr("not_found"));
  EXPECT_EQ(registry_.paths().size(), 1U);
  clock_.advance(10 * kNsPerSecond);
  EXPECT_EQ(canonical(*source, 9), R"("int")");
}

TEST_F(SchemaRegistryTest, KeepsForGoodThatASchemaCannotBeRead) {
  registry_.add_schema(1, "{}");
  registry_.add_schema(2, "message M {}", R"(,"schemaType":"PROTOBUF")");
  const auto source = open();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(canonical(*source, 1), HasSubstr("invalid_argument: schema 1 of http://127.0.0.1"));
    EXPECT_THAT(canonical(*source, 2), HasSubstr("unsupported: schema 2"));
    clock_.advance(kNsPerDay);
  }
  EXPECT_EQ(registry_.paths().size(), 2U);
}

TEST_F(SchemaRegistryTest, BacksOffWhileItIsAway) {
  const auto source = open();
  registry_.add_schema(1, R"("int")");
  registry_.add_schema(2, R"("long")");
  registry_.stop();
  EXPECT_THAT(canonical(*source, 1), HasSubstr("unavailable: the schema registry http://127.0.0.1"));
  registry_.start();
  EXPECT_THAT(canonical(*source, 1), HasSubstr("unavailable"));  // not asked again so soon
  EXPECT_THAT(canonical(*source, 2), HasSubstr("unavailable"));
  EXPECT_EQ(registry_.paths().size(), 0U);
  clock_.advance(kNsPerSecond);
  EXPECT_EQ(canonical(*source, 1), R"("int")");
  registry_.stop();
  int64_t waited_s = 0;
  for (const int64_t seconds : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_THAT(canonical(*source, 2), HasSubstr("unavailable"));
    registry_.start();
    clock_.advance(seconds * kNsPerSecond - 1);
    EXPECT_THAT(canonical(*source, 2), HasSubstr("unavailable")) << seconds;
    registry_.stop();
    clock_.advance(1);
    waited_s += seconds;
  }
  EXPECT_EQ(registry_.paths().size(), 1U);
  registry_.start();
  EXPECT_EQ(canonical(*source, 2), R"("long")");
  EXPECT_EQ(waited_s, 91);
}

TEST_F(SchemaRegistryTest, WaitsForAnAnswerThatIsOne) {
  struct Case {
    int status;
    const char* body;
    const char* error;
  };
  for (const Case& one :
       {Case{401, R"({"error_code":401,"message":"no"})", "schema_registry_auth_env"},
        Case{403, "", "other credentials"},
        Case{500, R"({"error_code":50001,"message":"store down"})", "status 500 store down"},
        Case{404, "<html>", "status 404"}, Case{200, "<html>", "no schema registry"},
        Case{200, "{}", "no schema registry"}, Case{301, "", "status 301"}}) {
    registry_.answer("/schemas/ids/1", one.status, one.body);
    const auto source = open();
    EXPECT_THAT(canonical(*source, 1), HasSubstr("unavailable")) << one.status;
    EXPECT_THAT(canonical(*source, 1), HasSubstr(one.error)) << one.status;
  }
  registry_.answer("/schemas/ids/1", 200, std::string(5 << 20, ' '));
  EXPECT_THAT(canonical(*open(), 1), HasSubstr("more than 4194304 bytes"));
}

TEST(SchemaRegistry, RefusesUrlsThatAreNone) {
  for (const char* url : {"", "registry", "ftp://a", "http://", "http://a?b", "http://a#b", "http://user@a",
                          "http://user:secret@a"}) {
    const auto source = open_schema_registry({url});
    ASSERT_FALSE(source.has_value()) << url;
    EXPECT_EQ(source.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace varve
