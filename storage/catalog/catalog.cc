#include "storage/catalog/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <random>

#include "storage/base/kill_point.h"
#include "storage/catalog/database.h"

namespace varve {
namespace {

using Insert = Database::Insert;

constexpr int kSchemaVersion = 1;
constexpr int64_t kApplicationId = 0x76617276;  // "varv": tells our file from any other SQLite file
// Ids are taken from the file in lots, so that most cost no commit; what is left of a lot at exit is never used.
constexpr int64_t kSegmentIdLot = 64;

constexpr const char* kCheckedTables[] = {"tables",   "columns",   "segments", "tombstones",
                                          "removals", "positions", "cursors"};
constexpr const char* kSchema = R"sql(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE tables (id INTEGER PRIMARY KEY, database TEXT NOT NULL, name TEXT NOT NULL, flushed_lsn INTEGER NOT NULL,
                       sum INTEGER NOT NULL, UNIQUE (database, name));
  CREATE TABLE columns (table_id INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
                        type INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (table_id, position)) WITHOUT ROWID;
  CREATE TABLE segments (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, file TEXT NOT NULL, rows INTEGER NOT NULL,
                         bytes INTEGER NOT NULL, series INTEGER NOT NULL, time_min INTEGER NOT NULL,
                         time_max INTEGER NOT NULL, first_lsn INTEGER NOT NULL, last_lsn INTEGER NOT NULL,
                         applied_lsn INTEGER NOT NULL, sum INTEGER NOT NULL);
  CREATE TABLE tombstones (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, file TEXT NOT NULL, lsn INTEGER NOT NULL,
                           sum INTEGER NOT NULL);
  CREATE TABLE removals (file TEXT PRIMARY KEY, sum INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE positions (stream TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
                          sum INTEGER NOT NULL, PRIMARY KEY (stream, partition)) WITHOUT ROWID;
  CREATE TABLE cursors (name TEXT PRIMARY KEY, saved_lsn INTEGER NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
)sql";
// Made with the first name: most stores have none.
constexpr const char* kDatabasesSchema =
    "CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY, sum INTEGER NOT NULL) WITHOUT ROWID";

std::string random_store_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

class SqliteCatalog : public Catalog {
 public:
  explicit SqliteCatalog(std::unique_ptr<Database> database) : db_(std::move(database)) {}

  Result<void> prepare() {
    VARVE_ASSIGN(const int64_t application, db_->number("PRAGMA application_id"));
    VARVE_ASSIGN(const int64_t objects, db_->number("SELECT count(*) FROM sqlite_schema"));
    if (application != kApplicationId && objects != 0) return db_->damaged("it belongs to another program");
    VARVE_TRY(db_->execute("PRAGMA journal_mode=WAL"));
    VARVE_TRY(db_->execute("PRAGMA synchronous=FULL"));
    // What a killed process committed last reads back and yet may not be durable; files are removed on its word, so
    // it is put into the database itself, with a sync, first.
    VARVE_TRY(db_->execute("PRAGMA wal_checkpoint(FULL)"));
    {
      VARVE_ASSIGN(Statement check, db_->statement("PRAGMA integrity_check(1)"));
      if (check.step() != SQLITE_ROW) return db_->failure("check");
      if (check.text(0) != "ok") return db_->damaged(check.text(0));
    }
    VARVE_ASSIGN(const int64_t found, db_->number("PRAGMA user_version"));
    if (found == kSchemaVersion) return {};
    if (found > kSchemaVersion) {
      return unsupported(fmt::format("{} was made by a newer varve (catalog version {}, this one knows {})",
                                     db_->path(), found, kSchemaVersion));
    }
    return db_->transaction([&]() -> Result<void> {
      VARVE_TRY(db_->execute(kSchema));
      for (const char* table : kCheckedTables) VARVE_TRY(db_->count(table));
      VARVE_TRY(set_meta("store_id", std::string_view(random_store_id())));
      for (const char* name : {"positions_lsn", "replay_from_lsn"}) VARVE_TRY(set_meta(name, uint64_t{0}));
      VARVE_TRY(set_meta("next_segment_id", uint64_t{1}));
      VARVE_TRY(db_->execute(fmt::format("PRAGMA application_id={}", kApplicationId)));
      return db_->execute(fmt::format("PRAGMA user_version={}", kSchemaVersion));
    });
  }

  Result<CatalogState> load() override {
    const std::lock_guard lock(mutex_);
    CatalogState state;
    int known = 0;
    VARVE_TRY(db_->read("meta", [&](const Statement& row) {
      const std::string_view name = row.text(0);
      if (name == "store_id") state.store_id = row.text(1);
      if (name == "positions_lsn") state.positions_lsn = row.count(1);
      if (name == "replay_from_lsn") state.replay_from_lsn = row.count(1);
      known += name == "store_id" || name == "positions_lsn" || name == "replay_from_lsn" ||
               name == "next_segment_id";
    }));
    if (known != 4) return db_->damaged("a row of table meta is missing");
    VARVE_TRY(load_tables(state));
    VARVE_TRY(db_->read("removals", [&](const Statement& row) { state.removals.emplace_back(row.text(0)); }));
    VARVE_TRY(db_->read("positions", [&](const Statement& row) {
      state.positions.push_back(
          {std::string(row.text(0)), static_cast<int32_t>(row.integer(1)), row.integer(2)});
    }));
    VARVE_TRY(db_->read("cursors", [&](const Statement& row) {
      state.cursors.emplace(row.text(0), row.count(1));
      state.cursors_lsn = std::max(state.cursors_lsn, row.count(1));
    }));
    VARVE_ASSIGN(const bool has_databases, has_databases_table());
    if (has_databases) {
      VARVE_TRY(
          db_->read("databases", [&](const Statement& row) { state.databases.emplace_back(row.text(0)); }));
    }
    return state;
  }

  Result<uint64_t> allocate_segment_id() override {
    const std::lock_guard lock(mutex_);
    if (next_segment_id_ == segment_ids_end_) {
      VARVE_ASSIGN(const int64_t next, next_segment_id_on_disk());
      VARVE_TRY(set_meta("next_segment_id", next + kSegmentIdLot));
      kill_point("catalog.segment_ids_taken");
      next_segment_id_ = static_cast<uint64_t>(next);
      segment_ids_end_ = static_cast<uint64_t>(next + kSegmentIdLot);
    }
    return next_segment_id_++;
  }

  Result<void> skip_segment_ids(uint64_t used) override {
    const std::lock_guard lock(mutex_);
    VARVE_ASSIGN(const int64_t next, next_segment_id_on_disk());
    if (used < static_cast<uint64_t>(next)) return {};
    next_segment_id_ = segment_ids_end_ = 0;
    return set_meta("next_segment_id", used + 1);
  }

  Result<void> commit(const CatalogChange& change) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      VARVE_TRY(write_table(change));
      VARVE_TRY(add_files(change.table_id, change.added_segments, change.added_tombstones));
      for (const uint64_t id : change.removed_segments) VARVE_TRY(remove_file_row("segments", id));
      for (const uint64_t id : change.removed_tombstones) VARVE_TRY(remove_file_row("tombstones", id));
      for (const char* table : {"tables", "columns", "segments", "tombstones", "removals"}) {
        VARVE_TRY(db_->count(table));
      }
      return {};
    });
  }

  Result<void> replace(const CatalogState& state) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      for (const char* table : kCheckedTables) {
        if (table != std::string_view("cursors")) VARVE_TRY(db_->run(fmt::format("DELETE FROM {}", table)));
      }
      for (const CatalogTable& table : state.tables) {
        VARVE_TRY(db_->insert(Insert::kNew, "tables", uint64_t{table.id}, table.database, table.name,
                              table.flushed_lsn));
        VARVE_TRY(write_columns(table.id, table.columns));
        VARVE_TRY(add_files(table.id, table.segments, table.tombstones));
      }
      for (const std::string& file : state.removals) VARVE_TRY(db_->insert(Insert::kNew, "removals", file));
      VARVE_TRY(write_positions(state.positions, state.positions_lsn, state.replay_from_lsn));
      for (const char* table : kCheckedTables) VARVE_TRY(db_->count(table));
      return {};
    });
  }

  Result<void> finish_removals(const std::vector<std::string>& files) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      for (const std::string& file : files) VARVE_TRY(db_->run("DELETE FROM removals WHERE file = ?", file));
      return db_->count("removals");
    });
  }

  Result<std::optional<Lsn>> cursor(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    std::optional<Lsn> saved;
    VARVE_TRY(db_->read("cursors", [&](const Statement& row) {
      if (row.text(0) == name) saved = row.count(1);
    }));
    return saved;
  }

  Result<void> save_cursor(std::string_view name, Lsn saved) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      VARVE_TRY(db_->insert(Insert::kReplace, "cursors", name, saved));
      return db_->count("cursors");
    });
  }

  Result<void> add_database(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      VARVE_TRY(db_->execute(kDatabasesSchema));
      VARVE_TRY(db_->insert(Insert::kReplace, "databases", name));
      return db_->count("databases");
    });
  }

  Result<void> remove_database(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    return db_->transaction([&]() -> Result<void> {
      VARVE_TRY(db_->execute(kDatabasesSchema));
      VARVE_TRY(db_->run("DELETE FROM databases WHERE name = ?", name));
      return db_->count("databases");
    });
  }

 private:
  // Also when only the number of its rows is left.
  Result<bool> has_databases_table() {
    VARVE_ASSIGN(const int64_t table,
                 db_->number("SELECT count(*) FROM sqlite_schema WHERE name = 'databases'"));
    VARVE_ASSIGN(const int64_t counted,
                 db_->number("SELECT count(*) FROM meta WHERE name = 'rows.databases'"));
    return table + counted > 0;
  }

  Result<void> load_tables(CatalogState& state) {
    std::map<int64_t, size_t> by_id;
    VARVE_TRY(db_->read("tables", [&](const Statement& row) {
      CatalogTable table;
      table.id = static_cast<uint32_t>(row.integer(0));
      table.database = row.text(1);
      table.name = row.text(2);
      table.flushed_lsn = row.count(3);
      by_id.emplace(table.id, state.tables.size());
      state.tables.push_back(std::move(table));
    }));
    bool malformed = false;
    const auto table_of = [&](int64_t id) -> CatalogTable* {
      const auto found = by_id.find(id);
      if (found != by_id.end()) return &state.tables[found->second];
      malformed = true;
      return nullptr;
    };
    VARVE_TRY(db_->read("columns", [&](const Statement& row) {
      const auto type = field_type_from_byte(static_cast<uint8_t>(row.integer(4)));
      const int64_t kind = row.integer(3);
      malformed = malformed || !type || kind < 0 || kind > static_cast<int64_t>(ColumnKind::kField);
      CatalogTable* table = table_of(row.integer(0));
      if (malformed) return;
      table->columns.push_back({std::string(row.text(2)), static_cast<ColumnKind>(kind), *type});
    }));
    VARVE_TRY(db_->read("segments", [&](const Statement& row) {
      CatalogTable* table = table_of(row.integer(1));
      if (table == nullptr) return;
      table->segments.push_back({row.count(0), std::string(row.text(2)), row.count(3), row.count(4),
                                 row.count(5), row.integer(6), row.integer(7), row.count(8), row.count(9),
                                 row.count(10)});
    }));
    VARVE_TRY(db_->read("tombstones", [&](const Statement& row) {
      CatalogTable* table = table_of(row.integer(1));
      if (table != nullptr)
        table->tombstones.push_back({row.count(0), std::string(row.text(2)), row.count(3)});
    }));
    if (malformed) return db_->damaged("a row is malformed or belongs to no table");
    return {};
  }

  Result<void> write_table(const CatalogChange& change) {
    Lsn flushed_lsn = 0;
    if (change.progress) {
      flushed_lsn = change.progress->flushed_lsn;
    } else {
      VARVE_ASSIGN(Statement select, db_->statement("SELECT flushed_lsn FROM tables WHERE id = ?"));
      select.bind(uint64_t{change.table_id});
      if (select.step() == SQLITE_ROW) flushed_lsn = select.count(0);
    }
    // Not a replace, which would take away another table of the same name.
    VARVE_TRY(db_->run("DELETE FROM tables WHERE id = ?", uint64_t{change.table_id}));
    VARVE_TRY(db_->insert(Insert::kNew, "tables", uint64_t{change.table_id}, change.database, change.table,
                          flushed_lsn));
    VARVE_TRY(write_columns(change.table_id, change.columns));
    if (!change.progress) return {};
    VARVE_TRY(write_positions(change.progress->positions, change.progress->positions_lsn,
                              change.progress->replay_from_lsn));
    return db_->count("positions");
  }

  Result<void> write_columns(uint32_t table_id, const std::vector<ColumnInfo>& columns) {
    for (size_t i = 0; i < columns.size(); ++i) {
      VARVE_TRY(db_->insert(Insert::kReplace, "columns", uint64_t{table_id}, uint64_t{i}, columns[i].name,
                            static_cast<int64_t>(columns[i].kind), static_cast<int64_t>(columns[i].type)));
    }
    return {};
  }

  Result<void> write_positions(const std::vector<StreamPosition>& positions, Lsn positions_lsn,
                               Lsn replay_from_lsn) {
    for (const StreamPosition& position : positions) {
      VARVE_TRY(db_->insert(Insert::kReplace, "positions", position.stream, int64_t{position.partition},
                            position.next_offset));
    }
    VARVE_TRY(set_meta("positions_lsn", positions_lsn));
    return set_meta("replay_from_lsn", replay_from_lsn);
  }

  Result<void> add_files(uint32_t table_id, const std::vector<CatalogSegment>& segments,
                         const std::vector<CatalogTombstone>& tombstones) {
    for (const CatalogSegment& s : segments) {
      VARVE_TRY(db_->insert(Insert::kNew, "segments", s.id, uint64_t{table_id}, s.file, s.rows, s.bytes,
                            s.series, s.time_min, s.time_max, s.first_lsn, s.last_lsn, s.applied_lsn));
    }
    for (const CatalogTombstone& t : tombstones) {
      VARVE_TRY(db_->insert(Insert::kNew, "tombstones", t.id, uint64_t{table_id}, t.file, t.lsn));
    }
    return {};
  }

  // `table` is segments or tombstones, which is also the folder of its files.
  Result<void> remove_file_row(const std::string& table, uint64_t id) {
    std::string file;
    {
      VARVE_ASSIGN(Statement select, db_->statement(fmt::format("SELECT file FROM {} WHERE id = ?", table)));
      select.bind(id);
      if (select.step() != SQLITE_ROW) return {};
      file = select.text(0);
    }
    VARVE_TRY(db_->insert(Insert::kReplace, "removals", table + "/" + file));
    return db_->run(fmt::format("DELETE FROM {} WHERE id = ?", table), id);
  }

  Result<int64_t> next_segment_id_on_disk() {
    VARVE_ASSIGN(const int64_t next, db_->number("SELECT value FROM meta WHERE name = 'next_segment_id'"));
    if (next < 1) return db_->damaged("next_segment_id is not a number");
    return next;
  }

  template <class V>
  Result<void> set_meta(std::string_view name, const V& value) {
    return db_->insert(Insert::kReplace, "meta", name, value);
  }

  std::mutex mutex_;  // guards everything below
  const std::unique_ptr<Database> db_;
  uint64_t next_segment_id_ = 0;
  uint64_t segment_ids_end_ = 0;
};

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, const std::string& vfs) {
  VARVE_ASSIGN(auto database, Database::open(path, vfs));
  auto catalog = std::make_unique<SqliteCatalog>(std::move(database));
  VARVE_TRY(catalog->prepare());
  return std::unique_ptr<Catalog>(std::move(catalog));
}

}  // namespace varve
