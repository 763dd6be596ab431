#include "storage/check/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/check/log_repair.h"
#include "storage/check/quarantine_copy.h"
#include "storage/check/rebuild.h"
#include "storage/check/salvage.h"
#include "storage/flush.h"
#include "storage/segment/byte_source.h"

namespace varve {
namespace {

constexpr const char* kCatalogFile = "catalog.db";
constexpr const char* kNewCatalogFile = "catalog.rebuilt.db";
constexpr const char* kCatalogSuffixes[] = {"", "-wal", "-shm", "-journal"};
// A lost catalog gave ids in lots: those of files that are gone must not come again.
constexpr uint64_t kIdsSkipped = 1024;

class Repair {
 public:
  Repair(const CheckOptions& options, const Inventory& inventory, const Findings& findings,
         CheckReport& report)
      : options_(options),
        files_(*options.file_system),
        data_(options.data_directory),
        segments_(join_path(data_, "segments")),
        inventory_(inventory),
        findings_(findings),
        report_(report) {}

  Result<void> run() {
    plan_ = findings_.catalog_unusable ? plan_rebuild(inventory_) : plan_from_catalog(inventory_);
    VARVE_TRY(open_catalog());
    for (const DamagedSegment& segment : plan_.damaged) VARVE_TRY(save_segment(segment));
    if (findings_.catalog_unusable || !plan_.damaged.empty()) VARVE_TRY(write_catalog());
    catalog_.reset();
    VARVE_TRY(clear_away());
    VARVE_TRY(files_.create_directories(join_path(data_, "wal")));
    note_lost_records();
    return repair_log(files_, data_, inventory_.log, report_.repairs);
  }

 private:
  void done(std::string text) { report_.repairs.push_back(std::move(text)); }

  // ---- catalog ----

  // The one there is, or a new one beside where it was.
  Result<void> open_catalog() {
    const bool fresh = !inventory_.catalog;
    if (fresh) {
      for (const char* suffix : kCatalogSuffixes) {
        const std::string path = join_path(data_, std::string(kNewCatalogFile) + suffix);
        VARVE_ASSIGN(const bool stale, files_.exists(path));
        if (stale) VARVE_TRY(files_.remove(path));
      }
    } else if (!findings_.catalog_unusable && plan_.damaged.empty()) {
      return {};
    }
    VARVE_ASSIGN(catalog_, Catalog::open(join_path(data_, fresh ? kNewCatalogFile : kCatalogFile),
                                         options_.catalog_vfs));
    return catalog_->skip_segment_ids(highest_segment_id(inventory_) + (fresh ? kIdsSkipped : 0));
  }

  Result<void> write_catalog() {
    VARVE_TRY(catalog_->replace(plan_.state));
    catalog_.reset();
    size_t segments = 0;
    for (const CatalogTable& table : plan_.state.tables) segments += table.segments.size();
    if (inventory_.catalog) {
      done(fmt::format("catalog.db: brought up to date: {} tables, {} segments", plan_.state.tables.size(),
                       segments));
      return {};
    }
    for (const char* suffix : {"-wal", "-journal"}) {
      VARVE_ASSIGN(const bool open, files_.exists(join_path(data_, std::string(kNewCatalogFile) + suffix)));
      if (open) return Error{ErrorCode::kIo, "the rebuilt catalog could not be closed; run the repair again"};
    }
    // The old catalog goes first: without it a start is refused, and a repair begins again.
    for (const char* suffix : kCatalogSuffixes) {
      const std::string name = std::string(kCatalogFile) + suffix;
      VARVE_ASSIGN(const bool there, files_.exists(join_path(data_, name)));
      if (!there) continue;
      VARVE_ASSIGN(const std::string kept, set_aside(files_, data_, name));
      done(fmt::format("{}: moved to {}", name, kept));
    }
    VARVE_TRY(files_.rename(join_path(data_, kNewCatalogFile), join_path(data_, kCatalogFile)));
    VARVE_TRY(files_.sync_directory(data_));
    done(fmt::format(
        "catalog.db: rebuilt: {} tables, {} segments{}", plan_.state.tables.size(), segments,
        inventory_.log.span.files == 0
            ? "; no log is left, so streams are read again from where their brokers say"
            : "; positions of streams are those of the log, and cursors of sinks start at its oldest "
              "record"));
    return {};
  }

  // ---- segments ----

  Result<void> save_segment(const DamagedSegment& segment) {
    const std::string file = "segments/" + segment.file;
    std::string report = segment.reason + "\n";
    Salvage salvage;
    if (segment.superseded) {
      report += "nothing is lost: its rows are in other segments, or are read again from the log\n";
    } else if (segment.readable) {
      VARVE_ASSIGN(salvage, salvage_of(segment, report));
    } else {
      lose_whole(segment, report);
    }
    if (segment.present) {
      VARVE_ASSIGN(const std::string copy, keep_copy(files_, data_, file));
      VARVE_TRY(write_report(files_, copy, report));
      done(fmt::format("{}: moved to {}{}", file, copy,
                       segment.superseded ? "; nothing is lost with it" : ""));
      moved_.push_back(segment.file);
    }
    if (salvage.image.empty()) return {};
    return add_salvage(segment, salvage);
  }

  Result<Salvage> salvage_of(const DamagedSegment& segment, std::string& report) {
    const std::string path = join_path(segments_, segment.file);
    VARVE_ASSIGN(auto file, files_.open_read(path));
    VARVE_ASSIGN(auto source, file_source(std::move(file)));
    VARVE_ASSIGN(const auto reader, SegmentReader::open(std::move(source), path));
    VARVE_ASSIGN(const uint64_t id, catalog_->allocate_segment_id());
    auto salvage = salvage_segment(reader, id);
    if (!salvage && salvage.error().code != ErrorCode::kInvalidArgument) return salvage;
    if (!salvage) {  // its series are out of order
      lose_whole(segment, report);
      return Salvage();
    }
    for (const Loss& loss : salvage->losses) lose(segment, loss, report);
    return salvage;
  }

  void lose(const DamagedSegment& segment, const Loss& loss, std::string& report) {
    const std::string text =
        fmt::format("table `{}`: segments/{}: {}", segment.table.second, segment.file, describe(loss));
    report += "lost: " + text + "\n";
    report_.losses.push_back(text);
    report_.lost.push_back({segment.table.first, segment.table.second, segment.file, loss});
  }

  void lose_whole(const DamagedSegment& segment, std::string& report) {
    if (segment.identity) return lose(segment, {"", "", segment.time, segment.rows}, report);
    const std::string text =
        fmt::format("segments/{}: all its rows; of which table, series and time is not known", segment.file);
    report += "lost: " + text + "\n";
    report_.losses.push_back(text);
    report_.lost.push_back({"", "", segment.file, {"", "", {}, 0}});
  }

  Result<void> add_salvage(const DamagedSegment& segment, const Salvage& salvage) {
    const auto table = std::find_if(
        plan_.state.tables.begin(), plan_.state.tables.end(),
        [&](const CatalogTable& entry) { return TableName(entry.database, entry.name) == segment.table; });
    if (table == plan_.state.tables.end()) {
      return corruption(fmt::format("segments/{}: its table `{}` is not in the catalog", segment.file,
                                    segment.table.second));
    }
    CatalogSegment record;
    record.id = salvage.identity.id;
    record.file = segment_file_name(record.id);
    record.rows = salvage.rows;
    record.bytes = salvage.image.size();
    record.series = salvage.series;
    record.time_min = salvage.time.min;
    record.time_max = salvage.time.max;
    record.first_lsn = salvage.identity.first_lsn;
    record.last_lsn = salvage.identity.last_lsn;
    record.applied_lsn = salvage.identity.applied_lsn;
    VARVE_TRY(files_.write_atomically(join_path(segments_, record.file), salvage.image));
    done(fmt::format("segments/{}: {} rows saved from {}", record.file, record.rows, segment.file));
    table->segments.push_back(std::move(record));
    return {};
  }

  // ---- what goes ----

  Result<void> clear_away() {
    for (const std::string& name : moved_) VARVE_TRY(files_.remove(join_path(segments_, name)));
    if (!moved_.empty()) VARVE_TRY(files_.sync_directory(segments_));
    VARVE_TRY(clear_earlier_salvage());
    for (const Leftover& leftover : findings_.unexplained) {
      const std::string file = "segments/" + leftover.name;
      if (was_moved(leftover.name) || is_live(leftover.name)) continue;
      VARVE_ASSIGN(const std::string kept, set_aside(files_, data_, file));
      VARVE_TRY(write_report(files_, kept, leftover.reason + "\n"));
      done(fmt::format("{}: moved to {}: {}", file, kept, leftover.reason));
    }
    return {};
  }

  // A repair that was cut short may have written the salvage of a segment, and this one wrote it again.
  Result<void> clear_earlier_salvage() {
    std::set<uint64_t> gone;
    for (const DamagedSegment& segment : plan_.damaged) {
      if (segment.identity) gone.insert(segment.identity->id);
    }
    for (const SegmentFile& file : inventory_.segments) {
      if (!file.facts || is_live(file.name) || was_moved(file.name)) continue;
      const std::vector<uint64_t>& replaces = file.facts->identity.replaces;
      if (std::none_of(replaces.begin(), replaces.end(), [&](uint64_t id) { return gone.contains(id); }))
        continue;
      VARVE_ASSIGN(const std::string kept, set_aside(files_, data_, "segments/" + file.name));
      done(fmt::format("segments/{}: of a repair or merge cut short, moved to {}", file.name, kept));
      moved_.push_back(file.name);
    }
    return {};
  }

  bool was_moved(const std::string& name) const {
    return std::find(moved_.begin(), moved_.end(), name) != moved_.end();
  }
  bool is_live(const std::string& name) const {
    return std::any_of(plan_.state.tables.begin(), plan_.state.tables.end(), [&](const CatalogTable& table) {
      return std::any_of(table.segments.begin(), table.segments.end(),
                         [&](const CatalogSegment& segment) { return segment.file == name; });
    });
  }

  // ---- log ----

  void note_lost_records() {
    report_.losses.insert(report_.losses.end(), plan_.doubts.begin(), plan_.doubts.end());
    std::vector<std::pair<Lsn, Lsn>> lost;
    for (const WalDamage& damage : inventory_.log.damage)
      lost.emplace_back(damage.first_lost, damage.last_lost);
    for (const LogFacts::Unreadable& record : inventory_.log.unreadable)
      lost.emplace_back(record.lsn, record.lsn);
    if (inventory_.catalog && log_lacks(*inventory_.catalog, inventory_.log.span)) {
      const Lsn needed = std::max<Lsn>(inventory_.catalog->replay_from_lsn, 1);
      const Lsn oldest = inventory_.log.span.oldest_lsn;
      lost.emplace_back(needed,
                        oldest == 0 ? std::max(needed, inventory_.catalog->positions_lsn) : oldest - 1);
    }
    const Lsn in_files = inventory_.catalog ? inventory_.catalog->replay_from_lsn : 0;
    for (const auto& [first, last] : lost) {
      report_.losses.push_back(fmt::format(
          "log records {} to {}: {}", first, last,
          last < in_files
              ? "their rows are all in segments, only sinks may miss them"
              : "those of their rows that were not yet in segments; send them again from their source"));
    }
  }

  const CheckOptions& options_;
  FileSystem& files_;
  const std::string data_;
  const std::string segments_;
  const Inventory& inventory_;
  const Findings& findings_;
  CheckReport& report_;
  CatalogPlan plan_;
  std::unique_ptr<Catalog> catalog_;
  std::vector<std::string> moved_;  // in segments/, copied to quarantine/
};

}  // namespace

Result<void> repair_store(const CheckOptions& options, const Inventory& inventory, const Findings& findings,
                          CheckReport& report) {
  return Repair(options, inventory, findings, report).run();
}

}  // namespace varve
