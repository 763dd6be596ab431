// Decoding alone, one thread: messages to rows in a RowSet that is emptied every 10,000, as the Kafka
// pipeline does.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "ingest/decode/avro.h"
#include "ingest/decode/decoder.h"
#include "ingest/decode/line_protocol.h"
#include "storage/base/check.h"
#include "storage/base/timestamp.h"
#include "tests/ingest/decode/avro_writer.h"

namespace varve {
namespace {

constexpr size_t kMessages = 10'000;

// Water readings of 200 sensors, about 190 bytes, 6 fields.
std::vector<std::string> json_readings(bool text_time) {
  std::mt19937_64 random(1);
  std::vector<std::string> messages;
  for (size_t i = 0; i < kMessages; ++i) {
    const int64_t ms = 1'751'371'200'000 + static_cast<int64_t>(i);
    const std::string time =
        text_time ? fmt::format("\"{}\"", format_timestamp(ms * 1'000'000)) : fmt::to_string(ms);
    const auto decimal = [&](double base) { return base + static_cast<double>(random() % 1000) / 100; };
    messages.push_back(fmt::format(
        R"({{"ts":{},"sensor_id":"sensor-{:04}","site":"site-{:02}","temperature":{:.2f},"ph":{:.2f},"turbidity":{:.2f},)"
        R"("conductivity":{:.1f},"battery":{},"status":{}}})",
        time, random() % 200, random() % 20, decimal(12), decimal(6), decimal(0), decimal(400),
        random() % 100, random() % 8));
  }
  return messages;
}

std::string line_readings() {
  std::mt19937_64 random(1);
  std::string body;
  for (size_t i = 0; i < kMessages; ++i) {
    body +=
        fmt::format("cpu,hostname=host_{},region=eu-west-1,datacenter=eu-west-1a,os=Ubuntu16.10,arch=x64 ",
                    random() % 100);
    const char* separator = "";
    for (const char* field :
         {"user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"}) {
      body += fmt::format("{}usage_{}={}.{:02}", separator, field, random() % 100, random() % 100);
      separator = ",";
    }
    body += fmt::format(" {}\n", 1'751'371'200'000'000'000 + static_cast<int64_t>(i));
  }
  return body;
}

void decode_messages(benchmark::State& state, Decoder& decoder, const std::vector<std::string>& messages) {
  std::vector<DecodeReject> rejects;
  RowSet rows;
  size_t bytes = 0;
  for (const auto& message : messages) bytes += message.size();
  for (auto _ : state) {
    uint32_t index = 0;
    for (const std::string& message : messages) {
      rows.set_message(index++);
      decoder.decode(message, {"readings", 0}, rows, rejects);
    }
    VARVE_CHECK(rejects.empty() && rows.rows() == kMessages);
    benchmark::DoNotOptimize(rows.take());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kMessages));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

DecodeMapping water_mapping() {
  DecodeMapping mapping;
  mapping.table = "water";
  mapping.tags = {"sensor_id", "site"};
  return mapping;
}

void decode_json(benchmark::State& state, bool text_time) {
  decode_messages(state, **make_decoder(water_mapping()), json_readings(text_time));
}

void decode_csv(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<std::string> messages;
  for (size_t i = 0; i < kMessages; ++i) {
    const auto decimal = [&](double base) { return base + static_cast<double>(random() % 1000) / 100; };
    messages.push_back(fmt::format("{},sensor-{:04},site-{:02},{:.2f},{:.2f},{:.2f},{:.1f},{},{}",
                                   1'751'371'200'000 + i, random() % 200, random() % 20, decimal(12),
                                   decimal(6), decimal(0), decimal(400), random() % 100, random() % 8));
  }
  DecodeMapping mapping = water_mapping();
  mapping.format = InputFormat::kCsv;
  mapping.csv_columns = {"ts",        "sensor_id",    "site",    "temperature", "ph",
                         "turbidity", "conductivity", "battery", "status"};
  decode_messages(state, **make_decoder(mapping), messages);
}

struct ReadingSchema : SchemaSource {
  Result<std::shared_ptr<const AvroSchema>> find(uint32_t) override {
    std::string text =
        R"({"type":"record","name":"Reading","fields":[{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},)"
        R"({"name":"sensor_id","type":"string"},{"name":"site","type":"string"})";
    for (const char* name : {"temperature", "ph", "turbidity", "conductivity"}) {
      text += fmt::format(R"(,{{"name":"{}","type":["null","double"]}})", name);
    }
    text += R"(,{"name":"battery","type":"int"},{"name":"status","type":"int"}]})";
    VARVE_ASSIGN(auto schema, AvroSchema::parse(text));
    return std::make_shared<const AvroSchema>(std::move(schema));
  }
};

void decode_avro(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<std::string> messages;
  for (size_t i = 0; i < kMessages; ++i) {
    AvroWriter message;
    message.confluent(7).whole(1'751'371'200'000 + static_cast<int64_t>(i));
    message.text(fmt::format("sensor-{:04}", random() % 200)).text(fmt::format("site-{:02}", random() % 20));
    for (const double base : {12.0, 6.0, 0.0, 400.0}) {
      message.whole(1).real(base + static_cast<double>(random() % 1000) / 100);
    }
    message.whole(static_cast<int64_t>(random() % 100)).whole(static_cast<int64_t>(random() % 8));
    messages.push_back(std::move(message.bytes));
  }
  DecodeMapping mapping = water_mapping();
  mapping.format = InputFormat::kAvro;
  decode_messages(state, **make_avro_decoder(mapping, std::make_unique<ReadingSchema>()), messages);
}

void decode_line_protocol(benchmark::State& state) {
  const std::string body = line_readings();
  RowSet rows;
  std::vector<LineReject> rejects;
  for (auto _ : state) {
    VARVE_CHECK(parse_line_protocol(body, {}, rows, rejects) == kMessages);
    benchmark::DoNotOptimize(rows.take());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kMessages));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}

void write_line_protocol(benchmark::State& state) {
  RowSet rows;
  std::vector<LineReject> rejects;
  parse_line_protocol(line_readings(), {}, rows, rejects);
  const RowBatch batch = std::move(rows.take().batches[0]);
  std::string out;
  for (auto _ : state) {
    out.clear();
    LineProtocolWriter writer(batch);
    for (size_t row = 0; row < batch.rows(); ++row) VARVE_CHECK(writer.append(row, out));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kMessages));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}

BENCHMARK_CAPTURE(decode_json, epoch_ms, false);
BENCHMARK_CAPTURE(decode_json, rfc3339, true);
BENCHMARK(decode_csv);
BENCHMARK(decode_avro);
BENCHMARK(decode_line_protocol);
BENCHMARK(write_line_protocol);

}  // namespace
}  // namespace varve

BENCHMARK_MAIN();
