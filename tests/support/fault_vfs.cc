#include "tests/support/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr int kPathBytesMax = 512;
constexpr int kSectorBytes = 512;  // what a power cut keeps or drops in one piece

// What SQLite allocates for an open file; `base` comes first by SQLite's rule.
struct VfsFile {
  sqlite3_file base;
  FaultFileSystem* files;
  InPlaceFile* file;
  std::string* path;
  bool name_unsynced;  // perhaps made by this open; its name must last when its bytes do
  bool remove_when_closed;
};

VfsFile& as_file(sqlite3_file* file) {
  return *reinterpret_cast<VfsFile*>(file);
}
FaultFileSystem& as_files(sqlite3_vfs* vfs) {
  return *static_cast<FaultFileSystem*>(vfs->pAppData);
}

int code_of(const Error& error, int otherwise) {
  return error.code == ErrorCode::kExhausted ? SQLITE_FULL : otherwise;
}

int close_file(sqlite3_file* file) {
  VfsFile& open = as_file(file);
  if (open.remove_when_closed) (void)open.files->remove(*open.path);
  delete open.file;
  delete open.path;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  auto* bytes = static_cast<uint8_t*>(out);
  const auto wanted = static_cast<size_t>(count);
  const auto got = as_file(file).file->read(static_cast<uint64_t>(offset), {bytes, wanted});
  if (!got) return SQLITE_IOERR_READ;
  if (*got == wanted) return SQLITE_OK;
  std::memset(bytes + *got, 0, wanted - *got);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const std::string_view data(static_cast<const char*>(bytes), static_cast<size_t>(count));
  const auto written = as_file(file).file->write(static_cast<uint64_t>(offset), data);
  return written ? SQLITE_OK : code_of(written.error(), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 bytes) {
  const auto done = as_file(file).file->truncate(static_cast<uint64_t>(bytes));
  return done ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync_file(sqlite3_file* file, int) {
  VfsFile& open = as_file(file);
  if (const auto done = open.file->sync(); !done) return code_of(done.error(), SQLITE_IOERR_FSYNC);
  if (!open.name_unsynced) return SQLITE_OK;
  const auto done = open.files->sync_directory(parent_directory(*open.path));
  if (!done) return SQLITE_IOERR_DIR_FSYNC;
  open.name_unsynced = false;
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* bytes) {
  const auto size = as_file(file).file->size();
  if (!size) return SQLITE_IOERR_FSTAT;
  *bytes = static_cast<sqlite3_int64>(*size);
  return SQLITE_OK;
}

// One connection opens a database; the data folder's own lock keeps others away.
int lock_file(sqlite3_file*, int) {
  return SQLITE_OK;
}
int check_reserved_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
  return kSectorBytes;
}
int device_characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // a cut never changes bytes that were not being written
}

const sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = lock_file,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device_characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  VfsFile& open = as_file(file);
  open.base.pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files: the catalog needs none
  const std::string path = name;
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
  auto opened = as_files(vfs).open_in_place(path, create);
  if (!opened) return code_of(opened.error(), SQLITE_CANTOPEN);
  const bool beside = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  open.files = &as_files(vfs);
  open.file = opened->release();
  open.path = new std::string(path);
  open.name_unsynced = create && beside;
  open.remove_when_closed = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  open.base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  const std::string path = name;
  if (const auto removed = as_files(vfs).remove(path); !removed) {
    return removed.error().code == ErrorCode::kNotFound ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
  }
  if (sync_folder == 0) return SQLITE_OK;
  return as_files(vfs).sync_directory(parent_directory(path)) ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* answer) {
  const auto found = as_files(vfs).exists(name);
  if (!found) return SQLITE_IOERR_ACCESS;
  *answer = *found ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int count, char* out) {
  sqlite3_snprintf(count, out, "%s", name);
  return SQLITE_OK;
}

}  // namespace

struct FaultVfs::Registration {
  std::string name;
  sqlite3_vfs vfs{};
};

FaultVfs::FaultVfs(FaultFileSystem& files) : registration_(std::make_unique<Registration>()) {
  static std::atomic<int> made{0};
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  VARVE_CHECK(system != nullptr);
  registration_->name = "fault-" + std::to_string(++made);
  sqlite3_vfs& vfs = registration_->vfs;
  vfs = *system;  // randomness, time and sleep stay the system's
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(VfsFile);
  vfs.mxPathname = kPathBytesMax;
  vfs.pNext = nullptr;
  vfs.zName = registration_->name.c_str();
  vfs.pAppData = &files;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_path;
  const int registered = sqlite3_vfs_register(&vfs, 0);
  VARVE_CHECK(registered == SQLITE_OK);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&registration_->vfs);
}

const std::string& FaultVfs::name() const {
  return registration_->name;
}

}  // namespace varve
