#include "tests/support/fake_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace varve {

struct AdmittedWrite::State {
  std::vector<RowBatch> batches;
  std::vector<RejectedRow> rejected;
};

// The one friend of AdmittedWrite.
class EngineImpl {
 public:
  static AdmittedWrite::State& state(AdmittedWrite& write) { return *write.state_; }
};

AdmittedWrite::AdmittedWrite() : state_(std::make_unique<State>()) {}
AdmittedWrite::AdmittedWrite(AdmittedWrite&&) noexcept = default;
AdmittedWrite& AdmittedWrite::operator=(AdmittedWrite&&) noexcept = default;
AdmittedWrite::~AdmittedWrite() = default;

size_t AdmittedWrite::rows() const {
  size_t rows = 0;
  for (const RowBatch& batch : state_->batches) rows += batch.rows();
  return rows;
}
const std::vector<RejectedRow>& AdmittedWrite::rejected() const {
  return state_->rejected;
}

void AdmittedWrite::merge(AdmittedWrite other) {
  for (RowBatch& batch : other.state_->batches) state_->batches.push_back(std::move(batch));
  positions.insert(positions.end(), other.positions.begin(), other.positions.end());
}

Result<Lsn> Engine::append_and_wait(AdmittedWrite&& write) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<Lsn>> outcome;
  VARVE_TRY(append(std::move(write), [&](Result<Lsn> result) {
    const std::lock_guard lock(mutex);
    outcome = std::move(result);
    changed.notify_one();
  }));
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return outcome.has_value(); });
  return std::move(*outcome);
}

class FakeLogCursor : public LogCursor {
 public:
  FakeLogCursor(FakeEngine& engine, std::string name, Lsn saved)
      : engine_(engine), name_(std::move(name)), read_(saved) {}

  Result<bool> next(LogRecord& record, int64_t timeout_ns) override {
    std::unique_lock lock(engine_.mutex_);
    const auto ready = [&] { return engine_.closed_ || engine_.records_.size() > read_; };
    engine_.changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), ready);
    if (engine_.records_.size() <= read_) return false;
    record = engine_.records_[read_++];
    return true;
  }
  Result<void> save(Lsn lsn) override {
    const std::lock_guard lock(engine_.mutex_);
    if (auto error = engine_.save_failures_.take()) return *error;
    engine_.saved_[name_] = lsn;
    engine_.changed_.notify_all();
    return {};
  }
  Lsn saved() const override { return engine_.saved(name_); }
  uint64_t backlog_bytes() const override {
    const std::lock_guard lock(engine_.mutex_);
    uint64_t bytes = 0;
    for (size_t i = engine_.saved_[name_]; i < engine_.records_.size(); ++i) {
      for (const RowBatch& batch : engine_.records_[i].batches) bytes += batch.memory_bytes();
    }
    return bytes;
  }
  uint64_t backlog_records() const override {
    const std::lock_guard lock(engine_.mutex_);
    return engine_.records_.size() - engine_.saved_[name_];
  }

 private:
  FakeEngine& engine_;
  const std::string name_;
  Lsn read_;
};

std::optional<Error> FakeEngine::Failures::take() {
  if (count == 0) return std::nullopt;
  --count;
  return error;
}

void FakeEngine::refuse_rows(RowRule rule) {
  const std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
}
void FakeEngine::fail_next_appends(size_t count, Error error) {
  const std::lock_guard lock(mutex_);
  append_failures_ = {count, std::move(error)};
}
void FakeEngine::fail_next_syncs(size_t count, Error error) {
  const std::lock_guard lock(mutex_);
  sync_failures_ = {count, std::move(error)};
}
void FakeEngine::fail_next_saves(size_t count, Error error) {
  const std::lock_guard lock(mutex_);
  save_failures_ = {count, std::move(error)};
}
void FakeEngine::hold_appends() {
  const std::lock_guard lock(mutex_);
  hold_ = true;
}
void FakeEngine::release_appends() {
  std::vector<std::pair<AppendDone, Result<Lsn>>> outcomes;
  {
    const std::lock_guard lock(mutex_);
    hold_ = false;
    for (Held& held : held_) outcomes.emplace_back(std::move(held.done), commit(held));
    held_.clear();
  }
  for (auto& [done, outcome] : outcomes) done(std::move(outcome));
}

void FakeEngine::say(EngineStatus status) {
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

std::vector<LogRecord> FakeEngine::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}
size_t FakeEngine::rows(std::string_view table) const {
  const std::lock_guard lock(mutex_);
  size_t rows = 0;
  for (const LogRecord& record : records_) {
    for (const RowBatch& batch : record.batches) rows += batch.table == table ? batch.rows() : 0;
  }
  return rows;
}
uint64_t FakeEngine::appends() const {
  const std::lock_guard lock(mutex_);
  return appends_;
}
size_t FakeEngine::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}
Lsn FakeEngine::saved(std::string_view cursor) const {
  const std::lock_guard lock(mutex_);
  const auto at = saved_.find(cursor);
  return at == saved_.end() ? 0 : at->second;
}

AdmittedWrite FakeEngine::admit(std::vector<RowBatch> batches) {
  const std::lock_guard lock(mutex_);
  AdmittedWrite write;
  auto& state = EngineImpl::state(write);
  for (size_t b = 0; b < batches.size(); ++b) {
    std::vector<uint8_t> keep(batches[b].rows(), 1);
    for (size_t row = 0; rule_ && row < keep.size(); ++row) {
      const auto refusal = rule_(batches[b], row);
      if (!refusal) continue;
      keep[row] = 0;
      state.rejected.push_back({b, static_cast<uint32_t>(row), refusal->first, refusal->second});
    }
    batches[b].filter(keep);
    if (batches[b].rows() > 0) state.batches.push_back(std::move(batches[b]));
  }
  return write;
}

Result<Lsn> FakeEngine::commit(Held& held) {
  if (auto error = sync_failures_.take()) return *error;
  for (const StreamPosition& position : held.positions) {
    positions_[{position.stream, position.partition}] = position.next_offset;
  }
  held.record.lsn = records_.size() + 1;
  for (const RowBatch& batch : held.record.batches) {
    if (watches_.any()) watches_.publish(held.record.lsn, RowBatch(batch));
  }
  records_.push_back(std::move(held.record));
  changed_.notify_all();
  return records_.back().lsn;
}

Result<void> FakeEngine::append(AdmittedWrite&& write, AppendDone done) {
  Result<Lsn> outcome = Lsn{0};
  {
    const std::lock_guard lock(mutex_);
    ++appends_;
    if (auto error = append_failures_.take()) return *error;
    if (closed_) return unavailable("the store is closed");
    Held held{
        {0, 0, std::move(EngineImpl::state(write).batches)}, std::move(write.positions), std::move(done)};
    if (hold_) {
      held_.push_back(std::move(held));
      return {};
    }
    outcome = commit(held);
    done = std::move(held.done);
  }
  done(std::move(outcome));
  return {};
}

Result<DeleteOutcome> FakeEngine::erase(DeleteRequest) {
  const std::lock_guard lock(mutex_);
  Held held;
  DeleteOutcome outcome;
  VARVE_ASSIGN(outcome.lsn, commit(held));
  return outcome;
}

std::vector<StreamPosition> FakeEngine::positions() const {
  const std::lock_guard lock(mutex_);
  std::vector<StreamPosition> positions;
  for (const auto& [key, next] : positions_) positions.push_back({key.first, key.second, next});
  return positions;
}

std::vector<TableInfo> FakeEngine::tables() const {
  const std::lock_guard lock(mutex_);
  std::map<std::pair<std::string, std::string>, TableInfo> tables;
  for (const LogRecord& record : records_) {
    for (const RowBatch& batch : record.batches) {
      TableInfo& table = tables[{batch.database, batch.table}];
      table.database = batch.database;
      table.name = batch.table;
      table.rows += batch.rows();
      const auto column = [&](std::string_view name, ColumnKind kind, FieldType type) {
        for (const ColumnInfo& known : table.columns) {
          if (known.name == name) return;
        }
        table.columns.push_back({std::string(name), kind, type});
      };
      column(kTimeColumn, ColumnKind::kTime, FieldType::kInt64);
      for (const TagColumn& tag : batch.tags) column(tag.name, ColumnKind::kTag, FieldType::kString);
      for (const FieldColumn& field : batch.fields) column(field.name, ColumnKind::kField, field.data.type);
    }
  }
  std::vector<TableInfo> list;
  for (auto& [key, table] : tables) list.push_back(std::move(table));
  return list;
}

Result<void> FakeEngine::create_database(std::string_view name) {
  const std::lock_guard lock(mutex_);
  created_databases_.emplace(name);
  return {};
}

Result<void> FakeEngine::forget_database(std::string_view name) {
  const std::lock_guard lock(mutex_);
  created_databases_.erase(std::string(name));
  return {};
}

std::vector<std::string> FakeEngine::created_databases() const {
  const std::lock_guard lock(mutex_);
  return {created_databases_.begin(), created_databases_.end()};
}

Result<TableInfo> FakeEngine::describe(std::string_view database, std::string_view name) const {
  for (TableInfo& table : tables()) {
    if (table.database == database && table.name == name) return std::move(table);
  }
  return not_found(fmt::format("no table {}.{}", database, name));
}

Result<std::unique_ptr<Scan>> FakeEngine::scan(ScanRequest) const {
  return unsupported("the fake engine does not scan; look at records()");
}

Result<std::shared_ptr<const TablePin>> FakeEngine::pin(std::string_view, std::string_view) const {
  return unsupported("the fake engine does not scan; look at records()");
}

Result<std::unique_ptr<LogCursor>> FakeEngine::open_cursor(std::string_view name) {
  return std::unique_ptr<LogCursor>(std::make_unique<FakeLogCursor>(*this, std::string(name), saved(name)));
}

EngineStatus FakeEngine::status() const {
  const std::lock_guard lock(mutex_);
  EngineStatus status = status_;
  status.store_id = "fake";
  status.last_lsn = status.durable_lsn = records_.size();
  return status;
}

Result<void> FakeEngine::flush() {
  return {};
}

void FakeEngine::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace varve
