// Backfills, and catching up from the store after the log went past the mirror.
#include <fmt/format.h>

#include <algorithm>

#include "ingest/mirror/influx_mirror.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr size_t kBackfillsWaitingMax = 16;
constexpr size_t kResendsToldMax = 32;  // of status(): the waiting ones and the last others

}  // namespace

Result<uint64_t> InfluxMirror::backfill(const BackfillRequest& request) {
  if (request.time.empty()) return invalid_argument("the range of time to backfill is empty");
  if (!request.table.empty()) {
    if (!rules_.selects(request.table)) {
      return invalid_argument(fmt::format("{} does not send table '{}'", options_.name, request.table));
    }
    const auto tables = engine_.tables();
    if (std::none_of(tables.begin(), tables.end(),
                     [&](const TableInfo& table) { return table.name == request.table; })) {
      return not_found(fmt::format("there is no table '{}' to backfill", request.table));
    }
  }
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kBackfillsWaitingMax) {
    return unavailable(fmt::format("{} backfills wait already; try again once one is done", waiting_.size()));
  }
  const uint64_t id = ++last_resend_id_;
  waiting_.emplace_back(id, request);
  auto& told = status_.resends;
  if (told.size() >= kResendsToldMax) told.erase(told.begin());
  told.push_back({.id = id, .kind = "backfill", .state = "waiting", .table = request.table, .error = {}});
  return id;
}

ResendStatus* InfluxMirror::resend_status(uint64_t id) {
  for (ResendStatus& resend : status_.resends) {
    if (resend.id == id) return &resend;
  }
  return nullptr;
}

// Takes the next one that waits, when none is under way.
void InfluxMirror::begin_backfill() {
  if (resend_ != nullptr) return;
  BackfillRequest request;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;
    resend_id_ = waiting_.front().first;
    request = std::move(waiting_.front().second);
    waiting_.pop_front();
  }
  resend_ = std::make_unique<Resend>(engine_, ranges_of_tables(engine_, rules_, request.table, request.time));
  const std::lock_guard lock(mutex_);
  if (ResendStatus* const told = resend_status(resend_id_)) {
    told->state = "running";
    told->rows_total = resend_->rows_total();
  }
}

// One slice of what is being sent again.
InfluxMirror::Delivery InfluxMirror::resend_slice(const std::stop_token& stop) {
  bool stopped = false;
  const auto more = resend_->slice(rules_, lines_max_, [&](MirrorChunk& chunk) {
    note_left_out(chunk);
    stopped = deliver(chunk, stop) == Delivery::kStopped;
    if (stopped) return false;
    resent_.add(chunk.lines);
    const std::lock_guard lock(mutex_);
    if (ResendStatus* const told = resend_status(resend_id_)) {
      told->rows += chunk.lines + chunk.unwritable_rows;
      told->table = resend_->table();
    }
    return true;
  });
  if (stopped) return Delivery::kStopped;
  if (!more) {
    end_resend(more.error().message);
  } else if (!*more) {
    end_resend({});
  }
  return Delivery::kDone;
}

void InfluxMirror::end_resend(std::string error) {
  const std::string table = resend_->table();
  resend_.reset();
  if (!error.empty()) {
    resend_failures_.add();
    log_error(options_.name,
              fmt::format("sending again from the store stops at {}: {}; what comes after it was not "
                          "sent; ask for it by varve mirror backfill once the store is well",
                          table, error));
  }
  const std::lock_guard lock(mutex_);
  ResendStatus* const told = resend_status(resend_id_);
  if (told == nullptr) return;
  told->state = error.empty() ? "done" : "failed";
  if (error.empty())
    log_info(options_.name, fmt::format("{} {} is done: {} rows", told->kind, told->id, told->rows));
  told->error = std::move(error);
}

// Everything the store has of log records [first, last], before any later record goes.
InfluxMirror::Delivery InfluxMirror::catch_up(Lsn first, Lsn last, const std::stop_token& stop) {
  std::unique_ptr<Resend> backfill = std::move(resend_);
  const uint64_t backfill_id = resend_id_;
  // Removed records are in segments; rows of damaged ones may still be in memory only.
  if (const auto flushed = engine_.flush(); !flushed) {
    log_warn(options_.name, "the store cannot be flushed: " + flushed.error().message);
  }
  resend_ = std::make_unique<Resend>(engine_, ranges_of_records(engine_, rules_, first, last));
  {
    const std::lock_guard lock(mutex_);
    resend_id_ = ++last_resend_id_;
    status_.resends.push_back(
        {.id = resend_id_, .kind = "catch-up", .state = "running", .table = {}, .error = {}});
    status_.resends.back().rows_total = resend_->rows_total();
    if (status_.resends.size() > kResendsToldMax) status_.resends.erase(status_.resends.begin());
  }
  auto delivery = Delivery::kDone;
  while (resend_ != nullptr && delivery == Delivery::kDone) delivery = resend_slice(stop);
  resend_ = std::move(backfill);
  resend_id_ = backfill_id;
  return delivery;
}

}  // namespace varve
