// GET /api/v1/tables, /api/v1/tables/T (T bare or db.table), /api/v1/status.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "ingest/quarantine.h"
#include "storage/base/nearest.h"
#include "storage/base/timestamp.h"
#include "storage/base/units.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse answer(const Json& json) {
  HttpResponse response = json_response(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Json table_json(const TableInfo& table) {
  const bool empty = table.rows == 0;
  return {{"name", table.name},
          {"database", table.database},
          {"rows", table.rows},
          {"bytes", table.bytes},
          {"series", table.series},
          {"time_min", empty ? Json() : Json(format_timestamp(table.time_min))},
          {"time_max", empty ? Json() : Json(format_timestamp(table.time_max))},
          {"retention", format_duration(table.retention_ns)}};
}

Json column_json(const ColumnInfo& column) {
  const std::string_view type = column.kind == ColumnKind::kTime  ? "timestamp"
                                : column.kind == ColumnKind::kTag ? "string"
                                                                  : field_type_name(column.type);
  return {{"name", column.name}, {"kind", column_kind_name(column.kind)}, {"type", type}};
}

HttpResponse list_tables(const Engine& engine) {
  Json list = Json::array();
  for (const TableInfo& table : engine.tables()) list.push_back(table_json(table));
  return answer({{"tables", std::move(list)}});
}

// A bare name means the default database's table, else the only database's that has it; then db.table is
// tried.
HttpResponse one_table(const Engine& engine, std::string_view name) {
  const std::vector<TableInfo> tables = engine.tables();
  std::vector<const TableInfo*> bare;
  const TableInfo* found = nullptr;
  std::vector<std::string> names;
  for (const TableInfo& table : tables) {
    const std::string full = table.database + "." + table.name;
    names.push_back(table.database == kDefaultDatabase ? table.name : full);
    if (table.name == name) {
      bare.push_back(&table);
      if (table.database == kDefaultDatabase) found = &table;
    } else if (full == name && found == nullptr) {
      found = &table;
    }
  }
  if (found == nullptr && bare.size() > 1) {
    std::string candidates;
    for (const TableInfo* table : bare) candidates += fmt::format(" {}.{}", table->database, table->name);
    return error_response({400, "ambiguous_table", "several databases have this table:" + candidates,
                           std::nullopt, "name it as database.table"});
  }
  if (found == nullptr && bare.size() == 1) found = bare.front();
  if (found == nullptr) {
    const std::string nearest = nearest_name(name, names);
    return error_response({404, "unknown_table", fmt::format("no such table: {}", name), std::nullopt,
                           nearest.empty() ? "" : "did you mean " + nearest + "?"});
  }
  const auto table = engine.describe(found->database, found->name);
  if (!table) return error_response(http_error(table.error()));
  Json json = table_json(*table);
  Json columns = Json::array();
  for (const ColumnInfo& column : table->columns) columns.push_back(column_json(column));
  json["columns"] = std::move(columns);
  return answer(json);
}

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json source_json(const SourceStatus& source) {
  Json partitions = Json::array();
  for (const PartitionStatus& partition : source.partitions) {
    partitions.push_back(
        {{"topic", partition.topic},
         {"partition", partition.partition},
         {"next_offset", partition.next_offset},
         {"high_watermark", optional_json(partition.high_watermark)},
         {"lag", optional_json(partition.lag)},
         {"lag_seconds", optional_json(partition.lag_seconds)},
         {"last_event_time",
          partition.last_event_time_ns ? Json(format_timestamp(*partition.last_event_time_ns)) : Json()},
         {"halted", partition.halted}});
  }
  return {{"name", source.name},
          {"kind", source.kind},
          {"state", source.state},
          {"detail", source.detail},
          {"messages_total", source.messages_total},
          {"rows_total", source.rows_total},
          {"rejected_total", source.rejected_total},
          {"rejected_by_reason", source.rejected_by_reason},
          {"messages_per_second", source.messages_per_second},
          {"rows_per_second", source.rows_per_second},
          {"filtered_total", source.filtered_total},
          {"deduped_total", source.deduped_total},
          {"enrich_misses_total", source.enrich_misses_total},
          {"partitions", std::move(partitions)}};
}

Json resends_json(const std::vector<ResendStatus>& resends) {
  Json all = Json::array();
  for (const ResendStatus& resend : resends) {
    all.push_back({{"id", resend.id},
                   {"kind", resend.kind},
                   {"state", resend.state},
                   {"table", resend.table},
                   {"rows", resend.rows},
                   {"rows_total", resend.rows_total},
                   {"error", resend.error}});
  }
  return all;
}

Json mirror_json(const MirrorStatus& mirror) {
  return {{"name", mirror.name},
          {"url", mirror.url},
          {"state", mirror.state},
          {"backlog_records", mirror.backlog_records},
          {"backlog_rows", mirror.backlog_rows},
          {"backlog_bytes", mirror.backlog_bytes},
          {"backlog_seconds", mirror.backlog_seconds},
          {"rows_sent_total", mirror.rows_sent_total},
          {"rows_refused_total", mirror.rows_refused_total},
          {"lost_records_total", mirror.lost_records_total},
          {"resends", resends_json(mirror.resends)},
          {"last_error", mirror.last_error}};
}

Json compaction_json(const CompactionStatus& compaction) {
  return {{"running_table", compaction.running_table},
          {"running_bytes", compaction.running_bytes},
          {"running_rows_read", compaction.running_rows_read},
          {"segments_due", compaction.segments_due},
          {"damaged_segments", compaction.damaged_segments},
          {"problem", compaction.problem},
          {"merges_total", compaction.merges},
          {"bytes_read_total", compaction.bytes_read},
          {"bytes_written_total", compaction.bytes_written}};
}

uint64_t quarantined_rows(const Engine& engine) {
  const auto table = engine.describe(kDefaultDatabase, kQuarantineTable);
  return table ? table->rows : 0;
}

Json status_json(const HttpServices& services, int64_t started_ns, uint64_t http_rejected) {
  const EngineStatus store = services.engine->status();
  Json sources = Json::array();
  uint64_t rejected = http_rejected;
  for (const SourceStatus& source : services.sources()) {
    rejected += source.rejected_total;
    sources.push_back(source_json(source));
  }
  Json mirrors = Json::array();
  for (const MirrorStatus& mirror : services.mirrors()) mirrors.push_back(mirror_json(mirror));
  const int64_t uptime_ns = services.clock->monotonic_ns() - started_ns;
  return {{"version", VARVE_VERSION},
          {"uptime_seconds", uptime_ns / kNsPerSecond},
          {"ready", !store.failed},
          {"failed", store.failed},
          {"read_only_reason", store.read_only_reason},
          {"retention_suspended_reason", store.retention_suspended_reason},
          {"durability", durability(store.wal_sync)},
          {"disk_free_bytes", store.disk_free_bytes},
          {"store_id", store.store_id},
          {"ingest",
           {{"rows_total", store.rows_written},
            {"bytes_total", store.bytes_written},
            {"rejected_total", rejected},
            {"sources", std::move(sources)}}},
          {"wal",
           {{"bytes", store.wal_bytes},
            {"files", store.wal_files},
            {"last_lsn", store.last_lsn},
            {"durable_lsn", store.durable_lsn}}},
          {"segments", {{"count", store.segments}, {"bytes", store.segment_bytes}}},
          {"compaction", compaction_json(store.compaction)},
          {"memtable", {{"rows", store.memtable_rows}, {"bytes", store.memtable_bytes}}},
          {"mirrors", std::move(mirrors)},
          {"quarantine", {{"rows_total", quarantined_rows(*services.engine)}}}};
}

// The tables of the store that the caller may see.
HttpResponse visible(Engine& engine, const HttpRequest& request,
                     const std::function<HttpResponse(const Engine&)>& answer_from) {
  if (!request.caller.tables) return answer_from(engine);
  return answer_from(ScopedEngine(engine, request.caller.tables));
}

HttpResponse one_table_of_scope(const Engine& engine, std::string_view name, const HttpRequest& request) {
  HttpResponse response = one_table(engine, name);
  if (response.status != 404 || !request.caller.tables) return response;
  return error_response({403,
                         "forbidden",
                         fmt::format("the token is for {} only", request.caller.tables->text()),
                         std::nullopt,
                         {}});
}

}  // namespace

void add_status_routes(Router& router, const HttpServices& services) {
  Engine& engine = *services.engine;
  router.add({"GET", "/api/v1/tables", "tables",
              [&engine](const HttpRequest& request) { return visible(engine, request, list_tables); },
              Access::kRead});
  router.add({"GET", "/api/v1/tables/", "tables",
              [&engine](const HttpRequest& request) {
                return visible(engine, request, [&](const Engine& seen) {
                  return one_table_of_scope(seen, path_rest(request, "/api/v1/tables/"), request);
                });
              },
              Access::kRead});
  const Counter& rejected = http_rows_rejected(*services.metrics);
  router.add({"GET", "/api/v1/status", "status",
              [&services, &rejected, started = services.clock->monotonic_ns()](const HttpRequest&) {
                return answer(status_json(services, started, rejected.value()));
              },
              Access::kReadAll});
}

}  // namespace varve
