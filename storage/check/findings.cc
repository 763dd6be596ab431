#include "storage/check/findings.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {
namespace {

bool same(const CatalogSegment& a, const CatalogSegment& b) {
  return a.id == b.id && a.rows == b.rows && a.bytes == b.bytes && a.series == b.series &&
         a.time_min == b.time_min && a.time_max == b.time_max && a.first_lsn == b.first_lsn &&
         a.last_lsn == b.last_lsn && a.applied_lsn == b.applied_lsn;
}

class Comparison {
 public:
  explicit Comparison(const Inventory& inventory) : inventory_(inventory) {}

  Findings run() {
    if (!inventory_.catalog) {
      out_.catalog_unusable = true;
      problem(inventory_.catalog_damage);
      for (const SegmentFile& file : inventory_.segments) {
        if (!file.damage.empty()) problem(file.damage);
      }
    } else {
      for (const CatalogTable& table : inventory_.catalog->tables) {
        for (const CatalogSegment& record : table.segments) check_listed(table, record);
      }
      check_unlisted();
      check_log_against_catalog();
    }
    check_log();
    return std::move(out_);
  }

 private:
  void problem(std::string text) { out_.problems.push_back(std::move(text)); }

  void check_listed(const CatalogTable& table, const CatalogSegment& record) {
    live_names_.insert(record.file);
    const SegmentFile* file = inventory_.find_segment(record.file);
    if (file == nullptr) {
      problem(fmt::format("segments/{}: missing, but the catalog lists it in table `{}`", record.file,
                          table.name));
      return;
    }
    if (!file->damage.empty()) problem(file->damage);
    if (!file->facts) return;
    const SegmentSchema& schema = file->facts->schema;
    if (schema.database != table.database || schema.table != table.name || !same(record, file->record())) {
      out_.catalog_unusable = true;
      problem(fmt::format("segments/{}: it is not the segment the catalog lists in table `{}`", record.file,
                          table.name));
      return;
    }
    check_columns(table, record.file, schema);
  }

  void check_columns(const CatalogTable& table, const std::string& file, const SegmentSchema& schema) {
    const auto lists = [&](const std::string& name, ColumnKind kind, FieldType type) {
      return std::any_of(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& column) {
        if (column.name != name || column.kind != kind) return false;
        const bool widened = column.type == FieldType::kDouble && type == FieldType::kInt64;
        return kind == ColumnKind::kTag || column.type == type || widened;
      });
    };
    const auto miss = [&](const std::string& name) {
      out_.catalog_unusable = true;
      problem(fmt::format("segments/{}: column `{}` is not as the catalog lists it in table `{}`", file, name,
                          table.name));
    };
    for (const std::string& tag : schema.tags) {
      if (!lists(tag, ColumnKind::kTag, FieldType::kString)) miss(tag);
    }
    for (const SegmentField& field : schema.fields) {
      if (!lists(field.name, ColumnKind::kField, field.type)) miss(field.name);
    }
  }

  void check_unlisted() {
    const CatalogState& state = *inventory_.catalog;
    LiveSegments live;
    live.take(state);
    live.log_holds = [&](Lsn first, Lsn last) {
      return first >= state.replay_from_lsn && inventory_.log.holds(first, last);
    };
    std::vector<UnlistedSegment> unlisted;
    for (const SegmentFile& file : inventory_.segments) {
      if (live_names_.contains(file.name)) {
        if (!file.facts) continue;
        const auto table = live.tables.find({file.facts->schema.database, file.facts->schema.table});
        if (table != live.tables.end()) live.add_replaced(file.facts->identity, table->second);
        continue;
      }
      UnlistedSegment entry;
      entry.name = file.name;
      if (file.facts) {
        entry.identity = file.facts->identity;
        entry.database = file.facts->schema.database;
        entry.table = file.facts->schema.table;
        entry.time = file.facts->time;
      }
      unlisted.push_back(std::move(entry));
    }
    for (const Leftover& leftover : judge_leftovers(unlisted, live)) {
      const std::string text = fmt::format("segments/{}: {}", leftover.name, leftover.reason);
      if (leftover.kind == LeftoverKind::kRemovable) {
        out_.notes.push_back(text);
        continue;
      }
      problem(text);
      if (leftover.kind == LeftoverKind::kNeeded) {
        out_.catalog_unusable = true;
      } else {
        out_.unexplained.push_back(leftover);
      }
    }
  }

  void check_log_against_catalog() {
    const CatalogState& state = *inventory_.catalog;
    const WalSpan& log = inventory_.log.span;
    const Lsn needed = std::max<Lsn>(state.replay_from_lsn, 1);
    if (!log_lacks(state, log)) return;
    out_.catalog_unusable = true;
    problem(log.files == 0
                ? fmt::format("wal: the log is gone, but the catalog needs it from record {} on", needed)
                : fmt::format("wal: the log begins at record {}, but the catalog needs it from record {} on",
                              log.oldest_lsn, needed));
  }

  void check_log() {
    const LogFacts& log = inventory_.log;
    for (const WalDamage& damage : log.damage) {
      const std::string lost = damage.first_lost == damage.last_lost
                                   ? fmt::format("record {}", damage.first_lost)
                                   : fmt::format("records {} to {}", damage.first_lost, damage.last_lost);
      problem(damage.bytes > 0 ? fmt::format("{}: {} damaged bytes at offset {}: {} lost", damage.file,
                                             damage.bytes, damage.offset, lost)
                               : fmt::format("{}: {} missing before it", damage.file, lost));
    }
    for (const LogFacts::Unreadable& record : log.unreadable) {
      problem(fmt::format("wal: record {}: {}", record.lsn, record.reason));
    }
    if (log.torn_tail) {
      out_.notes.push_back(fmt::format("{}: {} bytes at offset {} are a write cut short by a crash",
                                       log.torn_tail->file, log.torn_tail->bytes, log.torn_tail->offset));
    }
  }

  const Inventory& inventory_;
  Findings out_;
  std::set<std::string> live_names_;
};

}  // namespace

Findings compare(const Inventory& inventory) {
  return Comparison(inventory).run();
}

}  // namespace varve
