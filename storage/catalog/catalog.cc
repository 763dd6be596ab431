#include "storage/catalog/catalog.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <map>
#include <mutex>
#include <random>

namespace varve {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int64_t kApplicationId = 0x76617276;  // "varv": tells our file from any other SQLite file
constexpr int kBusyTimeoutMs = 2000;  // a backup or an inspector may hold the file for a moment (guessed)
// Ids are taken from the file in lots, so that most cost no commit; what is left of a lot at exit is never used.
constexpr int64_t kSegmentIdLot = 64;

constexpr const char* kSchema = R"sql(
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE tables (id INTEGER PRIMARY KEY, database TEXT NOT NULL, name TEXT NOT NULL, flushed_lsn INTEGER NOT NULL,
                       UNIQUE (database, name));
  CREATE TABLE columns (table_id INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
                        type INTEGER NOT NULL, PRIMARY KEY (table_id, position)) WITHOUT ROWID;
  CREATE TABLE segments (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, file TEXT NOT NULL, rows INTEGER NOT NULL,
                         bytes INTEGER NOT NULL, series INTEGER NOT NULL, time_min INTEGER NOT NULL,
                         time_max INTEGER NOT NULL, first_lsn INTEGER NOT NULL, last_lsn INTEGER NOT NULL);
  CREATE TABLE positions (stream TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
                          PRIMARY KEY (stream, partition)) WITHOUT ROWID;
  CREATE TABLE cursors (name TEXT PRIMARY KEY, saved_lsn INTEGER NOT NULL) WITHOUT ROWID;
)sql";

std::string random_store_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~Statement() { sqlite3_finalize(statement_); }

  void bind(std::string_view text) {
    const char* bytes = text.data() == nullptr ? "" : text.data();  // a null pointer would bind NULL
    sqlite3_bind_text64(statement_, ++bound_, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void bind(int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }
  void bind(uint64_t number) { bind(static_cast<int64_t>(number)); }
  int step() { return sqlite3_step(statement_); }
  int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  uint64_t count(int column) { return static_cast<uint64_t>(integer(column)); }
  std::string text(int column) {
    const void* bytes = sqlite3_column_blob(statement_, column);
    if (bytes == nullptr) return {};
    return {static_cast<const char*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class SqliteCatalog : public Catalog {
 public:
  SqliteCatalog(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  ~SqliteCatalog() override { sqlite3_close(db_); }

  Result<void> prepare() {
    sqlite3_busy_timeout(db_, kBusyTimeoutMs);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    VARVE_ASSIGN(const int64_t application, number("PRAGMA application_id"));
    VARVE_ASSIGN(const int64_t objects, number("SELECT count(*) FROM sqlite_schema"));
    if (application != kApplicationId && objects != 0) return damaged("it belongs to another program");
    VARVE_TRY(execute("PRAGMA journal_mode=WAL"));
    VARVE_TRY(execute("PRAGMA synchronous=FULL"));
    {
      VARVE_ASSIGN(Statement check, statement("PRAGMA quick_check(1)"));
      if (check.step() != SQLITE_ROW) return failure("check");
      if (const std::string found = check.text(0); found != "ok") return damaged(found);
    }
    VARVE_ASSIGN(const int64_t found, number("PRAGMA user_version"));
    if (found == kSchemaVersion) return {};
    if (found > kSchemaVersion) {
      return unsupported(fmt::format("{} was made by a newer varve (catalog version {}, this one knows {})",
                                     path_, found, kSchemaVersion));
    }
    return transaction([&]() -> Result<void> {
      VARVE_TRY(execute(kSchema));
      VARVE_TRY(set_meta("store_id", std::string_view(random_store_id())));
      VARVE_TRY(execute(fmt::format("PRAGMA application_id={}", kApplicationId).c_str()));
      return execute(fmt::format("PRAGMA user_version={}", kSchemaVersion).c_str());
    });
  }

  Result<CatalogState> load() override {
    const std::lock_guard lock(mutex_);
    CatalogState state;
    VARVE_ASSIGN(Statement meta, statement("SELECT name, value FROM meta"));
    VARVE_TRY(for_each_row(meta, [&] {
      const std::string name = meta.text(0);
      if (name == "store_id") state.store_id = meta.text(1);
      if (name == "positions_lsn") state.positions_lsn = meta.count(1);
      if (name == "replay_from_lsn") state.replay_from_lsn = meta.count(1);
    }));
    std::map<uint32_t, size_t> by_id;
    VARVE_TRY(load_tables(state, by_id));
    VARVE_ASSIGN(Statement segments,
                 statement("SELECT table_id, id, file, rows, bytes, series, time_min, time_max, "
                           "first_lsn, last_lsn FROM segments ORDER BY id"));
    bool orphan = false;
    VARVE_TRY(for_each_row(segments, [&] {
      const auto table = by_id.find(static_cast<uint32_t>(segments.integer(0)));
      if (table == by_id.end()) {
        orphan = true;
        return;
      }
      state.tables[table->second].segments.push_back(
          {segments.count(1), segments.text(2), segments.count(3), segments.count(4), segments.count(5),
           segments.integer(6), segments.integer(7), segments.count(8), segments.count(9)});
    }));
    if (orphan) return corruption(path_ + ": a segment belongs to no table");
    VARVE_ASSIGN(Statement positions, statement("SELECT stream, partition, next_offset FROM positions"));
    VARVE_TRY(for_each_row(positions, [&] {
      state.positions.push_back(
          {positions.text(0), static_cast<int32_t>(positions.integer(1)), positions.integer(2)});
    }));
    VARVE_ASSIGN(Statement cursors, statement("SELECT coalesce(max(saved_lsn), 0) FROM cursors"));
    VARVE_TRY(for_each_row(cursors, [&] { state.cursors_lsn = cursors.count(0); }));
    return state;
  }

  Result<uint64_t> allocate_segment_id() override {
    const std::lock_guard lock(mutex_);
    if (next_segment_id_ == segment_ids_end_) {
      VARVE_TRY(execute("INSERT OR IGNORE INTO meta VALUES ('next_segment_id', 1)"));
      VARVE_ASSIGN(Statement take,
                   statement("UPDATE meta SET value = value + ? WHERE name = 'next_segment_id' "
                             "RETURNING value"));
      take.bind(kSegmentIdLot);
      int64_t end = 0;
      VARVE_TRY(for_each_row(take, [&] { end = take.integer(0); }));
      if (end < kSegmentIdLot) return corruption(path_ + ": next_segment_id is missing");
      segment_ids_end_ = static_cast<uint64_t>(end);
      next_segment_id_ = segment_ids_end_ - static_cast<uint64_t>(kSegmentIdLot);
    }
    return next_segment_id_++;
  }

  Result<void> publish_flush(const FlushPublication& publication) override {
    const std::lock_guard lock(mutex_);
    return transaction([&]() -> Result<void> {
      VARVE_TRY(run(
          "INSERT INTO tables VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET flushed_lsn = "
          "excluded.flushed_lsn",
          uint64_t{publication.table_id}, publication.database, publication.table, publication.flushed_lsn));
      for (size_t i = 0; i < publication.columns.size(); ++i) {
        const ColumnInfo& column = publication.columns[i];
        VARVE_TRY(run("INSERT OR REPLACE INTO columns VALUES (?, ?, ?, ?, ?)", uint64_t{publication.table_id},
                      uint64_t{i}, column.name, static_cast<int64_t>(column.kind),
                      static_cast<int64_t>(column.type)));
      }
      for (const CatalogSegment& segment : publication.segments) {
        VARVE_TRY(run("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", segment.id,
                      uint64_t{publication.table_id}, segment.file, segment.rows, segment.bytes,
                      segment.series, segment.time_min, segment.time_max, segment.first_lsn,
                      segment.last_lsn));
      }
      for (const StreamPosition& position : publication.positions) {
        VARVE_TRY(run("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", position.stream,
                      int64_t{position.partition}, position.next_offset));
      }
      VARVE_TRY(set_meta("positions_lsn", publication.positions_lsn));
      return set_meta("replay_from_lsn", publication.replay_from_lsn);
    });
  }

  Result<void> drop_segments(const std::vector<uint64_t>& ids) override {
    const std::lock_guard lock(mutex_);
    return transaction([&]() -> Result<void> {
      for (const uint64_t id : ids) VARVE_TRY(run("DELETE FROM segments WHERE id = ?", id));
      return {};
    });
  }

  Result<std::optional<Lsn>> cursor(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    VARVE_ASSIGN(Statement select, statement("SELECT saved_lsn FROM cursors WHERE name = ?"));
    select.bind(name);
    std::optional<Lsn> saved;
    VARVE_TRY(for_each_row(select, [&] { saved = select.count(0); }));
    return saved;
  }

  Result<void> save_cursor(std::string_view name, Lsn saved) override {
    const std::lock_guard lock(mutex_);
    return run("INSERT OR REPLACE INTO cursors VALUES (?, ?)", name, saved);
  }

 private:
  Result<void> load_tables(CatalogState& state, std::map<uint32_t, size_t>& by_id) {
    VARVE_ASSIGN(Statement tables,
                 statement("SELECT id, database, name, flushed_lsn FROM tables ORDER BY id"));
    VARVE_TRY(for_each_row(tables, [&] {
      CatalogTable table;
      table.id = static_cast<uint32_t>(tables.integer(0));
      table.database = tables.text(1);
      table.name = tables.text(2);
      table.flushed_lsn = tables.count(3);
      by_id.emplace(table.id, state.tables.size());
      state.tables.push_back(std::move(table));
    }));
    VARVE_ASSIGN(Statement columns,
                 statement("SELECT table_id, name, kind, type FROM columns ORDER BY table_id, position"));
    bool malformed = false;
    VARVE_TRY(for_each_row(columns, [&] {
      const auto table = by_id.find(static_cast<uint32_t>(columns.integer(0)));
      const int64_t type_byte = columns.integer(3);
      const auto type = field_type_from_byte(static_cast<uint8_t>(type_byte));
      const int64_t kind = columns.integer(2);
      if (table == by_id.end() || !type || type_byte > UINT8_MAX || type_byte < 0 || kind < 0 ||
          kind > static_cast<int64_t>(ColumnKind::kField)) {
        malformed = true;
        return;
      }
      state.tables[table->second].columns.push_back({columns.text(1), static_cast<ColumnKind>(kind), *type});
    }));
    if (malformed) return corruption(path_ + ": a column is malformed or belongs to no table");
    return {};
  }

  Error failure(std::string_view what) const {
    const int code = sqlite3_errcode(db_);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return damaged(sqlite3_errmsg(db_));
    const std::string text = fmt::format("cannot {} the catalog {}: {}", what, path_, sqlite3_errmsg(db_));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return unavailable(text + "; another program holds it");
    if (code == SQLITE_CONSTRAINT) return invalid_argument(text);
    return {ErrorCode::kIo, text};
  }

  Error damaged(std::string_view found) const {
    return corruption(fmt::format(
        "the catalog {} is damaged or not a catalog ({}); restore it from a backup of the data folder", path_,
        found));
  }

  Result<int64_t> number(const char* sql) {
    VARVE_ASSIGN(Statement select, statement(sql));
    if (select.step() != SQLITE_ROW) return failure("read");
    return select.integer(0);
  }

  Result<void> execute(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure("update");
    return {};
  }

  Result<Statement> statement(const char* sql) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &prepared, nullptr) != SQLITE_OK) return failure("read");
    return Statement(prepared);
  }

  template <class Row>
  Result<void> for_each_row(Statement& select, Row row) {
    int outcome = select.step();
    for (; outcome == SQLITE_ROW; outcome = select.step()) row();
    if (outcome != SQLITE_DONE) return failure("read");
    return {};
  }

  template <class... Values>
  Result<void> run(const char* sql, const Values&... values) {
    VARVE_ASSIGN(Statement prepared, statement(sql));
    (prepared.bind(values), ...);
    if (prepared.step() != SQLITE_DONE) return failure("update");
    return {};
  }

  template <class V>
  Result<void> set_meta(std::string_view name, const V& value) {
    return run("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value);
  }

  template <class Body>
  Result<void> transaction(Body body) {
    VARVE_TRY(execute("BEGIN IMMEDIATE"));
    Result<void> done = body();
    if (done) done = execute("COMMIT");
    if (!done && sqlite3_get_autocommit(db_) == 0) {
      sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);  // the first error is the one to tell
    }
    return done;
  }

  const std::string path_;
  std::mutex mutex_;  // guards everything below
  sqlite3* db_;
  uint64_t next_segment_id_ = 0;
  uint64_t segment_ids_end_ = 0;
};

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW;
  const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  if (db == nullptr) return Error{ErrorCode::kIo, "cannot open the catalog " + path + ": out of memory"};
  auto catalog = std::make_unique<SqliteCatalog>(path, db);
  if (opened != SQLITE_OK) {
    return Error{ErrorCode::kIo, fmt::format("cannot open the catalog {}: {}", path, sqlite3_errmsg(db))};
  }
  VARVE_TRY(catalog->prepare());
  return std::unique_ptr<Catalog>(std::move(catalog));
}

}  // namespace varve
