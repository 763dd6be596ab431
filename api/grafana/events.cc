#include "api/grafana/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/grafana/request.h"
#include "api/query/json_text.h"
#include "api/sql/text.h"

namespace varve::grafana {

EventRows::Part EventRows::part_named(const ResultColumn& column) {
  const std::string name = ascii_lower(column.name);
  const bool time = column.type == ResultType::kTimestamp;
  if (time && name == "time") return Part::kTime;
  if (time && (name == "time_end" || name == "timeend")) return Part::kTimeEnd;
  if (name == "title") return Part::kTitle;
  if (name == "text") return Part::kText;
  if (name == "tags") return Part::kTags;
  return Part::kNone;
}

bool EventRows::begin(const std::vector<ResultColumn>& columns) {
  columns_ = columns;
  for (const ResultColumn& column : columns) parts_.push_back(part_named(column));
  const auto has = [&](Part part) { return std::find(parts_.begin(), parts_.end(), part) != parts_.end(); };
  for (size_t i = 0; i < columns.size(); ++i) {
    if (parts_[i] != Part::kNone) continue;
    if (columns[i].type == ResultType::kTimestamp && !has(Part::kTime)) parts_[i] = Part::kTime;
    if (columns[i].type == ResultType::kString) parts_[i] = has(Part::kText) ? Part::kTag : Part::kText;
  }
  if (has(Part::kTime)) return true;
  error_ = bad_request("annotations need a column of times", "SELECT time, message AS text FROM ...");
  return false;
}

void EventRows::put_cell(Event& event, size_t column, const ResultBatch& batch, size_t row) const {
  const ColumnVector& values = batch.columns[column];
  if (!values.is_valid(row)) return;
  const auto text = [&] { return cell_text(columns_[column].type, values, row); };
  switch (parts_[column]) {
    case Part::kNone:
      return;
    case Part::kTime:
      event.time_ms = floor_ms(values.ints[row]);
      return;
    case Part::kTimeEnd:
      event.time_end_ms = floor_ms(values.ints[row]);
      return;
    case Part::kTitle:
      event.title = text();
      return;
    case Part::kText:
      event.text = text();
      return;
    case Part::kTag:
      event.tags.push_back(text());
      return;
    case Part::kTags:
      break;
  }
  const std::string list = text();
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::string_view tag = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), tag.size() + 1));
    const size_t from = tag.find_first_not_of(' ');
    if (from != std::string_view::npos)
      event.tags.emplace_back(tag.substr(from, tag.find_last_not_of(' ') - from + 1));
  }
}

bool EventRows::rows(const ResultBatch& batch) {
  const size_t time =
      static_cast<size_t>(std::find(parts_.begin(), parts_.end(), Part::kTime) - parts_.begin());
  for (size_t row = 0; row < batch.rows; ++row) {
    if (!batch.columns[time].is_valid(row)) continue;
    if (events_.size() == kAnnotationsMax) {
      error_ = limit_error(
          "too_many_annotations",
          fmt::format("there are more than {} annotations; add a condition or a limit", kAnnotationsMax));
      return false;
    }
    Event& event = events_.emplace_back();
    for (size_t i = 0; i < columns_.size(); ++i) put_cell(event, i, batch, row);
  }
  return true;
}

void EventRows::sort() {
  std::stable_sort(events_.begin(), events_.end(),
                   [](const Event& a, const Event& b) { return a.time_ms < b.time_ms; });
}

bool EventRows::write_events(Output& out, std::string_view annotation_json) {
  sort();
  std::string& text = out.text();
  text += "[";
  for (const Event& event : events_) {
    if (&event != events_.data()) text.push_back(',');
    text += "{\"annotation\":";
    text += annotation_json;
    text += fmt::format(",\"time\":{}", event.time_ms);
    if (event.time_end_ms) text += fmt::format(",\"timeEnd\":{}", *event.time_end_ms);
    text += ",\"title\":";
    append_json_string(text, event.title);
    text += ",\"tags\":[";
    for (const std::string& tag : event.tags) {
      if (&tag != event.tags.data()) text.push_back(',');
      append_json_string(text, tag);
    }
    text += "],\"text\":";
    append_json_string(text, event.text);
    text.push_back('}');
    if (!out.pass()) return false;
  }
  text += "]";
  return out.pass();
}

bool EventRows::write_frame(Output& out, std::string_view ref_id) {
  sort();
  std::string& text = out.text();
  text += "{\"refId\":";
  append_json_string(text, ref_id);
  text += ",\"fields\":[";
  const auto field = [&](std::string_view name, std::string_view type, const auto& append) {
    text += fmt::format("{}{{\"name\":\"{}\",\"type\":\"{}\",\"values\":[", name == "time" ? "" : ",", name,
                        type);
    for (const Event& event : events_) {
      if (&event != events_.data()) text.push_back(',');
      append(event);
    }
    text += "]}";
    return out.pass();
  };
  const auto string_field = [&](std::string_view name, const auto& value) {
    return field(name, "string", [&](const Event& event) { append_json_string(text, value(event)); });
  };
  const bool there =
      field("time", "time", [&](const Event& event) { text += fmt::format("{}", event.time_ms); }) &&
      field("timeEnd", "time",
            [&](const Event& event) {
              text += event.time_end_ms ? fmt::format("{}", *event.time_end_ms) : "null";
            }) &&
      string_field("title", [](const Event& event) { return event.title; }) &&
      string_field("text", [](const Event& event) { return event.text; }) &&
      string_field("tags", [](const Event& event) { return fmt::format("{}", fmt::join(event.tags, ",")); });
  text += "]}";
  return there && out.pass();
}

}  // namespace varve::grafana
