#include "api/grafana/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "api/query/json_text.h"

namespace varve::grafana {
namespace {

void append_field_head(std::string& out, std::string_view name, std::string_view type) {
  out += "{\"name\":";
  append_json_string(out, name);
  out += ",\"type\":";
  append_json_string(out, type);
}

// Every {{name}} that `value` knows, replaced.
template <class ValueOf>
std::string fill_in(std::string_view pattern, const ValueOf& value) {
  std::string out;
  while (!pattern.empty()) {
    const size_t open = pattern.find("{{");
    const size_t close = open == std::string_view::npos ? open : pattern.find("}}", open);
    if (close == std::string_view::npos) break;
    out += pattern.substr(0, open);
    std::string_view name = pattern.substr(open + 2, close - open - 2);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    out += value(name);
    pattern.remove_prefix(close + 2);
  }
  return out.append(pattern);
}

}  // namespace

std::optional<std::vector<Role>> roles_by_type(const std::vector<ResultColumn>& columns) {
  std::vector<Role> roles;
  bool time = false;
  bool value = false;
  for (const ResultColumn& column : columns) {
    if (column.type == ResultType::kTimestamp && !time) {
      time = true;
      roles.push_back(Role::kTime);
    } else if (column.type == ResultType::kString) {
      roles.push_back(Role::kLabel);
    } else {
      value = true;
      roles.push_back(Role::kValue);
    }
  }
  if (!time || !value) return std::nullopt;
  return roles;
}

bool SeriesRows::fail(QueryError error) {
  error_ = std::move(error);
  return false;
}

bool SeriesRows::begin(const std::vector<ResultColumn>& columns) {
  columns_ = columns;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (roles_[i] == Role::kTime) time_column_ = i;
    if (roles_[i] == Role::kLabel) label_columns_.push_back(i);
    if (roles_[i] == Role::kValue) value_columns_.push_back(i);
  }
  return true;
}

SeriesRows::Group* SeriesRows::group_of(const ResultBatch& batch, size_t row) {
  std::string key;
  for (const size_t i : label_columns_) {
    const std::string text = cell_text(columns_[i].type, batch.columns[i], row);
    key += fmt::format("{}:", text.size());
    key += text;
  }
  if (last_group_ != SIZE_MAX && key == last_key_) return &groups_[last_group_];
  const auto [found, is_new] = by_labels_.try_emplace(key, groups_.size());
  last_group_ = found->second;
  last_key_ = std::move(key);
  if (!is_new) return &groups_[last_group_];
  if ((groups_.size() + 1) * value_columns_.size() > kSeriesMax) {
    fail(limit_error(
        "series_limit",
        fmt::format("the query gives more than {} series; filter it, or group by fewer tags", kSeriesMax)));
    return nullptr;
  }
  Group& group = groups_.emplace_back();
  for (const size_t i : label_columns_) {
    group.labels.push_back(cell_text(columns_[i].type, batch.columns[i], row));
  }
  for (const size_t i : value_columns_) group.values.emplace_back(batch.columns[i].type);
  return &group;
}

bool SeriesRows::rows(const ResultBatch& batch) {
  const ColumnVector& times = batch.columns[time_column_];
  for (size_t row = 0; row < batch.rows; ++row) {
    if (!times.is_valid(row)) continue;
    Group* const group = group_of(batch, row);
    if (group == nullptr) return false;
    group->times_ms.push_back(floor_ms(times.ints[row]));
    for (size_t i = 0; i < value_columns_.size(); ++i) {
      const ColumnVector& column = batch.columns[value_columns_[i]];
      if (column.type == FieldType::kString) text_bytes_ += column.strings[row].size();
      group->values[i].push_from(column, row);
    }
    points_ += value_columns_.size();
    if (points_ > kPointsMax || text_bytes_ > kCollectedTextBytesMax) {
      return fail(limit_error(
          "answer_too_large",
          fmt::format(
              "the query gives more than {} values or {} MiB of text; choose a wider interval or a limit",
              kPointsMax, kCollectedTextBytesMax >> 20)));
    }
  }
  return true;
}

void SeriesRows::sort() {
  std::sort(groups_.begin(), groups_.end(),
            [](const Group& a, const Group& b) { return a.labels < b.labels; });
  for (Group& group : groups_) {
    const auto& times = group.times_ms;
    if (std::is_sorted(times.begin(), times.end())) continue;
    group.order.resize(times.size());
    std::iota(group.order.begin(), group.order.end(), size_t{0});
    std::stable_sort(group.order.begin(), group.order.end(),
                     [&](size_t a, size_t b) { return times[a] < times[b]; });
  }
}

std::string SeriesRows::name_of(const Group& group, size_t value) const {
  const std::string& column = columns_[value_columns_[value]].name;
  const std::string& field = naming_.fields.empty() ? column : naming_.fields[value];
  if (!naming_.alias.empty()) {
    return fill_in(naming_.alias, [&](std::string_view name) -> std::string {
      if (name == "table") return naming_.table;
      if (name == "aggregate") return naming_.aggregate;
      if (name == "field") return field;
      for (size_t i = 0; i < label_columns_.size(); ++i) {
        if (columns_[label_columns_[i]].name == name) return group.labels[i];
      }
      return fmt::format("{{{{{}}}}}", name);
    });
  }
  std::string labels;
  for (size_t i = 0; i < group.labels.size(); ++i) {
    if (group.labels[i].empty()) continue;
    labels +=
        fmt::format("{}{}={}", labels.empty() ? "" : ", ", columns_[label_columns_[i]].name, group.labels[i]);
  }
  return labels.empty() ? column : fmt::format("{} {{{}}}", column, labels);
}

bool SeriesRows::write_datapoints(Output& out, std::string_view ref_id, std::string& separator) {
  sort();
  for (const Group& group : groups_) {
    for (size_t i = 0; i < group.values.size(); ++i) {
      std::string& text = out.text();
      text += separator + "{\"target\":";
      separator = ",";
      append_json_string(text, name_of(group, i));
      text += ",\"refId\":";
      append_json_string(text, ref_id);
      text += ",\"datapoints\":[";
      const ResultType type = columns_[value_columns_[i]].type;
      for (size_t at = 0; at < group.times_ms.size(); ++at) {
        const size_t row = group.order.empty() ? at : group.order[at];
        text += at == 0 ? "[" : ",[";
        if (type == ResultType::kBool && group.values[i].is_valid(row)) {
          text += group.values[i].bools[row] != 0 ? "1" : "0";  // a point is a number
        } else {
          append_json_cell(text, type, group.values[i], row);
        }
        text += fmt::format(",{}]", group.times_ms[row]);
        if (!out.pass()) return false;
      }
      text += "]}";
    }
  }
  return out.pass();
}

void SeriesRows::append_labels(std::string& out, const Group& group) const {
  bool first = true;
  for (size_t i = 0; i < group.labels.size(); ++i) {
    if (group.labels[i].empty()) continue;
    out += first ? ",\"labels\":{" : ",";
    first = false;
    append_json_string(out, columns_[label_columns_[i]].name);
    out.push_back(':');
    append_json_string(out, group.labels[i]);
  }
  if (!first) out.push_back('}');
}

bool SeriesRows::write_frames(Output& out, std::string_view ref_id, std::string& separator) {
  sort();
  for (const Group& group : groups_) {
    for (size_t i = 0; i < group.values.size(); ++i) {
      std::string& text = out.text();
      const std::string name = name_of(group, i);
      const ResultColumn& column = columns_[value_columns_[i]];
      const auto row_at = [&](size_t at) { return group.order.empty() ? at : group.order[at]; };
      text += separator + "{\"refId\":";
      separator = ",";
      append_json_string(text, ref_id);
      text += ",\"name\":";
      append_json_string(text, name);
      text += ",\"fields\":[";
      append_field_head(text, "time", "time");
      text += ",\"values\":[";
      for (size_t at = 0; at < group.times_ms.size(); ++at) {
        text += fmt::format("{}{}", at == 0 ? "" : ",", group.times_ms[row_at(at)]);
        if (!out.pass()) return false;
      }
      text += "]},";
      append_field_head(text, column.name, grafana_type(column.type));
      append_labels(text, group);
      text += ",\"config\":{\"displayNameFromDS\":";
      append_json_string(text, name);
      text += "},\"values\":[";
      for (size_t at = 0; at < group.times_ms.size(); ++at) {
        if (at > 0) text.push_back(',');
        append_json_cell(text, column.type, group.values[i], row_at(at));
        if (!out.pass()) return false;
      }
      text += "]}]}";
    }
  }
  return out.pass();
}

}  // namespace varve::grafana
