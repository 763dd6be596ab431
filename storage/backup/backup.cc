#include "storage/backup/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "storage/base/kill_point.h"
#include "storage/catalog/catalog.h"
#include "storage/catalog/tokens.h"
#include "storage/hold.h"
#include "storage/wal/format.h"
#include "storage/wal/reader.h"

namespace varve {
namespace {

constexpr size_t kCopyBytes = 1 << 20;

class Backup {
 public:
  explicit Backup(const BackupOptions& options)
      : options_(options), files_(*options.file_system), data_(options.data_directory), to_(options.to) {
    while (to_.size() > 1 && to_.back() == '/') to_.pop_back();
    partial_ = to_ + ".partial";
  }

  Result<BackupReport> run() {
    VARVE_TRY(check_folders());
    VARVE_ASSIGN(const auto hold, hold_store(files_, data_, options_.hold_timeout_ns));
    VARVE_TRY(files_.create_directories(partial_));
    const std::string catalog = join_path(partial_, "catalog.db");
    kill_point("backup.before_catalog");
    VARVE_TRY(copy_catalog(files_, join_path(data_, "catalog.db"), catalog, options_.catalog_vfs));
    kill_point("backup.after_catalog");
    VARVE_TRY(copy_tokens(files_, data_, partial_));
    VARVE_ASSIGN(const CatalogState state, read_catalog(files_, catalog));
    report_.replay_from_lsn = std::max<Lsn>(state.replay_from_lsn, 1);
    VARVE_ASSIGN(const std::vector<Lsn> log, log_files());
    VARVE_TRY(count_bytes(state, log));
    VARVE_TRY(take_tables(state));
    VARVE_TRY(take_log(log));
    passed(progress_.bytes_total);  // the last log file is not copied to its reserved end
    VARVE_TRY(files_.sync_directory(partial_));
    kill_point("backup.before_rename");
    VARVE_TRY(files_.rename(partial_, to_));
    kill_point("backup.after_rename");
    VARVE_TRY(files_.sync_directory(parent_directory(to_)));
    return report_;
  }

 private:
  Result<void> check_folders() {
    VARVE_ASSIGN(const bool store, files_.exists(join_path(data_, "catalog.db")));
    if (!store)
      return not_found(
          fmt::format("{} is not the data folder of a varve store: it has no catalog.db", data_));
    VARVE_ASSIGN(const bool there, files_.exists(to_));
    if (there) {
      VARVE_ASSIGN(const auto names, files_.list(to_));
      if (!names.empty()) return invalid_argument(fmt::format("{} is not empty; name a new folder", to_));
    }
    VARVE_ASSIGN(const bool unfinished, files_.exists(partial_));
    if (unfinished) {
      return invalid_argument(
          fmt::format("{} is left over by an unfinished backup; remove it and try again", partial_));
    }
    return {};
  }

  Result<std::vector<Lsn>> log_files() {
    std::vector<Lsn> first_lsns;
    const auto names = files_.list(join_path(data_, "wal"));
    if (!names && names.error().code == ErrorCode::kNotFound) return first_lsns;
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (const auto lsn = parse_wal_file_name(name)) first_lsns.push_back(*lsn);
    }
    std::sort(first_lsns.begin(), first_lsns.end());
    return first_lsns;
  }

  Result<uint64_t> size_of(const std::string& path) {
    VARVE_ASSIGN(const auto file, files_.open_read(path));
    return file->size();
  }

  Result<void> count_bytes(const CatalogState& state, const std::vector<Lsn>& log) {
    for (const CatalogTable& table : state.tables) {
      for (const CatalogSegment& segment : table.segments) progress_.bytes_total += segment.bytes;
    }
    for (const Lsn first_lsn : log) {
      VARVE_ASSIGN(const uint64_t bytes,
                   size_of(join_path(join_path(data_, "wal"), wal_file_name(first_lsn))));
      progress_.bytes_total += bytes;
    }
    return {};
  }

  void passed(uint64_t bytes) {
    progress_.bytes_done = std::min(progress_.bytes_total, progress_.bytes_done + bytes);
    if (options_.observer) options_.observer(progress_);
  }

  Result<void> take_tables(const CatalogState& state) {
    VARVE_TRY(files_.create_directories(join_path(partial_, "segments")));
    VARVE_TRY(files_.create_directories(join_path(partial_, "tombstones")));
    report_.tables = state.tables.size();
    for (const CatalogTable& table : state.tables) {
      for (const CatalogSegment& segment : table.segments) {
        VARVE_TRY(take_file("segments/" + segment.file));
        ++report_.segments;
        report_.rows += segment.rows;
      }
      for (const CatalogTombstone& tombstone : table.tombstones)
        VARVE_TRY(take_file("tombstones/" + tombstone.file));
    }
    VARVE_TRY(files_.sync_directory(join_path(partial_, "tombstones")));
    return files_.sync_directory(join_path(partial_, "segments"));
  }

  // A file that no one writes to any more.
  Result<void> take_file(const std::string& name) {
    const std::string from = join_path(data_, name);
    const auto linked = files_.link(from, join_path(partial_, name));
    VARVE_ASSIGN(const uint64_t bytes, size_of(from));
    if (!linked) {
      if (linked.error().code != ErrorCode::kUnsupported) return linked;
      return copy(name, bytes);
    }
    report_.linked_bytes += bytes;
    passed(bytes);
    return {};
  }

  Result<void> copy(const std::string& name, uint64_t bytes) {
    VARVE_ASSIGN(const auto from, files_.open_read(join_path(data_, name)));
    VARVE_ASSIGN(const auto to, files_.create(join_path(partial_, name)));
    std::string buffer;
    for (uint64_t at = 0; at < bytes; at += buffer.size()) {
      buffer.resize(std::min<uint64_t>(kCopyBytes, bytes - at));
      VARVE_ASSIGN(const size_t got,
                   from->read(at, {reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()}));
      if (got != buffer.size())
        return corruption(fmt::format("{} ends after {} of {} bytes", name, at + got, bytes));
      VARVE_TRY(to->append(buffer));
      passed(buffer.size());
    }
    report_.copied_bytes += bytes;
    return to->sync();
  }

  // Files before the last are complete. Of the last, the records that are whole now: bytes after them belong to a write
  // in progress, and half of one would look like damage.
  Result<void> take_log(const std::vector<Lsn>& log) {
    VARVE_TRY(files_.create_directories(join_path(partial_, "wal")));
    if (!log.empty()) {
      for (size_t i = 0; i + 1 < log.size(); ++i) VARVE_TRY(take_file("wal/" + wal_file_name(log[i])));
      report_.log_files = log.size() - 1;
      report_.last_lsn = log.back() - 1;
      VARVE_ASSIGN(const uint64_t end, end_of_records(log.back()));
      if (end != 0) {
        VARVE_TRY(copy("wal/" + wal_file_name(log.back()), end));
        ++report_.log_files;
      }
    }
    return files_.sync_directory(join_path(partial_, "wal"));
  }

  Result<uint64_t> end_of_records(Lsn first_lsn) {
    VARVE_ASSIGN(const auto reader, WalReader::open(files_, join_path(data_, "wal"), first_lsn));
    uint64_t end = 0;
    WalRecordView record;
    while (true) {
      VARVE_ASSIGN(const bool found, reader->next(record));
      if (!found || record.file_lsn != first_lsn) return end;
      end = record.end_offset;
      report_.last_lsn = record.lsn;
    }
  }

  const BackupOptions& options_;
  FileSystem& files_;
  const std::string data_;
  std::string to_;
  std::string partial_;
  BackupProgress progress_;
  BackupReport report_;
};

}  // namespace

Result<BackupReport> back_up(const BackupOptions& options) {
  return Backup(options).run();
}

}  // namespace varve
