// Arbitrary bytes as the body of a request of Grafana's JSON datasources, for each of its routes over a small store: an
// answer that is JSON, or an error; never a crash. The first byte chooses the route, the rest is the body.
#include <cmath>
#include <memory>

#include "api/grafana/catalog.h"
#include "api/grafana/service.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_engine.h"

namespace varve::fuzz {
namespace {

struct Store {
  MemoryEngine engine;
  MetricsRegistry metrics;
  std::unique_ptr<QueryService> queries;
};

// They only read: one store for all inputs.
Store& store() {
  static Store* const filled = [] {
    auto* const made = new Store();
    made->engine.block_rows = 5;
    for (int row = 0; row < 40; ++row) {
      MemoryEngine::Fields fields{{"ph", row % 7 == 0 ? Value(std::nan("")) : Value(row / 4.0)},
                                  {"n", int64_t{row % 5 == 0 ? INT64_MAX : row}},
                                  {"ok", row % 3 == 0},
                                  {"note", std::string(row % 11, '"')}};
      fields.resize(static_cast<size_t>(1 + row % 4));
      made->engine.insert(row % 9 == 0 ? "lab" : "varve", row % 9 == 0 ? "wells.deep" : "readings",
                          1'767'225'600'000'000'000 + row * kNsPerSecond,
                          {{"site", row % 2 == 0 ? "a" : "b"}}, fields);
    }
    QueryOptions options;
    options.max_memory_bytes = 16 << 20;
    options.max_rows = 10'000;
    options.timeout_ns = 5 * kNsPerSecond;
    made->queries = std::make_unique<QueryService>(made->engine, options, made->metrics);
    return made;
  }();
  return *filled;
}

void check_json(const std::string& text) {
  VARVE_CHECK(nlohmann::json::accept(text));
}

}  // namespace

void grafana(const uint8_t* data, size_t size) {
  if (size == 0) return;
  const auto body = grafana::parse_body({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!body) return;
  Store& in = store();
  const grafana::Service service(in.engine, *in.queries);
  const QueryRequest request;
  std::string answer;
  const grafana::Put put = [&](std::string_view part) {
    answer += part;
    return true;
  };
  QueryResult<bool> outcome = true;
  switch (*data % 8) {
    default: {
      const auto query = grafana::parse_query(*body);
      if (!query) return;
      outcome = service.query(request, *query, put);
      break;
    }
    case 3:
      outcome = service.variable(request, *body, put);
      break;
    case 4:
      outcome = service.search(request, *body, put);
      break;
    case 5:
      outcome = service.annotations(request, *body, put);
      break;
    case 6:
      outcome = service.tag_values(request, *body, put);
      break;
    case 7:
      if (const auto options = grafana::payload_options_json(in.engine, *body)) check_json(*options);
      return;
  }
  if (!outcome) return;
  VARVE_CHECK(*outcome);
  check_json(answer);
}

}  // namespace varve::fuzz
