// Line protocol as three generations of InfluxDB take it, each answered in its own words:
//   POST /write?db&precision            1.x: n ns u us ms s m h
//   POST /api/v2/write?bucket&precision 2.x: ns us ms s; the bucket is a database, "db/rp" is db
//   POST /api/v3/write_lp?db&precision&accept_partial
//                                       3.x: auto nanosecond ns n microsecond us u millisecond ms second s
//   204  every line is durable, v3's no_sync or not
//   400  the good lines are durable, the bad ones are named (the first kLinesNamedMax) and kept in
//        varve_quarantine; v2 says 422 when the store refused lines that could be read. With accept_partial=false
//        nothing is taken.
//   503  with Retry-After: nothing was taken. Its text must not say "partial write" or "unable to parse":
//        Telegraf would drop the data. Never 429: Telegraf's 1.x output drops data for it.
// rp, consistency, org, u, p, Authorization and what else clients send are taken and mean nothing here.
#include <fmt/format.h>

#include <algorithm>

#include "api/http/errors.h"
#include "api/http/line_write.h"
#include "api/http/routes.h"
#include "api/influxql/go_text.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/quarantine.h"

namespace varve {
namespace {

constexpr size_t kLinesNamedMax = 20;    // in an error answer; all of them are in varve_quarantine
constexpr size_t kLineShownBytes = 200;  // of each

std::string shown(std::string_view line) {
  std::string text(line.substr(0, kLineShownBytes));
  if (text.size() < line.size()) text += "...";
  return text;
}

// What clients look for in an answer's text.
std::string named(const RefusedLine& refused, std::string_view line) {
  if (!refused.parsed) return fmt::format("unable to parse '{}': {}", shown(line), refused.detail);
  if (refused.reason == "type_conflict") {
    return fmt::format("field type conflict: {}: '{}'", refused.detail, shown(line));
  }
  return fmt::format("refused '{}': {}", shown(line), refused.detail);
}

std::string partial_write(const LineWriteOutcome& outcome, BodyLines& lines, std::string_view database) {
  std::string message = "partial write:";
  size_t dropped = 0;
  for (size_t i = 0; i < outcome.refused.size(); ++i) {
    const RefusedLine& one = outcome.refused[i];
    if (one.parsed) ++dropped;
    if (i >= kLinesNamedMax) continue;
    message += i == 0 ? " " : "\n";
    message += named(one, lines[one.line]);
  }
  if (outcome.refused.size() > kLinesNamedMax) {
    message += fmt::format("\nand {} more lines, see table {}",
                           outcome.refused.size() + outcome.unnamed - kLinesNamedMax, kQuarantineTable);
  }
  return message + fmt::format(" dropped={} for database: {}", dropped, database);
}

// ---- 1.x ----

class WriteV1 {
 public:
  static HttpResponse failed(const HttpError& error) {
    HttpResponse response = influx_error_response(error);
    response.headers.push_back(influx_error_header(error.message));
    return response;
  }
  // Null and `error` when the request cannot be understood.
  static bool understand(const HttpRequest& request, LineWriteOptions& options, HttpError& error) {
    const std::string_view unit = request.parameter("precision");
    const auto precision = precision_from_name(unit.empty() ? "ns" : unit);
    if (!precision) {
      error = {
          400, "bad_request", "unknown precision; it is one of n, ns, u, us, ms, s, m, h", std::nullopt, {}};
      return false;
    }
    const std::string_view database = request.parameter("db");
    options = {std::string(database.empty() ? kDefaultDatabase : database), *precision, false};
    return true;
  }
  static HttpResponse refused(const LineWriteOutcome& outcome, BodyLines& lines, std::string_view database) {
    return failed({400, "partial_write", partial_write(outcome, lines, database), std::nullopt, {}});
  }
  static constexpr bool kTakesEmpty = true;
};

// ---- 2.x ----

std::string_view v2_code(int status) {
  switch (status) {
    case 403:
      return "forbidden";
    case 413:
      return "request too large";
    case 422:
      return "unprocessable entity";
    case 500:
      return "internal error";
    case 503:
      return "unavailable";
    default:
      return "invalid";
  }
}

class WriteV2 {
 public:
  static HttpResponse failed(const HttpError& error) { return failed(error, 0); }
  static bool understand(const HttpRequest& request, LineWriteOptions& options, HttpError& error) {
    const std::string_view unit = request.parameter("precision");
    constexpr std::string_view kUnits[] = {"", "ns", "us", "ms", "s"};
    if (std::find(std::begin(kUnits), std::end(kUnits), unit) == std::end(kUnits)) {
      error = {
          400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s", std::nullopt, {}};
      return false;
    }
    const std::string_view bucket = request.parameter("bucket");
    const std::string_view database = bucket.substr(0, bucket.find('/'));
    if (database.empty()) {
      error = {400, "invalid", "the parameter bucket must name a bucket", std::nullopt, {}};
      return false;
    }
    options = {std::string(database), *precision_from_name(unit.empty() ? "ns" : unit), false};
    return true;
  }
  static HttpResponse refused(const LineWriteOutcome& outcome, BodyLines& lines, std::string_view database) {
    const bool all_parsed = std::all_of(outcome.refused.begin(), outcome.refused.end(),
                                        [](const RefusedLine& one) { return one.parsed; });
    std::string message = all_parsed ? "failure writing points to database: " : "";
    message += partial_write(outcome, lines, database);
    return failed({all_parsed ? 422 : 400, "", std::move(message), std::nullopt, {}},
                  outcome.refused.front().line);
  }
  static constexpr bool kTakesEmpty = true;

 private:
  // `line` from 1, 0 = of none.
  static HttpResponse failed(const HttpError& error, uint32_t line) {
    HttpResponse response = influx_error_response(error);  // for its status and Retry-After
    const std::string_view code = v2_code(error.status);
    response.body = fmt::format(R"({{"code":"{}","message":)", code);
    influxql::append_json_string(response.body, error.message);
    if (line != 0) response.body += fmt::format(R"(,"line":{})", line);
    if (error.status == 413) response.body += fmt::format(R"(,"maxLength":{})", kBodyBytesMax);
    response.body += "}\n";
    response.headers.emplace_back("X-Platform-Error-Code", code);
    return response;
  }
};

// ---- 3.x ----

std::optional<int64_t> v3_precision(std::string_view name) {
  if (name.empty() || name == "auto") return kAutoPrecision;
  if (name == "nanosecond") name = "ns";
  if (name == "microsecond") name = "us";
  if (name == "millisecond") name = "ms";
  if (name == "second") name = "s";
  if (name == "m" || name == "h") return std::nullopt;
  return precision_from_name(name);
}

// Null = neither.
std::optional<bool> flag(std::string_view text, bool absent) {
  if (text.empty()) return absent;
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

class WriteV3 {
 public:
  static HttpResponse failed(const HttpError& error) { return influx_error_response(error); }
  static bool understand(const HttpRequest& request, LineWriteOptions& options, HttpError& error) {
    const auto wrong = [&](std::string_view what) {
      error = {400, "bad_request", std::string(what), std::nullopt, {}};
      return false;
    };
    const auto precision = v3_precision(request.parameter("precision"));
    if (!precision)
      return wrong("unknown precision; it is one of auto, nanosecond, microsecond, millisecond, second");
    const auto partial = flag(request.parameter("accept_partial"), true);
    if (!partial) return wrong("accept_partial is true or false");
    // Every answer waits for the disk: that is all no_sync=true asks not to be promised.
    if (!flag(request.parameter("no_sync"), false)) return wrong("no_sync is true or false");
    const std::string_view database = request.parameter("db");
    if (database.empty()) return wrong("the parameter db must name a database");
    options = {std::string(database), *precision, !*partial};
    return true;
  }
  static HttpResponse refused(const LineWriteOutcome& outcome, BodyLines& lines, std::string_view) {
    HttpResponse response = influx_error_response({400, "", "", std::nullopt, {}});
    if (!outcome.taken) {
      response.body = R"({"error":"line protocol parsing error","data":)";
      append_line(response.body, outcome.refused.front(), lines);
      response.body += "}\n";
      return response;
    }
    response.body = R"({"error":"partial write of line protocol occurred","data":[)";
    for (size_t i = 0; i < std::min(outcome.refused.size(), kLinesNamedMax); ++i) {
      if (i > 0) response.body += ',';
      append_line(response.body, outcome.refused[i], lines);
    }
    if (outcome.refused.size() > kLinesNamedMax) {
      response.body += fmt::format(
          R"(,{{"error_message":"and {} more lines, see table {}","line_number":{},"original_line":""}})",
          outcome.refused.size() + outcome.unnamed - kLinesNamedMax, kQuarantineTable,
          outcome.refused[kLinesNamedMax].line);
    }
    response.body += "]}\n";
    return response;
  }
  static constexpr bool kTakesEmpty = false;

 private:
  static void append_line(std::string& out, const RefusedLine& refused, BodyLines& lines) {
    out += R"({"error_message":)";
    influxql::append_json_string(out, refused.detail);
    out += fmt::format(R"(,"line_number":{},"original_line":)", refused.line);
    influxql::append_json_string(out, shown(lines[refused.line]));
    out += '}';
  }
};

template <class Dialect>
class WriteRoute {
 public:
  explicit WriteRoute(const HttpServices& services) : writer_(services) {}

  HttpResponse operator()(const HttpRequest& request) const {
    HttpResponse response = write(request);
    for (auto& header : influx_headers()) response.headers.push_back(std::move(header));
    return response;
  }

 private:
  HttpResponse write(const HttpRequest& request) const {
    LineWriteOptions options;
    HttpError error;
    if (!Dialect::understand(request, options, error)) return Dialect::failed(error);
    std::string body;
    if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
      return Dialect::failed(http_error(read));
    }
    options.tables = request.caller.tables;
    const auto outcome = writer_.write(body, options);
    if (!outcome) return Dialect::failed(http_error(outcome.error()));
    if (!outcome->forbidden.empty()) {
      return Dialect::failed(
          {403,
           "forbidden",
           fmt::format("the token is for {} only, the lines are for {} too; nothing was taken",
                       request.caller.tables->text(), outcome->forbidden),
           std::nullopt,
           {}});
    }
    if (!outcome->refused.empty()) {
      BodyLines lines(body);
      return Dialect::refused(*outcome, lines, options.database);
    }
    if (outcome->accepted == 0 && !Dialect::kTakesEmpty) {
      return Dialect::failed({400, "bad_request", "the body has no line", std::nullopt, {}});
    }
    HttpResponse done;
    done.status = 204;
    return done;
  }

  LineWriter writer_;
};

}  // namespace

void add_write_routes(Router& router, const HttpServices& services) {
  router.add({"POST", "/write", "write", WriteRoute<WriteV1>(services), Access::kWrite});
  router.add({"POST", "/api/v2/write", "write", WriteRoute<WriteV2>(services), Access::kWrite});
  router.add({"POST", "/api/v3/write_lp", "write", WriteRoute<WriteV3>(services), Access::kWrite});
}

}  // namespace varve
