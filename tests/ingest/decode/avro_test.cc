#include "ingest/decode/avro.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>

#include "ingest/decode/json.h"
#include "tests/ingest/decode/avro_writer.h"
#include "tests/ingest/decode/decoding.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;

// Schemas by id; others are not there, or not now.
struct Schemas : SchemaSource {
  std::map<uint32_t, std::string> texts;
  std::map<uint32_t, Error> errors;
  int asked = 0;
  Result<std::shared_ptr<const AvroSchema>> find(uint32_t id) override {
    ++asked;
    if (const auto at = errors.find(id); at != errors.end()) return at->second;
    const auto at = texts.find(id);
    if (at == texts.end()) return not_found(fmt::format("no schema {}", id));
    VARVE_ASSIGN(auto schema, AvroSchema::parse(at->second));
    return std::make_shared<const AvroSchema>(std::move(schema));
  }
};

DecodeMapping readings() {
  DecodeMapping mapping;
  mapping.format = InputFormat::kAvro;
  mapping.table = "water";
  mapping.tags = {"id", "place_site", "e"};
  return mapping;
}

class Avro {
 public:
  explicit Avro(const DecodeMapping& mapping = readings()) {
    auto source = std::make_unique<Schemas>();
    schemas = source.get();
    decoder = std::move(*make_avro_decoder(mapping, std::move(source)));
  }
  std::vector<std::string> operator()(std::string_view payload) {
    rejects.clear();
    decoder->decode(payload, {.topic = "readings", .timestamp_ns = 123}, rows, rejects);
    std::vector<std::string> texts = take_texts(rows);
    for (const DecodeReject& reject : rejects) texts.push_back(reject.reason);
    return texts;
  }
  // One message of a record with these fields.
  std::vector<std::string> record(std::string_view fields, const AvroWriter& data) {
    const uint32_t id = next_id_++;
    schemas->texts[id] = fmt::format(R"({{"type":"record","name":"R","fields":[{}]}})", fields);
    return (*this)(AvroWriter().confluent(id).fixed(data.bytes).bytes);
  }
  // ... with a time and one more field of this type.
  std::vector<std::string> field(std::string_view type, const AvroWriter& data) {
    return record(fmt::format(R"({{"name":"ts","type":"long"}},{{"name":"v","type":{}}})", type),
                  AvroWriter().whole(5).fixed(data.bytes));
  }

  Schemas* schemas = nullptr;
  std::unique_ptr<Decoder> decoder;
  RowSet rows;
  std::vector<DecodeReject> rejects;

 private:
  uint32_t next_id_ = 1000;
};

TEST(Avro, MapsARecordToARow) {
  Avro decode;
  decode.schemas->texts[7] =
      R"({"type":"record","name":"Reading","fields":[{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},)"
      R"({"name":"id","type":"string"},{"name":"ph","type":"double"},{"name":"n","type":"int"},{"name":"ok","type":"boolean"},)"
      R"({"name":"f","type":"float"},{"name":"note","type":["null","string"],"default":null},)"
      R"({"name":"place","type":{"type":"record","name":"P","fields":[{"name":"site","type":"string"},{"name":"lat","type":"double"}]}},)"
      R"({"name":"e","type":{"type":"enum","name":"E","symbols":["LOW","HIGH"]}}]})";
  AvroWriter one;
  one.confluent(7).whole(17).text("a").real(7.25).whole(-3).boolean(true).small_real(0.5F);
  one.whole(1).text("hi").text("north").real(1.5).whole(1);
  EXPECT_THAT(decode(one.bytes),
              ElementsAre("varve.water e=HIGH,id=a,place_site=north "
                          "f=d:0.5,n=i:-3,note=s:hi,ok=b:true,ph=d:7.25,place_lat=d:1.5 17000000"));
  AvroWriter two;
  two.confluent(7).whole(-18).text("").real(7).whole(INT32_MIN).boolean(false).small_real(-1);
  two.whole(0).text("").real(0).whole(0);
  EXPECT_THAT(decode(two.bytes),
              ElementsAre("varve.water e=LOW "
                          "f=d:-1,n=i:-2147483648,ok=b:false,ph=d:7,place_lat=d:0 -18000000"));
  EXPECT_EQ(decode.schemas->asked, 1);
}

TEST(Avro, ReadsTimesInTheUnitTheSchemaSays) {
  const auto time = [](std::string_view type, int64_t value, std::string_view format = "auto") {
    DecodeMapping mapping = readings();
    mapping.time_format = format;
    Avro decode(mapping);
    return decode.record(fmt::format(R"({{"name":"ts","type":{}}},{{"name":"v","type":"int"}})", type),
                         AvroWriter().whole(value).whole(1));
  };
  const auto long_of = [](std::string_view logical) {
    return fmt::format(R"({{"type":"long","logicalType":"{}"}})", logical);
  };
  EXPECT_THAT(time(long_of("timestamp-millis"), 3), ElementsAre("varve.water  v=i:1 3000000"));
  EXPECT_THAT(time(long_of("local-timestamp-millis"), 3), ElementsAre("varve.water  v=i:1 3000000"));
  EXPECT_THAT(time(long_of("timestamp-micros"), 3), ElementsAre("varve.water  v=i:1 3000"));
  EXPECT_THAT(time(long_of("timestamp-nanos"), 3), ElementsAre("varve.water  v=i:1 3"));
  EXPECT_THAT(time(R"({"type":"int","logicalType":"date"})", 2),
              ElementsAre("varve.water  v=i:1 172800000000000"));
  EXPECT_THAT(time(R"({"type":"long","connect.name":"io.debezium.time.MicroTimestamp"})", 3),
              ElementsAre("varve.water  v=i:1 3000"));
  EXPECT_THAT(time(R"("long")", 3), ElementsAre("varve.water  v=i:1 3000000000"));
  EXPECT_THAT(time(long_of("timestamp-millis"), 3, "s"), ElementsAre("varve.water  v=i:1 3000000000"));
  EXPECT_THAT(time(long_of("timestamp-millis"), INT64_MAX), ElementsAre("bad_time"));
  EXPECT_THAT(time(R"("boolean")", -1), ElementsAre("bad_time"));
}

TEST(Avro, ReadsEveryTypeAColumnCanHold) {
  Avro decode;
  const AvroWriter none;
  EXPECT_THAT(decode.field(R"("long")", AvroWriter().whole(INT64_MIN)),
              ElementsAre("varve.water  v=i:-9223372036854775808 5000000000"));
  EXPECT_THAT(decode.field(R"(["string","long"])", AvroWriter().whole(1).whole(7)),
              ElementsAre("varve.water  v=i:7 5000000000"));
  EXPECT_THAT(decode.field(R"({"type":"bytes","logicalType":"decimal","precision":4,"scale":2})",
                           AvroWriter().text("\xFB\x2E")),
              ElementsAre("varve.water  v=d:-12.34 5000000000"));
  EXPECT_THAT(decode.field(R"({"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4})",
                           AvroWriter().fixed("\x04\xD2")),
              ElementsAre("varve.water  v=d:1234 5000000000"));
  EXPECT_THAT(decode.field(R"({"type":"fixed","name":"U","size":16,"logicalType":"uuid"})",
                           AvroWriter().fixed("0123456789abcdef")),
              ElementsAre("varve.water  v=s:30313233-3435-3637-3839-616263646566 5000000000"));
  EXPECT_THAT(decode.field(R"("null")", none), ElementsAre("no_field"));
  EXPECT_THAT(decode.record(R"({"name":"ts","type":"string"},{"name":"v","type":"int"})",
                            AvroWriter().text("1970-01-01T00:00:01Z").whole(1)),
              ElementsAre("varve.water  v=i:1 1000000000"));
  EXPECT_THAT(
      decode.record(R"({"name":"ts","type":"double"},{"name":"id","type":"long"},{"name":"v","type":"int"})",
                    AvroWriter().real(1.5).whole(9).whole(1)),
      ElementsAre("varve.water id=9 v=i:1 1500000000"));
}

TEST(Avro, RefusesWhatAColumnCannotHold) {
  Avro decode;
  EXPECT_THAT(decode.field(R"({"type":"array","items":"int"})", AvroWriter().whole(0)),
              ElementsAre("unsupported_value"));
  EXPECT_THAT(decode.field(R"({"type":"map","values":"int"})", AvroWriter().whole(0)),
              ElementsAre("unsupported_value"));
  EXPECT_THAT(decode.field(R"("bytes")", AvroWriter().text("x")), ElementsAre("unsupported_value"));
  EXPECT_THAT(decode.field(R"("string")", AvroWriter().text("\xff")), ElementsAre("invalid_utf8"));
  EXPECT_THAT(decode.field(R"("string")", AvroWriter().text(std::string((1 << 20) + 1, 'x'))),
              ElementsAre("value_too_long"));
  EXPECT_THAT(decode.field(R"({"type":"bytes","logicalType":"decimal","scale":2})", AvroWriter().text("")),
              ElementsAre("out_of_range"));
  EXPECT_THAT(decode.record(R"({"name":"v","type":"int"})", AvroWriter().whole(1)), ElementsAre("no_time"));
  EXPECT_THAT(decode.record(R"({"name":"time","type":"int"})", AvroWriter().whole(1)),
              ElementsAre("invalid_name"));
  EXPECT_THAT(decode.record(fmt::format(R"({{"name":"{}","type":"int"}})", std::string(256, 'x')),
                            AvroWriter().whole(1)),
              ElementsAre("invalid_name"));
  decode.schemas->texts[1] = R"("int")";
  EXPECT_THAT(decode(AvroWriter().confluent(1).whole(1).bytes), ElementsAre("not_a_record"));
}

TEST(Avro, RefusesDataThatIsNotOfItsSchema) {
  Avro decode;
  const auto refused = ElementsAre("malformed_avro");
  EXPECT_THAT(decode.field(R"("boolean")", AvroWriter().whole(1)), refused);
  EXPECT_THAT(decode.field(R"("int")", AvroWriter().whole(int64_t{1} << 31)), refused);
  EXPECT_THAT(decode.field(R"("long")", AvroWriter().fixed("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")),
              refused);
  EXPECT_THAT(decode.field(R"("long")", AvroWriter().fixed("\xff")), refused);
  EXPECT_THAT(decode.field(R"("string")", AvroWriter().whole(-1)), refused);
  EXPECT_THAT(decode.field(R"("string")", AvroWriter().whole(INT64_MAX)), refused);
  EXPECT_THAT(decode.field(R"("string")", AvroWriter().whole(5).fixed("abcd")), refused);
  EXPECT_THAT(decode.field(R"({"type":"enum","name":"E","symbols":["A"]})", AvroWriter().whole(1)), refused);
  EXPECT_THAT(decode.field(R"({"type":"enum","name":"E","symbols":["A"]})", AvroWriter().whole(-1)), refused);
  EXPECT_THAT(decode.field(R"(["null","int"])", AvroWriter().whole(2)), refused);
  EXPECT_THAT(decode.field(R"([])", AvroWriter().whole(0)), refused);
  EXPECT_THAT(decode.field(R"("double")", AvroWriter().fixed("1234567")), refused);
  EXPECT_THAT(
      decode.field(R"({"type":"fixed","name":"F","size":9223372036854775807,"logicalType":"decimal"})",
                   AvroWriter().fixed("12")),
      refused);
  EXPECT_THAT(decode.field(R"("int")", AvroWriter().whole(1).fixed("x")), refused);
  EXPECT_NE(decode.rejects.at(0).detail.find("byte"), std::string::npos);
}

TEST(Avro, ReadsRecursiveTypesToTheirLimit) {
  Avro decode;
  decode.schemas->texts[1] =
      R"({"type":"record","name":"R","fields":[{"name":"ts","type":"long"},{"name":"v","type":"int"},{"name":"n","type":["null","N"]}]})";
  const std::string node =
      R"({"type":"record","name":"N","fields":[{"name":"v","type":"int"},{"name":"n","type":["null","N"]}]})";
  decode.schemas->texts[1].replace(decode.schemas->texts[1].rfind("\"N\""), 3, node);
  const auto chain = [](int length) {
    AvroWriter message;
    message.confluent(1).whole(5).whole(0);
    for (int i = 1; i <= length; ++i) message.whole(1).whole(i);
    return message.whole(0).bytes;
  };
  EXPECT_THAT(decode(chain(2)), ElementsAre("varve.water  n_n_v=i:2,n_v=i:1,v=i:0 5000000000"));
  EXPECT_THAT(decode(chain(200)), ElementsAre("too_deep"));
  EXPECT_THAT(decode(chain(1)), ElementsAre("varve.water  n_v=i:1,v=i:0 5000000000"));
  // Records that hold themselves, and twice at that, take no bytes.
  decode.schemas->texts[2] = R"({"type":"record","name":"R","fields":[{"name":"a","type":"R"}]})";
  EXPECT_THAT(decode(AvroWriter().confluent(2).bytes), ElementsAre("too_deep"));
  std::string tree = R"({"type":"record","name":"T0","fields":[]})";
  for (int i = 1; i < 30; ++i) {
    tree = fmt::format(
        R"({{"type":"record","name":"T{0}","fields":[{{"name":"a","type":{1}}},{{"name":"b","type":"T{2}"}}]}})",
        i, tree, i - 1);
  }
  decode.schemas->texts[3] = tree;
  EXPECT_THAT(decode(AvroWriter().confluent(3).bytes), ElementsAre("too_many_fields"));
}

TEST(Avro, SaysWhyAMessageHasNoSchema) {
  Avro decode;
  decode.schemas->errors.emplace(2, unsupported("a Protobuf schema"));
  decode.schemas->errors.emplace(3, invalid_argument("not a schema"));
  decode.schemas->errors.emplace(4, unavailable("away"));
  const auto of = [&](uint32_t id) { return decode(AvroWriter().confluent(id).whole(1).bytes); };
  EXPECT_THAT(of(1), ElementsAre("unknown_schema"));
  EXPECT_THAT(of(2), ElementsAre("unsupported_schema"));
  EXPECT_THAT(of(3), ElementsAre("bad_schema"));
  EXPECT_THAT(of(4), ElementsAre("schema_unavailable"));
  EXPECT_THAT(decode(""), ElementsAre("empty_message"));
  EXPECT_THAT(decode(std::string(kMessageBytesMax + 1, '\0')), ElementsAre("message_too_large"));
  for (const std::string_view text :
       {std::string_view("{}"), std::string_view("\0\0\0\0", 4), std::string_view("\x01"),
        std::string_view("\xC3\x01short"), std::string_view("Obj\x01")}) {
    EXPECT_THAT(decode(text), ElementsAre("unknown_framing")) << text;
  }
  EXPECT_NE(decode.rejects.at(0).detail.find("file"), std::string::npos);
  EXPECT_THAT(decode(AvroWriter().single_object(1).bytes), ElementsAre("unknown_schema"));
}

TEST(Avro, IsReadyUnlessTheRegistryIsAway) {
  Avro decode;
  decode.schemas->errors.emplace(4, unavailable("away"));
  const auto ready = [&](std::string_view payload) {
    return decode.decoder->prepare(payload, {}).has_value();
  };
  EXPECT_FALSE(ready(AvroWriter().confluent(4).bytes));
  EXPECT_EQ(decode.decoder->prepare(AvroWriter().confluent(4).bytes, {}).error().message, "away");
  EXPECT_TRUE(ready(AvroWriter().confluent(5).bytes));  // there is none: decode() says so
  EXPECT_TRUE(ready(""));
  EXPECT_TRUE(ready("{}"));
  decode.schemas->errors.clear();
  decode.schemas->texts[4] = R"({"type":"record","name":"R","fields":[]})";
  EXPECT_TRUE(ready(AvroWriter().confluent(4).bytes));
}

TEST(Avro, KeepsManySchemasApart) {
  Avro decode;
  for (uint32_t id = 0; id < 2500; ++id) {
    decode.schemas->texts[id] = fmt::format(
        R"({{"type":"record","name":"R","fields":[{{"name":"ts","type":"long"}},{{"name":"c{}","type":"int"}}]}})",
        id % 7);
  }
  for (uint32_t id = 0; id < 2500; ++id) {
    ASSERT_THAT(decode(AvroWriter().confluent(id).whole(1).whole(3).bytes),
                ElementsAre(fmt::format("varve.water  c{}=i:3 1000000000", id % 7)));
  }
}

TEST(Avro, ReadsSingleObjectsBySchemasOfFiles) {
  const test::TempDir folder;
  const std::string text =
      R"({"type":"record","name":"R","doc":"x","fields":[{"name":"ts","type":"long"},{"name":"v","type":"int"}]})";
  std::ofstream(folder / "r.avsc") << text;
  std::ofstream(folder / "bad.avsc") << "{}";
  DecodeMapping mapping = readings();
  mapping.avro_schemas = {(folder / "r.avsc").string()};
  Decoding decode(mapping);
  const uint64_t fingerprint = AvroSchema::parse(text)->fingerprint();
  EXPECT_THAT(decode(AvroWriter().single_object(fingerprint).whole(1).whole(3).bytes),
              ElementsAre("varve.water  v=i:3 1000000000"));
  EXPECT_THAT(decode(AvroWriter().confluent(1).whole(1).bytes), ElementsAre("unknown_framing"));
  mapping.avro_schemas.push_back((folder / "bad.avsc").string());
  EXPECT_NE(make_decoder(mapping).error().message.find("bad.avsc"), std::string::npos);
  mapping.avro_schemas = {(folder / "gone.avsc").string()};
  EXPECT_NE(make_decoder(mapping).error().message.find("gone.avsc"), std::string::npos);
  mapping.avro_schemas.clear();
  EXPECT_FALSE(make_decoder(mapping).has_value());
}

// A record of random types and values; what it must become is written beside it.
struct Sample {
  std::string fields = R"({"name":"ts","type":{"type":"long","logicalType":"timestamp-nanos"}})";
  AvroWriter data;
  std::vector<std::string> expected;
};

void add_random_field(std::mt19937_64& random, int number, Sample& sample) {
  const std::string name = fmt::format("f{:02}", number);
  const auto add = [&](std::string type, const std::string& value) {
    if (random() % 3 == 0) type = fmt::format(R"(["null",{}])", type);
    const bool is_union = type[0] == '[';
    const bool is_null = is_union && random() % 3 == 0;
    sample.fields += fmt::format(R"(,{{"name":"{}","type":{}}})", name, type);
    if (is_union) sample.data.whole(is_null ? 0 : 1);
    if (!is_null) sample.expected.push_back(fmt::format("{}={}", name, value));
    return !is_null;
  };
  const auto whole = static_cast<int64_t>(random()) >> (random() % 64);
  const double real = static_cast<double>(whole) / 1024;
  switch (random() % 6) {
    case 0:
      if (add(R"("long")", fmt::format("i:{}", whole))) sample.data.whole(whole);
      break;
    case 1:
      if (add(R"("int")", fmt::format("i:{}", static_cast<int32_t>(whole)))) {
        sample.data.whole(static_cast<int32_t>(whole));
      }
      break;
    case 2:
      if (add(R"("double")", fmt::format("d:{}", real))) sample.data.real(real);
      break;
    case 3:
      if (add(R"("boolean")", fmt::format("b:{}", whole > 0))) sample.data.boolean(whole > 0);
      break;
    case 4: {
      const std::string text(random() % 300, static_cast<char>('a' + random() % 26));
      if (add(R"("string")", "s:" + text)) sample.data.text(text);
      break;
    }
    default: {
      const uint64_t symbol = random() % 3;
      const std::string type =
          fmt::format(R"({{"type":"enum","name":"E{}","symbols":["A","B","C"]}})", number);
      if (add(type, fmt::format("s:{}", static_cast<char>('A' + symbol)))) {
        sample.data.whole(static_cast<int64_t>(symbol));
      }
    }
  }
}

TEST(Avro, ReadsBackWhatAnotherWriterWrote) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Sample sample;
    const auto time = static_cast<int64_t>(random());
    sample.data.whole(time);
    sample.expected.clear();
    for (int i = 0, count = 1 + static_cast<int>(random() % 20); i < count; ++i)
      add_random_field(random, i, sample);
    Avro decode;
    const auto texts = decode.record(sample.fields, sample.data);
    if (sample.expected.empty()) {
      EXPECT_THAT(texts, ElementsAre("no_field"));
    } else {
      EXPECT_THAT(texts,
                  ElementsAre(fmt::format("varve.water  {} {}", fmt::join(sample.expected, ","), time)));
    }
    // Cut short, it is refused and nothing else.
    const size_t cut = random() % sample.data.bytes.size();
    sample.data.bytes.resize(cut);
    EXPECT_THAT(decode.record(sample.fields, sample.data), ElementsAre("malformed_avro"));
  }
}

}  // namespace
}  // namespace varve
