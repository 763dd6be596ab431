#include "ingest/quarantine.h"

#include <atomic>
#include <nlohmann/json.hpp>

#include "ingest/decode/big_decimal.h"
#include "ingest/decode/printable.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHeadersBytesMax = kQuarantinePayloadBytesMax;  // of their JSON
// A wall clock set back by more is followed (guessed): rows of a whole day in the future would mislead more than the
// chance that one of them meets an old one to the nanosecond.
constexpr int64_t kClockStepNs = 60 * kNsPerSecond;

// Of all builders of the process: two requests refused at once must not write over each other's rows.
int64_t next_time_ns(const Clock& clock) {
  static std::atomic<int64_t> last{0};
  int64_t before = last.load(std::memory_order_relaxed);
  while (true) {
    const int64_t wall = clock.wall_ns();
    const bool follow = wall > before || before - wall > kClockStepNs;
    const int64_t next = follow ? wall : before + 1;
    if (last.compare_exchange_weak(before, next, std::memory_order_relaxed)) return next;
  }
}

// Whether `text` can be kept as it is.
bool is_text(std::string_view text) {
  return printable(text, text.size() * 4) == text;
}

// The headers that fit; `cut` becomes true when some did not.
std::string headers_json(const MessageHeaders& headers, bool& cut) {
  Json list = Json::array();
  size_t bytes = 0;
  headers.each([&](std::string_view name, std::optional<std::string_view> value) {
    bytes += 32 + name.size() + 2 * value.value_or("").size();
    if (bytes > kHeadersBytesMax || !is_text(name)) {
      cut = true;
      return;
    }
    Json one = {{"name", std::string(name)}};
    if (value && is_text(*value)) one["value"] = std::string(*value);
    if (value && !is_text(*value)) one["base64"] = to_base64(*value);
    list.push_back(std::move(one));
  });
  return list.empty() ? std::string() : list.dump();
}

void read_headers(const std::string& text, KeptInput& out) {
  const Json list = Json::parse(text, nullptr, false);
  if (!list.is_array()) return;
  for (const Json& one : list) {
    if (!one.is_object() || !one.contains("name") || !one["name"].is_string()) continue;
    std::optional<std::string> value;
    if (one.contains("value") && one["value"].is_string()) value = one["value"].get<std::string>();
    if (one.contains("base64") && one["base64"].is_string()) {
      value = from_base64(one["base64"].get<std::string>());
    }
    out.headers.emplace_back(one["name"].get<std::string>(), std::move(value));
  }
}

}  // namespace

QuarantineBuilder::QuarantineBuilder(const Clock& clock)
    : clock_(clock), builder_(std::string(kDefaultDatabase), std::string(kQuarantineTable)) {}

void QuarantineBuilder::add(const RefusedInput& input) {
  builder_.begin_row();
  builder_.tag("source", printable(input.source, kTagValueBytesMax));
  builder_.tag("topic", printable(input.topic, kTagValueBytesMax));
  builder_.tag("reason", printable(input.reason, kTagValueBytesMax));
  builder_.field_int("partition", input.partition);
  builder_.field_int("offset", input.offset);
  builder_.field_string("detail", printable(input.detail, kQuarantinePayloadBytesMax));
  const std::string_view kept = input.payload.substr(0, kQuarantinePayloadBytesMax);
  const std::string payload = printable(input.payload, kQuarantinePayloadBytesMax);
  builder_.field_string("payload", payload);
  // A cut within a character makes the text shorter than `kept`, and is no reason to keep both.
  if (!kept.starts_with(payload)) builder_.field_string("payload_base64", to_base64(kept));
  builder_.field_int("payload_bytes", static_cast<int64_t>(input.payload.size()));
  bool truncated = kept.size() < input.payload.size();
  if (input.key) {
    truncated = truncated || input.key->size() > kQuarantinePayloadBytesMax;
    const std::string_view key = input.key->substr(0, kQuarantinePayloadBytesMax);
    const std::string text = printable(key, kQuarantinePayloadBytesMax);
    if (text == key) {
      builder_.field_string("key", text);
    } else {
      builder_.field_string("key_base64", to_base64(key));
    }
  }
  if (input.headers != nullptr) {
    const std::string headers = headers_json(*input.headers, truncated);
    if (!headers.empty()) builder_.field_string("headers", headers);
  }
  builder_.field_int("timestamp", input.timestamp_ns);
  if (!input.database.empty()) {
    builder_.field_string("database", printable(input.database, kTagValueBytesMax));
  }
  if (!input.precision.empty()) builder_.field_string("precision", input.precision);
  builder_.field_bool("truncated", truncated);
  builder_.field_bool("retried", false);
  builder_.end_row(next_time_ns(clock_));
}

size_t QuarantineBuilder::rows() const {
  return builder_.rows();
}

RowBatch QuarantineBuilder::finish() {
  return builder_.finish();
}

std::optional<KeptInput> read_kept_input(int64_t time_ns, const QuarantineColumns& column) {
  const auto text = [&](std::string_view name) -> std::optional<std::string> {
    Value value = column(name);
    if (auto* const found = std::get_if<std::string>(&value)) return std::move(*found);
    return std::nullopt;
  };
  const auto number = [&](std::string_view name) {
    const Value value = column(name);
    const auto* const found = std::get_if<int64_t>(&value);
    return found == nullptr ? 0 : *found;
  };
  std::optional<std::string> payload = text("payload");
  if (!payload) return std::nullopt;
  KeptInput out;
  out.time_ns = time_ns;
  out.source = text("source").value_or("");
  out.topic = text("topic").value_or("");
  out.reason = text("reason").value_or("");
  out.detail = text("detail").value_or("");
  out.partition = static_cast<int32_t>(number("partition"));
  out.offset = number("offset");
  out.payload = std::move(*payload);
  if (const auto coded = text("payload_base64")) {
    if (auto bytes = from_base64(*coded)) out.payload = std::move(*bytes);
  }
  out.payload_bytes = static_cast<uint64_t>(number("payload_bytes"));
  const Value truncated = column("truncated");
  out.truncated = std::holds_alternative<bool>(truncated) && std::get<bool>(truncated);
  out.key = text("key");
  if (const auto coded = text("key_base64")) out.key = from_base64(*coded);
  if (const auto headers = text("headers")) read_headers(*headers, out);
  out.timestamp_ns = number("timestamp");
  out.database = text("database").value_or("");
  out.precision = text("precision").value_or("");
  return out;
}

std::optional<KeptInput> read_kept_input(const RowBatch& batch, size_t row) {
  return read_kept_input(batch.times[row], [&](std::string_view name) -> Value {
    for (const TagColumn& tag : batch.tags) {
      if (tag.name == name && tag.codes[row] != kAbsentTag) return tag.values[tag.codes[row]];
    }
    for (const FieldColumn& field : batch.fields) {
      if (field.name == name) return field.data.value(row);
    }
    return {};
  });
}

RowBatch mark_retried(const std::vector<const KeptInput*>& inputs) {
  RowBatchBuilder builder{std::string(kDefaultDatabase), std::string(kQuarantineTable)};
  for (const KeptInput* input : inputs) {
    builder.begin_row();
    builder.tag("source", input->source);
    builder.tag("topic", input->topic);
    builder.tag("reason", input->reason);
    builder.field_bool("retried", true);
    builder.end_row(input->time_ns);
  }
  return builder.finish();
}

}  // namespace varve
