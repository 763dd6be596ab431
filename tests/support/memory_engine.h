// An Engine that only reads and deletes: tables of rows in memory, scanned in blocks of a chosen size, with or without statistics.
// It is the simplest thing that keeps the promises of storage/scan.h, so that queries are tested against those.
// Threads: fill it first; then any thread may scan. erase() alone.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace varve {

class MemoryEngine : public Engine {
 public:
  using Tags = std::vector<std::pair<std::string, std::string>>;
  using Fields = std::vector<std::pair<std::string, Value>>;

  size_t block_rows = 1024;
  bool offer_statistics = true;
  // The next scans find their table's types changed since describe(), as when a column widens in between.
  mutable int scans_with_other_types = 0;
  // When set, scans fail with it after the first block.
  std::string scan_failure;
  std::vector<SegmentInfo> listed_segments;  // what segments() answers

  void declare(std::string_view database, std::string_view table, std::vector<ColumnInfo> columns);
  // Columns not declared yet are added with the value's type. A row of the same series and time is overwritten.
  void insert(std::string_view database, std::string_view table, int64_t time, const Tags& tags,
              const Fields& fields);

  AdmittedWrite admit(std::vector<RowBatch> batches) override;
  Result<void> append(AdmittedWrite&& write, AppendDone done) override;
  Result<DeleteOutcome> erase(DeleteRequest request) override;
  std::vector<StreamPosition> positions() const override { return {}; }
  Result<void> create_database(std::string_view name) override {
    if (name.empty()) return invalid_argument("no name");
    created_databases_.emplace(name);
    return {};
  }
  Result<void> forget_database(std::string_view name) override {
    created_databases_.erase(std::string(name));
    return {};
  }
  std::vector<std::string> created_databases() const override {
    return {created_databases_.begin(), created_databases_.end()};
  }
  std::vector<TableInfo> tables() const override;
  std::vector<SegmentInfo> segments() const override { return listed_segments; }
  Result<TableInfo> describe(std::string_view database, std::string_view table) const override;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override;
  // Nothing to keep: no rows come while anybody reads.
  Result<std::shared_ptr<const TablePin>> pin(std::string_view, std::string_view) const override {
    return std::shared_ptr<const TablePin>();
  }
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override;
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake) override {
    return watches_.watch(database, table, std::move(wake));
  }
  void set_retention(int64_t, const std::map<std::string, int64_t>&) override {}
  EngineStatus status() const override { return {}; }
  Result<void> flush() override { return {}; }
  Result<void> compact() override { return {}; }
  void close() override {}

  struct Series {
    std::map<std::string, std::string, std::less<>> tags;
    std::map<int64_t, std::map<std::string, Value, std::less<>>> rows;
  };
  struct Table {
    TableInfo info;
    std::vector<Series> series;
  };

 private:
  RowWatches watches_;
  Lsn deletes_ = 0;
  std::set<std::string> created_databases_;
  Table& table(std::string_view database, std::string_view name);
  std::map<std::pair<std::string, std::string>, Table> tables_;
};

}  // namespace varve
