#include "api/cli/status_tables.h"

namespace varve {
namespace {

Value count(uint64_t value) {
  return static_cast<int64_t>(value);
}

template <class T>
Value optional_value(const std::optional<T>& value) {
  return value ? Value(static_cast<int64_t>(*value)) : Value{};
}

}  // namespace

SystemTable ingest_table(std::function<std::vector<SourceStatus>()> sources) {
  using enum ResultType;
  SystemTable table;
  table.name = "varve_ingest";
  table.columns = {{"source", kString},
                   {"kind", kString},
                   {"state", kString},
                   {"detail", kString},
                   {"topic", kString},
                   {"partition", kInt64},
                   {"next_offset", kInt64},
                   {"high_watermark", kInt64},
                   {"lag", kInt64},
                   {"last_event_time", kTimestamp},
                   {"messages_total", kInt64},  // of the whole source
                   {"rows_total", kInt64},
                   {"rejected_total", kInt64}};
  table.rows = [sources = std::move(sources)] {
    std::vector<std::vector<Value>> rows;
    for (const SourceStatus& source : sources()) {
      const auto add = [&](std::vector<Value> partition) {
        auto& row =
            rows.emplace_back(std::vector<Value>{source.name, source.kind, source.state, source.detail});
        for (Value& value : partition) row.push_back(std::move(value));
        for (const uint64_t total : {source.messages_total, source.rows_total, source.rejected_total}) {
          row.push_back(count(total));
        }
      };
      for (const PartitionStatus& partition : source.partitions) {
        add({partition.topic, static_cast<int64_t>(partition.partition),
             static_cast<int64_t>(partition.next_offset), optional_value(partition.high_watermark),
             optional_value(partition.lag), optional_value(partition.last_event_time_ns)});
      }
      if (source.partitions.empty()) add(std::vector<Value>(6));
    }
    return rows;
  };
  return table;
}

SystemTable mirror_table(std::function<std::vector<MirrorStatus>()> mirrors) {
  using enum ResultType;
  SystemTable table;
  table.name = "varve_mirror";
  table.columns = {{"name", kString},
                   {"url", kString},
                   {"state", kString},
                   {"last_error", kString},
                   {"rows_sent_total", kInt64},
                   {"rows_refused_total", kInt64},
                   {"lost_records_total", kInt64},
                   {"backlog_records", kInt64},
                   {"backlog_bytes", kInt64},
                   {"backlog_rows", kInt64},
                   {"backlog_seconds", kDouble}};
  table.rows = [mirrors = std::move(mirrors)] {
    std::vector<std::vector<Value>> rows;
    for (const MirrorStatus& mirror : mirrors()) {
      rows.push_back({mirror.name, mirror.url, mirror.state, mirror.last_error, count(mirror.rows_sent_total),
                      count(mirror.rows_refused_total), count(mirror.lost_records_total),
                      count(mirror.backlog_records), count(mirror.backlog_bytes), count(mirror.backlog_rows),
                      mirror.backlog_seconds});
    }
    return rows;
  };
  return table;
}

}  // namespace varve
