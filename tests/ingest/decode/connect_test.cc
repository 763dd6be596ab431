#include "ingest/decode/connect_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/decode/big_decimal.h"
#include "tests/ingest/decode/decoding.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

DecodeMapping readings() {
  DecodeMapping mapping;
  mapping.table = "water";
  mapping.tags = {"id", "price_tag"};
  return mapping;
}

constexpr std::string_view kTimestamp = R"("name":"org.apache.kafka.connect.data.Timestamp","version":1)";

// An envelope of a struct with these fields.
std::string envelope(std::string_view fields, std::string_view payload) {
  return fmt::format(R"({{"schema":{{"type":"struct","fields":[{}],"optional":false}},"payload":{}}})",
                     fields, payload);
}

TEST(Connect, UnwrapsThePayloadAndTakesItsTypesFromTheSchema) {
  Decoding decode(readings());
  const std::string fields = fmt::format(
      R"({{"field":"ts","type":"int64",{}}},{{"field":"id","type":"string"}},{{"field":"v","type":"double"}},{{"field":"n","type":"int32"}})",
      kTimestamp);
  EXPECT_THAT(decode(envelope(fields, R"({"ts":17,"id":"a","v":20,"n":20})")),
              ElementsAre("varve.water id=a n=i:20,v=d:20 17000000"));
  EXPECT_THAT(decode(envelope(fields, R"({"ts":-5,"id":"b","v":2.5,"n":null})")),
              ElementsAre("varve.water id=b v=d:2.5 -5000000"));
  EXPECT_THAT(decode(fmt::format(
                  R"({{"payload":{{"ts":18,"v":1}},"schema":{{"type":"struct","fields":[{}]}}}})", fields)),
              ElementsAre("varve.water  v=d:1 18000000"));
}

TEST(Connect, TakesEnvelopesWithoutSchemaAndArraysOfRows) {
  Decoding decode(readings());
  EXPECT_THAT(decode(R"({"schema":null,"payload":{"ts":1,"v":1}})"),
              ElementsAre("varve.water  v=i:1 1000000000"));
  const std::string array = fmt::format(
      R"({{"schema":{{"type":"array","items":{{"type":"struct","fields":[{{"field":"ts","type":"int64",{}}}]}}}},)"
      R"("payload":[{{"ts":1,"v":1}},3,{{"ts":2,"v":2}}]}})",
      kTimestamp);
  EXPECT_THAT(decode(array),
              ElementsAre("varve.water  v=i:1 1000000", "varve.water  v=i:2 2000000", "not_an_object"));
  EXPECT_THAT(decode(R"({"schema":null,"payload":null})"), ElementsAre("empty_message"));
}

TEST(Connect, KnowsDebeziumsTimesNestedNamesAndDecimals) {
  Decoding decode(readings());
  const auto at = [&](std::string_view name) {
    return decode(
        envelope(fmt::format(R"({{"field":"ts","type":"int64","name":"{}"}})", name), R"({"ts":3,"v":1})"));
  };
  EXPECT_THAT(at("io.debezium.time.Timestamp"), ElementsAre("varve.water  v=i:1 3000000"));
  EXPECT_THAT(at("io.debezium.time.MicroTimestamp"), ElementsAre("varve.water  v=i:1 3000"));
  EXPECT_THAT(at("io.debezium.time.NanoTimestamp"), ElementsAre("varve.water  v=i:1 3"));
  EXPECT_THAT(at("io.debezium.time.Date"), ElementsAre("varve.water  v=i:1 259200000000000"));
  EXPECT_THAT(at("org.apache.kafka.connect.data.Date"), ElementsAre("varve.water  v=i:1 259200000000000"));
  EXPECT_THAT(at("some.other"), ElementsAre("varve.water  v=i:1 3000000000"));
  const std::string decimal =
      R"({"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"field":")";
  const std::string fields = fmt::format(R"({0}tag"}},{0}x"}})", decimal);
  const std::string nested = fmt::format(R"({{"type":"struct","field":"price","fields":[{}]}})", fields);
  // 0x04D2 = 1234, 0xFB2E = -1234
  EXPECT_THAT(decode(envelope(nested, R"({"ts":1,"price":{"x":"+y4=","tag":"BNI="}})")),
              ElementsAre("varve.water price_tag=12.34 price_x=d:-12.34 1000000000"));
  EXPECT_THAT(decode(envelope(nested, R"({"ts":1,"price":{"x":"*"}})")), ElementsAre("out_of_range"));
}

TEST(Connect, LeavesMessagesAloneThatOnlyLookAlike) {
  DecodeMapping mapping = readings();
  Decoding decode(mapping);
  EXPECT_THAT(decode(R"({"schema":{"type":1},"payload":{"v":1},"ts":1})"),
              ElementsAre("varve.water  payload_v=i:1,schema_type=i:1 1000000000"));
  EXPECT_THAT(decode(R"({"schema":"x","payload":2})"), ElementsAre("no_time"));
  EXPECT_THAT(decode(R"({"payload":2,"ts":1})"), ElementsAre("varve.water  payload=i:2 1000000000"));
  EXPECT_THAT(decode(R"({"schema":{"a":1},"payload":{"ts":1,"v":1}})"), ElementsAre("no_time"));
}

TEST(Connect, ForgetsASchemaWithItsEnvelope) {
  Decoding decode(readings());
  const std::string as_ms =
      envelope(fmt::format(R"({{"field":"ts","type":"int64",{}}})", kTimestamp), R"({"ts":5,"v":1})");
  EXPECT_THAT(decode(as_ms), ElementsAre("varve.water  v=i:1 5000000"));
  EXPECT_THAT(decode(R"({"ts":5,"v":1})"), ElementsAre("varve.water  v=i:1 5000000000"));
  EXPECT_THAT(decode(as_ms), ElementsAre("varve.water  v=i:1 5000000"));
  EXPECT_THAT(decode(as_ms + "\n" + as_ms),
              ElementsAre("varve.water  v=i:1 5000000", "varve.water  v=i:1 5000000"));
}

TEST(Connect, AnExplicitTimeFormatRules) {
  DecodeMapping mapping = readings();
  mapping.time_format = "s";
  const std::string fields = fmt::format(R"({{"field":"ts","type":"int64",{}}})", kTimestamp);
  EXPECT_THAT(Decoding(mapping)(envelope(fields, R"({"ts":5,"v":1})")),
              ElementsAre("varve.water  v=i:1 5000000000"));
}

TEST(Connect, RefusesSchemasThatAreNone) {
  Decoding decode(readings());
  for (const char* schema : {R"({"type":"struct"})", R"({"type":"struct","fields":[{}]})",
                             R"({"type":"struct","fields":[3]})", R"({"type":"array"})", R"({"type":7})",
                             R"({"type":"struct","fields":[{"field":"a","type":"struct"}]})"}) {
    EXPECT_THAT(decode(fmt::format(R"({{"schema":{},"payload":{{"ts":1,"v":1}}}})", schema)),
                ElementsAre("bad_schema"))
        << schema;
  }
  std::string deep = R"({"type":"struct","fields":[]})";
  for (int i = 0; i < 100; ++i) deep = fmt::format(R"({{"type":"struct","field":"a","fields":[{}]}})", deep);
  EXPECT_THAT(decode(fmt::format(R"({{"schema":{},"payload":{{"ts":1,"v":1}}}})", deep)),
              ElementsAre("bad_schema"));
  EXPECT_THAT(decode(R"({"schema":{"type":"int32"},"payload":{"ts":1,"v":1}})"),
              ElementsAre("varve.water  v=i:1 1000000000"));
}

TEST(Connect, RefusesBrokenEnvelopes) {
  Decoding decode(readings());
  const std::string whole = envelope(R"({"field":"v","type":"double"})", R"({"ts":1,"v":1})");
  for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
    const auto texts = decode(whole.substr(0, bytes));
    ASSERT_EQ(texts.size(), 1U) << bytes;
    EXPECT_FALSE(texts[0].starts_with("varve.")) << bytes << " " << texts[0];
  }
  EXPECT_THAT(decode(whole + "x"), ElementsAre("malformed_json"));
  EXPECT_THAT(decode(R"({"schema":nulx,"payload":{"ts":1,"v":1}})"), ElementsAre("malformed_json"));
}

TEST(BigDecimal, WritesEveryDigit) {
  const auto text = [](std::initializer_list<int> bytes, int64_t scale) {
    std::string raw;
    for (const int byte : bytes) raw.push_back(static_cast<char>(byte));
    return decimal_text(raw, scale).value_or("none");
  };
  EXPECT_EQ(text({0}, 0), "0");
  EXPECT_EQ(text({0}, 2), "0.00");
  EXPECT_EQ(text({5}, 3), "0.005");
  EXPECT_EQ(text({0xFF}, 2), "-0.01");
  EXPECT_EQ(text({0x80}, 0), "-128");
  EXPECT_EQ(text({0x00, 0x80}, 1), "12.8");
  EXPECT_EQ(text({0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0),
            "-170141183460469231731687303715884105728");
  EXPECT_EQ(text({}, 0), "none");
  EXPECT_EQ(text({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0), "none");
  EXPECT_EQ(text({1}, -1), "none");
  EXPECT_EQ(text({1}, 101), "none");
  EXPECT_EQ(from_base64("").value_or("none"), "");
  EXPECT_EQ(from_base64("aGk=").value_or("none"), "hi");
  EXPECT_EQ(from_base64("aGkh").value_or("none"), "hi!");
  for (const char* wrong : {"a", "aG", "aGk", "a===", "aG k", "====", "aGk=="}) {
    EXPECT_EQ(from_base64(wrong).value_or("none"), "none") << wrong;
  }
}

}  // namespace
}  // namespace varve
