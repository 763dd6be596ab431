#include "storage/check/rebuild.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "storage/check/findings.h"

namespace varve {
namespace {

DamagedSegment damaged(const SegmentFile& file) {
  DamagedSegment out;
  out.file = file.name;
  out.reason = file.damage;
  if (!file.facts) return out;
  out.table = {file.facts->schema.database, file.facts->schema.table};
  out.identity = file.facts->identity;
  out.time = file.facts->time;
  out.rows = file.facts->rows;
  out.readable = true;
  return out;
}

bool is_temporary(const SegmentFile& file) {
  return file.name.ends_with(".tmp");
}

// ---- which segments are live ----

struct Live {
  std::vector<const SegmentFile*> segments;
  std::vector<DamagedSegment> damaged;
};

Live find_live(const Inventory& inventory) {
  std::set<uint64_t> whole, replaced;
  for (const SegmentFile& file : inventory.segments) {
    if (file.whole()) whole.insert(file.facts->identity.id);
  }
  const auto all_whole = [&](const std::vector<uint64_t>& ids) {
    return std::all_of(ids.begin(), ids.end(), [&](uint64_t id) { return whole.contains(id); });
  };
  for (const SegmentFile& file : inventory.segments) {
    if (!file.whole() || !all_whole(file.facts->identity.parts)) continue;
    replaced.insert(file.facts->identity.replaces.begin(), file.facts->identity.replaces.end());
  }
  std::set<std::string> removed;
  if (inventory.catalog)
    removed.insert(inventory.catalog->removals.begin(), inventory.catalog->removals.end());
  Live live;
  for (const SegmentFile& file : inventory.segments) {
    if (is_temporary(file) || removed.contains("segments/" + file.name)) continue;
    const bool superseded = file.facts && replaced.contains(file.facts->identity.id);
    if (file.whole()) {
      if (!superseded) live.segments.push_back(&file);
      continue;
    }
    DamagedSegment entry = damaged(file);
    entry.superseded = superseded;
    if (file.facts && !file.facts->identity.replaces.empty() && all_whole(file.facts->identity.replaces)) {
      entry.superseded = true;  // the merge's inputs are all still there
    }
    live.damaged.push_back(std::move(entry));
  }
  return live;
}

// Deletes whose tables have segments: without any there is nothing to hide.
void take_tombstones(const Inventory& inventory, std::map<TableName, CatalogTable>& tables,
                     std::vector<std::string>& doubts) {
  std::set<std::string> wanted;
  for (auto& [name, table] : tables) {
    for (const CatalogTombstone& record : table.tombstones) wanted.insert(record.file);
    table.tombstones.clear();
  }
  for (const TombstoneFound& file : inventory.tombstones) {
    wanted.erase(file.name);
    const auto table = tables.find(file.table);
    if (!file.damage.empty()) {
      doubts.push_back(file.damage + ": rows of its delete may be seen again; delete them again");
    } else if (table != tables.end()) {
      table->second.tombstones.push_back({file.id, file.name, file.lsn});
    }
  }
  for (const std::string& name : wanted) {
    doubts.push_back(
        fmt::format("tombstones/{}: missing: rows of its delete may be seen again; delete them again", name));
  }
}

// ---- columns ----

class Columns {
 public:
  explicit Columns(std::vector<ColumnInfo> known) : known_(std::move(known)) {}

  void add(const SegmentSchema& schema) {
    const bool placed = !schema.positions.empty();
    for (size_t i = 0; i < schema.tags.size(); ++i) {
      add({schema.tags[i], ColumnKind::kTag, FieldType::kString}, placed ? schema.positions[i] : UINT32_MAX);
    }
    for (size_t i = 0; i < schema.fields.size(); ++i) {
      add({schema.fields[i].name, ColumnKind::kField, schema.fields[i].type},
          placed ? schema.positions[schema.tags.size() + i] : UINT32_MAX);
    }
  }

  std::vector<ColumnInfo> finish() {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.position < b.position; });
    for (Found& column : found_) known_.push_back(std::move(column.info));
    return std::move(known_);
  }

 private:
  struct Found {
    ColumnInfo info;
    uint32_t position;  // UINT32_MAX = not known: after the others, in the order they were met
  };

  void add(ColumnInfo column, uint32_t position) {
    for (ColumnInfo& known : known_) {
      if (known.name == column.name) return widen(known, column);
    }
    for (Found& found : found_) {
      if (found.info.name != column.name) continue;
      found.position = std::min(found.position, position);
      return widen(found.info, column);
    }
    found_.push_back({std::move(column), position});
  }
  static void widen(ColumnInfo& known, const ColumnInfo& other) {
    if (known.type == FieldType::kInt64 && other.type == FieldType::kDouble) known.type = FieldType::kDouble;
  }

  std::vector<ColumnInfo> known_;
  std::vector<Found> found_;
};

// ---- what can be read again from the log ----

Lsn newest_of(const Inventory& inventory, const TableName& table) {
  Lsn newest = 0;
  for (const SegmentFile& file : inventory.segments) {
    if (!file.facts || TableName(file.facts->schema.database, file.facts->schema.table) != table) continue;
    newest = std::max(newest, file.facts->identity.last_lsn);
  }
  return newest;
}

// Whether replaying the log from `first` on puts no older write of the table over a newer one: it has no holes, and
// where it ends before the table's newest segments, those hold other times.
bool log_replays(const Inventory& inventory, const TableName& table, Lsn first) {
  const LogFacts& log = inventory.log;
  if (log.next_lsn <= first || !log.holds(first, log.next_lsn - 1)) return false;
  const auto rows = log.rows.find(table);
  if (rows == log.rows.end()) return true;
  return std::none_of(inventory.segments.begin(), inventory.segments.end(), [&](const SegmentFile& file) {
    return file.facts && TableName(file.facts->schema.database, file.facts->schema.table) == table &&
           file.facts->identity.last_lsn >= log.next_lsn &&
           file.facts->time.overlaps(rows->second.min, rows->second.max);
  });
}

// Damaged segments whose rows the log still has are read from it again.
void take_from_log(const Inventory& inventory, CatalogPlan& plan) {
  for (DamagedSegment& segment : plan.damaged) {
    if (segment.superseded || !segment.identity) continue;
    const Lsn first = segment.identity->first_lsn;
    const auto table = std::find_if(
        plan.state.tables.begin(), plan.state.tables.end(),
        [&](const CatalogTable& entry) { return TableName(entry.database, entry.name) == segment.table; });
    const bool held = inventory.log.next_lsn > segment.identity->last_lsn;
    if (first == 0 || table == plan.state.tables.end() || !held ||
        !log_replays(inventory, segment.table, first))
      continue;
    table->flushed_lsn = std::min(table->flushed_lsn, first - 1);
    plan.state.replay_from_lsn = std::min(std::max<Lsn>(plan.state.replay_from_lsn, 1), first);
    segment.superseded = true;
  }
}

// ---- the whole state ----

void set_log_state(const Inventory& inventory, CatalogState& state) {
  const LogFacts& log = inventory.log;
  Lsn newest = log.next_lsn - 1;
  for (const SegmentFile& file : inventory.segments) {
    if (file.facts) newest = std::max(newest, file.facts->identity.last_lsn);
  }
  state.replay_from_lsn = log.span.files != 0 ? log.span.oldest_lsn : newest + 1;
  if (state.positions_lsn < log.next_lsn - 1) {
    std::map<std::pair<std::string, int32_t>, int64_t> positions;
    for (const std::vector<StreamPosition>& list : {state.positions, log.positions}) {
      for (const StreamPosition& p : list) positions[{p.stream, p.partition}] = p.next_offset;
    }
    state.positions.clear();
    for (const auto& [key, next_offset] : positions)
      state.positions.push_back({key.first, key.second, next_offset});
  }
  // No later record may get an lsn up to it.
  state.positions_lsn = std::max(state.positions_lsn, newest);
}

}  // namespace

CatalogPlan plan_from_catalog(const Inventory& inventory) {
  CatalogPlan plan;
  plan.state = *inventory.catalog;
  for (CatalogTable& table : plan.state.tables) {
    std::erase_if(table.segments, [&](const CatalogSegment& record) {
      const SegmentFile* file = inventory.find_segment(record.file);
      if (file != nullptr && file->whole()) return false;
      DamagedSegment entry = file != nullptr ? damaged(*file) : DamagedSegment();
      entry.file = record.file;
      entry.present = file != nullptr;
      if (!entry.present) entry.reason = fmt::format("segments/{}: missing", record.file);
      if (!entry.identity) {
        entry.table = {table.database, table.name};
        entry.identity =
            SegmentIdentity{record.id, record.first_lsn, record.last_lsn, record.applied_lsn, {}, {}};
        entry.time = {record.time_min, record.time_max};
        entry.rows = record.rows;
      }
      plan.damaged.push_back(std::move(entry));
      return true;
    });
  }
  take_from_log(inventory, plan);
  return plan;
}

CatalogPlan plan_rebuild(const Inventory& inventory) {
  CatalogPlan plan;
  Live live = find_live(inventory);
  plan.damaged = std::move(live.damaged);
  std::map<TableName, CatalogTable> tables;
  uint32_t next_table_id = 1;
  if (inventory.catalog) {
    plan.state = *inventory.catalog;
    for (CatalogTable& table : plan.state.tables) {
      next_table_id = std::max(next_table_id, table.id + 1);
      table.segments.clear();
      tables.emplace(TableName(table.database, table.name), std::move(table));
    }
    plan.state.tables.clear();
  }
  // By age, so that columns whose places are not known come in the order of their first segments.
  std::stable_sort(live.segments.begin(), live.segments.end(),
                   [](const SegmentFile* a, const SegmentFile* b) {
                     return a->facts->identity.last_lsn < b->facts->identity.last_lsn;
                   });
  std::map<TableName, Columns> columns;
  const auto table_of = [&](const TableName& name) -> CatalogTable& {
    CatalogTable& table = tables[name];
    if (table.id == 0) table.id = next_table_id++;
    table.database = name.first;
    table.name = name.second;
    columns.try_emplace(name, table.columns);
    return table;
  };
  for (const SegmentFile* file : live.segments) {
    const TableName name(file->facts->schema.database, file->facts->schema.table);
    table_of(name).segments.push_back(file->record());
    columns.at(name).add(file->facts->schema);
  }
  for (const DamagedSegment& segment : plan.damaged) {
    if (!segment.readable) continue;
    table_of(segment.table);
    columns.at(segment.table).add(inventory.find_segment(segment.file)->facts->schema);
  }
  set_log_state(inventory, plan.state);
  take_tombstones(inventory, tables, plan.doubts);
  for (auto& [name, table] : tables) {
    if (const auto found = columns.find(name); found != columns.end()) table.columns = found->second.finish();
    std::sort(table.segments.begin(), table.segments.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    table.flushed_lsn = std::max(inventory.catalog ? table.flushed_lsn : 0, newest_of(inventory, name));
    const Lsn oldest = inventory.log.span.oldest_lsn;
    if (oldest != 0 && log_replays(inventory, name, oldest)) {
      table.flushed_lsn = std::min(table.flushed_lsn, oldest - 1);
    } else if (inventory.log.rows.contains(name) && oldest <= table.flushed_lsn) {
      plan.doubts.push_back(
          fmt::format("table `{}`: rows of log records {} to {} that were not yet in segments: the log has "
                      "holes or ends before the "
                      "table's newest segments, so what is older than those was not read again",
                      table.name, oldest, std::min(table.flushed_lsn, inventory.log.next_lsn - 1)));
    }
    plan.state.tables.push_back(std::move(table));
  }
  take_from_log(inventory, plan);
  return plan;
}

uint64_t highest_segment_id(const Inventory& inventory) {
  uint64_t highest = 0;
  for (const SegmentFile& file : inventory.segments) {
    uint64_t id = 0;
    const auto [end, failed] = std::from_chars(file.name.data(), file.name.data() + file.name.size(), id, 16);
    if (failed == std::errc() && *end == '.') highest = std::max(highest, id);
    if (file.facts) highest = std::max(highest, file.facts->identity.id);
  }
  for (const TombstoneFound& file : inventory.tombstones) highest = std::max(highest, file.id);
  return highest;
}

}  // namespace varve
