#include "storage/check/log_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "storage/check/quarantine_copy.h"
#include "storage/wal/format.h"
#include "storage/wal/reader.h"

namespace varve {
namespace {

// Of one hole; about 40 bytes each (guessed: a lost 64 MiB file of small records has a million).
constexpr uint64_t kBlankRecordsMax = uint64_t{1} << 24;
constexpr size_t kWriteBytes = 1 << 20;

Result<std::vector<Lsn>> log_files(FileSystem& files, const std::string& directory) {
  std::vector<Lsn> first_lsns;
  VARVE_ASSIGN(const auto names, files.list(directory));
  for (const std::string& name : names) {
    if (const auto lsn = parse_wal_file_name(name)) first_lsns.push_back(*lsn);
  }
  std::sort(first_lsns.begin(), first_lsns.end());
  return first_lsns;
}

// Writes records one after the other into a new log file.
class FileWriter {
 public:
  FileWriter(std::unique_ptr<WritableFile> file, Lsn first_lsn) : file_(std::move(file)), next_(first_lsn) {
    std::random_device random;
    file_id_ = (uint64_t{random()} << 32) | random();
    buffer_ = encode_wal_file_start({first_lsn, file_id_});
  }

  // A record, after blank ones for those that lack before it.
  Result<void> add(Lsn lsn, std::string_view payload) {
    VARVE_TRY(fill_until(lsn));
    return put(payload);
  }
  Result<void> fill_until(Lsn lsn) {
    if (lsn > next_ && lsn - next_ > kBlankRecordsMax) {
      return unsupported(fmt::format("log records {} to {} are missing, more than a repair fills ({})", next_,
                                     lsn - 1, kBlankRecordsMax));
    }
    static const std::string blank = encode_wal_entry({});
    while (next_ < lsn) VARVE_TRY(put(blank));
    return {};
  }
  Result<void> finish() {
    append_wal_end_mark(buffer_, {file_id_, written_ + buffer_.size(), next_, next_ - 1});
    VARVE_TRY(file_->append(buffer_));
    return file_->sync();
  }

 private:
  Result<void> put(std::string_view payload) {
    append_wal_record(buffer_, {file_id_, written_ + buffer_.size(), next_, next_ - 1}, payload);
    ++next_;
    if (buffer_.size() < kWriteBytes) return {};
    written_ += buffer_.size();
    VARVE_TRY(file_->append(buffer_));
    buffer_.clear();
    return {};
  }

  const std::unique_ptr<WritableFile> file_;
  uint64_t file_id_ = 0;
  Lsn next_;
  std::string buffer_;
  uint64_t written_ = 0;
};

class LogRepair {
 public:
  LogRepair(FileSystem& files, std::string data, const LogFacts& log)
      : files_(files), data_(std::move(data)), directory_(join_path(data_, "wal")), log_(log) {
    for (const LogFacts::Unreadable& record : log.unreadable) unreadable_.insert(record.lsn);
  }

  Result<void> run(std::vector<std::string>& repairs) {
    VARVE_ASSIGN(first_lsns_, log_files(files_, directory_));
    std::set<size_t> broken;
    for (const WalDamage& damage : log_.damage) broken.insert(file_of(damage.first_lost));
    for (const Lsn lsn : unreadable_) broken.insert(file_of(lsn));
    for (const size_t index : broken) VARVE_TRY(rewrite(index, repairs));
    return {};
  }

 private:
  size_t file_of(Lsn lsn) const {
    const auto after = std::upper_bound(first_lsns_.begin(), first_lsns_.end(), lsn);
    return after == first_lsns_.begin() ? 0 : static_cast<size_t>(after - first_lsns_.begin()) - 1;
  }
  std::string name_of(size_t index) const { return wal_file_name(first_lsns_[index]); }

  Result<void> rewrite(size_t index, std::vector<std::string>& repairs) {
    const std::string name = name_of(index);
    const std::string path = join_path(directory_, name);
    VARVE_ASSIGN(const std::string copy, keep_copy(files_, data_, "wal/" + name));
    VARVE_TRY(write_report(files_, copy, report_of(index)));
    const std::string temporary = path + ".tmp";
    VARVE_ASSIGN(const bool stale, files_.exists(temporary));
    if (stale) VARVE_TRY(files_.remove(temporary));
    {
      VARVE_ASSIGN(auto file, files_.create(temporary));
      FileWriter writer(std::move(file), first_lsns_[index]);
      VARVE_TRY(copy_records(index, writer));
      VARVE_TRY(writer.finish());
    }
    VARVE_TRY(files_.rename(temporary, path));
    VARVE_TRY(files_.sync_directory(directory_));
    repairs.push_back(fmt::format(
        "wal/{}: written anew with its intact records; the damaged file is kept as {}", name, copy));
    return {};
  }

  Result<void> copy_records(size_t index, FileWriter& writer) {
    const bool last = index + 1 == first_lsns_.size();
    const Lsn end = last ? log_.next_lsn : first_lsns_[index + 1];
    VARVE_ASSIGN(const auto reader, WalReader::open(files_, directory_, first_lsns_[index]));
    WalRecordView record;
    while (true) {
      VARVE_ASSIGN(const bool found, reader->next(record, end - 1));
      if (!found) break;
      if (!unreadable_.contains(record.lsn)) VARVE_TRY(writer.add(record.lsn, record.payload));
    }
    return writer.fill_until(end);
  }

  std::string report_of(size_t index) const {
    std::string text;
    for (const WalDamage& damage : log_.damage) {
      if (file_of(damage.first_lost) != index) continue;
      text += fmt::format("records {} to {} lost: {} damaged bytes at offset {} of {}\n", damage.first_lost,
                          damage.last_lost, damage.bytes, damage.offset, damage.file);
    }
    for (const LogFacts::Unreadable& record : log_.unreadable) {
      if (file_of(record.lsn) == index)
        text += fmt::format("record {} lost: {}\n", record.lsn, record.reason);
    }
    return text;
  }

  FileSystem& files_;
  const std::string data_;
  const std::string directory_;
  const LogFacts& log_;
  std::set<Lsn> unreadable_;
  std::vector<Lsn> first_lsns_;
};

}  // namespace

Result<void> repair_log(FileSystem& file_system, const std::string& data_directory, const LogFacts& log,
                        std::vector<std::string>& repairs) {
  if (log.damage.empty() && log.unreadable.empty()) return {};
  return LogRepair(file_system, data_directory, log).run(repairs);
}

}  // namespace varve
