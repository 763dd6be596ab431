#include "ingest/decode/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/batch_text.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DecodeMapping water() {
  DecodeMapping mapping;
  mapping.table = "water";
  mapping.time_format = "ns";
  mapping.tags = {"sensor_id", "site", "gps_zone"};
  return mapping;
}

class Decoding {
 public:
  explicit Decoding(const DecodeMapping& mapping = water()) : decoder_(std::move(*make_decoder(mapping))) {}

  // The rows, then "reason[@line]" of each reject.
  std::vector<std::string> operator()(std::string_view payload) {
    rejects.clear();
    decoder_->decode(payload, {"readings", 123}, rows, rejects);
    std::vector<std::string> texts = take_texts(rows);
    for (const DecodeReject& reject : rejects) {
      texts.push_back(reject.line == 0 ? reject.reason : fmt::format("{}@{}", reject.reason, reject.line));
    }
    return texts;
  }

  RowSet rows;
  std::vector<DecodeReject> rejects;

 private:
  std::unique_ptr<Decoder> decoder_;
};

TEST(Json, MapsScalarsToFieldsAndNamedOnesToTags) {
  Decoding decode;
  EXPECT_THAT(
      decode(
          R"({"ts":5,"sensor_id":"a-1","site":7,"ph":7.25,"n":20,"ok":true,"note":"x\ty\u00e9","gone":null})"),
      ElementsAre("varve.water sensor_id=a-1,site=7 n=i:20,note=s:x\ty\u00e9,ok=b:true,ph=d:7.25 5"));
  EXPECT_THAT(decode(R"({"site":1.50,"gps_zone":false,"v":1,"ts":6})"),
              ElementsAre("varve.water gps_zone=false,site=1.50 v=i:1 6"));
  EXPECT_THAT(decode(R"( {"ts" : 7 , "v" : -0.0, "sensor_id" : ""} )"), ElementsAre("varve.water  v=d:-0 7"));
}

TEST(Json, FlattensNestedObjects) {
  Decoding decode;
  EXPECT_THAT(decode(R"({"ts":5,"gps":{"lat":1.5,"zone":"n","deep":{"x":1}},"empty":{}})"),
              ElementsAre("varve.water gps_zone=n gps_deep_x=i:1,gps_lat=d:1.5 5"));
  DecodeMapping mapping = water();
  mapping.time = "meta_at";
  Decoding nested(mapping);
  EXPECT_THAT(nested(R"({"v":1,"meta":{"at":9}})"), ElementsAre("varve.water  v=i:1 9"));
}

TEST(Json, FollowsKeysThatChangeOrderComeAndGo) {
  Decoding decode;
  EXPECT_THAT(decode(R"({"ts":1,"a":1,"b":2,"c":3})"), ElementsAre("varve.water  a=i:1,b=i:2,c=i:3 1"));
  EXPECT_THAT(decode(R"({"c":3,"ts":2,"b":2})"), ElementsAre("varve.water  b=i:2,c=i:3 2"));
  EXPECT_THAT(decode(R"({"ab":1,"ts":3,"a":2,"\u0062":4})"),
              ElementsAre("varve.water  a=i:2,ab=i:1,b=i:4 3"));
  EXPECT_THAT(decode(R"({"b":{"b":1},"ts":4})"), ElementsAre("varve.water  b_b=i:1 4"));
}

TEST(Json, KeepsIntegersWholeAndWidensThemWhenDecimalsCome) {
  Decoding decode;
  EXPECT_THAT(decode(R"([{"ts":1,"v":20},{"ts":2,"v":20.5},{"ts":3,"v":21}])"),
              ElementsAre("varve.water  v=d:20 1", "varve.water  v=d:20.5 2", "varve.water  v=d:21 3"));
  EXPECT_THAT(decode(R"({"ts":1,"min":-9223372036854775808,"max":9223372036854775807})"),
              ElementsAre("varve.water  max=i:9223372036854775807,min=i:-9223372036854775808 1"));
  EXPECT_THAT(decode(R"({"ts":1,"v":1e3})"), ElementsAre("varve.water  v=d:1000 1"));
}

TEST(Json, RefusesNumbersNoColumnCanHold) {
  Decoding decode;
  for (const char* number : {"9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400",
                             "-9223372036854775809", "123456789012345678901234567890"}) {
    EXPECT_THAT(decode(fmt::format(R"({{"ts":1,"v":{}}})", number)), ElementsAre("out_of_range")) << number;
  }
  EXPECT_NE(decode.rejects[0].detail.find("'v'"), std::string::npos);
}

TEST(Json, TakesArraysOfObjects) {
  Decoding decode;
  EXPECT_THAT(
      decode(R"([{"ts":1,"v":1},3,{"ts":2},{"ts":3,"v":[1]},{"v":{"w":[{}]}},[[{}]],{"ts":4,"v":4}])"),
      ElementsAre("varve.water  v=i:1 1", "varve.water  v=i:4 4", "not_an_object", "no_field",
                  "unsupported_value", "unsupported_value", "not_an_object"));
  EXPECT_THAT(decode("[]"), IsEmpty());
  EXPECT_THAT(decode(R"([{"ts":1,"v":1},{"ts":2,"v":}])"),
              ElementsAre("varve.water  v=i:1 1", "malformed_json"));
  EXPECT_THAT(decode(R"([{"ts":1,"v":1})"), ElementsAre("malformed_json"));
}

TEST(Json, TakesOneObjectALine) {
  Decoding decode;
  EXPECT_THAT(decode("{\"ts\":1,\"v\":1}\n{\"ts\":2,\"v\":2}\r\n\n{\"ts\":\n{\"ts\":3,\"v\":3}"),
              ElementsAre("varve.water  v=i:1 1", "varve.water  v=i:2 2", "varve.water  v=i:3 3",
                          "malformed_json@4"));
  EXPECT_THAT(decode("{\"ts\":1,\"v\n{\"ts\":2,\"v\":\"{\"}\n"),
              ElementsAre("varve.water  v=s:{ 2", "malformed_json@1"));
  // Not lines: one object, printed for people.
  EXPECT_THAT(decode("{\"ts\":1,\n\"v\":1}\n"), ElementsAre("varve.water  v=i:1 1"));
  EXPECT_THAT(decode("{\"ts\":1,\"g\":\n{\"v\":1}}"), ElementsAre("varve.water  g_v=i:1 1"));
  EXPECT_THAT(decode("{\"ts\":1,\"g\":\n{\"v\":1}\n}"), ElementsAre("varve.water  g_v=i:1 1"));
}

TEST(Json, RefusesWhatIsNotJson) {
  Decoding decode;
  for (const std::string_view text : {std::string_view("{"),
                                      std::string_view("}"),
                                      std::string_view("{\"ts\":1,\"v\":1}}"),
                                      std::string_view("{\"ts\":1,\"v\":1}{\"ts\":2,\"v\":2}"),
                                      std::string_view("{\"ts\":1,\"v\":1} x"),
                                      std::string_view("{\"ts\":1,\"v\":nul}"),
                                      std::string_view("{\"ts\":1,\"v\":nullx}"),
                                      std::string_view("{\"ts\":1,\"v\":tru}"),
                                      std::string_view("{\"ts\":1,\"v\":01}"),
                                      std::string_view("{\"ts\":1,\"v\":1.}"),
                                      std::string_view("{\"ts\":1,\"v\":NaN}"),
                                      std::string_view("{\"ts\":1,\"v\":+1}"),
                                      std::string_view("{\"ts\":1,\"v\":Infinity}"),
                                      std::string_view("{\"ts\":1,\"v\" 1}"),
                                      std::string_view("{\"ts\":1 \"v\":1}"),
                                      std::string_view("{\"ts\":1,\"v\":1,}"),
                                      std::string_view("{ts:1,\"v\":1}"),
                                      std::string_view("{\"ts\":1,\"v\":\"\xff\"}"),
                                      std::string_view("{\"ts\":1,\"v\":\"\xed\xa0\x80\"}"),
                                      std::string_view("{\"ts\":1,\"v\":\"a\nb\"}"),
                                      std::string_view("{\"ts\":1,\"v\":\"\\x\"}"),
                                      std::string_view("{\"ts\":1,\"v\":\"\\ud800\"}"),
                                      std::string_view("{\"ts\":1,\"v\":\"open}"),
                                      std::string_view("{\"ts\":1,\"v\0\":1,\"w\":2}", 21),
                                      std::string_view("hello"),
                                      std::string_view("\0", 1)}) {
    EXPECT_THAT(decode(text), ElementsAre("malformed_json")) << text;
  }
  for (const char* text : {"1", "\"x\"", "true", "null", "-1.5e3"}) {
    EXPECT_THAT(decode(text), ElementsAre("not_an_object")) << text;
  }
}

TEST(Json, KeepsNulInsideStrings) {
  Decoding decode;
  EXPECT_THAT(decode("{\"ts\":1,\"v\":\"a\\u0000b\"}"),
              ElementsAre(std::string("varve.water  v=s:a\0b 1", 22)));
}

TEST(Json, CountsEmptyMessages) {
  Decoding decode;
  EXPECT_THAT(decode(""), ElementsAre("empty_message"));
  EXPECT_THAT(decode({}), ElementsAre("empty_message"));
  EXPECT_THAT(decode(" \n"), ElementsAre("empty_message"));
}

TEST(Json, RefusesRowsWithoutTimeOrField) {
  Decoding decode;
  EXPECT_THAT(decode(R"({"v":1})"), ElementsAre("no_time"));
  EXPECT_THAT(decode(R"({"ts":null,"v":1})"), ElementsAre("no_time"));
  EXPECT_THAT(decode(R"({"ts":{"x":1},"v":1})"), ElementsAre("no_time"));
  EXPECT_THAT(decode(R"({"ts":"soon","v":1})"), ElementsAre("bad_time"));
  EXPECT_THAT(decode(R"({"ts":true,"v":1})"), ElementsAre("bad_time"));
  EXPECT_THAT(decode(R"({"ts":9223372036854775808,"v":1})"), ElementsAre("bad_time"));
  EXPECT_THAT(decode(R"({"ts":1e400,"v":1})"), ElementsAre("bad_time"));
  EXPECT_THAT(decode(R"({"ts":1,"sensor_id":"a"})"), ElementsAre("no_field"));
  EXPECT_THAT(decode(R"({})"), ElementsAre("no_time"));
}

TEST(Json, RefusesKeysGivenTwice) {
  Decoding decode;
  EXPECT_THAT(decode(R"({"ts":1,"v":1,"v":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"v":1,"\u0076":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"v":null,"v":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"ts":1,"v":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"t\u0073":1,"v":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"a":{"b":1},"a_b":2})"), ElementsAre("duplicate_key"));
  EXPECT_THAT(decode(R"({"ts":1,"site":"x","sit\u0065":"y","v":1})"), ElementsAre("duplicate_key"));
}

TEST(Json, RefusesNamesAndValuesOverTheLimits) {
  Decoding decode;
  EXPECT_THAT(decode(R"({"ts":1,"":1})"), ElementsAre("invalid_name"));
  EXPECT_THAT(decode(R"({"ts":1,"time":1})"), ElementsAre("invalid_name"));
  EXPECT_THAT(decode(fmt::format(R"({{"ts":1,"{}":1}})", std::string(256, 'k'))),
              ElementsAre("invalid_name"));
  EXPECT_THAT(decode(fmt::format(R"({{"ts":1,"a":{{"{}":1}}}})", std::string(254, 'k'))),
              ElementsAre("invalid_name"));
  EXPECT_THAT(decode(fmt::format(R"({{"ts":1,"v":1,"site":"{}"}})", std::string(4097, 'x'))),
              ElementsAre("value_too_long"));
  EXPECT_THAT(decode(fmt::format(R"({{"ts":1,"v":"{}"}})", std::string((1 << 20) + 1, 'x'))),
              ElementsAre("value_too_long"));
  EXPECT_EQ(decode(fmt::format(R"({{"ts":1,"v":"{}"}})", std::string(1 << 20, 'x'))).size(), 1U);
  EXPECT_TRUE(decode.rejects.empty());
}

TEST(Json, RefusesBombsByTheirLimit) {
  Decoding decode;
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "{\"a\":";
  EXPECT_THAT(decode(deep + "1" + std::string(65, '}')), ElementsAre("too_deep"));
  EXPECT_THAT(decode(std::string(1'000'000, '[')), ElementsAre("malformed_json"));
  std::string nested_arrays = "[" + std::string(100'000, '[') + std::string(100'000, ']') + "]";
  EXPECT_THAT(decode(nested_arrays), ElementsAre("not_an_object"));
  std::string wide = "{\"ts\":1";
  for (int i = 0; i < 4096; ++i) wide += fmt::format(",\"f{}\":1", i);
  EXPECT_THAT(decode(wide + "}"), ElementsAre("too_many_fields"));
  EXPECT_THAT(decode(std::string(kMessageBytesMax + 1, ' ')), ElementsAre("message_too_large"));
  // Keys that never repeat do not stay.
  for (int i = 0; i < 30'000; ++i) ASSERT_EQ(decode(fmt::format(R"({{"ts":1,"k{}":1}})", i)).size(), 1U);
  EXPECT_THAT(decode(R"({"ts":1,"v":1})"), ElementsAre("varve.water  v=i:1 1"));
}

TEST(Json, NamesTheFirstHundredRefusalsOfAMessageAndCountsTheRest) {
  Decoding decode;
  std::string many = "[1";
  for (int i = 0; i < 999; ++i) many += ",1";
  EXPECT_EQ(decode(many + "]").size(), 101U);
  EXPECT_EQ(decode.rejects.back().reason, "more_refused");
  EXPECT_EQ(decode.rejects.back().detail, "900 more rows of this message were refused");
  EXPECT_THAT(decode("3"), ElementsAre("not_an_object"));
}

TEST(Json, TakesTheTableFromTopicOrField) {
  DecodeMapping mapping = water();
  mapping.table = "{topic}";
  EXPECT_THAT(Decoding(mapping)(R"({"ts":1,"v":1})"), ElementsAre("varve.readings  v=i:1 1"));
  mapping.table = "{field:kind}";
  mapping.database = "plant";
  Decoding by_field(mapping);
  EXPECT_THAT(by_field(R"({"ts":1,"v":1,"kind":"pump"})"), ElementsAre("plant.pump  v=i:1 1"));
  EXPECT_THAT(by_field(R"({"ts":1,"v":1,"kind":12})"), ElementsAre("plant.12  v=i:1 1"));
  EXPECT_THAT(by_field(R"({"ts":1,"v":1})"), ElementsAre("no_table"));
  EXPECT_THAT(by_field(R"({"ts":1,"v":1,"kind":null})"), ElementsAre("no_table"));
  EXPECT_THAT(by_field(R"({"ts":1,"v":1,"kind":""})"), ElementsAre("invalid_name"));
  EXPECT_THAT(by_field(R"({"ts":1,"v":1,"kind":"varve_quarantine"})"), ElementsAre("invalid_name"));
  EXPECT_THAT(by_field(fmt::format(R"({{"ts":1,"v":1,"kind":"{}"}})", std::string(256, 'x'))),
              ElementsAre("invalid_name"));
}

TEST(Json, KeepsRowsOfContradictingTypesApartForTheStoreToJudge) {
  Decoding decode;
  EXPECT_THAT(decode(R"([{"ts":1,"v":"poison"},{"ts":2,"v":1},{"ts":3,"v":2}])"),
              ElementsAre("varve.water  v=s:poison 1", "varve.water  v=i:1 2", "varve.water  v=i:2 3"));
}

TEST(Json, RefusesMappingsThatContradictThemselves) {
  const auto refused = [](auto change) {
    DecodeMapping mapping = water();
    change(mapping);
    const auto decoder = make_decoder(mapping);
    return !decoder && decoder.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = ""; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "{field:}"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "{column:x}"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "a_{topic}"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "varve_quarantine"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "{field:ts}"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.table = "{field:site}"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.time = ""; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.time = "site"; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.tags = {""}; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.tags = {"time"}; }));
  EXPECT_TRUE(refused([](DecodeMapping& m) { m.time_format = "whenever"; }));
  EXPECT_FALSE(refused([](DecodeMapping& m) { m.time = "time"; }));
}

}  // namespace
}  // namespace varve
