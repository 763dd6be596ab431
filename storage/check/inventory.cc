#include "storage/check/inventory.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/checksum.h"
#include "storage/flush.h"
#include "storage/leftovers.h"
#include "storage/segment/byte_source.h"
#include "storage/tombstone/format.h"
#include "storage/wal/format.h"

namespace varve {
namespace {

constexpr uint64_t kReportEveryBytes = 1 << 20;

// Damage is a finding; what else a call returns ends the check.
template <class T>
Result<std::string> damage_of(const Result<T>& result) {
  if (result) return std::string();
  if (result.error().code != ErrorCode::kCorruption) return result.error();
  return result.error().message;
}

class Meter {
 public:
  Meter(const CheckObserver& observer, uint64_t total) : observer_(observer) { now_.bytes_total = total; }
  void add(uint64_t bytes) {
    now_.bytes_done = std::min(now_.bytes_total, now_.bytes_done + bytes);
    unreported_ += bytes;
    if (unreported_ < kReportEveryBytes || !observer_) return;
    unreported_ = 0;
    observer_(now_);
  }
  void finish() {
    now_.bytes_done = now_.bytes_total;
    if (observer_) observer_(now_);
  }

 private:
  const CheckObserver& observer_;
  CheckProgress now_;
  uint64_t unreported_ = 0;
};

Result<std::vector<std::string>> list_or_none(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  if (!names && names.error().code == ErrorCode::kNotFound) return std::vector<std::string>();
  return names;
}

Result<uint64_t> size_of(FileSystem& files, const std::string& path) {
  VARVE_ASSIGN(const auto file, files.open_read(path));
  return file->size();
}

Result<uint64_t> bytes_in(FileSystem& files, const std::string& directory, std::string_view suffix) {
  uint64_t bytes = 0;
  VARVE_ASSIGN(const auto names, list_or_none(files, directory));
  for (const std::string& name : names) {
    if (!name.ends_with(suffix)) continue;
    VARVE_ASSIGN(const uint64_t size, size_of(files, join_path(directory, name)));
    bytes += size;
  }
  return bytes;
}

Result<uint64_t> count_files(FileSystem& files, const std::string& directory) {
  uint64_t count = 0;
  VARVE_ASSIGN(const auto names, list_or_none(files, directory));
  for (const std::string& name : names) {
    const auto inside = files.list(join_path(directory, name));  // one level: quarantine/segments/...
    count += inside ? inside->size() : 1;
  }
  return count;
}

Result<void> read_catalog_into(FileSystem& files, const std::string& path, Inventory& inventory) {
  VARVE_ASSIGN(const bool there, files.exists(path));
  if (!there) {
    inventory.catalog_damage = "catalog.db is missing";
    return {};
  }
  auto state = read_catalog(files, path);
  VARVE_ASSIGN(inventory.catalog_damage, damage_of(state));
  if (state) inventory.catalog = std::move(*state);
  return {};
}

void note_times(const RowBatch& batch, LogFacts& log) {
  if (batch.times.empty()) return;
  const auto [first, last] = std::minmax_element(batch.times.begin(), batch.times.end());
  TimeRange& range =
      log.rows.try_emplace({batch.database, batch.table}, TimeRange{*first, *last}).first->second;
  range.min = std::min(range.min, *first);
  range.max = std::max(range.max, *last);
}

Result<LogFacts> read_log(FileSystem& files, const std::string& directory, Meter& meter) {
  LogFacts log;
  VARVE_ASSIGN(log.span, wal_span(files, directory));
  VARVE_ASSIGN(const auto reader, WalReader::open(files, directory, std::max<Lsn>(log.span.oldest_lsn, 1)));
  std::map<std::pair<std::string, int32_t>, int64_t> positions;
  WalRecordView record;
  while (true) {
    VARVE_ASSIGN(const bool found, reader->next(record));
    if (!found) break;
    ++log.records;
    log.bytes += record.bytes;
    meter.add(record.bytes);
    const auto entry = decode_wal_entry(record.payload);
    VARVE_ASSIGN(std::string damage, damage_of(entry));
    if (!entry) {
      log.unreadable.push_back({record.lsn, std::move(damage)});
      continue;
    }
    if (entry->deletes.empty() && entry->batches.empty() && entry->positions.empty())
      log.blank.push_back(record.lsn);
    for (const RowBatch& batch : entry->batches) note_times(batch, log);
    for (const StreamPosition& position : entry->positions) {
      positions[{position.stream, position.partition}] = position.next_offset;
    }
  }
  for (const auto& [key, next_offset] : positions)
    log.positions.push_back({key.first, key.second, next_offset});
  log.next_lsn = reader->position();
  log.damage = reader->damage();
  VARVE_ASSIGN(log.torn_tail, reader->torn_tail());
  if (log.torn_tail && wal_tail_is_damage(*log.torn_tail)) {
    log.damage.push_back({log.torn_tail->file, 0, log.torn_tail->bytes, log.next_lsn, log.next_lsn});
    log.torn_tail.reset();
  }
  return log;
}

}  // namespace

CatalogSegment SegmentFile::record() const {
  CatalogSegment record;
  record.id = facts->identity.id;
  record.file = name;
  record.rows = facts->rows;
  record.bytes = bytes;
  record.series = facts->series;
  record.time_min = facts->time.min;
  record.time_max = facts->time.max;
  record.first_lsn = facts->identity.first_lsn;
  record.last_lsn = facts->identity.last_lsn;
  record.applied_lsn = facts->identity.applied_lsn;
  return record;
}

bool LogFacts::holds(Lsn first, Lsn last) const {
  if (span.files == 0 || first < span.oldest_lsn || last >= next_lsn) return false;
  const bool lost = std::any_of(damage.begin(), damage.end(), [&](const WalDamage& hole) {
    return hole.first_lost <= last && first <= hole.last_lost;
  });
  const bool bad = std::any_of(unreadable.begin(), unreadable.end(), [&](const Unreadable& record) {
    return first <= record.lsn && record.lsn <= last;
  });
  const bool emptied =
      std::any_of(blank.begin(), blank.end(), [&](Lsn lsn) { return first <= lsn && lsn <= last; });
  return !lost && !bad && !emptied;
}

const SegmentFile* Inventory::find_segment(const std::string& name) const {
  const auto found =
      std::lower_bound(segments.begin(), segments.end(), name,
                       [](const SegmentFile& file, const std::string& wanted) { return file.name < wanted; });
  return found != segments.end() && found->name == name ? &*found : nullptr;
}

Result<SegmentFile> inspect_segment(FileSystem& file_system, const std::string& directory,
                                    const std::string& name) {
  SegmentFile found;
  found.name = name;
  const std::string path = join_path(directory, name);
  VARVE_ASSIGN(auto file, file_system.open_read(path));
  VARVE_ASSIGN(auto source, file_source(std::move(file)));
  found.bytes = source->size();
  const auto reader = SegmentReader::open(std::move(source), "segments/" + name);
  VARVE_ASSIGN(found.damage, damage_of(reader));
  if (!reader) return found;
  const SegmentReader& segment = **reader;
  if (segment_file_name(segment.identity().id) != name) {
    found.damage = fmt::format("segments/{}: it holds segment {}, whose file has another name", name,
                               segment.identity().id);
    return found;
  }
  const auto directory_read = segment.directory();
  VARVE_ASSIGN(found.damage, damage_of(directory_read));
  if (!directory_read) return found;
  found.facts = SegmentFile::Facts{segment.schema(), segment.identity(), segment.rows(), segment.series(),
                                   segment.time_range()};
  std::string key;
  found.series_hashes.reserve((*directory_read)->series());
  for (size_t i = 0; i < (*directory_read)->series(); ++i) {
    key.clear();
    (*directory_read)->append_key(i, key);
    found.series_hashes.push_back(checksum64(key));
  }
  VARVE_ASSIGN(found.damage, damage_of(segment.verify()));
  return found;
}

const TombstoneFound* Inventory::find_tombstone(const std::string& name) const {
  const auto found = std::find_if(tombstones.begin(), tombstones.end(),
                                  [&](const TombstoneFound& file) { return file.name == name; });
  return found == tombstones.end() ? nullptr : &*found;
}

namespace {

Result<TombstoneFound> inspect_tombstone(FileSystem& file_system, const std::string& directory,
                                         const std::string& name) {
  TombstoneFound found;
  found.name = name;
  VARVE_ASSIGN(const std::string bytes, file_system.read_all(join_path(directory, name)));
  const auto file = decode_tombstone(bytes);
  VARVE_ASSIGN(found.damage, damage_of(file));
  if (file && tombstone_file_name(file->id) != name) found.damage = "its file has another delete's name";
  if (!found.damage.empty()) {
    found.damage = fmt::format("tombstones/{}: {}", name, found.damage);
    return found;
  }
  found.id = file->id;
  found.lsn = file->lsn;
  found.table = {file->rows.database, file->rows.table};
  return found;
}

}  // namespace

Result<Inventory> take_inventory(FileSystem& file_system, const std::string& data_directory,
                                 const CheckObserver& observer) {
  Inventory inventory;
  const std::string segments = join_path(data_directory, "segments");
  const std::string log = join_path(data_directory, "wal");
  VARVE_ASSIGN(const auto names, list_or_none(file_system, segments));
  VARVE_ASSIGN(const uint64_t segment_bytes, bytes_in(file_system, segments, ""));
  VARVE_ASSIGN(const uint64_t log_bytes, bytes_in(file_system, log, ".wal"));
  Meter meter(observer, segment_bytes + log_bytes);
  VARVE_TRY(read_catalog_into(file_system, join_path(data_directory, "catalog.db"), inventory));
  for (const std::string& name : names) {
    if (name.ends_with(".tmp")) {
      inventory.segments.push_back({});
      inventory.segments.back().name = name;
      VARVE_ASSIGN(inventory.segments.back().bytes, size_of(file_system, join_path(segments, name)));
      continue;
    }
    VARVE_ASSIGN(auto file, inspect_segment(file_system, segments, name));
    meter.add(file.bytes);
    inventory.segments.push_back(std::move(file));
  }
  const std::string tombstones = join_path(data_directory, "tombstones");
  VARVE_ASSIGN(const auto deletes, list_or_none(file_system, tombstones));
  for (const std::string& name : deletes) {
    if (name.ends_with(".tmp")) continue;
    VARVE_ASSIGN(auto file, inspect_tombstone(file_system, tombstones, name));
    inventory.tombstones.push_back(std::move(file));
  }
  VARVE_ASSIGN(inventory.log, read_log(file_system, log, meter));
  VARVE_ASSIGN(inventory.quarantined, count_files(file_system, join_path(data_directory, kQuarantineFolder)));
  meter.finish();
  return inventory;
}

}  // namespace varve
