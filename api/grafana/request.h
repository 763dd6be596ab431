// What Grafana's JSON datasources send, of every version: simPod 0.2 to 0.6 and simple-json.
//   0.2: targets have `data` and `type` (timeserie, table); 0.3 and later: `payload`; ad hoc filters are `adhocFilters`
//   up to 0.6.3, `filters` after. Grafana has put in the values of its variables before.
// Unknown keys of the body are ignored (Grafana adds some with every release), those of a payload are errors: they are
// typed by people.
// Errors:  bad_request, too_many_targets, body_too_large; never an exception.
// Threads: values; pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/query_error.h"

namespace varve::grafana {

using Json = nlohmann::ordered_json;

constexpr size_t kBodyBytesMax = 1 << 20;  // a dashboard's largest request has some KiB
constexpr int kJsonDepthMax = 32;          // Grafana's own is some 6 deep
constexpr size_t kTargetsMax = 50;         // of one panel; guessed: Grafana's editor is unusable long before
constexpr size_t kFiltersMax = 100;
constexpr size_t kListItemsMax = 256;  // fields, tags or filter values in one option
constexpr uint64_t kDataPointsDefault = 1000;
constexpr uint64_t kDataPointsMax = 100'000;  // no screen is wider; guards buckets against nonsense

struct Range {
  int64_t from_ns = 0;
  int64_t to_ns = 0;  // both inclusive
};

struct Filter {
  enum class Operator { kEqual, kNotEqual, kMatches, kMatchesNot, kLess, kGreater, kOneOf, kNoneOf };
  std::string key;
  Operator op = Operator::kEqual;
  std::vector<std::string> values;  // one, but for kOneOf and kNoneOf
};

enum class Format { kTimeSeries, kTable, kFrame, kAnnotations };

// Options of one query, so that a panel needs no SQL. Empty = not given.
struct Payload {
  std::string sql;  // if given, only `format` counts beside it
  std::string table;
  std::vector<std::string> fields;
  std::string aggregate;
  std::string interval;
  std::vector<std::string> group_by;
  std::string fill;
  std::string alias;
  std::optional<uint64_t> limit;
  std::optional<Format> format;
  std::vector<Filter> filters;
  // Of annotations: the columns that hold their parts.
  std::string title;
  std::string text;
  std::string time_end;
  std::vector<std::string> tags;
};

struct Target {
  std::string ref_id;
  std::string target;
  Payload payload;
};

struct QueryBody {
  std::optional<Range> range;
  int64_t interval_ns = 0;  // 0 = not given
  uint64_t max_data_points = kDataPointsDefault;
  std::vector<Target> targets;  // without hidden ones
  std::vector<Filter> filters;
};

QueryError bad_request(std::string message, std::string hint = {});

// An empty body counts as {}.
QueryResult<Json> parse_body(std::string_view body);
QueryResult<QueryBody> parse_query(const Json& body);
// `range`, `intervalMs`, `maxDataPoints` and the filters of any request, without targets.
QueryResult<QueryBody> parse_context(const Json& body);
// An object, or its text. Null and blank text are no options.
QueryResult<Payload> parse_payload(const Json& json);
QueryResult<std::vector<Filter>> parse_filters(const Json& json);

// The string under `key`; empty when it is absent or null. Numbers and bools as text.
QueryResult<std::string> text_of(const Json& object, std::string_view key);
// A list of names: an array, or the text of one, or {a,b} or (a|b) as Grafana writes a variable of several values; any
// other text is one name.
QueryResult<std::vector<std::string>> list_of(const Json& object, std::string_view key);

}  // namespace varve::grafana
