// A store on disk for one test: in a folder of its own, without compaction by itself; what fails, fails the test.
// Threads: any may scan; the rest belongs to one thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve {

class DiskStore {
 public:
  using TagList = std::vector<std::pair<std::string, std::string>>;
  using FieldList = std::vector<std::pair<std::string, Value>>;

  explicit DiskStore(int64_t partition_ns = kNsPerDay) : partition_ns_(partition_ns) { open(); }

  Engine& engine() { return *engine_; }
  const std::string& directory() const { return name_; }

  void write(RowBatch rows);  // durable and visible when it returns
  void insert(std::string_view database, std::string_view table, int64_t time, const TagList& tags,
              const FieldList& fields);
  void erase(const DeleteRequest& request);
  void flush();
  void compact();
  void restart();  // what is in the memtable is flushed by that

 private:
  void open();

  const int64_t partition_ns_;
  test::TempDir directory_;
  const std::string name_ = directory_.path().string();
  std::unique_ptr<MetricsRegistry> metrics_;
  std::unique_ptr<Engine> engine_;
};

// A value of any type as a field of the row that is being built.
void add_field(RowBatchBuilder& builder, std::string_view name, const Value& value);

}  // namespace varve
