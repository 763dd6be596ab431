#include "api/query/system_table.h"

namespace varve {

SystemTable segments_table(const Engine& engine) {
  using enum ResultType;
  SystemTable table;
  table.name = "varve_segments";
  table.columns = {{"id", kInt64},        {"database", kString},    {"table", kString},
                   {"file", kString},     {"rows", kInt64},         {"bytes", kInt64},
                   {"series", kInt64},    {"time_min", kTimestamp}, {"time_max", kTimestamp},
                   {"first_lsn", kInt64}, {"last_lsn", kInt64}};
  table.rows = [&engine] {
    std::vector<std::vector<Value>> rows;
    for (SegmentInfo& segment : engine.segments()) {
      rows.push_back({static_cast<int64_t>(segment.id), std::move(segment.database), std::move(segment.table),
                      std::move(segment.file), static_cast<int64_t>(segment.rows),
                      static_cast<int64_t>(segment.bytes), static_cast<int64_t>(segment.series),
                      segment.time_min, segment.time_max, static_cast<int64_t>(segment.first_lsn),
                      static_cast<int64_t>(segment.last_lsn)});
    }
    return rows;
  };
  return table;
}

SystemTable queries_table(const QueryService& queries) {
  using enum ResultType;
  SystemTable table;
  table.name = "varve_queries";
  table.columns = {{"id", kInt64},           {"sql", kString},       {"elapsed_ms", kDouble},
                   {"client", kString},      {"waiting", kBool},     {"rows_scanned", kInt64},
                   {"memory_bytes", kInt64}, {"request_id", kString}};
  table.rows = [&queries] {
    std::vector<std::vector<Value>> rows;
    for (RunningQuery& query : queries.running()) {
      rows.push_back({static_cast<int64_t>(query.id), std::move(query.sql), query.elapsed_ms,
                      std::move(query.client), query.waiting, static_cast<int64_t>(query.rows_scanned),
                      static_cast<int64_t>(query.memory_bytes), std::move(query.request_id)});
    }
    return rows;
  };
  return table;
}

}  // namespace varve
