#include "tests/support/influxql_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#ifndef VARVE_SOURCE_DIR
#error "VARVE_SOURCE_DIR must be defined"
#endif

namespace varve::influxql {
namespace {

constexpr std::string_view kCellSeparator = " | ";

// Up to `stop` outside of quotes.
std::string_view take_until(std::string_view& text, std::string_view stops) {
  bool quoted = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (!quoted && stops.find(text[i]) != std::string_view::npos) break;
  }
  const std::string_view taken = text.substr(0, i);
  text.remove_prefix(i);
  return taken;
}

Value parse_field(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  if (text.starts_with('"')) return std::string(text.substr(1, text.size() - 2));
  if (text.ends_with('i')) return int64_t{std::stoll(std::string(text))};
  return std::stod(std::string(text));
}

std::pair<std::string, std::string_view> split_pair(std::string_view pair) {
  const size_t equals = pair.find('=');
  return {std::string(pair.substr(0, equals)), pair.substr(equals + 1)};
}

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out;
  size_t from = 0;
  while (true) {
    const size_t to = line.find(kCellSeparator, from);
    out.push_back(line.substr(from, to - from));
    if (to == std::string::npos) return out;
    from = to + kCellSeparator.size();
  }
}

bool same_cell(const std::string& a, const std::string& b) {
  if (a == b) return true;
  char* end_a = nullptr;
  char* end_b = nullptr;
  const double x = std::strtod(a.c_str(), &end_a);
  const double y = std::strtod(b.c_str(), &end_b);
  if (a.empty() || b.empty() || *end_a != '\0' || *end_b != '\0') return false;
  if (x == 0 && y == 0) return true;  // whole numbers, as which JSON is read, have no -0
  if (a.find_first_of(".e") == std::string::npos && b.find_first_of(".e") == std::string::npos) return false;
  constexpr double kTolerance = 1e-9;
  return std::fabs(x - y) <= kTolerance * std::max(std::fabs(x), std::fabs(y));
}

bool is_head(const std::string& line) {
  return line.find('}') != std::string::npos && line.find('{') < line.find('"');
}

CaseFile read_file(const std::filesystem::path& path) {
  CaseFile file;
  file.name = path.filename().string();
  std::ifstream in(path);
  std::string line;
  int number = 0;
  const auto next = [&] {
    ++number;
    return static_cast<bool>(std::getline(in, line));
  };
  while (next()) {
    if (line == "data") {
      while (next() && !line.empty()) file.data.push_back(line);
      continue;
    }
    const bool differs = line.starts_with("differs ");
    if (!differs && line != "query" && line != "query unordered" && line != "error") {
      if (line.empty() || line.starts_with('#')) continue;
      throw std::runtime_error(fmt::format("{}:{}: {}", file.name, number, line));
    }
    SelectCase& one = file.cases.emplace_back();
    one.place = fmt::format("{}:{}", file.name, number);
    one.is_error = line == "error";
    one.unordered = line == "query unordered";
    if (differs) one.differs = line.substr(8);
    while (next() && line != "----") one.statement += (one.statement.empty() ? "" : "\n") + line;
    while (next() && !line.empty()) one.expected.push_back(line);
  }
  return file;
}

}  // namespace

std::vector<CaseFile> read_select_cases() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/influxql")) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  }
  if (paths.empty()) throw std::runtime_error("no cases below " VARVE_SOURCE_DIR "/tests/influxql");
  std::sort(paths.begin(), paths.end());
  std::vector<CaseFile> files;
  for (const auto& path : paths) files.push_back(read_file(path));
  return files;
}

namespace {

struct ParsedLine {
  std::string table;
  MemoryEngine::Tags tags;
  MemoryEngine::Fields fields;
  int64_t time = 0;
};

ParsedLine parse_line(std::string_view line) {
  ParsedLine parsed;
  std::string_view key = take_until(line, " ");
  line.remove_prefix(1);
  std::string_view values = take_until(line, " ");
  line.remove_prefix(1);
  parsed.table = take_until(key, ",");
  while (!key.empty()) {
    key.remove_prefix(1);
    const auto [name, value] = split_pair(take_until(key, ","));
    parsed.tags.emplace_back(name, std::string(value));
  }
  while (!values.empty()) {
    if (values.starts_with(',')) values.remove_prefix(1);
    const auto [name, value] = split_pair(take_until(values, ","));
    parsed.fields.emplace_back(name, parse_field(value));
  }
  parsed.time = std::stoll(std::string(line));
  return parsed;
}

}  // namespace

void insert_line(MemoryEngine& engine, std::string_view database, std::string_view line) {
  const ParsedLine row = parse_line(line);
  engine.insert(database, row.table, row.time, row.tags, row.fields);
}

void insert_line(DiskStore& store, std::string_view database, std::string_view line) {
  const ParsedLine row = parse_line(line);
  store.insert(database, row.table, row.time, row.tags, row.fields);
}

std::string head_line(const std::string& name, const std::vector<std::pair<std::string, std::string>>& tags,
                      const std::vector<std::string>& columns) {
  std::string text = name + "{";
  for (const auto& [tag, value] : tags)
    text += fmt::format("{}{}={}", text.ends_with('{') ? "" : ",", tag, value);
  text += "}";
  for (const std::string& column : columns) text += " " + column;
  return text;
}

std::string cell_text(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* whole = std::get_if<int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return fmt::format("\"{}\"", *text);
  return "null";
}

bool AnswerLines::begin(const SeriesHead& head) {
  lines.push_back(head_line(head.name, head.tags, head.columns));
  return true;
}

bool AnswerLines::rows(const SeriesRows& batch) {
  for (size_t row = 0; row < batch.rows; ++row) {
    std::string line;
    for (const ColumnVector& column : batch.columns) {
      line += (line.empty() ? "" : std::string(kCellSeparator)) + cell_text(column.value(row));
    }
    lines.push_back(line);
  }
  return true;
}

bool same_line(const std::string& a, const std::string& b) {
  const std::vector<std::string> left = cells(a);
  const std::vector<std::string> right = cells(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same_cell);
}

std::vector<std::string> canonical(const std::vector<std::string>& lines, bool unordered) {
  std::vector<std::vector<std::string>> series;
  for (const std::string& line : lines) {
    if (is_head(line) || series.empty()) series.emplace_back();
    series.back().push_back(line);
  }
  for (auto& one : series) {
    auto from = one.begin();
    while (from != one.end()) {
      const std::string time = cells(*from)[0];
      const auto to =
          std::find_if(from, one.end(), [&](const std::string& row) { return cells(row)[0] != time; });
      std::sort(from, to);
      from = to;
    }
  }
  if (unordered) std::sort(series.begin(), series.end());
  std::vector<std::string> out;
  for (const auto& one : series) out.insert(out.end(), one.begin(), one.end());
  return out;
}

}  // namespace varve::influxql
