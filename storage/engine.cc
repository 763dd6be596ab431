#include "storage/engine_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "storage/base/check.h"
#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/base/units.h"
#include "storage/table_scan.h"
#include "storage/wal/recovery.h"

namespace varve {
namespace {

Error no_such_table(std::string_view database, std::string_view name) {
  return not_found(fmt::format("there is no table `{}` in database `{}`", name, database));
}

constexpr std::string_view kComponent = "store";
// Rows handed to the log and not yet in a memtable; their log records take as much again. Measured: a sixth of a second
// of two million ten-field rows a second, which outlasts the stalls of a disk's sync.
constexpr uint64_t kPendingBytesMax = 32ULL << 20;

void note_limits(const Table& table, EngineStatus& status) {
  if (status.limits.size() >= EngineStatus::kLimitsListedMax) return;
  const TableOptions& options = table.options();
  if (table.series().size() >= options.series_max) {
    status.limits.push_back({"series_limit", options.database, options.name, options.series_max});
  }
  if (table.column_count() >= options.columns_max) {
    status.limits.push_back({"column_limit", options.database, options.name, options.columns_max});
  } else if (table.tag_count() >= kTagColumnsMax) {
    status.limits.push_back({"tag_limit", options.database, options.name, kTagColumnsMax});
  }
}

std::string_view table_name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kNameBytesMax) return "is longer than 255 bytes";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "holds a control character";
  }
  return {};
}

}  // namespace

AdmittedWrite::AdmittedWrite() : state_(std::make_unique<State>()) {}
AdmittedWrite::AdmittedWrite(AdmittedWrite&&) noexcept = default;
AdmittedWrite& AdmittedWrite::operator=(AdmittedWrite&&) noexcept = default;
AdmittedWrite::~AdmittedWrite() = default;

size_t AdmittedWrite::rows() const {
  size_t rows = 0;
  for (const State::Part& part : state_->parts) rows += part.checked.batch.rows();
  return rows;
}

const std::vector<RejectedRow>& AdmittedWrite::rejected() const {
  return state_->rejected;
}

void AdmittedWrite::merge(AdmittedWrite other) {
  for (State::Part& part : other.state_->parts) state_->parts.push_back(std::move(part));
  state_->log_epoch = std::min(state_->log_epoch, other.state_->log_epoch);
  positions.insert(positions.end(), other.positions.begin(), other.positions.end());
}

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options) {
  VARVE_CHECK(options.metrics != nullptr);
  auto engine = std::make_unique<EngineImpl>(std::move(options));
  VARVE_TRY(engine->start());
  return std::unique_ptr<Engine>(std::move(engine));
}

Result<Lsn> Engine::append_and_wait(AdmittedWrite&& write) {
  std::promise<Result<Lsn>> promise;
  auto outcome = promise.get_future();
  VARVE_TRY(append(std::move(write), [&](Result<Lsn> result) { promise.set_value(std::move(result)); }));
  return outcome.get();
}

EngineImpl::EngineImpl(EngineOptions options)
    : options_(std::move(options)),
      fs_(*options_.file_system),
      segment_files_(std::make_shared<OpenFiles>(fs_, kOpenSegmentFilesMax)),
      clock_(*options_.clock),
      rows_total_(options_.metrics->counter("varve_rows_total", "Rows durable and visible, since start.")),
      refused_(*options_.metrics),
      log_bytes_total_(
          options_.metrics->counter("varve_log_payload_bytes_total", "Bytes of rows handed to the log.")),
      flush_seconds_(
          options_.metrics->histogram("varve_flush_seconds", "Time to write a memtable to segments.")),
      compaction_seconds_(options_.metrics->histogram("varve_compaction_seconds", "Time to merge segments.")),
      compaction_(*options_.metrics),
      disk_guard_(fs_, clock_, options_.data_directory, options_.disk_reserve_bytes),
      clock_guard_(clock_),
      retention_{options_.retention_ns, options_.table_retention_ns} {}

EngineImpl::~EngineImpl() {
  close();
}

// ---- tables ----

std::shared_ptr<Table> EngineImpl::find_table(std::string_view database, std::string_view name) const {
  const std::lock_guard lock(tables_mutex_);
  const auto found = tables_.find(TableKey(database, name));
  return found == tables_.end() ? nullptr : found->second;
}

namespace {

// Tables of the program's own: what they hold is left of something refused, and must not be refused in turn. Input cannot
// name them; their writer bounds them.
bool is_own_table(std::string_view name) {
  return name.starts_with("varve_");
}

}  // namespace

std::shared_ptr<Table> EngineImpl::find_or_create_table(const RowBatch& batch, bool limited,
                                                        RejectedRow& problem) {
  if (auto known = find_table(batch.database, batch.table)) return known;
  for (const std::string* name : {&batch.database, &batch.table}) {
    const std::string_view wrong = table_name_problem(*name);
    if (wrong.empty()) continue;
    problem.reason = "invalid_name";
    problem.detail =
        fmt::format("{} name `{}` {}", name == &batch.table ? "table" : "database", *name, wrong);
    return nullptr;
  }
  const std::lock_guard lock(tables_mutex_);
  const bool own = is_own_table(batch.table);
  if (limited && !own && tables_.size() >= options_.tables_max) {
    problem.reason = "table_limit";
    problem.detail =
        fmt::format("there are {} tables already (storage.tables_max); table `{}` would be one more",
                    tables_.size(), batch.table);
    return nullptr;
  }
  auto& table = tables_[TableKey(batch.database, batch.table)];
  if (table == nullptr) {
    TableOptions made;
    made.id = next_table_id_++;
    made.database = batch.database;
    made.name = batch.table;
    made.retention_ns = retention_.of(batch.table);
    made.series_max = own ? UINT64_MAX : options_.series_per_table_max;
    made.columns_max = own ? UINT64_MAX : options_.columns_per_table_max;
    table = std::make_shared<Table>(std::move(made));
  }
  return table;
}

void EngineImpl::set_retention(int64_t retention_ns, const std::map<std::string, int64_t>& of_tables) {
  const std::lock_guard lock(tables_mutex_);
  retention_ = {retention_ns, of_tables};
  for (const auto& [key, table] : tables_) table->set_retention(retention_.of(key.second));
}

std::vector<std::shared_ptr<Table>> EngineImpl::all_tables() const {
  const std::lock_guard lock(tables_mutex_);
  std::vector<std::shared_ptr<Table>> all;
  for (const auto& [key, table] : tables_) all.push_back(table);
  return all;
}

// ---- writes ----

AdmittedWrite EngineImpl::admit(std::vector<RowBatch> batches) {
  AdmittedWrite write;
  write.state_->log_epoch = log_epoch_heard_;
  for (size_t number = 0; number < batches.size(); ++number) {
    RejectedRow problem;
    const auto table = find_or_create_table(batches[number], true, problem);
    if (table == nullptr) {
      problem.batch = number;
      for (uint32_t row = 0; row < batches[number].rows(); ++row) {
        problem.row = row;
        write.state_->rejected.push_back(problem);
      }
      continue;
    }
    auto checked = table->check_batch(std::move(batches[number]), number, write.state_->rejected);
    if (checked.batch.rows() != 0) write.state_->parts.push_back({table, std::move(checked)});
  }
  refused_.count(write.state_->rejected);
  return write;
}

Result<void> EngineImpl::append(AdmittedWrite&& write, AppendDone done) {
  disk_guard_.check_when_due();
  WalEntry entry;
  uint64_t row_bytes = 0;
  for (const auto& part : write.state_->parts) row_bytes += part.checked.batch.memory_bytes();
  VARVE_TRY(reserve_memory(row_bytes));
  for (auto& part : write.state_->parts) entry.batches.push_back(std::move(part.checked.batch));
  entry.positions = write.positions;
  std::string payload = encode_wal_entry(entry);
  for (size_t i = 0; i < entry.batches.size(); ++i) {
    write.state_->parts[i].checked.batch = std::move(entry.batches[i]);
  }
  const uint64_t epoch = std::min<uint64_t>(write.state_->log_epoch, log_epoch_heard_);
  auto pending = std::make_shared<Pending>();
  pending->write = std::move(write);
  pending->done = std::move(done);
  pending->bytes = row_bytes;
  if (const auto taken = submit(std::move(payload), epoch, pending); !taken) {
    write = std::move(pending->write);
    return taken.error();
  }
  return {};
}

Result<void> EngineImpl::submit(std::string payload, uint64_t epoch,
                                const std::shared_ptr<Pending>& pending) {
  const uint64_t payload_bytes = payload.size();
  const auto logged = [this, pending](Result<Lsn> outcome) {
    pending->outcome = std::move(outcome);
    queue_for_apply(pending);
  };
  const Result<Lsn> taken = wal_->append(std::move(payload), logged, epoch);
  if (!taken) {
    pending_bytes_ -= pending->bytes;
    if (taken.error().code == ErrorCode::kIo) stop_writes(taken.error().message);
    return taken.error();
  }
  log_bytes_total_.add(payload_bytes);
  return {};
}

Result<void> EngineImpl::reserve_memory(uint64_t bytes) {
  const std::lock_guard lock(state_mutex_);
  if (closing_) return unavailable("the store is closing");
  if (!failure_.empty()) return unavailable("the store is read-only: " + failure_);
  if (const std::string full = disk_guard_.reason(); !full.empty()) {
    return unavailable("the store is read-only: " + full);
  }
  if (pending_bytes_ > 0 && pending_bytes_ + bytes > kPendingBytesMax) {  // one write is always let in
    return unavailable(fmt::format("{} of rows wait for the log; try again", format_bytes(pending_bytes_)));
  }
  const uint64_t held = memtable_bytes_ + pending_bytes_;
  if (held > 0 && held + bytes > options_.memtable_bytes_max) {  // one write is always let in
    flush_wanted_ = true;
    flush_work_.notify_one();
    return unavailable(
        fmt::format("memtables hold {} of {}, their limit (storage.memtable_bytes); writes wait for a flush",
                    format_bytes(held), format_bytes(options_.memtable_bytes_max)));
  }
  pending_bytes_ += bytes;
  return {};
}

void EngineImpl::queue_for_apply(std::shared_ptr<Pending> pending) {
  const std::lock_guard lock(apply_mutex_);
  apply_queue_.push_back(std::move(pending));
  apply_work_.notify_one();
}

void EngineImpl::run_apply() {
  std::deque<std::shared_ptr<Pending>> batch;
  while (true) {
    {
      std::unique_lock lock(apply_mutex_);
      apply_work_.wait(lock, [&] { return !apply_queue_.empty() || apply_closing_; });
      if (apply_queue_.empty()) return;
      batch.swap(apply_queue_);
    }
    for (const auto& pending : batch) apply(*pending);
    batch.clear();
  }
}

void EngineImpl::apply(Pending& pending) {
  Lsn acknowledged = 0;
  if (pending.epoch_heard) {
    log_epoch_heard_ = *pending.epoch_heard;
    return;
  }
  if (!pending.outcome) {
    const Error& error = pending.outcome.error();
    error.code == ErrorCode::kIo ? stop_writes(error.message) : disk_guard_.note_full(error.message);
  } else {
    kill_point("apply.before_insert");
    const Lsn lsn = *pending.outcome;
    const int64_t now = clock_.monotonic_ns();
    size_t rows = 0;
    {
      const std::lock_guard whole_record(record_mutex_);
      if (pending.erased_table != nullptr) {
        auto tombstone = std::make_shared<Tombstone>(*pending.tombstone);
        tombstone->lsn = lsn;
        pending.erased_table->erase(std::move(tombstone), now);
        deletes_applied_ = true;
      }
      for (const auto& part : pending.write.state_->parts) {
        part.table->insert(part.checked, lsn, now);
        rows += part.checked.batch.rows();
      }
    }
    note_positions(pending.write.positions, lsn);
    applied_lsn_ = lsn;
    rows_total_.add(rows);
    memtable_bytes_ += pending.bytes;
    acknowledged = lsn;
  }
  pending_bytes_ -= pending.bytes;
  kill_point("apply.before_done");
  pending.done(std::move(pending.outcome));
  if (acknowledged == 0 || !watches_.any()) return;
  for (auto& part : pending.write.state_->parts)
    watches_.publish(acknowledged, std::move(part.checked.batch));
}

void EngineImpl::note_positions(const std::vector<StreamPosition>& positions, Lsn lsn) {
  const std::lock_guard lock(positions_mutex_);
  if (lsn <= positions_lsn_) return;  // a replayed record older than the catalog's positions
  for (const StreamPosition& position : positions) {
    positions_[{position.stream, position.partition}] = position.next_offset;
  }
  positions_lsn_ = lsn;
}

std::vector<StreamPosition> EngineImpl::positions() const {
  const std::lock_guard lock(positions_mutex_);
  std::vector<StreamPosition> all;
  for (const auto& [key, next_offset] : positions_) all.push_back({key.first, key.second, next_offset});
  return all;
}

void EngineImpl::stop_writes(const std::string& reason) {
  const std::lock_guard lock(state_mutex_);
  if (!failure_.empty() || closing_) return;
  failure_ = reason;
  log_error(kComponent, fmt::format("writes stopped until restart: {}", reason));
}

// ---- reads ----

std::vector<TableInfo> EngineImpl::tables() const {
  std::vector<TableInfo> infos;
  for (const auto& table : all_tables()) infos.push_back(table->info());
  return infos;
}

Result<void> EngineImpl::create_database(std::string_view name) {
  if (const std::string_view wrong = table_name_problem(name); !wrong.empty()) {
    return invalid_argument(fmt::format("database name `{}` {}", name, wrong));
  }
  const std::lock_guard lock(databases_mutex_);
  if (created_databases_.contains(name)) return {};
  if (created_databases_.size() >= kCreatedDatabasesMax) {
    return exhausted(fmt::format("{} databases were created, which is the most there may be; drop some",
                                 kCreatedDatabasesMax));
  }
  VARVE_TRY(catalog_->add_database(name));
  created_databases_.emplace(name);
  return {};
}

Result<void> EngineImpl::forget_database(std::string_view name) {
  const std::lock_guard lock(databases_mutex_);
  const auto found = created_databases_.find(name);
  if (found == created_databases_.end()) return {};
  VARVE_TRY(catalog_->remove_database(name));
  created_databases_.erase(found);
  return {};
}

std::vector<std::string> EngineImpl::created_databases() const {
  const std::lock_guard lock(databases_mutex_);
  return {created_databases_.begin(), created_databases_.end()};
}

Result<TableInfo> EngineImpl::describe(std::string_view database, std::string_view name) const {
  const auto table = find_table(database, name);
  if (table == nullptr) return no_such_table(database, name);
  return table->info();
}

std::vector<SegmentInfo> EngineImpl::segments() const {
  std::vector<SegmentInfo> all;
  for (const auto& table : all_tables()) {
    const TableInfo info = table->info();
    const size_t first = all.size();
    for (const auto& segment : table->segments()) {
      const CatalogSegment& record = segment->record();
      all.push_back({record.id, info.database, info.name, record.file, record.rows, record.bytes,
                     record.series, record.time_min, record.time_max, record.first_lsn, record.last_lsn});
    }
    std::sort(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(),
              [](const SegmentInfo& a, const SegmentInfo& b) {
                return std::tie(a.time_min, a.id) < std::tie(b.time_min, b.id);
              });
  }
  return all;
}

Result<std::unique_ptr<Scan>> EngineImpl::scan(ScanRequest request) const {
  const auto table = find_table(request.database, request.table);
  if (table == nullptr) return no_such_table(request.database, request.table);
  return open_table_scan(*table, std::move(request));
}

Result<std::shared_ptr<const TablePin>> EngineImpl::pin(std::string_view database,
                                                        std::string_view name) const {
  const auto table = find_table(database, name);
  if (table == nullptr) return no_such_table(database, name);
  return pin_table(*table);
}

EngineStatus EngineImpl::status() const {
  EngineStatus status;
  status.store_id = store_id_;
  status.last_lsn = applied_lsn_;
  status.durable_lsn = wal_->durable_lsn();
  const WalStats log = wal_->stats();
  status.wal_bytes = log.bytes;
  status.wal_files = log.files;
  for (const auto& table : all_tables()) {
    status.memtable_rows += table->memtable_rows();
    status.memtable_bytes += table->memtable_bytes();
    status.tombstones += table->tombstone_count();
    if (const uint64_t reads = table->read_damage()->count(); reads != 0) {
      status.damaged_reads += reads;
      if (std::string said = table->read_damage()->last(table->segments()); !said.empty()) {
        status.damage = std::move(said);
      }
    }
    note_limits(*table, status);
    for (const auto& segment : table->segments()) {
      ++status.segments;
      status.segment_bytes += segment->bytes();
    }
  }
  if (const size_t tables = all_tables().size(); tables >= options_.tables_max) {
    status.limits.push_back({"table_limit", {}, {}, options_.tables_max});
  }
  status.disk_free_bytes = disk_guard_.free_bytes();
  status.disk_reserve_bytes = disk_guard_.reserve();
  status.retention_suspended_reason = clock_guard_.reason();
  status.wal_sync = options_.wal_sync;
  status.rows_written = rows_total_.value();
  status.bytes_written = log_bytes_total_.value();
  status.compaction = compaction_.status();
  const std::lock_guard lock(state_mutex_);
  status.read_only_reason = failure_.empty() ? disk_guard_.reason() : failure_;
  status.failed = !failure_.empty();
  return status;
}

}  // namespace varve
