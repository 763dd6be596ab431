// DuckDB, a library: a small Python server holds it, and its times are those inside the process (the header X-Ms of an
// answer), without HTTP and JSON.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/peers/peer.h"
#include "bench/peers/sql_text.h"
#include "storage/base/timestamp.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;

SqlDialect dialect() {
  return {
      [](int64_t width_ms, bool) {
        return fmt::format("date_trunc('{}', time)", width_ms == kMinuteMs ? "minute"
                                                     : width_ms == kHourMs ? "hour"
                                                                           : "day");
      },
      [](int64_t time_ms, bool) {
        std::string text;
        append_timestamp(text, time_ms * 1'000'000);
        text.pop_back();  // Z: the type has no time zone
        return fmt::format("TIMESTAMP '{}'", text);
      },
      [](const std::string& expression, bool) { return fmt::format("epoch_ms({}::TIMESTAMP)", expression); },
      [](const std::string& table, const std::string& key, const std::vector<std::string>& fields) {
        std::vector<std::string> last;
        for (const std::string& field : fields) last.push_back(fmt::format("arg_max({}, time)", field));
        return fmt::format("SELECT {0}, epoch_ms(max(time)), {1} FROM {2} GROUP BY {0}", key,
                           fmt::join(last, ", "), table);
      }};
}

class DuckdbPeer final : public Peer {
 public:
  explicit DuckdbPeer(const Programs& programs) : python_(programs.python), server_(programs.duckdb_server) {}
  std::string name() const override { return "duckdb"; }
  std::string note() const override { return "in process: times without HTTP; CSV loads; SQL"; }
  bool over_http() const override { return false; }

  void start() override {
    run({python_, server_, std::to_string(port_), data() + "/bench.duckdb"}, {}, "/ping");
    std::string tags;
    for (const char* tag : kCpuTags) tags += fmt::format("{} VARCHAR, ", tag);
    sql(fmt::format("CREATE TABLE cpu (time TIMESTAMP, {}{} DOUBLE)", tags,
                    fmt::join(kCpuFields, " DOUBLE, ")));
    sql(fmt::format(
        "CREATE TABLE water (time TIMESTAMP, sensor_id VARCHAR, site VARCHAR, {} DOUBLE, {} BIGINT)",
        fmt::join(kWaterDoubles, " DOUBLE, "), fmt::join(kWaterInts, " BIGINT, ")));
  }
  IngestStyle ingest_style() const override { return {Encoding::kCsv, 100'000, 1}; }
  Request insert(Set set, std::string body) const override {
    return {"POST", fmt::format("/insert/{}", table_name(set)), std::move(body)};
  }
  void settle() override { sql("CHECKPOINT"); }
  std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const override {
    return Request{"POST", "/query", sql_text(dialect(), type, arguments)};
  }
  Answer parse(const QueryType& type, const std::string& body) const override {
    return answer_of_rows(type, Json::parse(body));
  }
  uint64_t count(Set set) const override {
    return Json::parse(sql(fmt::format("SELECT count(*) FROM {}", table_name(set))))
        .at(0)
        .at(0)
        .get<uint64_t>();
  }

 private:
  std::string sql(const std::string& text) const { return ask({"POST", "/query", text}).body; }

  const std::filesystem::path python_;
  const std::filesystem::path server_;
};

}  // namespace

std::unique_ptr<Peer> make_duckdb(const Programs& programs) {
  return std::make_unique<DuckdbPeer>(programs);
}

}  // namespace varve::bench
