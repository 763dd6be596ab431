// `varve import`: rows of a CSV file into a table of a running server, by POST /write in batches. A batch the server has
// answered is durable; giving the command again writes the same points over themselves.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "ingest/replay/generator.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTimeField = "ts";  // where open_csv puts the time
constexpr size_t kBatchBytes = 1 << 20;   // of lines in a request; guessed: a hundredth of a second's work
constexpr uint64_t kSampleRows = 1000;    // that decide which columns are tags
constexpr size_t kTagValuesMax = 200;     // a column of text with more different values in these is a field
constexpr int kBusyTries = 20;            // of a batch the server answers with 503 ...
constexpr auto kBusyPause = std::chrono::milliseconds(500);  // ... this far apart
constexpr size_t kRefusalsShown = 5;

struct ImportReport {
  uint64_t rows = 0;
  uint64_t refused = 0;
  std::vector<std::string> refusals;  // the first ones
  std::set<std::string> tags;
  std::set<std::string> fields;
};

CsvOptions csv_options(const ImportArguments& arguments) {
  CsvOptions csv;
  csv.path = arguments.csv;
  csv.time_column = arguments.time_column;
  csv.time_format = arguments.time_format;
  csv.time_zone = arguments.time_zone;
  return csv;
}

// Columns of text with few values: what people group and filter by.
Result<std::set<std::string>> find_tags(const ImportArguments& arguments) {
  if (!arguments.tags.empty()) return std::set<std::string>(arguments.tags.begin(), arguments.tags.end());
  VARVE_ASSIGN(const auto generator, open_csv(csv_options(arguments)));
  std::map<std::string, std::set<std::string>> values;
  std::set<std::string> fields;
  GeneratedMessage message;
  for (uint64_t row = 0; row < kSampleRows; ++row) {
    VARVE_ASSIGN(const bool more, generator->next(message));
    if (!more) break;
    const Json json = Json::parse(message.value, nullptr, false);
    if (!json.is_object()) continue;
    for (const auto& [name, value] : json.items()) {
      if (name == kTimeField) continue;
      if (!value.is_string()) {
        fields.insert(name);
      } else if (values[name].size() <= kTagValuesMax) {
        values[name].insert(value.get<std::string>());
      }
    }
  }
  std::set<std::string> tags;
  for (const auto& [name, seen] : values) {
    if (!fields.contains(name) && seen.size() <= kTagValuesMax) tags.insert(name);
  }
  return tags;
}

void append_escaped(std::string& out, std::string_view text, std::string_view special) {
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      out.push_back(' ');  // line protocol has no way to write one in a tag
      continue;
    }
    if (special.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
}

std::string plain_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class Import {
 public:
  Import(const ImportArguments& arguments, std::set<std::string> tags)
      : arguments_(arguments), tags_(std::move(tags)) {}

  Result<ImportReport> run() {
    VARVE_ASSIGN(const auto generator, open_csv(csv_options(arguments_)));
    WorkProgress progress("stored", "rows");
    GeneratedMessage message;
    for (uint64_t row = 1;; ++row) {
      VARVE_ASSIGN(const bool more, generator->next(message));
      if (!more) break;
      take_row(message.value, row);
      if (lines_.size() < kBatchBytes) continue;
      VARVE_TRY(send());
      progress.show(report_.rows, generator->total().value_or(0));
    }
    VARVE_TRY(send());
    progress.finish();
    return report_;
  }

 private:
  void refuse(uint64_t count, std::string why) {
    report_.refused += count;
    if (report_.refusals.size() < kRefusalsShown) report_.refusals.push_back(std::move(why));
  }

  void take_row(const std::string& text, uint64_t row) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return refuse(1, fmt::format("row {}: not as many cells as the header", row));
    if (!json.contains(kTimeField)) return refuse(1, fmt::format("row {}: it has no time", row));
    const std::string time_text = plain_text(json[kTimeField]);
    const auto time = parse_timestamp(time_text);
    if (!time) {
      return refuse(1, fmt::format("row {}: {} is no time (--time-format, --time-zone)", row, time_text));
    }
    std::string fields;
    const size_t began = lines_.size();
    append_escaped(lines_, arguments_.table, ", ");
    for (const auto& [name, value] : json.items()) {
      if (name == kTimeField) continue;
      if (tags_.contains(name)) {
        lines_.push_back(',');
        append_escaped(lines_, name, ",= ");
        lines_.push_back('=');
        append_escaped(lines_, plain_text(value), ",= ");
        report_.tags.insert(name);
        continue;
      }
      fields.push_back(fields.empty() ? ' ' : ',');
      append_escaped(fields, name, ",= ");
      fields.push_back('=');
      if (value.is_string()) {
        fields.push_back('"');
        append_escaped(fields, value.get<std::string>(), "\"\\");
        fields.push_back('"');
      } else {
        fields += value.dump();
      }
      report_.fields.insert(name);
    }
    if (fields.empty()) {
      lines_.resize(began);
      return refuse(1, fmt::format("row {}: it has no value beside its tags", row));
    }
    lines_ += fields;
    lines_ += fmt::format(" {}\n", *time);
    ++batch_rows_;
  }

  Result<void> send() {
    if (batch_rows_ == 0) return {};
    const HttpPost post{arguments_.url, "/write?precision=ns&db=" + percent_encoded(arguments_.database),
                        "text/plain", std::move(lines_), arguments_.token};
    lines_.clear();
    for (int tries = 1;; ++tries) {
      VARVE_ASSIGN(const HttpAnswer answer, post_http(post, [](std::string_view) { return true; }));
      if (answer.status == 503 && tries < kBusyTries) {
        std::this_thread::sleep_for(kBusyPause);
        continue;
      }
      const Json json = Json::parse(answer.error_body, nullptr, false);
      const std::string told = json.is_object() ? json.value("error", "") : "";
      // "partial write: ... dropped=N": the others are stored.
      if (answer.status == 400 && told.starts_with("partial write")) {
        const size_t at = told.rfind("dropped=");
        const uint64_t counted =
            at == std::string::npos ? batch_rows_ : std::strtoull(&told[at + 8], nullptr, 10);
        const uint64_t dropped = std::min(batch_rows_, counted);
        refuse(dropped, told);
        report_.rows += batch_rows_ - dropped;
      } else if (answer.status != 204) {
        return unavailable(fmt::format("{} answered {}{}{} after {} rows", arguments_.url, answer.status,
                                       told.empty() ? "" : ": ", told, grouped(report_.rows)));
      } else {
        report_.rows += batch_rows_;
      }
      batch_rows_ = 0;
      return {};
    }
  }

  const ImportArguments& arguments_;
  const std::set<std::string> tags_;
  ImportReport report_;
  std::string lines_;
  uint64_t batch_rows_ = 0;
};

Result<ImportReport> run(const ImportArguments& arguments) {
  VARVE_ASSIGN(auto tags, find_tags(arguments));
  return Import(arguments, std::move(tags)).run();
}

}  // namespace

int run_import(const ImportArguments& arguments) {
  const int64_t began_ns = real_clock().monotonic_ns();
  const auto report = run(arguments);
  if (!report) {
    print_error(report.error().message);
    return kExitFailed;
  }
  const double seconds = static_cast<double>(real_clock().monotonic_ns() - began_ns) / kNsPerSecond;
  fmt::print("{} rows stored in {} in {:.1f} s\ntags: {}\nfields: {}\n", grouped(report->rows),
             visible(arguments.table), seconds, visible(fmt::format("{}", fmt::join(report->tags, ", "))),
             visible(fmt::format("{}", fmt::join(report->fields, ", "))));
  if (report->rows > 0) {
    fmt::print("a chart of it: {}/   or: varve query --spark \"SELECT * FROM {}\"\n", visible(arguments.url),
               visible(arguments.table));
  }
  for (const std::string& line : report->refusals) fmt::print(stderr, "refused: {}\n", visible(line));
  if (report->refused > 0) {
    print_error(fmt::format("{} of {} rows were refused", grouped(report->refused),
                            grouped(report->refused + report->rows)));
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
