#include "ingest/decode/message_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/ingest/decode/decoding.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

struct Headers : MessageHeaders {
  std::map<std::string, std::string> values;
  std::optional<std::string_view> last(const std::string& name) const override {
    const auto at = values.find(name);
    if (at == values.end()) return std::nullopt;
    return at->second;
  }
  void each(const Each& take) const override {
    for (const auto& [name, value] : values) take(name, value);
  }
};

MessageContext context() {
  return {.topic = "readings", .timestamp_ns = 77, .partition = 3, .offset = 42, .key = "k-1"};
}

DecodeMapping mapping() {
  DecodeMapping made;
  made.table = "t";
  made.time_format = "ns";
  return made;
}

TEST(MessagePart, CanBeTagsAndFields) {
  DecodeMapping with = mapping();
  with.tags = {"$key", "$topic", "device=$header.site", "$partition", "id"};
  with.fields = {"$offset", "kafka_ns=$timestamp", "$header.trace", "part=$partition"};
  Decoding decode(with);
  Headers headers;
  headers.values = {{"site", "north"}, {"trace", "abc"}};
  MessageContext whole = context();
  whole.headers = &headers;
  EXPECT_THAT(decode(R"({"ts":5,"id":"a","v":1})", whole),
              ElementsAre("varve.t device=north,id=a,key=k-1,partition=3,topic=readings "
                          "kafka_ns=i:77,offset=i:42,part=i:3,trace=s:abc,v=i:1 5"));
  headers.values.clear();
  whole.key.reset();
  EXPECT_THAT(decode(R"({"ts":5,"v":1})", whole),
              ElementsAre("varve.t partition=3,topic=readings kafka_ns=i:77,offset=i:42,part=i:3,v=i:1 5"));
  whole.headers = nullptr;
  EXPECT_THAT(decode(R"({"ts":5})", whole), ElementsAre("no_field"));  // an envelope alone is no reading
}

TEST(MessagePart, CanBeTheTime) {
  DecodeMapping with = mapping();
  with.time = "$timestamp";
  EXPECT_THAT(Decoding(with)(R"({"v":1})", context()), ElementsAre("varve.t  v=i:1 77"));
  with.time = "$header.at";
  Decoding by_header(with);
  Headers headers;
  headers.values = {{"at", "1234"}};
  MessageContext whole = context();
  whole.headers = &headers;
  EXPECT_THAT(by_header(R"({"v":1,"ts":2})", whole), ElementsAre("varve.t  ts=i:2,v=i:1 1234"));
  headers.values["at"] = "noon";
  EXPECT_THAT(by_header(R"({"v":1})", whole), ElementsAre("bad_time"));
  headers.values.clear();
  EXPECT_THAT(by_header(R"({"v":1})", whole), ElementsAre("no_time"));
  EXPECT_EQ(by_header.rejects[0].detail, "the row has no '$header.at', which is its time");
}

TEST(MessagePart, MustBeTextWithinTheLimits) {
  DecodeMapping with = mapping();
  with.tags = {"$key"};
  Decoding decode(with);
  MessageContext whole = context();
  whole.key = std::string_view("\x00\xff", 2);
  EXPECT_THAT(decode(R"({"ts":5,"v":1})", whole), ElementsAre("invalid_utf8"));
  const std::string text(4097, 'x');
  whole.key = text;
  EXPECT_THAT(decode(R"({"ts":5,"v":1})", whole), ElementsAre("value_too_long"));
  whole.key = "";
  EXPECT_THAT(decode(R"({"ts":5,"v":1})", whole), ElementsAre("varve.t  v=i:1 5"));
  whole.key = "a";
  EXPECT_THAT(decode(R"({"ts":5,"v":1,"key":"b"})", whole), ElementsAre("type_conflict"));
}

TEST(MessagePart, MappingsThatMakeNoSenseAreRefused) {
  const auto error = [](auto change) {
    DecodeMapping with = mapping();
    change(with);
    const auto decoder = make_decoder(with);
    return decoder ? std::string() : decoder.error().message;
  };
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"$keys"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"$"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"$header."}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"=$key"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"time=$key"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"$header.time"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"key", "$key"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {"$key"}, m.fields = {"$key"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.fields = {"ph"}; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.time = "$offset"; }), "");
  EXPECT_NE(error([](DecodeMapping& m) { m.tags = {std::string(256, 'x') + "=$key"}; }), "");
  EXPECT_EQ(error([](DecodeMapping& m) { m.tags = {"k=$key"}, m.fields = {"$key"}, m.time = "$key"; }), "");
}

}  // namespace
}  // namespace varve
