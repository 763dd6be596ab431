// POST /api/v1/quarantine/retry {"where": "SQL condition"}: the rows of varve_quarantine that match and were not retried
// yet go through the decoder of their source again (ingest/retry.h). "where" absent or empty = all of them.
//   200 {"selected":3,"retried":2,"rows":2,"refused":{"no_time":{"count":1,"first":"..."}},"truncated":0,"not_retriable":0}
//   400 a condition that is none; 501 rows of before there was a retry; a failure on the way is its error: what was
//   done before it stays done, and the call may be made again
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "api/sql/parser.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kPageRows = 500;  // at most 500 payloads of 64 KiB in memory
constexpr size_t kWhereBytesMax = 64 << 10;

// Rows of the quarantine as a query gives them.
class KeptInputs : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>& columns) override {
    columns_ = columns;
    return true;
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      const auto column = [&](std::string_view name) -> Value {
        for (size_t i = 0; i < columns_.size(); ++i) {
          if (columns_[i].name == name) return batch.columns[i].value(row);
        }
        return {};
      };
      const Value time = column("time");
      if (!std::holds_alternative<int64_t>(time)) continue;
      if (auto input = read_kept_input(std::get<int64_t>(time), column)) inputs.push_back(std::move(*input));
    }
    return true;
  }
  std::vector<KeptInput> inputs;

 private:
  std::vector<ResultColumn> columns_;
};

// Only a condition may stand there, nothing that ends the clause.
QueryResult<void> check_where(const std::string& where) {
  constexpr std::string_view kBefore = "SELECT time FROM varve_quarantine WHERE ";
  auto parsed = parse_sql(std::string(kBefore) + where);
  if (!parsed) {
    QueryError error = std::move(parsed.error());
    if (error.position) error.position = std::max(*error.position, kBefore.size()) - kBefore.size();
    return tl::make_unexpected(std::move(error));
  }
  const auto* const select = std::get_if<SelectStatement>(&*parsed);
  const bool more = select == nullptr || !select->group_by.empty() || select->having || select->sample_by ||
                    !select->latest_by.empty() || !select->fill.empty() || !select->order_by.empty() ||
                    select->limit || select->offset || where.find(';') != std::string::npos;
  if (more)
    return tl::make_unexpected(invalid_query("sql_syntax", "where takes one condition and no clause", 0));
  return {};
}

class RetryRoute {
 public:
  explicit RetryRoute(const HttpServices& services) : services_(services) {}

  HttpResponse operator()(const HttpRequest& request) const {
    std::string body;
    if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
      return error_response(http_error(read));
    }
    std::string where;
    const Json json = Json::parse(body.empty() ? "{}" : body, nullptr, false);
    const bool usable = json.is_object() && (!json.contains("where") || json["where"].is_string());
    if (usable && json.contains("where")) where = json["where"].get<std::string>();
    if (!usable || where.size() > kWhereBytesMax) {
      return error_response({400, "bad_request", "expected a JSON object", std::nullopt,
                             R"(send {"where": "reason = 'no_time'"})"});
    }
    if (!where.empty()) {
      if (const auto checked = check_where(where); !checked)
        return error_response(http_error(checked.error()));
    }
    return retry(where, request);
  }

 private:
  HttpResponse retry(const std::string& where, const HttpRequest& request) const;

  const HttpServices& services_;
};

HttpResponse RetryRoute::retry(const std::string& where, const HttpRequest& request) const {
  RetryCounts counts;
  std::string after;
  const auto table = services_.engine->describe(kDefaultDatabase, kQuarantineTable);
  bool more = table.has_value();  // without the table nothing was refused
  if (more && std::ranges::none_of(table->columns, [](const auto& one) { return one.name == "retried"; })) {
    return error_response(http_error(Error{ErrorCode::kUnsupported, std::string(kQuarantineTooOld)}));
  }
  while (more) {
    // The line feed ends a comment the condition may end in.
    QueryRequest query;
    query.sql =
        fmt::format("SELECT * FROM {} WHERE retried = false{}{} ORDER BY time LIMIT {}", kQuarantineTable,
                    where.empty() ? "" : " AND (" + where + "\n)", after, kPageRows);
    set_caller(query, request);
    KeptInputs page;
    if (const auto ran = services_.queries->run(query, page); !ran)
      return error_response(http_error(ran.error()));
    std::vector<KeptInput>& inputs = page.inputs;
    more = inputs.size() == kPageRows;
    // Rows of one time are not parted by a page's end: the next begins behind that time.
    while (more && inputs.front().time_ns != inputs.back().time_ns &&
           inputs.back().time_ns == inputs[inputs.size() - 2].time_ns) {
      const int64_t split = inputs.back().time_ns;
      while (inputs.back().time_ns == split) inputs.pop_back();
    }
    if (inputs.empty()) break;
    after = fmt::format(" AND time > '{}'", format_timestamp(inputs.back().time_ns));
    const auto done = services_.retry->retry(inputs);
    if (!done) return error_response(http_error(done.error()));
    counts.add(*done);
  }
  Json refused = Json::object();
  for (const auto& [reason, refusal] : counts.refused) {
    refused[reason] = {{"count", refusal.count}, {"first", refusal.first}};
  }
  const Json answer = {{"selected", counts.selected},   {"retried", counts.retried},
                       {"rows", counts.rows},           {"refused", std::move(refused)},
                       {"truncated", counts.truncated}, {"not_retriable", counts.not_retriable}};
  return json_response(answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

void add_quarantine_routes(Router& router, const HttpServices& services) {
  if (services.retry == nullptr) return;
  router.add({"POST", "/api/v1/quarantine/retry", "quarantine", RetryRoute(services), Access::kAdmin});
}

}  // namespace varve
