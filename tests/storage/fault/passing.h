// An engine, a file system and their parts that pass every call on: a planted bug overrides the one it breaks.
// Threads: as what is behind them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace varve::test {

class PassingEngine : public Engine {
 public:
  explicit PassingEngine(std::unique_ptr<Engine> behind) : behind_(std::move(behind)) {}

  AdmittedWrite admit(std::vector<RowBatch> batches) override { return behind_->admit(std::move(batches)); }
  Result<void> append(AdmittedWrite&& write, AppendDone done) override {
    return behind_->append(std::move(write), std::move(done));
  }
  Result<DeleteOutcome> erase(DeleteRequest request) override { return behind_->erase(std::move(request)); }
  std::vector<StreamPosition> positions() const override { return behind_->positions(); }
  Result<void> create_database(std::string_view name) override { return behind_->create_database(name); }
  Result<void> forget_database(std::string_view name) override { return behind_->forget_database(name); }
  std::vector<std::string> created_databases() const override { return behind_->created_databases(); }
  std::vector<TableInfo> tables() const override { return behind_->tables(); }
  std::vector<SegmentInfo> segments() const override { return behind_->segments(); }
  Result<TableInfo> describe(std::string_view database, std::string_view table) const override {
    return behind_->describe(database, table);
  }
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override {
    return behind_->scan(std::move(request));
  }
  Result<std::shared_ptr<const TablePin>> pin(std::string_view database,
                                              std::string_view table) const override {
    return behind_->pin(database, table);
  }
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override {
    return behind_->open_cursor(name);
  }
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake) override {
    return behind_->watch(database, table, std::move(wake));
  }
  void set_retention(int64_t retention_ns, const std::map<std::string, int64_t>& of_tables) override {
    behind_->set_retention(retention_ns, of_tables);
  }
  EngineStatus status() const override { return behind_->status(); }
  Result<void> flush() override { return behind_->flush(); }
  Result<void> compact() override { return behind_->compact(); }
  void close() override { behind_->close(); }

 protected:
  std::unique_ptr<Engine> behind_;
};

class PassingScan : public Scan {
 public:
  explicit PassingScan(std::unique_ptr<Scan> behind) : behind_(std::move(behind)) {}

  std::span<const std::optional<FieldType>> field_types() const override { return behind_->field_types(); }
  Result<bool> next(ScanBlock& block) override { return behind_->next(block); }
  Result<const ColumnVector*> column(size_t field) override { return behind_->column(field); }
  Result<void> load_rows(ScanBlock& block) override { return behind_->load_rows(block); }
  void skip_series() override { behind_->skip_series(); }
  std::vector<ScanExtent> extents() const override { return behind_->extents(); }
  void restart(TimeRange time) override { behind_->restart(time); }
  Result<std::unique_ptr<ScanPart>> cut(uint64_t rows, bool whole_series) override {
    return behind_->cut(rows, whole_series);
  }
  Result<std::unique_ptr<Scan>> helper() const override { return behind_->helper(); }
  void read(std::unique_ptr<ScanPart> part) override { behind_->read(std::move(part)); }
  const SeriesTags& tags(SeriesId series) const override { return behind_->tags(series); }
  const ScanCounters& counters() const override { return behind_->counters(); }

 protected:
  std::unique_ptr<Scan> behind_;
};

class PassingCursor : public LogCursor {
 public:
  explicit PassingCursor(std::unique_ptr<LogCursor> behind) : behind_(std::move(behind)) {}

  Result<bool> next(LogRecord& record, int64_t timeout_ns) override {
    return behind_->next(record, timeout_ns);
  }
  Result<void> save(Lsn lsn) override { return behind_->save(lsn); }
  Lsn saved() const override { return behind_->saved(); }
  uint64_t backlog_bytes() const override { return behind_->backlog_bytes(); }
  uint64_t backlog_records() const override { return behind_->backlog_records(); }

 protected:
  std::unique_ptr<LogCursor> behind_;
};

class PassingFile : public WritableFile {
 public:
  explicit PassingFile(std::unique_ptr<WritableFile> behind) : behind_(std::move(behind)) {}

  Result<void> append(std::string_view bytes) override { return behind_->append(bytes); }
  Result<void> sync() override { return behind_->sync(); }
  Result<void> preallocate(uint64_t bytes) override { return behind_->preallocate(bytes); }

 protected:
  std::unique_ptr<WritableFile> behind_;
};

class PassingFiles : public FileSystem {
 public:
  explicit PassingFiles(FileSystem& behind) : behind_(behind) {}

  Result<std::unique_ptr<RandomAccessFile>> open_read(const std::string& path) override {
    return behind_.open_read(path);
  }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return behind_.create(path);
  }
  Result<void> truncate(const std::string& path, uint64_t bytes) override {
    return behind_.truncate(path, bytes);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return behind_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return behind_.remove(path); }
  Result<void> create_directories(const std::string& path) override {
    return behind_.create_directories(path);
  }
  Result<void> sync_directory(const std::string& path) override { return behind_.sync_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return behind_.list(path); }
  Result<bool> exists(const std::string& path) override { return behind_.exists(path); }
  Result<uint64_t> free_bytes(const std::string& path) override { return behind_.free_bytes(path); }
  Result<uint64_t> total_bytes(const std::string& path) override { return behind_.total_bytes(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return behind_.lock(path); }

 protected:
  FileSystem& behind_;
};

}  // namespace varve::test
