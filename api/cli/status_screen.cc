#include "api/cli/status_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "api/cli/terminal.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"
#include "storage/base/units.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr size_t kNameWidthMax = 40;
constexpr size_t kTablesMin = 3;               // on a small terminal
constexpr size_t kFixedLines = 9;              // heading, store, quarantine, problems and the blank lines
constexpr double kDatedSeconds = 14 * 86'400;  // what is further away is told by its date
constexpr const char* kUnknown = "?";

const Json& at(const Json& json, const char* key) {
  static const Json kNothing;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : kNothing;
}

std::string text(const Json& json) {
  return json.is_string() ? visible(valid_utf8(json.get<std::string>())) : kUnknown;
}

std::string number(const Json& json) {
  if (json.is_number_unsigned()) return grouped(json.get<uint64_t>());
  if (json.is_number_integer()) return std::to_string(json.get<int64_t>());
  if (json.is_number_float()) {
    const double value = std::clamp(json.get<double>(), 0.0, 1e18);
    return grouped(static_cast<uint64_t>(value + 0.5));
  }
  return kUnknown;
}

std::string bytes(const Json& json) {
  return json.is_number_unsigned() ? format_bytes(json.get<uint64_t>()) : kUnknown;
}

// "1 file", "2 files".
std::string counted(const Json& json, std::string_view what) {
  return fmt::format("{} {}{}", number(json), what, json == 1 ? "" : "s");
}

// "3 s", "5 min", "2 h 10 min", "4 d 3 h".
std::string span_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e15));
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 2 * 3600) return fmt::format("{} min", whole / 60);
  if (whole < 2 * 86'400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86'400, whole / 3600 % 24);
}

std::string seconds(const Json& json) {
  return json.is_number() ? span_text(std::max(0.0, json.get<double>())) : kUnknown;
}

// Of a time in RFC 3339, against now, or its date; null is "-".
std::string age(const Json& json, int64_t now_ns) {
  if (json.is_null()) return "-";
  const auto time = json.is_string() ? parse_timestamp(json.get<std::string>()) : Result<int64_t>(int64_t{0});
  if (!json.is_string() || !time) return kUnknown;
  const double distance = (static_cast<double>(now_ns) - static_cast<double>(*time)) / kNsPerSecond;
  if (std::abs(distance) > kDatedSeconds) return format_timestamp(*time).substr(0, 10);
  return distance >= 0 ? span_text(distance) + " ago" : "in " + span_text(-distance);
}

size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(),
                                           [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

// At most so many characters.
std::string cut(std::string_view text, size_t characters) {
  if (width(text) <= characters) return std::string(text);
  std::string out;
  for (size_t taken = 0; taken + 1 < characters; ++taken) {
    const size_t length = std::max<size_t>(1, utf8_character_bytes(text));
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out + "~";
}

class Screen {
 public:
  explicit Screen(const ScreenOptions& options) : options_(options) {}

  void line(std::string_view content, const char* colour = nullptr) {
    std::string shown = options_.columns == 0 ? std::string(content) : cut(content, options_.columns);
    if (options_.colours && colour != nullptr) shown = fmt::format("\x1b[{}m{}\x1b[0m", colour, shown);
    out_ += shown + "\n";
  }

  // The first row is the heading; the first `left` columns stand on the left, the others on the right.
  void grid(std::vector<std::vector<std::string>> rows, size_t left = 1) {
    if (rows.size() < 2) return;
    std::vector<size_t> widths(rows.front().size());
    for (auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] = cut(row[i], kNameWidthMax);
        widths[i] = std::max(widths[i], width(row[i]));
      }
    }
    line("");
    for (size_t r = 0; r < rows.size(); ++r) {
      std::string content;
      for (size_t i = 0; i < rows[r].size(); ++i) {
        const std::string pad(widths[i] - width(rows[r][i]), ' ');
        content += i == 0 ? "" : "  ";
        content += i < left ? rows[r][i] + pad : pad + rows[r][i];
      }
      line(content, r == 0 ? kDim : nullptr);
    }
  }

  std::string take() { return std::move(out_); }

  static constexpr const char* kDim = "2";
  static constexpr const char* kGood = "32";
  static constexpr const char* kBad = "1;31";

 private:
  const ScreenOptions& options_;
  std::string out_;
};

void show_head(Screen& screen, const Json& status, const ScreenOptions& options) {
  const bool failed = at(status, "failed") == true;
  const std::string read_only = text(at(status, "read_only_reason"));
  const bool closed = !read_only.empty() && read_only != kUnknown;
  const char* const state = failed ? "FAILED" : closed ? "read-only" : "ready";
  screen.line(fmt::format("varve {}  {}  up {}  {}", text(at(status, "version")), visible(options.url),
                          seconds(at(status, "uptime_seconds")), state),
              failed || closed ? Screen::kBad : Screen::kGood);
  const Json& segments = at(status, "segments");
  const Json& wal = at(status, "wal");
  const Json& memtable = at(status, "memtable");
  screen.line(fmt::format("store: {} in {}, log {} in {}, memory {} in {}", bytes(at(segments, "bytes")),
                          counted(at(segments, "count"), "segment"), bytes(at(wal, "bytes")),
                          counted(at(wal, "files"), "file"), bytes(at(memtable, "bytes")),
                          counted(at(memtable, "rows"), "row")));
  screen.line(fmt::format("disk: {} free, {} kept in reserve; {}", bytes(at(status, "disk_free_bytes")),
                          bytes(at(status, "disk_reserve_bytes")), text(at(status, "durability"))));
}

void show_tables(Screen& screen, const Json& answer, const ScreenOptions& options, size_t lines_taken) {
  const Json& list = at(answer, "tables");
  if (!list.is_array() || list.empty()) {
    screen.line("");
    screen.line("tables: none yet");
    return;
  }
  std::vector<const Json*> tables;
  for (const Json& table : list) tables.push_back(&table);
  const auto size_of = [](const Json* table) {
    const Json& size = at(*table, "bytes");
    const Json& rows = at(*table, "rows");
    return std::make_pair(size.is_number() ? size.get<double>() : 0,
                          rows.is_number() ? rows.get<double>() : 0);
  };
  std::stable_sort(tables.begin(), tables.end(),
                   [&](const Json* a, const Json* b) { return size_of(a) > size_of(b); });
  size_t shown = options.rows == 0                         ? kTablesPlain
                 : options.rows > lines_taken + kTablesMin ? options.rows - lines_taken
                                                           : kTablesMin;
  shown = std::min(shown, tables.size());
  std::vector<std::vector<std::string>> rows{{"table", "rows", "bytes", "series", "newest"}};
  for (size_t i = 0; i < shown; ++i) {
    const Json& table = *tables[i];
    const std::string database = text(at(table, "database"));
    const std::string name = text(at(table, "name"));
    rows.push_back({database == "varve" ? name : database + "." + name, number(at(table, "rows")),
                    bytes(at(table, "bytes")), number(at(table, "series")),
                    age(at(table, "time_max"), options.now_ns)});
  }
  screen.grid(std::move(rows));
  if (shown < tables.size()) {
    screen.line(fmt::format("... and {} smaller ones", tables.size() - shown), Screen::kDim);
  }
}

void show_sources(Screen& screen, const Json& status) {
  std::vector<std::vector<std::string>> rows{{"source", "state", "messages/s", "rows/s", "lag", "behind"}};
  const Json& sources = at(at(status, "ingest"), "sources");
  for (const Json& source : sources.is_array() ? sources : Json::array()) {
    double lag = 0, behind = 0;
    bool known = false;
    const Json& partitions = at(source, "partitions");
    for (const Json& partition : partitions.is_array() ? partitions : Json::array()) {
      if (at(partition, "lag").is_number()) {
        lag += at(partition, "lag").get<double>();
        known = true;
      }
      if (at(partition, "lag_seconds").is_number())
        behind = std::max(behind, at(partition, "lag_seconds").get<double>());
    }
    rows.push_back({text(at(source, "name")), text(at(source, "state")),
                    number(at(source, "messages_per_second")), number(at(source, "rows_per_second")),
                    known ? grouped(static_cast<uint64_t>(lag)) : kUnknown,
                    known ? span_text(behind) : kUnknown});
  }
  screen.grid(std::move(rows), 2);
}

void show_mirrors(Screen& screen, const Json& status) {
  std::vector<std::vector<std::string>> rows{
      {"mirror", "state", "backlog rows", "bytes", "age", "sent", "refused"}};
  const Json& mirrors = at(status, "mirrors");
  for (const Json& mirror : mirrors.is_array() ? mirrors : Json::array()) {
    rows.push_back({text(at(mirror, "name")), text(at(mirror, "state")), number(at(mirror, "backlog_rows")),
                    bytes(at(mirror, "backlog_bytes")), seconds(at(mirror, "backlog_seconds")),
                    number(at(mirror, "rows_sent_total")), number(at(mirror, "rows_refused_total"))});
  }
  screen.grid(std::move(rows), 2);
}

void show_problems(Screen& screen, const Json& status, const ScreenOptions& options) {
  screen.line("");
  screen.line(fmt::format("quarantine: {} rows; refused since the start: {}",
                          number(at(at(status, "quarantine"), "rows_total")),
                          number(at(at(status, "ingest"), "rejected_total"))));
  const Json& problems = at(status, "problems");
  if (!problems.is_array()) {
    screen.line("problems: ?");
    return;
  }
  if (problems.empty()) {
    screen.line("problems: none", Screen::kGood);
    return;
  }
  screen.line(fmt::format("problems: {}", problems.size()), Screen::kBad);
  for (const Json& problem : problems) {
    const std::string subject = text(at(problem, "subject"));
    screen.line(fmt::format("! {}{}{}, {}", text(at(problem, "code")), subject.empty() ? "" : " ", subject,
                            age(at(problem, "since"), options.now_ns)),
                Screen::kBad);
    screen.line("    " + text(at(problem, "reason")));
    screen.line("    to do: " + text(at(problem, "remedy")));
  }
}

size_t lines_of(const Json& list, size_t each) {
  if (!list.is_array() || list.empty()) return 0;
  return 2 + list.size() * each;
}

}  // namespace

std::string status_screen(const Json& status, const Json& tables, const ScreenOptions& options) {
  Screen screen(options);
  const size_t others = kFixedLines + lines_of(at(at(status, "ingest"), "sources"), 1) +
                        lines_of(at(status, "mirrors"), 1) + lines_of(at(status, "problems"), 3);
  show_head(screen, status, options);
  show_tables(screen, tables, options, others);
  show_sources(screen, status);
  show_mirrors(screen, status);
  show_problems(screen, status, options);
  return screen.take();
}

}  // namespace varve
