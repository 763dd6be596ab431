// Which tables a caller may see, and the store as such a caller sees it: other tables are not there.
// A scope is what a token names: "database.table", "database.*" for all of a database, or "table" of the default one. A
// database's name ends at the first dot.
// Errors: parse: kInvalidArgument naming the entry.
// Threads: a scope never changes; a ScopedEngine is as the store behind it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace varve {

class TableScope {
 public:
  static Result<TableScope> parse(const std::vector<std::string>& names);
  bool allows(std::string_view database, std::string_view table) const;
  bool allows_all_of(std::string_view database) const { return allows(database, "*"); }
  const std::vector<std::string>& names() const { return names_; }  // as "database.table"
  std::string text() const;                                         // "varve.water, lab.*"

 private:
  std::vector<std::string> names_;
};

using TableScopePtr = std::shared_ptr<const TableScope>;  // null = every table

// For queries: it does not write, but it deletes.
class ScopedEngine final : public Engine {
 public:
  ScopedEngine(Engine& engine, TableScopePtr scope) : engine_(engine), scope_(std::move(scope)) {}

  // Names of databases are for those who may see all of one.
  Result<void> create_database(std::string_view name) override;
  Result<void> forget_database(std::string_view name) override;
  std::vector<std::string> created_databases() const override;
  std::vector<TableInfo> tables() const override;
  Result<TableInfo> describe(std::string_view database, std::string_view table) const override;
  std::vector<SegmentInfo> segments() const override;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override;
  Result<std::shared_ptr<const TablePin>> pin(std::string_view database,
                                              std::string_view table) const override;
  Result<DeleteOutcome> erase(DeleteRequest request) override;
  // For a table of the scope.
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake) override;
  void set_retention(int64_t retention_ns, const std::map<std::string, int64_t>& of_tables) override;
  EngineStatus status() const override { return engine_.status(); }

  AdmittedWrite admit(std::vector<RowBatch> batches) override;
  Result<void> append(AdmittedWrite&& write, AppendDone done) override;
  std::vector<StreamPosition> positions() const override { return {}; }
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override;
  Result<void> flush() override;
  Result<void> compact() override;
  void close() override {}  // the store stays open

 private:
  Result<void> check(std::string_view database, std::string_view table) const;

  Engine& engine_;
  const TableScopePtr scope_;
};

}  // namespace varve
