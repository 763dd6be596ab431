#include "ingest/archive/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "storage/base/log.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "archive";
constexpr std::string_view kPart = ".part";
constexpr std::string_view kLockName = "archive.lock";

SyncMarker random_marker() {
  std::random_device random;
  SyncMarker marker;
  for (char& c : marker) c = static_cast<char>(random());
  return marker;
}

// Topics have only [A-Za-z0-9._-]; whatever else came would not be a safe file name.
std::string file_name(std::string_view topic, int64_t time_ns, int32_t partition, int64_t offset) {
  std::string name(topic.substr(0, RawArchive::kTopicBytesMax));
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  const CivilTime civil = to_civil(time_ns);
  return fmt::format("{}-{:04}{:02}{:02}T{:02}{:02}{:02}.{:09}Z-{}-{}.avro{}", name, civil.year, civil.month,
                     civil.day, civil.hour, civil.minute, civil.second, civil.nanosecond, partition, offset,
                     kPart);
}

std::string without_part(const std::string& path) {
  return path.substr(0, path.size() - kPart.size());
}

}  // namespace

Result<std::unique_ptr<RawArchive>> RawArchive::open(ArchiveOptions options, FileSystem& files,
                                                     const Clock& clock) {
  std::unique_ptr<RawArchive> archive(new RawArchive(std::move(options), files, clock));
  const std::string& directory = archive->options_.directory;
  VARVE_TRY(with_context(files.create_directories(directory), "archive"));
  VARVE_ASSIGN(archive->lock_, with_context(files.lock(join_path(directory, kLockName)), "archive"));
  VARVE_TRY(with_context(archive->recover(), "archive"));
  return archive;
}

RawArchive::~RawArchive() {
  if (const auto synced = sync(); !synced) log_warn(kComponent, synced.error().message);
  for (auto& [topic, file] : topics_) {
    if (const auto finished = finish(file); !finished) log_warn(kComponent, finished.error().message);
  }
}

// Cuts what a killed process left behind its last whole block.
Result<void> RawArchive::recover() {
  VARVE_ASSIGN(const auto names, files_.list(options_.directory));
  for (const std::string& name : names) {
    if (!name.ends_with(kPart)) continue;
    const std::string path = join_path(options_.directory, name);
    VARVE_ASSIGN(auto bytes, files_.open_read(path));
    auto reader = ArchiveReader::open(std::move(bytes));
    uint64_t keep = 0;
    if (reader) {
      ArchivedMessage message;
      while (true) {
        VARVE_ASSIGN(const bool more, (*reader)->next(message));
        if (!more) break;
      }
      if ((*reader)->whole_blocks() > 0) keep = (*reader)->whole_bytes();
    } else if (reader.error().code == ErrorCode::kIo) {
      return reader.error();
    }
    if (keep == 0) {
      // Nothing in it was ever synced: a synced header has a synced block behind it, unless the disk has lost it.
      log_warn(kComponent, fmt::format("{} has no whole block and is removed", path));
      VARVE_TRY(files_.remove(path));
      continue;
    }
    const uint64_t size = (*reader)->size();
    if (keep < size) {
      log_warn(kComponent, fmt::format("{} ends within a block: its last {} bytes are cut; they were never "
                                       "synced",
                                       path, size - keep));
      VARVE_TRY(files_.truncate(path, keep));
    }
    VARVE_TRY(files_.rename(path, without_part(path)));
  }
  return files_.sync_directory(options_.directory);
}

void RawArchive::add(const ArchivedMessage& message) {
  auto at = topics_.find(message.topic);
  if (at == topics_.end()) at = topics_.try_emplace(std::string(message.topic)).first;
  File& file = at->second;
  if (file.count++ == 0) {
    file.first_partition = message.partition;
    file.first_offset = message.offset;
  }
  append_archive_record(message, file.records);
}

Result<void> RawArchive::sync() {
  for (auto& [topic, file] : topics_) {
    if (file.file == nullptr) VARVE_TRY(finish(file));  // what a failure left
    if (file.count == 0) continue;
    if (file.file == nullptr) VARVE_TRY(create(topic, file));
    if (const auto written = write(file); !written) {
      file.broken = true;
      file.file.reset();
      return written;
    }
    if (file.bytes >= options_.roll_bytes) VARVE_TRY(finish(file));
  }
  return {};
}

Result<void> RawArchive::create(const std::string& topic, File& file) {
  last_name_ns_ = std::max(clock_.wall_ns(), last_name_ns_ + 1);  // no two files have one name
  const std::string path =
      join_path(options_.directory, file_name(topic, last_name_ns_, file.first_partition, file.first_offset));
  VARVE_ASSIGN(file.file, files_.create(path));
  file.path = path;
  file.bytes = 0;
  file.began_ns = clock_.monotonic_ns();
  file.marker = random_marker();
  return {};
}

Result<void> RawArchive::write(File& file) {
  const std::string block = archive_block(file.records, file.count, options_.codec, file.marker);
  const bool is_new = file.bytes == 0;
  const std::string header = is_new ? archive_file_header(options_.codec, file.marker) : "";
  VARVE_TRY(file.file->append(header + block));
  VARVE_TRY(file.file->sync());
  if (is_new) VARVE_TRY(files_.sync_directory(options_.directory));
  file.bytes += header.size() + block.size();
  messages_ += file.count;
  bytes_ += block.size();
  file.count = 0;
  file.records.clear();
  return {};
}

// Closes the file under its final name; a broken one is cut to what is known to be whole, or goes.
Result<void> RawArchive::finish(File& file) {
  if (file.path.empty()) return {};
  file.file.reset();
  if (file.bytes == 0) {
    const auto removed = files_.remove(file.path);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  } else {
    if (file.broken) VARVE_TRY(files_.truncate(file.path, file.bytes));
    file.broken = false;
    // The folder's sync may fail behind the rename: the next try finds the file under its final name.
    if (file.path.ends_with(kPart)) {
      VARVE_TRY(files_.rename(file.path, without_part(file.path)));
      file.path = without_part(file.path);
    }
    VARVE_TRY(files_.sync_directory(options_.directory));
  }
  file.path.clear();
  file.bytes = 0;
  file.broken = false;
  return {};
}

Result<void> RawArchive::roll_aged() {
  const int64_t now_ns = clock_.monotonic_ns();
  for (auto& [topic, file] : topics_) {
    if (file.path.empty() || file.broken || now_ns - file.began_ns < options_.roll_age_ns) continue;
    VARVE_TRY(finish(file));
  }
  return {};
}

}  // namespace varve
