#include "storage/wal/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/base/log.h"

namespace varve {
namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Result<void> copy_file(FileSystem& file_system, const std::string& from, const std::string& to) {
  VARVE_ASSIGN(const std::string bytes, file_system.read_all(from));
  return file_system.write_atomically(to, bytes);
}

// Copies each damaged file once; a copy made at an earlier start is kept, it is nearer to the damage.
Result<void> quarantine_files(FileSystem& file_system, const std::string& directory, WalRecovery& recovery) {
  const std::string folder = join_path(directory, kWalQuarantineFolder);
  std::set<std::string> paths;
  for (const WalDamage& damage : recovery.damage) {
    if (damage.bytes > 0) paths.insert(damage.file);
  }
  for (const std::string& path : paths) {
    const std::string copy = join_path(folder, base_name(path));
    VARVE_ASSIGN(const bool kept, file_system.exists(copy));
    if (kept) continue;
    VARVE_TRY(file_system.create_directories(folder));
    VARVE_TRY(copy_file(file_system, path, copy));
    recovery.quarantined.push_back(copy);
  }
  return {};
}

void log_recovery(const WalRecovery& recovery) {
  if (const auto& tail = recovery.torn_tail) {
    log_warn("wal", fmt::format("{}: {} bytes at offset {} are a write cut short by a crash; ignored",
                                tail->file, tail->bytes, tail->offset));
  }
  for (const WalDamage& damage : recovery.damage) {
    log_error(
        "wal",
        fmt::format(
            "{}: {} at offset {}: records {} to {} are lost; restore them from their source", damage.file,
            damage.bytes > 0 ? fmt::format("{} damaged bytes", damage.bytes) : "files before are missing",
            damage.offset, damage.first_lost, damage.last_lost));
  }
  for (const std::string& path : recovery.quarantined) {
    log_error("wal", fmt::format("the damaged file was copied to {}", path));
  }
  if (!recovery.quarantine_failure.empty()) {
    log_error("wal", fmt::format("a damaged file could not be copied: {}", recovery.quarantine_failure));
  }
}

}  // namespace

bool wal_tail_is_damage(const WalTornTail& tail) {
  return tail.offset == 0 && tail.bytes > kWalFirstRecordOffset;
}

Result<WalSpan> wal_span(FileSystem& file_system, const std::string& directory) {
  WalSpan span;
  const auto names = file_system.list(directory);
  if (!names && names.error().code == ErrorCode::kNotFound) return span;
  if (!names) return names.error();
  span.folder = true;
  for (const std::string& name : *names) {
    const auto first_lsn = parse_wal_file_name(name);
    if (!first_lsn) continue;
    span.oldest_lsn = span.files == 0 ? *first_lsn : std::min(span.oldest_lsn, *first_lsn);
    ++span.files;
  }
  return span;
}

Result<WalRecovery> recover_wal(FileSystem& file_system, const std::string& directory, Lsn from_lsn,
                                const WalVisitor& visitor) {
  VARVE_ASSIGN(const auto reader, WalReader::open(file_system, directory, from_lsn));
  WalRecovery recovery;
  WalRecordView record;
  while (true) {
    VARVE_ASSIGN(const bool found, reader->next(record));
    if (!found) break;
    VARVE_TRY(with_context(visitor(record.lsn, record.payload), fmt::format("log record {}", record.lsn)));
    ++recovery.records;
    recovery.bytes += record.bytes;
  }
  recovery.next_lsn = reader->position();
  recovery.damage = reader->damage();
  VARVE_ASSIGN(recovery.torn_tail, reader->torn_tail());
  if (recovery.torn_tail && wal_tail_is_damage(*recovery.torn_tail)) {
    const WalTornTail& tail = *recovery.torn_tail;
    recovery.damage.push_back({tail.file, 0, tail.bytes, recovery.next_lsn, recovery.next_lsn});
    recovery.torn_tail.reset();
  }
  auto quarantined = quarantine_files(file_system, directory, recovery);
  if (!quarantined) recovery.quarantine_failure = quarantined.error().message;
  log_recovery(recovery);
  return recovery;
}

}  // namespace varve
