#include "storage/wal/reader.h"

#include <algorithm>

namespace varve {
namespace {

constexpr uint64_t kReadBytes = 256 << 10;  // a call of read() costs little beside this much (guessed)

struct FoundRecord {
  WalRecordHeader header;
  std::string_view payload;
};

}  // namespace

// One log file with a window of its bytes in memory. Behind a writer the window grows stale: forget() it.
class WalReader::OpenFile {
 public:
  OpenFile(std::unique_ptr<RandomAccessFile> file, std::string file_path, Lsn first, Lsn overruled)
      : path(std::move(file_path)), first_lsn(first), overruled_from(overruled), file_(std::move(file)) {}

  const std::string path;
  const Lsn first_lsn;
  const Lsn overruled_from;  // records from this lsn on are void

  void forget() { window_.clear(); }
  bool has_header() const { return header_.has_value(); }

  // Reads the header if that has not succeeded before. Neither copy intact is not an error.
  Result<void> load_header() {
    for (const uint64_t offset : {uint64_t{0}, kWalHeaderCopyOffset}) {
      if (header_) return {};
      VARVE_ASSIGN(const std::string_view bytes, bytes_at(offset, kWalFileHeaderBytes));
      auto header = decode_wal_file_header(bytes);
      if (header && header->first_lsn == first_lsn) header_ = *header;
      if (!header && header.error().code == ErrorCode::kUnsupported) {
        return with_context(std::move(header.error()), path);
      }
    }
    return {};
  }

  // The record that starts at `offset`, if an intact one does.
  Result<std::optional<FoundRecord>> record_at(uint64_t offset) {
    VARVE_ASSIGN(const std::string_view bytes, bytes_at(offset, kWalRecordHeaderBytes));
    if (!header_ || bytes.size() < kWalRecordHeaderBytes) return std::optional<FoundRecord>();
    const auto record = decode_wal_record_header(bytes, header_->file_id, offset);
    if (!record) return std::optional<FoundRecord>();
    VARVE_ASSIGN(const std::string_view whole, bytes_at(offset, record->record_bytes()));
    if (whole.size() < record->record_bytes()) return std::optional<FoundRecord>();
    const std::string_view payload = whole.substr(kWalRecordHeaderBytes);
    const bool intact = record->is_end_mark() || wal_payload_intact(*record, header_->file_id, payload);
    if (!intact) return std::optional<FoundRecord>();
    return std::optional<FoundRecord>(FoundRecord{*record, payload});
  }

  // Where the first intact record at or after `offset` starts.
  Result<std::optional<uint64_t>> find_record(uint64_t offset) {
    while (header_) {
      VARVE_ASSIGN(const std::string_view bytes, bytes_at(offset, kReadBytes));
      if (bytes.size() < kWalRecordHeaderBytes) break;
      std::optional<uint64_t> candidate;
      for (size_t at = 0; at + kWalRecordHeaderBytes <= bytes.size() && !candidate; ++at) {
        if (decode_wal_record_header(bytes.substr(at), header_->file_id, offset + at))
          candidate = offset + at;
      }
      if (!candidate) {
        offset += bytes.size() - kWalRecordHeaderBytes + 1;
        continue;
      }
      VARVE_ASSIGN(const auto record, record_at(*candidate));
      if (record) return candidate;
      offset = *candidate + 1;
    }
    return std::optional<uint64_t>();
  }

  // How many bytes from `offset` on there are up to the last that is not zero.
  Result<uint64_t> used_bytes(uint64_t offset) {
    uint64_t used = 0;
    for (uint64_t at = offset;;) {
      VARVE_ASSIGN(const std::string_view bytes, bytes_at(at, kReadBytes));
      if (bytes.empty()) return used;
      const size_t last = bytes.find_last_not_of('\0');
      if (last != std::string_view::npos) used = at + last + 1 - offset;
      at += bytes.size();
    }
  }

 private:
  // `count` bytes from `offset`; fewer at the end of the file. Valid until the next call.
  Result<std::string_view> bytes_at(uint64_t offset, uint64_t count) {
    const bool inside = offset >= window_offset_ && offset + count <= window_offset_ + window_.size();
    if (!inside) {
      window_.resize(std::max(count, kReadBytes));
      auto got = file_->read(offset, {reinterpret_cast<uint8_t*>(window_.data()), window_.size()});
      window_.resize(got ? *got : 0);
      if (!got) return std::move(got.error());
      window_offset_ = offset;
    }
    return std::string_view(window_).substr(offset - window_offset_, count);
  }

  std::unique_ptr<RandomAccessFile> file_;
  std::optional<WalFileHeader> header_;
  std::string window_;
  uint64_t window_offset_ = 0;
};

WalReader::WalReader(FileSystem& file_system, std::string directory, Lsn from_lsn)
    : file_system_(file_system), directory_(std::move(directory)), expected_(std::max<Lsn>(from_lsn, 1)) {}

WalReader::~WalReader() = default;

Result<std::unique_ptr<WalReader>> WalReader::open(FileSystem& file_system, std::string directory,
                                                   Lsn from_lsn) {
  std::unique_ptr<WalReader> reader(new WalReader(file_system, std::move(directory), from_lsn));
  VARVE_TRY(reader->open_first_file());
  return reader;
}

Result<bool> WalReader::next(WalRecordView& record, Lsn limit) {
  bool reopened = false;
  while (expected_ <= limit) {
    if (file_ && expected_ > final_lsn_) file_->forget();
    if (!file_ || expected_ > final_lsn_) final_lsn_ = limit;
    VARVE_ASSIGN(const Step made, step(record, limit));
    if (made == Step::kAgain) continue;
    if (made == Step::kRecord) return true;
    if (limit == UINT64_MAX || reopened || !file_) return false;
    reopen();
    reopened = true;
  }
  return false;
}

// The writer says a record is there and the file does not have it: another file may have taken the name.
void WalReader::reopen() {
  file_.reset();
  damage_bytes_ = 0;
}

Result<std::vector<Lsn>> WalReader::list_files() {
  std::vector<Lsn> files;
  auto names = file_system_.list(directory_);
  if (!names && names.error().code == ErrorCode::kNotFound) return files;
  if (!names) return std::move(names.error());
  for (const std::string& name : *names) {
    if (const auto lsn = parse_wal_file_name(name)) files.push_back(*lsn);
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<bool> WalReader::open_first_file() {
  VARVE_ASSIGN(const std::vector<Lsn> files, list_files());
  if (files.empty()) return false;
  const auto after = std::upper_bound(files.begin(), files.end(), expected_);
  VARVE_TRY(open_file(files, static_cast<size_t>(after == files.begin() ? 0 : after - files.begin() - 1)));
  return true;
}

Result<void> WalReader::open_file(const std::vector<Lsn>& files, size_t index) {
  const Lsn first_lsn = files[index];
  const std::string path = join_path(directory_, wal_file_name(first_lsn));
  if (first_lsn > expected_) {
    if (damage_bytes_ == 0) damage_offset_ = 0;
    damage_.push_back(
        {damage_bytes_ > 0 ? file_->path : path, damage_offset_, damage_bytes_, expected_, first_lsn - 1});
    expected_ = first_lsn;
  }
  damage_bytes_ = 0;
  file_.reset();
  offset_ = kWalFirstRecordOffset;
  lsn_at_offset_ = first_lsn;
  auto file = file_system_.open_read(path);
  // Removed since it was listed: the next step lists again.
  if (!file && file.error().code == ErrorCode::kNotFound) return {};
  if (!file) return std::move(file.error());
  const Lsn overruled_from = index + 1 < files.size() ? files[index + 1] : UINT64_MAX;
  file_ = std::make_unique<OpenFile>(std::move(*file), path, first_lsn, overruled_from);
  return {};
}

Result<WalReader::Step> WalReader::step(WalRecordView& record, Lsn limit) {
  if (!file_) {
    VARVE_ASSIGN(const bool any, open_first_file());
    return any ? Step::kAgain : Step::kEnd;
  }
  VARVE_TRY(file_->load_header());
  VARVE_ASSIGN(const auto found, file_->record_at(offset_));
  if (!found) return pass_damage();
  const WalRecordHeader& header = found->header;
  if (header.is_end_mark()) return pass_mark(header);
  if (header.lsn >= file_->overruled_from) return leave_file();
  if (header.lsn > limit) return Step::kEnd;
  report_lost(header.lsn);
  offset_ += header.record_bytes();
  lsn_at_offset_ = header.lsn + 1;
  if (header.lsn < expected_) return Step::kAgain;
  expected_ = header.lsn + 1;
  record = {header.lsn, found->payload, header.record_bytes(), file_->first_lsn, offset_};
  return Step::kRecord;
}

// The file had records up to the mark; nothing follows it.
Result<WalReader::Step> WalReader::pass_mark(const WalRecordHeader& mark) {
  report_lost(std::min(mark.lsn, file_->overruled_from));
  offset_ += mark.record_bytes();
  lsn_at_offset_ = mark.lsn;
  return Step::kAgain;
}

// `first_found` is the next record there is, at offset_.
void WalReader::report_lost(Lsn first_found) {
  if (first_found > expected_) {
    const uint64_t offset = damage_bytes_ > 0 ? damage_offset_ : offset_;
    damage_.push_back({file_->path, offset, damage_bytes_, expected_, first_found - 1});
    expected_ = first_found;
  }
  damage_bytes_ = 0;
}

Result<WalReader::Step> WalReader::pass_damage() {
  // The order matters behind a writer: a file is complete before the next one has a name, and a record before the
  // one after it. So look for the later thing first, then, with fresh bytes, for the earlier one.
  VARVE_ASSIGN(const std::vector<Lsn> files, list_files());
  const bool complete = !files.empty() && files.back() > file_->first_lsn;
  file_->forget();
  VARVE_TRY(file_->load_header());
  VARVE_ASSIGN(const auto found, file_->find_record(offset_));
  if (found && *found > offset_) {
    file_->forget();
    VARVE_ASSIGN(const auto now_whole, file_->record_at(offset_));
    if (now_whole) return Step::kAgain;
    VARVE_ASSIGN(const bool damaged, complete ? Result<bool>(true) : was_synced(*found));
    if (!damaged) return Step::kEnd;
    damage_offset_ = offset_;
    damage_bytes_ = *found - offset_;
    offset_ = *found;
  }
  if (found) return Step::kAgain;
  if (!complete) return Step::kEnd;
  if (!file_->has_header()) offset_ = 0;
  VARVE_ASSIGN(damage_bytes_, file_->used_bytes(offset_));
  damage_offset_ = offset_;
  return leave_file();
}

// Whether a record from `from_offset` on says that what belongs at offset_ had been synced.
Result<bool> WalReader::was_synced(uint64_t from_offset) {
  while (true) {
    VARVE_ASSIGN(const auto at, file_->find_record(from_offset));
    if (!at) return false;
    VARVE_ASSIGN(const auto record, file_->record_at(*at));
    if (!record) return false;
    if (record->header.synced_lsn >= lsn_at_offset_) return true;
    from_offset = *at + record->header.record_bytes();
  }
}

Result<WalReader::Step> WalReader::leave_file() {
  VARVE_ASSIGN(const std::vector<Lsn> files, list_files());
  const auto next = std::upper_bound(files.begin(), files.end(), file_->first_lsn);
  if (next == files.end()) return Step::kEnd;
  VARVE_TRY(open_file(files, static_cast<size_t>(next - files.begin())));
  return Step::kAgain;
}

Result<std::optional<WalTornTail>> WalReader::torn_tail() {
  if (!file_) return std::optional<WalTornTail>();
  const uint64_t offset = file_->has_header() ? offset_ : 0;
  VARVE_ASSIGN(const uint64_t bytes, file_->used_bytes(offset));
  if (bytes == 0) return std::optional<WalTornTail>();
  return std::optional<WalTornTail>(WalTornTail{file_->path, offset, bytes});
}

}  // namespace varve
