#include "storage/wal/wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/wal/format.h"
#include "storage/wal/reader.h"

namespace varve {
namespace {

constexpr int64_t kRelaxedSyncNs = kNsPerSecond;
// On a disk without room for a whole file the log makes do with less, down to this (guessed: a few groups).
constexpr uint64_t kReserveBytesMin = 4 << 20;
constexpr uint64_t kReserveShrink = 4;
// So much is worth a sync of its own: to write it takes as long as the sync (guessed: 1 ms on a disk of 250 MB/s).
constexpr uint64_t kWorthSyncBytes = 256 << 10;

uint64_t random_file_id() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

uint64_t record_bytes(uint64_t payload_bytes) {
  return kWalRecordHeaderBytes + payload_bytes;
}

// A failed sync is final, whatever its reason.
Result<void> synced(Result<void> outcome) {
  if (!outcome) outcome.error().code = ErrorCode::kIo;
  return outcome;
}

bool ends_in_order(std::string_view file) {
  if (file.size() < kWalFirstRecordOffset + kWalRecordHeaderBytes) return false;
  const auto start = decode_wal_file_header(file.substr(0, kWalFileHeaderBytes));
  const uint64_t offset = file.size() - kWalRecordHeaderBytes;
  if (!start) return false;
  const auto last = decode_wal_record_header(file.substr(offset), start->file_id, offset);
  return last && last->is_end_mark();
}

// Without the space reserved behind the last record: zeros, but so may be the end of a record itself. All of it when
// anything else than whole records stands there.
uint64_t used_bytes(std::string_view file) {
  const auto start = decode_wal_file_header(file.substr(0, kWalFileHeaderBytes));
  uint64_t end = kWalFirstRecordOffset;
  while (start && end + kWalRecordHeaderBytes <= file.size()) {
    const auto header = decode_wal_record_header(file.substr(end), start->file_id, end);
    if (!header) break;
    end += header->record_bytes();
  }
  const bool only_zeros_follow =
      start && end <= file.size() && file.substr(end).find_first_not_of('\0') == std::string_view::npos;
  return only_zeros_follow ? end : file.size();
}

// Of the queue, for its group to close.
uint64_t close_bytes(const WalOptions& options) {
  return std::min(options.group_bytes, kWorthSyncBytes);
}

std::chrono::nanoseconds to_chrono(int64_t ns) {
  return std::chrono::nanoseconds(std::max<int64_t>(ns, 0));
}

}  // namespace

Wal::Wal(WalOptions options, Lsn next_lsn)
    : options_(std::move(options)),
      sync_seconds_(
          options_.metrics->histogram("varve_wal_sync_seconds", "Time of one fdatasync of the log.")),
      bytes_total_(options_.metrics->counter("varve_wal_bytes_total", "Bytes written to the log.")),
      records_total_(options_.metrics->counter("varve_wal_records_total", "Records written to the log.")),
      written_lsn_(next_lsn - 1),
      synced_lsn_(next_lsn - 1),
      settled_lsn_(next_lsn - 1),
      next_lsn_(next_lsn),
      durable_lsn_(next_lsn - 1) {}

Result<std::unique_ptr<Wal>> Wal::open(WalOptions options, Lsn next_lsn) {
  VARVE_CHECK(options.metrics != nullptr && next_lsn > 0);
  std::unique_ptr<Wal> wal(new Wal(std::move(options), next_lsn));
  FileSystem& files = *wal->options_.file_system;
  VARVE_TRY(files.create_directories(wal->options_.directory));
  VARVE_TRY(wal->adopt_files());
  VARVE_TRY(wal->clear_name(wal->path_of(next_lsn)));
  if (const auto started = wal->start_file(next_lsn); !started) {
    if (started.error().code != ErrorCode::kExhausted) return started.error();
    log_warn("wal", "the log cannot take records yet: " + started.error().message);
  }
  wal->last_sync_ns_ = wal->options_.clock->monotonic_ns();
  wal->thread_ = std::thread([log = wal.get()] { log->run(); });
  return wal;
}

Wal::~Wal() {
  close();
}

std::string Wal::path_of(Lsn first_lsn) const {
  return join_path(options_.directory, wal_file_name(first_lsn));
}

// Takes the files of the folder into the count and refuses to write behind them.
Result<void> Wal::adopt_files() {
  VARVE_ASSIGN(const auto names, options_.file_system->list(options_.directory));
  for (const std::string& name : names) {
    const auto first_lsn = parse_wal_file_name(name);
    if (!first_lsn || *first_lsn == next_lsn_) continue;
    if (*first_lsn > next_lsn_) {
      return invalid_argument(fmt::format("{} starts after the next record, {}; recover the log first",
                                          path_of(*first_lsn), next_lsn_));
    }
    VARVE_ASSIGN(const auto file, options_.file_system->open_read(path_of(*first_lsn)));
    VARVE_ASSIGN(const uint64_t bytes, file->size());
    files_.push_back({*first_lsn, bytes});
  }
  return files_.empty() ? Result<void>() : make_durable(files_.back());
}

// A killed process leaves records that read back and yet are not durable, and after a failed sync no later one can be
// trusted. They are replayed, so the next power cut must not take them: the newest file is written anew. The files
// before it were whole on disk when it was made, and one closed in order was when it got its end mark.
Result<void> Wal::make_durable(File& file) {
  FileSystem& files = *options_.file_system;
  const std::string path = path_of(file.first_lsn);
  VARVE_ASSIGN(std::string bytes, files.read_all(path));
  if (ends_in_order(bytes)) return {};
  bytes.resize(used_bytes(bytes));
  file.bytes = bytes.size();
  const auto written = files.write_atomically(path, bytes);
  if (written || written.error().code != ErrorCode::kExhausted) return written;
  return files.truncate(path, bytes.size());  // no room for a copy: the sync in it must do
}

// A crash may leave a file that was started and never got a whole record; a new one will take its name.
Result<void> Wal::clear_name(const std::string& path) {
  FileSystem& files = *options_.file_system;
  VARVE_ASSIGN(const auto reader, WalReader::open(files, options_.directory, next_lsn_));
  WalRecordView record;
  VARVE_ASSIGN(const bool used, reader->next(record));
  if (used) {
    return invalid_argument(
        fmt::format("{} already holds record {}, the next one would be {}; recover the log first",
                    options_.directory, record.lsn, next_lsn_));
  }
  VARVE_ASSIGN(const bool taken, files.exists(path));
  if (!taken) return {};
  VARVE_ASSIGN(const auto tail, reader->torn_tail());
  if (!tail || tail->offset + tail->bytes <= kWalFirstRecordOffset) {
    kill_point("log.before_empty_removal");
    VARVE_TRY(files.remove(path));
    return files.sync_directory(options_.directory);
  }
  const std::string folder = join_path(options_.directory, kWalQuarantineFolder);
  VARVE_TRY(files.create_directories(folder));
  std::string target;
  for (int copy = 1;; ++copy) {
    target = join_path(folder, fmt::format("{}.tail-{}", wal_file_name(next_lsn_), copy));
    VARVE_ASSIGN(const bool exists, files.exists(target));
    if (!exists) break;
  }
  VARVE_TRY(files.rename(path, target));
  VARVE_TRY(files.sync_directory(folder));
  return files.sync_directory(options_.directory);
}

Result<void> Wal::start_file(Lsn first_lsn) {
  const std::string path = path_of(first_lsn);
  file_.reset();
  file_id_ = random_file_id();
  file_first_lsn_ = first_lsn;
  Result<void> started = reserve_file(path, options_.file_bytes);
  for (uint64_t bytes = options_.file_bytes / kReserveShrink;
       !started && started.error().code == ErrorCode::kExhausted && bytes >= kReserveBytesMin;
       bytes /= kReserveShrink) {
    started = reserve_file(path, bytes);
  }
  if (!started) {
    file_.reset();
    // Nothing was promised in it. What cannot be removed now is when its name is next wanted.
    if (started.error().code == ErrorCode::kExhausted) (void)options_.file_system->remove(path);
    return started;
  }
  file_bytes_ = settled_bytes_ = kWalFirstRecordOffset;
  const std::lock_guard lock(mutex_);
  files_.push_back({first_lsn, file_bytes_});
  return {};
}

Result<void> Wal::reserve_file(const std::string& path, uint64_t bytes) {
  FileSystem& files = *options_.file_system;
  file_.reset();
  // A file of this name holds no record: the caller has made sure at open, and settled since then.
  VARVE_ASSIGN(const bool left_over, files.exists(path));
  if (left_over) VARVE_TRY(files.remove(path));
  kill_point("log.before_create");
  VARVE_ASSIGN(file_, files.create(path));
  kill_point("log.before_preallocate");
  VARVE_TRY(file_->preallocate(bytes));
  kill_point("log.before_header");
  VARVE_TRY(file_->append(encode_wal_file_start({file_first_lsn_, file_id_})));
  kill_point("log.before_header_sync");
  VARVE_TRY(synced(file_->sync()));
  kill_point("log.before_directory_sync");
  VARVE_TRY(synced(files.sync_directory(options_.directory)));
  kill_point("log.after_directory_sync");
  file_bytes_max_ = bytes;
  return {};
}

Result<Lsn> Wal::append(std::string payload, Done done, uint64_t epoch) {
  if (payload.size() > kWalRecordBytesMax) {
    return invalid_argument(
        fmt::format("a log record of {} bytes is over the limit of {}; write fewer rows at once",
                    payload.size(), kWalRecordBytesMax));
  }
  const uint64_t bytes = record_bytes(payload.size());
  const int64_t now = options_.clock->monotonic_ns();
  bool wake = false;
  Lsn lsn = 0;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    if (closing_) return unavailable("the log is closed");
    if (epoch != this->epoch()) return unavailable("earlier writes found the disk full; try again");
    if (unacked_bytes_ > 0 && unacked_bytes_ + bytes > options_.queue_bytes_max) {
      return unavailable(
          fmt::format("the log's queue is full ({} bytes wait for the disk); try again", unacked_bytes_));
    }
    lsn = next_lsn_++;
    // The log thread waits for the first record, then for its deadline or a full group.
    const bool was_short = queue_bytes_ < close_bytes(options_);
    queue_bytes_ += bytes;
    unacked_bytes_ += bytes;
    wake = queue_.empty() || (was_short && queue_bytes_ >= close_bytes(options_));
    queue_.push_back({lsn, std::move(payload), std::move(done), now});
  }
  if (wake) work_.notify_one();
  return lsn;
}

bool Wal::wait_durable(Lsn lsn, int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  durable_.wait_for(lock, to_chrono(timeout_ns), [&] { return durable_lsn() >= lsn || closing_; });
  return durable_lsn() >= lsn;
}

void Wal::run() {
  std::vector<Pending> group;
  while (take_group(group)) {
    auto written = group.empty() ? sync_file() : write_group(group);
    if (!written && written.error().code == ErrorCode::kExhausted) {
      written = refuse_unsettled(group, written.error());
    }
    if (written) {
      acknowledge(group);
    } else {
      stop(group, written.error());
      break;
    }
  }
  finish_active_file();
}

// Waits for a group, or in kRelaxed for the next sync (an empty group). False: closed, and nothing is left.
bool Wal::take_group(std::vector<Pending>& group) {
  group.clear();
  std::unique_lock lock(mutex_);
  while (true) {
    const int64_t now = options_.clock->monotonic_ns();
    int64_t deadline = INT64_MAX;
    if (!queue_.empty()) {
      const bool may_wait =
          options_.sync == WalSync::kGroup && queue_bytes_ < close_bytes(options_) && !closing_ && !lone_;
      deadline = may_wait ? queue_.front().queued_ns + options_.group_delay_ns : now;
      if (deadline <= now) break;
    } else {
      if (closing_) return false;
      if (unsynced_) deadline = last_sync_ns_ + kRelaxedSyncNs;
      if (deadline <= now) return true;
    }
    if (deadline == INT64_MAX) {
      work_.wait(lock);
    } else {
      work_.wait_for(lock, to_chrono(deadline - now));
    }
  }
  uint64_t bytes = 0;
  do {
    bytes += record_bytes(queue_.front().payload.size());
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  } while (options_.sync != WalSync::kEach && !queue_.empty() && bytes < options_.group_bytes);
  queue_bytes_ -= bytes;
  return true;
}

Result<void> Wal::write_group(const std::vector<Pending>& group) {
  for (const Pending& pending : group) {
    const uint64_t bytes = record_bytes(pending.payload.size());
    const bool has_records = file_ != nullptr && file_bytes_ > kWalFirstRecordOffset;
    if (has_records && file_bytes_ + bytes > file_bytes_max_) {
      VARVE_TRY(write_buffer());
      VARVE_TRY(sync_file());
      settle();
      file_.reset();
    }
    if (file_ == nullptr) VARVE_TRY(start_file(pending.lsn));
    append_wal_record(buffer_, {file_id_, file_bytes_, pending.lsn, synced_lsn_}, pending.payload);
    file_bytes_ += bytes;
    written_lsn_ = pending.lsn;
  }
  VARVE_TRY(write_buffer());
  const bool overdue = options_.clock->monotonic_ns() - last_sync_ns_ >= kRelaxedSyncNs;
  if (options_.sync != WalSync::kRelaxed || overdue) VARVE_TRY(sync_file());
  settle();
  return {};
}

void Wal::settle() {
  settled_lsn_ = written_lsn_;
  settled_bytes_ = file_bytes_;
  const std::lock_guard lock(mutex_);
  files_.back().bytes = file_bytes_;
}

Result<void> Wal::write_buffer() {
  if (buffer_.empty()) return {};
  kill_point("log.before_write");
  VARVE_TRY(file_->append(buffer_));
  bytes_total_.add(buffer_.size());
  buffer_.clear();
  unsynced_ = true;
  return {};
}

Result<void> Wal::sync_file() {
  if (!unsynced_) return {};
  const int64_t start = options_.clock->monotonic_ns();
  kill_point("log.before_sync");
  VARVE_TRY(synced(file_->sync()));
  kill_point("log.after_sync");
  last_sync_ns_ = options_.clock->monotonic_ns();
  sync_seconds_.observe_ns(last_sync_ns_ - start);
  synced_lsn_ = written_lsn_;
  unsynced_ = false;
  return {};
}

void Wal::acknowledge(std::vector<Pending>& group) {
  if (group.empty()) return;
  uint64_t bytes = 0;
  for (const Pending& pending : group) bytes += record_bytes(pending.payload.size());
  records_total_.add(group.size());
  {
    const std::lock_guard lock(mutex_);
    unacked_bytes_ -= bytes;
    durable_lsn_.store(group.back().lsn, std::memory_order_release);
    lone_ = group.size() == 1 && queue_.empty();
  }
  durable_.notify_all();
  kill_point("log.before_done");
  for (Pending& pending : group) pending.done(pending.lsn);
}

// The disk is full: the group keeps what is settled, the rest of it and the queue fail.
Result<void> Wal::refuse_unsettled(std::vector<Pending>& group, const Error& reason) {
  VARVE_TRY(abandon_file());
  const auto first = std::find_if(group.begin(), group.end(),
                                  [&](const Pending& pending) { return pending.lsn > settled_lsn_; });
  std::vector<Pending> refused(std::make_move_iterator(first), std::make_move_iterator(group.end()));
  group.erase(first, group.end());
  acknowledge(group);
  group.clear();
  uint64_t epoch = 0;
  {
    const std::lock_guard lock(mutex_);
    for (Pending& pending : queue_) refused.push_back(std::move(pending));
    queue_.clear();
    queue_bytes_ = unacked_bytes_ = 0;
    next_lsn_ = settled_lsn_ + 1;
    epoch = this->epoch() + 1;
    epoch_.store(epoch, std::memory_order_release);
  }
  const Error error = unavailable(reason.message + "; nothing of this write was kept");
  log_warn("wal", fmt::format("{} records refused: {}", refused.size(), reason.message));
  for (Pending& pending : refused) pending.done(error);
  options_.on_no_space(epoch);
  return {};
}

// Leaves the file with its settled records and nothing else. On an error nobody knows what a restart will find.
Result<void> Wal::abandon_file() {
  buffer_.clear();
  written_lsn_ = settled_lsn_;
  if (file_ == nullptr) return {};
  file_.reset();
  const std::string path = path_of(file_first_lsn_);
  VARVE_TRY(synced(options_.file_system->truncate(path, settled_bytes_)));
  synced_lsn_ = settled_lsn_;
  unsynced_ = false;
  if (settled_bytes_ > kWalFirstRecordOffset) return {};
  (void)options_.file_system->remove(path);  // else when its name is next wanted
  const std::lock_guard lock(mutex_);
  files_.pop_back();
  return {};
}

void Wal::stop(std::vector<Pending>& group, const Error& reason) {
  Error error = with_context(reason, "the log has stopped, restart the program to go on");
  error.code = ErrorCode::kIo;  // whatever it was: the folder of the log may be gone, say
  log_error("wal", error.message);
  {
    const std::lock_guard lock(mutex_);
    failure_ = error;
    for (Pending& pending : queue_) group.push_back(std::move(pending));
    queue_.clear();
    queue_bytes_ = unacked_bytes_ = 0;
  }
  for (Pending& pending : group) pending.done(error);
}

// On a clean close the reserved space is given back, and a file without records goes.
void Wal::finish_active_file() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
  }
  if (file_ == nullptr) return;
  const bool has_records = file_bytes_ > kWalFirstRecordOffset;
  auto finished = has_records ? end_active_file() : options_.file_system->remove(path_of(file_first_lsn_));
  if (!finished) log_error("wal", fmt::format("closing the log: {}", finished.error().message));
  file_.reset();
  kill_point("log.after_close");
}

Result<void> Wal::end_active_file() {
  VARVE_TRY(sync_file());
  kill_point("log.before_end_mark");
  append_wal_end_mark(buffer_, {file_id_, file_bytes_, written_lsn_ + 1, synced_lsn_});
  file_bytes_ += buffer_.size();
  VARVE_TRY(write_buffer());
  kill_point("log.before_truncate");
  return options_.file_system->truncate(path_of(file_first_lsn_), file_bytes_);  // syncs the mark as well
}

Result<void> Wal::remove_before(Lsn lsn) {
  const std::lock_guard one_at_a_time(remove_mutex_);
  std::vector<File> all;
  {
    const std::lock_guard lock(mutex_);
    all = files_;
  }
  size_t removed = 0;
  Result<void> outcome;
  while (outcome && removed + 1 < all.size() && all[removed + 1].first_lsn <= lsn) {
    kill_point("log.before_file_removal");
    outcome = options_.file_system->remove(path_of(all[removed].first_lsn));
    kill_point("log.after_file_removal");
    if (!outcome && outcome.error().code == ErrorCode::kNotFound)
      outcome = {};  // an earlier call got this far
    if (outcome) ++removed;
  }
  {
    const std::lock_guard lock(mutex_);
    files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(removed));
  }
  if (removed > 0 && outcome) outcome = options_.file_system->sync_directory(options_.directory);
  return outcome;
}

WalStats Wal::stats() const {
  const std::lock_guard lock(mutex_);
  WalStats stats;
  stats.files = files_.size();
  for (const File& file : files_) stats.bytes += file.bytes;
  if (!files_.empty()) stats.oldest_lsn = files_.front().first_lsn;
  return stats;
}

uint64_t Wal::bytes_after(Lsn lsn) const {
  if (lsn >= durable_lsn()) return 0;
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (size_t i = files_.size(); i-- > 0;) {
    bytes += files_[i].bytes;
    if (files_[i].first_lsn <= lsn + 1) break;
  }
  return bytes;
}

Lsn Wal::first_lsn_within(uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  Lsn first = next_lsn_;
  for (size_t i = files_.size(); i-- > 0;) {
    if (i + 1 < files_.size() && files_[i].bytes > bytes) break;
    bytes -= std::min(bytes, files_[i].bytes);
    first = files_[i].first_lsn;
  }
  return first;
}

void Wal::close() {
  const std::lock_guard once(close_mutex_);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  durable_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace varve
