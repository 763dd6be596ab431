#include "storage/row_watch.h"

#include <utility>

namespace varve {

RowWatch::RowWatch(std::shared_ptr<Shared> shared, std::string database, std::string table,
                   std::function<void()> wake)
    : shared_(std::move(shared)),
      database_(std::move(database)),
      table_(std::move(table)),
      wake_(std::move(wake)) {
  const std::lock_guard lock(shared_->mutex);
  shared_->watches.push_back(this);
  shared_->count.store(shared_->watches.size());
}

RowWatch::~RowWatch() {
  const std::lock_guard lock(shared_->mutex);
  shared_->watches.remove(this);
  shared_->count.store(shared_->watches.size());
}

RowWatch::Taken RowWatch::take() {
  const std::lock_guard lock(shared_->mutex);
  waiting_bytes_ = 0;
  return std::exchange(waiting_, {});
}

RowWatches::RowWatches() : shared_(std::make_shared<RowWatch::Shared>()) {}

std::unique_ptr<RowWatch> RowWatches::watch(std::string_view database, std::string_view table,
                                            std::function<void()> wake) {
  return std::unique_ptr<RowWatch>(
      new RowWatch(shared_, std::string(database), std::string(table), std::move(wake)));
}

bool RowWatches::any() const {
  return shared_->count.load(std::memory_order_relaxed) != 0;
}

void RowWatches::publish(Lsn lsn, RowBatch&& batch) {
  const std::lock_guard lock(shared_->mutex);
  std::shared_ptr<const RowBatch> rows;
  size_t bytes = 0;
  for (RowWatch* const watch : shared_->watches) {
    const bool wanted = rows != nullptr ? watch->table_ == rows->table && watch->database_ == rows->database
                                        : watch->table_ == batch.table && watch->database_ == batch.database;
    if (!wanted) continue;
    if (rows == nullptr) {
      bytes = batch.memory_bytes();
      rows = std::make_shared<const RowBatch>(std::move(batch));
    }
    RowWatch::Taken& waiting = watch->waiting_;
    const bool was_empty = waiting.records.empty() && waiting.rows_lost == 0;
    // Once rows are lost the rest is, too, until the queue is taken: so the gap has one place.
    if (waiting.rows_lost > 0 ||
        (!waiting.records.empty() && watch->waiting_bytes_ + bytes > kWatchedBytesMax)) {
      waiting.rows_lost += rows->rows();
    } else {
      waiting.records.push_back({lsn, rows});
      watch->waiting_bytes_ += bytes;
    }
    if (was_empty) watch->wake_();
  }
}

}  // namespace varve
