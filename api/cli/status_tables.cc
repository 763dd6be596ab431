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

std::string reasons_text(const std::map<std::string, uint64_t>& rejected) {
  std::string text;
  for (const auto& [reason, count] : rejected) {
    if (!text.empty()) text += ' ';
    text += reason + "=" + std::to_string(count);
  }
  return text;
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
                   {"lag_seconds", kDouble},
                   {"last_event_time", kTimestamp},
                   {"messages_total", kInt64},  // of the whole source
                   {"rows_total", kInt64},
                   {"rejected_total", kInt64},
                   {"rejected_by_reason", kString},  // "bad_time=2 no_time=1"
                   {"messages_per_second", kDouble},
                   {"rows_per_second", kDouble},
                   {"filtered_total", kInt64},
                   {"deduped_total", kInt64},
                   {"enrich_misses_total", kInt64}};
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
        row.emplace_back(reasons_text(source.rejected_by_reason));
        row.emplace_back(source.messages_per_second);
        row.emplace_back(source.rows_per_second);
        for (const uint64_t total :
             {source.filtered_total, source.deduped_total, source.enrich_misses_total}) {
          row.push_back(count(total));
        }
      };
      for (const PartitionStatus& partition : source.partitions) {
        add({partition.topic, static_cast<int64_t>(partition.partition),
             static_cast<int64_t>(partition.next_offset), optional_value(partition.high_watermark),
             optional_value(partition.lag), partition.lag_seconds ? Value(*partition.lag_seconds) : Value{},
             optional_value(partition.last_event_time_ns)});
      }
      if (source.partitions.empty()) add(std::vector<Value>(7));
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
