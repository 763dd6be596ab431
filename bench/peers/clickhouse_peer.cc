// ClickHouse: CSV in large inserts, SQL out as JSONCompact. MergeTree by day, ordered by series then time, tags as
// LowCardinality, LZ4 as by default. This version has no type for milliseconds, so water's times are Int64.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>

#include "bench/peers/peer.h"
#include "bench/peers/sql_text.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;

SqlDialect dialect() {
  return {[](int64_t width_ms, bool water) {
            if (water) return fmt::format("intDiv(time, {0}) * {0}", width_ms);
            return std::string(width_ms == kMinuteMs ? "toStartOfMinute(time)" : "toStartOfHour(time)");
          },
          [](int64_t time_ms, bool water) {
            return water ? std::to_string(time_ms) : fmt::format("toDateTime({})", time_ms / 1000);
          },
          [](const std::string& expression, bool water) {
            return water ? expression : fmt::format("toUInt32({}) * 1000", expression);
          },
          [](const std::string& table, const std::string& key, const std::vector<std::string>& fields) {
            std::vector<std::string> last;
            for (const std::string& field : fields) last.push_back(fmt::format("argMax({}, time)", field));
            return fmt::format("SELECT {0}, {1}, {2} FROM {3} GROUP BY {0}", key,
                               table == "water" ? "max(time)" : "toUInt32(max(time)) * 1000",
                               fmt::join(last, ", "), table);
          }};
}

constexpr const char* kConfig = R"(<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{0}</http_port>
  <tcp_port>{1}</tcp_port>
  <path>{2}/</path>
  <tmp_path>{2}/tmp/</tmp_path>
  <mark_cache_size>5368709120</mark_cache_size>
  <keep_alive_timeout>600</keep_alive_timeout>
  <timezone>UTC</timezone>
  <merge_tree><old_parts_lifetime>1</old_parts_lifetime></merge_tree>
  <users_config>{3}</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <profiles><default>
    <allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type>
    <output_format_json_quote_64bit_integers>0</output_format_json_quote_64bit_integers>
  </default></profiles>
  <users><default><password></password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></default></users>
  <quotas><default></default></quotas>
</yandex>
)";

class ClickhousePeer final : public Peer {
 public:
  explicit ClickhousePeer(const Programs& programs) : packages_(programs.packages) {}
  std::string name() const override { return "clickhouse"; }
  std::string note() const override {
    return "18.16 of Debian 12, LZ4; CSV inserts, not durable when answered; SQL";
  }

  void start() override {
    const std::string config = folder_ / "config.xml";
    std::ofstream(config) << fmt::format(kConfig, port_, test::free_port(), data(), config);
    test::Process::Options options;
    const std::string library = "x86_64-linux-gnu";
    options.environment["LD_LIBRARY_PATH"] =
        fmt::format("{0}/usr/lib/{1}:{0}/lib/{1}", packages_.string(), library);
    run({packages_ / "usr/sbin/clickhouse-server", "--config-file=" + config}, options, "/ping");
    std::string tags;
    for (const char* tag : kCpuTags) tags += fmt::format("{} LowCardinality(String), ", tag);
    sql(fmt::format(
        "CREATE TABLE cpu (time DateTime, {}{} Float64) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) "
        "ORDER BY (hostname, time)",
        tags, fmt::join(kCpuFields, " Float64, ")));
    sql(fmt::format(
        "CREATE TABLE water (time Int64, sensor_id LowCardinality(String), site LowCardinality(String), "
        "{} Float64, {} Int64) ENGINE = MergeTree PARTITION BY intDiv(time, 86400000) "
        "ORDER BY (sensor_id, time)",
        fmt::join(kWaterDoubles, " Float64, "), fmt::join(kWaterInts, " Int64, ")));
  }
  IngestStyle ingest_style() const override { return {Encoding::kCsv, 50'000, 2}; }
  Request insert(Set set, std::string body) const override {
    if (set == Set::kCpu) body = seconds_of(body);
    return {"POST", "/?query=" + test::url_encode(fmt::format("INSERT INTO {} FORMAT CSV", table_name(set))),
            std::move(body)};
  }
  void settle() override {
    sql("OPTIMIZE TABLE cpu FINAL");
    sql("OPTIMIZE TABLE water FINAL");
  }
  std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const override {
    return Request{"POST", "/", sql_text(dialect(), type, arguments) + " FORMAT JSONCompact"};
  }
  Answer parse(const QueryType& type, const std::string& body) const override {
    return answer_of_rows(type, Json::parse(body).at("data"));
  }
  uint64_t count(Set set) const override {
    return std::stoull(sql(fmt::format("SELECT count() FROM {}", table_name(set))));
  }

 private:
  std::string sql(const std::string& text) const { return ask({"POST", "/", text}).body; }

  // A DateTime is read in seconds: cuts the "000" of the first column.
  static std::string seconds_of(const std::string& csv) {
    std::string out;
    out.reserve(csv.size());
    for (size_t at = 0; at < csv.size();) {
      const size_t comma = csv.find(',', at);
      const size_t end = csv.find('\n', comma) + 1;
      out.append(csv, at, comma - at - 3);
      out.append(csv, comma, end - comma);
      at = end;
    }
    return out;
  }

  const std::filesystem::path packages_;
};

}  // namespace

std::unique_ptr<Peer> make_clickhouse(const Programs& programs) {
  return std::make_unique<ClickhousePeer>(programs);
}

}  // namespace varve::bench
