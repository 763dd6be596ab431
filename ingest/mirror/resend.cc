#include "ingest/mirror/resend.h"

#include <algorithm>
#include <map>

namespace varve {
namespace {

constexpr uint64_t kSliceRows = 20'000;     // keeps live rows waiting for well under a second (guessed)
constexpr size_t kChunkBytesMax = 8 << 20;  // as a request
constexpr uint64_t kWidthMaxNs = uint64_t{1} << 62;  // beyond any span of stored times

// b - a for a <= b, whatever their signs.
uint64_t span_ns(int64_t a, int64_t b) {
  return static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
}

uint64_t rows_in(const std::vector<ScanExtent>& extents) {
  uint64_t rows = 0;
  for (const ScanExtent& extent : extents) rows += extent.rows;
  return rows;
}

Result<std::unique_ptr<Scan>> open_scan(const Engine& engine, const ResendRange& range, TimeRange time,
                                        std::vector<std::string>& tags, std::vector<std::string>& fields) {
  VARVE_ASSIGN(const TableInfo table, engine.describe(range.database, range.table));
  for (const ColumnInfo& column : table.columns) {
    if (column.kind == ColumnKind::kTag) tags.push_back(column.name);
    if (column.kind == ColumnKind::kField) fields.push_back(column.name);
  }
  ScanRequest request;
  request.database = range.database;
  request.table = range.table;
  request.fields = fields;
  request.time = time;
  return engine.scan(std::move(request));
}

RowBatch batch_of(const ResendRange& range, const Scan& scan, const ScanBlock& block,
                  const std::vector<std::string>& tags, const std::vector<std::string>& fields) {
  RowBatch batch;
  batch.database = range.database;
  batch.table = range.table;
  batch.times.assign(block.times.begin(), block.times.end());
  for (const std::string& name : tags) {
    const std::string_view value = scan.tags(block.series).value(name);
    if (value.empty()) continue;
    batch.tags.push_back({name, {std::string(value)}, std::vector<uint32_t>(block.rows, 0)});
  }
  const auto types = scan.field_types();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (types[i]) batch.fields.push_back({fields[i], block.columns[i]});
  }
  return batch;
}

}  // namespace

std::vector<ResendRange> ranges_of_records(const Engine& engine, const LineRules& rules, Lsn first,
                                           Lsn last) {
  std::map<std::pair<std::string, std::string>, std::vector<TimeRange>> tables;
  for (const SegmentInfo& segment : engine.segments()) {
    if (segment.last_lsn < first || segment.first_lsn > last || !rules.selects(segment.table)) continue;
    tables[{segment.database, segment.table}].push_back({segment.time_min, segment.time_max});
  }
  std::vector<ResendRange> ranges;
  for (auto& [name, times] : tables) {
    std::sort(times.begin(), times.end(),
              [](const TimeRange& a, const TimeRange& b) { return a.min < b.min; });
    size_t begin = ranges.size();
    for (const TimeRange& time : times) {
      if (ranges.size() > begin && time.min <= ranges.back().time.max) {
        ranges.back().time.max = std::max(ranges.back().time.max, time.max);
      } else {
        ranges.push_back({name.first, name.second, time});
      }
    }
  }
  return ranges;
}

std::vector<ResendRange> ranges_of_tables(const Engine& engine, const LineRules& rules,
                                          const std::string& table, TimeRange time) {
  std::vector<ResendRange> ranges;
  for (const TableInfo& info : engine.tables()) {
    if (!rules.selects(info.name) || (!table.empty() && info.name != table)) continue;
    const TimeRange common{std::max(time.min, info.time_min), std::min(time.max, info.time_max)};
    if (!common.empty()) ranges.push_back({info.database, info.name, common});
  }
  return ranges;
}

Resend::Resend(const Engine& engine, std::vector<ResendRange> ranges)
    : engine_(engine), ranges_(std::move(ranges)) {
  for (const ResendRange& range : ranges_) {
    std::vector<std::string> tags, fields;
    const auto scan = open_scan(engine_, range, range.time, tags, fields);
    if (scan) rows_total_ += rows_in((*scan)->extents());  // if not, slice() tells
  }
  if (!ranges_.empty()) from_ = ranges_[0].time.min;
}

std::string Resend::table() const {
  return at_ < ranges_.size() ? ranges_[at_].database + "." + ranges_[at_].table : std::string();
}

Result<bool> Resend::slice(const LineRules& rules, size_t lines, const Deliver& deliver) {
  while (at_ < ranges_.size()) {
    const ResendRange& range = ranges_[at_];
    const uint64_t left_ns = span_ns(from_, range.time.max);
    if (width_ns_ == 0) {
      std::vector<std::string> tags, fields;
      VARVE_ASSIGN(const auto scan, open_scan(engine_, range, {from_, range.time.max}, tags, fields));
      const uint64_t slices = rows_in(scan->extents()) / kSliceRows + 1;
      width_ns_ = std::clamp<uint64_t>(left_ns / slices, 1, kWidthMaxNs);
    }
    const bool whole = left_ns <= width_ns_;
    const int64_t to =
        whole ? range.time.max : static_cast<int64_t>(static_cast<uint64_t>(from_) + width_ns_ - 1);
    bool stopped = false;
    VARVE_ASSIGN(const uint64_t rows, send(range, {from_, to}, rules, lines, deliver, stopped));
    if (stopped) return false;
    if (rows < kSliceRows / 2) width_ns_ = std::min(width_ns_ * 2, kWidthMaxNs);
    if (rows > kSliceRows * 2) width_ns_ = std::max<uint64_t>(width_ns_ / 2, 1);
    if (whole) {
      ++at_;
      width_ns_ = 0;
      if (at_ < ranges_.size()) from_ = ranges_[at_].time.min;
    } else {
      from_ = to + 1;
    }
    if (rows > 0) return true;  // else an empty stretch: go on
  }
  return false;
}

Result<uint64_t> Resend::send(const ResendRange& range, TimeRange time, const LineRules& rules, size_t lines,
                              const Deliver& deliver, bool& stopped) {
  std::vector<std::string> tags, fields;
  VARVE_ASSIGN(const auto scan, open_scan(engine_, range, time, tags, fields));
  MirrorChunk chunk;
  uint64_t rows = 0;
  const auto hand_over = [&] {
    stopped = !deliver(chunk);
    chunk = {};
    return !stopped;
  };
  for (ScanBlock block;;) {
    VARVE_ASSIGN(const bool more, scan->next(block));
    if (!more) break;
    rows += block.rows;
    add_batch(batch_of(range, *scan, block, tags, fields), 0, rules, chunk);
    if ((chunk.lines >= lines || chunk.bytes >= kChunkBytesMax) && !hand_over()) return rows;
  }
  if (rows > 0) hand_over();  // lines or none: what was left out is counted, too
  return rows;
}

}  // namespace varve
