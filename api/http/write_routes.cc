// POST /write?db&precision: line protocol as to InfluxDB 1.x.
//   204  every line is durable
//   400  {"error":"partial write: unable to parse 'LINE': WHY ..."}: the good lines are durable, the bad ones
//   are named
//        here (the first kLinesNamedMax) and kept in varve_quarantine (the first kLineRejectsMax), durable
//        together with the good ones
//   503  with Retry-After: nothing was taken. Its text must not say "partial write" or "unable to parse":
//   Telegraf would
//        drop the data
#include <fmt/format.h>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/decode/row_set.h"
#include "ingest/quarantine.h"

namespace varve {
namespace {

constexpr size_t kLinesNamedMax = 20;    // in an error answer; all of them are in varve_quarantine
constexpr size_t kLineShownBytes = 200;  // of each

// One line or row that was not taken.
struct RefusedLine {
  uint32_t line = 0;  // from 1
  bool parsed = false;
  std::string reason;
  std::string detail;
};

class BodyLines {
 public:
  explicit BodyLines(std::string_view body) : body_(body) {}
  std::string_view operator[](uint32_t number) {
    if (starts_.empty()) index();
    if (number == 0 || number > starts_.size()) return {};
    std::string_view line = body_.substr(starts_[number - 1]);
    line = line.substr(0, line.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

 private:
  void index() {
    starts_.push_back(0);
    for (size_t at = body_.find('\n'); at != std::string_view::npos; at = body_.find('\n', at + 1)) {
      starts_.push_back(at + 1);
    }
  }
  std::string_view body_;
  std::vector<size_t> starts_;
};

// `unnamed` more lines were refused than `refused` lists.
std::string partial_write(const std::vector<RefusedLine>& refused, size_t unnamed, BodyLines& lines,
                          std::string_view database) {
  std::string message = "partial write:";
  size_t dropped = 0;
  for (size_t i = 0; i < refused.size(); ++i) {
    const RefusedLine& one = refused[i];
    if (one.parsed) ++dropped;
    if (i >= kLinesNamedMax) continue;
    message += i == 0 ? " " : "\n";
    const std::string_view line = lines[one.line];
    const std::string_view shown = line.substr(0, kLineShownBytes);
    message += fmt::format("{} '{}{}': {}", one.parsed ? "refused" : "unable to parse", shown,
                           shown.size() < line.size() ? "..." : "", one.detail);
  }
  if (refused.size() > kLinesNamedMax) {
    message += fmt::format("\nand {} more lines, see table {}", refused.size() + unnamed - kLinesNamedMax,
                           kQuarantineTable);
  }
  return message + fmt::format(" dropped={} for database: {}", dropped, database);
}

RowBatch quarantine_rows(const std::vector<RefusedLine>& refused, BodyLines& lines, const Clock& clock) {
  QuarantineBuilder builder(clock);
  for (const RefusedLine& one : refused) {
    RefusedInput input;
    input.source = "http";
    input.offset = one.line;
    input.reason = one.reason;
    input.detail = one.detail;
    input.payload = lines[one.line];
    builder.add(input);
  }
  return builder.finish();
}

class WriteRoute {
 public:
  explicit WriteRoute(const HttpServices& services)
      : engine_(*services.engine),
        clock_(*services.clock),
        rows_(services.metrics->counter("varve_http_rows_total", "Rows taken by /write.")),
        rejected_(http_rows_rejected(*services.metrics)) {}

  HttpResponse operator()(const HttpRequest& request) const {
    HttpResponse response = write(request);
    for (auto& header : influx_headers()) response.headers.push_back(std::move(header));
    return response;
  }

 private:
  HttpResponse write(const HttpRequest& request) const;

  Engine& engine_;
  const Clock& clock_;
  Counter& rows_;
  Counter& rejected_;
};

HttpResponse WriteRoute::write(const HttpRequest& request) const {
  const std::string_view unit = request.parameter("precision");
  const auto precision = precision_from_name(unit.empty() ? "ns" : unit);
  if (!precision) {
    return influx_error_response(
        {400, "bad_request", "unknown precision; it is one of ns, us, ms, s, m, h", std::nullopt, {}});
  }
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
    return influx_error_response(http_error(read));
  }
  const std::string_view named = request.parameter("db");
  const std::string database(named.empty() ? kDefaultDatabase : named);

  RowSet rows;
  std::vector<LineReject> rejects;
  size_t bad_lines = 0;
  parse_line_protocol(body, {database, *precision, clock_.wall_ns()}, rows, rejects, &bad_lines);
  const size_t unnamed = bad_lines - rejects.size();
  std::vector<RefusedLine> refused;
  for (LineReject& reject : rejects) {
    refused.push_back({reject.line, false, std::move(reject.reason), std::move(reject.detail)});
  }
  RowSet::Taken taken = rows.take();
  AdmittedWrite write = engine_.admit(std::move(taken.batches));
  for (const RejectedRow& row : write.rejected()) {
    refused.push_back({taken.messages[row.batch][row.row], true, row.reason, row.detail});
  }
  HttpResponse done;
  done.status = 204;
  const size_t accepted = write.rows();
  if (accepted == 0 && refused.empty()) return done;
  BodyLines lines(body);
  if (!refused.empty()) {
    std::vector<RowBatch> quarantine;
    quarantine.push_back(quarantine_rows(refused, lines, clock_));
    write.merge(engine_.admit(std::move(quarantine)));
  }
  if (const auto appended = engine_.append_and_wait(std::move(write)); !appended) {
    return influx_error_response(http_error(appended.error()));
  }
  rows_.add(accepted);
  rejected_.add(refused.size() + unnamed);
  if (refused.empty()) return done;
  return influx_error_response(
      {400, "partial_write", partial_write(refused, unnamed, lines, database), std::nullopt, {}});
}

}  // namespace

Counter& http_rows_rejected(MetricsRegistry& metrics) {
  return metrics.counter("varve_http_rows_rejected_total", "Lines and rows of /write sent to quarantine.");
}

void add_write_routes(Router& router, const HttpServices& services) {
  router.add({"POST", "/write", "write", WriteRoute(services)});
}

}  // namespace varve
