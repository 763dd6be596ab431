#include "ingest/decode/avro_schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

std::string canonical(std::string_view text, const std::vector<std::string>& references = {}) {
  const auto schema = AvroSchema::parse(text, references);
  return schema ? schema->canonical() : "error: " + schema.error().message;
}

// Fingerprints of the specification's own test schemas.
TEST(AvroSchema, HasTheFingerprintsOfTheSpecification) {
  const auto fingerprint = [](std::string_view text) {
    return static_cast<int64_t>(AvroSchema::parse(text)->fingerprint());
  };
  EXPECT_EQ(fingerprint(R"("null")"), 7195948357588979594);
  EXPECT_EQ(fingerprint(R"({"type":"null"})"), 7195948357588979594);
  EXPECT_EQ(fingerprint(R"("boolean")"), -6970731678124411036);
  EXPECT_EQ(fingerprint(R"("int")"), 8247732601305521295);
  EXPECT_EQ(fingerprint(R"("long")"), -3434872931120570953);
  EXPECT_EQ(fingerprint(R"("float")"), 5583340709985441680);
  EXPECT_EQ(fingerprint(R"("double")"), -8181574048448539266);
  EXPECT_EQ(fingerprint(R"("bytes")"), 5746618253357095269);
  EXPECT_EQ(fingerprint(R"("string")"), -8142146995180207161);
  EXPECT_EQ(fingerprint("[ ]"), -1241056759729112623);
  EXPECT_EQ(fingerprint(R"({"fields":[], "type":"record", "name":"foo", "doc":"Useful info"})"),
            -4824392279771201922);
}

TEST(AvroSchema, StripsToTheCanonicalForm) {
  EXPECT_EQ(canonical(R"({"doc":"d","type":{"type":"string"}})"), R"("string")");
  EXPECT_EQ(
      canonical(
          R"({"type":"record","name":"R","namespace":"a.b","aliases":["x"],"fields":[)"
          R"({"default":1,"type":["null",{"type":"long","logicalType":"timestamp-millis"}],"name":"t"},)"
          R"({"name":"e","type":{"symbols":["A","B"],"name":"E","type":"enum"}},)"
          R"({"name":"f","type":{"size":4,"type":"fixed","name":"c.F"}},)"
          R"({"name":"m","type":{"values":"E","type":"map"}},)"
          R"({"name":"l","type":{"items":"c.F","type":"array"}},)"
          R"({"name":"self","type":["null","R"]}]})"),
      R"({"name":"a.b.R","type":"record","fields":[)"
      R"({"name":"t","type":["null","long"]},)"
      R"({"name":"e","type":{"name":"a.b.E","type":"enum","symbols":["A","B"]}},)"
      R"({"name":"f","type":{"name":"c.F","type":"fixed","size":4}},)"
      R"({"name":"m","type":{"type":"map","values":"a.b.E"}},)"
      R"({"name":"l","type":{"type":"array","items":"c.F"}},)"
      R"({"name":"self","type":["null","a.b.R"]}]})");
}

TEST(AvroSchema, TakesNamedTypesFromReferences) {
  const std::string unit = R"({"type":"enum","name":"u.Unit","symbols":["C","F"]})";
  const std::string value = R"({"type":"record","name":"u.Value","fields":[{"name":"unit","type":"Unit"}]})";
  EXPECT_EQ(
      canonical(R"({"type":"record","name":"R","fields":[{"name":"v","type":"u.Value"}]})", {unit, value}),
      R"({"name":"R","type":"record","fields":[{"name":"v","type":"u.Value"}]})");
  EXPECT_EQ(canonical(R"("u.Value")", {value}),
            "error: a schema it refers to: field 'unit': there is no type 'Unit'");
}

TEST(AvroSchema, RefusesWhatIsNoSchema) {
  for (const char* text :
       {"",
        "x",
        "3",
        "null",
        "{}",
        R"("nothing")",
        R"({"type":"record","name":"R"})",
        R"({"type":"record","fields":[]})",
        R"({"type":"record","name":"1R","fields":[]})",
        R"({"type":"record","name":"int","fields":[]})",
        R"({"type":"record","name":"a b","fields":[]})",
        R"({"type":"record","name":"R","fields":[3]})",
        R"({"type":"record","name":"R","fields":[{"name":"a"}]})",
        R"({"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]})",
        R"({"type":"record","name":"R","fields":[{"type":"int"}]})",
        R"({"type":"enum","name":"E"})",
        R"({"type":"enum","name":"E","symbols":["a b"]})",
        R"({"type":"enum","name":"E","symbols":[1]})",
        R"({"type":"fixed","name":"F"})",
        R"({"type":"fixed","name":"F","size":-1})",
        R"({"type":"fixed","name":"F","size":"4"})",
        R"({"type":"array"})",
        R"({"type":"map"})",
        R"(["null",["int"]])",
        R"(["null","unknown"])",
        R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":1}])"}) {
    EXPECT_TRUE(canonical(text).starts_with("error: ")) << text;
  }
}

TEST(AvroSchema, RefusesBombsByTheirLimit) {
  std::string deep = R"("int")";
  for (int i = 0; i < 100; ++i) deep = fmt::format(R"({{"type":"array","items":{}}})", deep);
  EXPECT_NE(canonical(deep).find("nested deeper"), std::string::npos);
  EXPECT_NE(canonical(std::string(500'000, '[') + std::string(500'000, ']')).find("error"),
            std::string::npos);
  std::string wide = R"(["int")";
  for (size_t i = 0; i < kAvroTypesMax; ++i) wide += R"(,"int")";
  EXPECT_NE(canonical(wide + "]").find("types"), std::string::npos);
  EXPECT_NE(canonical(std::string(kAvroSchemaBytesMax + 1, ' ')).find("bytes"), std::string::npos);
}

}  // namespace
}  // namespace varve
