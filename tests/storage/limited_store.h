// What the tests of the store's limits share: an engine on a disk, a clock and limits that the test chooses, and the
// times of its rows read back. The catalog is a real file, all others are in `files_`.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "storage/disk_guard.h"
#include "storage/engine.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/moved_clock.h"
#include "tests/support/temp_dir.h"

namespace varve {

inline const Error kNoSpace{ErrorCode::kExhausted, "no space left"};

class LimitedStore : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> open() {
    EngineOptions options = options_;
    options.data_directory = directory_.path().string();
    options.file_system = &files_;
    options.clock = &clock_;
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }

  static AdmittedWrite admit(Engine& engine, RowBatch batch) {
    std::vector<RowBatch> batches;
    batches.push_back(std::move(batch));
    return engine.admit(std::move(batches));
  }
  static AdmittedWrite admit(Engine& engine, int64_t time) {
    RowBatchBuilder builder("varve", "water");
    builder.begin_row();
    builder.tag("site", "a");
    builder.field_int("v", time);
    builder.end_row(time);
    return admit(engine, builder.finish());
  }
  // Notes the row when it is acknowledged.
  Result<Lsn> write(Engine& engine, int64_t time) {
    auto done = engine.append_and_wait(admit(engine, time));
    if (done) acknowledged_.insert(time);
    return done;
  }
  // Once everybody has heard of earlier failures.
  void write_soon(Engine& engine, int64_t time) {
    while (!write(engine, time)) clock_.pass(DiskGuard::kCheckNs);
  }
  // The disk is looked at once a second: time passes until the store says so too.
  void wait_for(Engine& engine, bool read_only) {
    while (engine.status().read_only_reason.empty() == read_only) {
      clock_.pass(DiskGuard::kCheckNs);
      std::this_thread::yield();
    }
  }
  static std::set<int64_t> times(const Engine& engine) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = {"v"};
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan);
    std::set<int64_t> found;
    ScanBlock block;
    while (scan && *(*scan)->next(block)) {
      for (size_t row = 0; row < block.rows; ++row) found.insert(block.times[row]);
    }
    return found;
  }

  test::TempDir directory_;
  FaultFileSystem files_;
  MovedClock clock_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
  std::set<int64_t> acknowledged_;
};

}  // namespace varve
