#include "storage/log_cursor.h"

#include <fmt/format.h>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"

namespace varve {

WalCursor::WalCursor(EngineImpl& engine, std::string name, Lsn saved, std::unique_ptr<WalReader> reader)
    : engine_(engine), name_(std::move(name)), saved_(saved), reader_(std::move(reader)) {}

Result<bool> WalCursor::next(LogRecord& record, int64_t timeout_ns) {
  if (!engine_.wal_->wait_durable(reader_->position(), timeout_ns)) return false;
  WalRecordView view;
  VARVE_ASSIGN(const bool found, reader_->next(view, engine_.wal_->durable_lsn()));
  for (; damage_reported_ < reader_->damage().size(); ++damage_reported_) {
    const WalDamage& lost = reader_->damage()[damage_reported_];
    log_error("store",
              fmt::format("cursor {}: log records {} to {} are gone ({} at {}); rows in them were not read",
                          name_, lost.first_lost, lost.last_lost, lost.file, lost.offset));
  }
  if (!found) return false;
  auto entry = decode_wal_entry(view.payload);
  if (!entry) return with_context(std::move(entry.error()), fmt::format("log record {}", view.lsn));
  record.lsn = view.lsn;
  record.batches = std::move(entry->batches);
  return true;
}

Result<void> WalCursor::save(Lsn lsn) {
  kill_point("cursor.before_save");
  VARVE_TRY(engine_.catalog_->save_cursor(name_, lsn));
  kill_point("cursor.after_save");
  saved_ = lsn;
  const std::lock_guard lock(engine_.state_mutex_);
  engine_.cursors_[name_] = lsn;
  return {};
}

uint64_t WalCursor::backlog_records() const {
  const Lsn durable = engine_.wal_->durable_lsn();
  const Lsn saved = saved_;
  return durable > saved ? durable - saved : 0;
}

uint64_t WalCursor::backlog_bytes() const {
  return engine_.wal_->bytes_after(saved_);
}

Result<std::unique_ptr<LogCursor>> EngineImpl::open_cursor(std::string_view name) {
  VARVE_ASSIGN(const std::optional<Lsn> known, catalog_->cursor(name));
  const WalStats log = wal_->stats();
  const Lsn oldest = log.oldest_lsn == 0 ? applied_lsn_ + 1 : log.oldest_lsn;
  const Lsn saved = known.value_or(oldest - 1);
  if (saved + 1 < oldest) {
    log_error("store", fmt::format("cursor {}: log records {} to {} were removed before it read them", name,
                                   saved + 1, oldest - 1));
  }
  VARVE_ASSIGN(auto reader,
               WalReader::open(fs_, join_path(options_.data_directory, "wal"), std::max(saved + 1, oldest)));
  {
    const std::lock_guard lock(state_mutex_);
    cursors_[std::string(name)] = saved;
    unopened_cursors_.erase(std::string(name));
  }
  return std::unique_ptr<LogCursor>(
      std::make_unique<WalCursor>(*this, std::string(name), saved, std::move(reader)));
}

}  // namespace varve
