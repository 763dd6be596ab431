#include "api/query/sqlite/temp_files.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace varve {
namespace {

constexpr sqlite3_int64 kPieceBytes = 64 << 10;
constexpr const char* kName = "varve_temp";

// A file as SQLite knows it: it allocates szOsFile bytes and calls through `methods`.
struct TempFile {
  sqlite3_file base;
  sqlite3_int64 size;
  char** pieces;  // of kPieceBytes each
  sqlite3_int64 count;
  sqlite3_int64 room;  // of `pieces`
};

TempFile& file_of(sqlite3_file* file) {
  return *reinterpret_cast<TempFile*>(file);  // SQLite's way: the base is the first member
}

void free_from(TempFile& file, sqlite3_int64 first) {
  while (file.count > first) sqlite3_free(file.pieces[--file.count]);
}

bool grow(TempFile& file, sqlite3_int64 bytes) {
  const sqlite3_int64 wanted = (bytes + kPieceBytes - 1) / kPieceBytes;
  if (wanted > file.room) {
    const sqlite3_int64 room = std::max<sqlite3_int64>(2 * file.room, std::max<sqlite3_int64>(wanted, 16));
    void* const moved = sqlite3_realloc64(file.pieces, static_cast<sqlite3_uint64>(room) * sizeof(char*));
    if (moved == nullptr) return false;
    file.pieces = static_cast<char**>(moved);
    file.room = room;
  }
  while (file.count < wanted) {
    void* const piece = sqlite3_malloc64(kPieceBytes);
    if (piece == nullptr) return false;
    std::memset(piece, 0, kPieceBytes);  // a gap reads as zeros
    file.pieces[file.count++] = static_cast<char*>(piece);
  }
  return true;
}

int close_file(sqlite3_file* base) {
  TempFile& file = file_of(base);
  free_from(file, 0);
  sqlite3_free(file.pieces);
  file = {};
  return SQLITE_OK;
}

// Calls `use` with each piece of the range: its bytes, and how many of them from which on.
template <class Use>
void for_pieces(TempFile& file, sqlite3_int64 from, sqlite3_int64 bytes, Use use) {
  while (bytes > 0) {
    const sqlite3_int64 within = from % kPieceBytes;
    const sqlite3_int64 part = std::min(bytes, kPieceBytes - within);
    use(file.pieces[from / kPieceBytes] + within, static_cast<size_t>(part));
    from += part;
    bytes -= part;
  }
}

int read_file(sqlite3_file* base, void* to, int bytes, sqlite3_int64 from) {
  TempFile& file = file_of(base);
  const sqlite3_int64 there = std::clamp<sqlite3_int64>(file.size - from, 0, bytes);
  char* at = static_cast<char*>(to);
  for_pieces(file, from, there, [&](const char* piece, size_t part) {
    std::memcpy(at, piece, part);
    at += part;
  });
  if (there == bytes) return SQLITE_OK;
  std::memset(at, 0, static_cast<size_t>(bytes - there));
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* base, const void* from, int bytes, sqlite3_int64 to) {
  TempFile& file = file_of(base);
  if (!grow(file, to + bytes)) return SQLITE_IOERR_NOMEM;
  const char* at = static_cast<const char*>(from);
  for_pieces(file, to, bytes, [&](char* piece, size_t part) {
    std::memcpy(piece, at, part);
    at += part;
  });
  file.size = std::max(file.size, to + bytes);
  return SQLITE_OK;
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
  TempFile& file = file_of(base);
  if (size >= file.size) return SQLITE_OK;
  const sqlite3_int64 kept = (size + kPieceBytes - 1) / kPieceBytes;
  free_from(file, kept);
  if (size % kPieceBytes != 0) {  // what is written after a gap must find zeros
    std::memset(file.pieces[kept - 1] + size % kPieceBytes, 0,
                static_cast<size_t>(kPieceBytes - size % kPieceBytes));
  }
  file.size = size;
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* base, sqlite3_int64* size) {
  *size = file_of(base).size;
  return SQLITE_OK;
}

int sync_file(sqlite3_file*, int) {
  return SQLITE_OK;
}
int lock_file(sqlite3_file*, int) {
  return SQLITE_OK;
}
int check_lock(sqlite3_file*, int* locked) {
  *locked = 0;
  return SQLITE_OK;
}
int control_file(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_bytes(sqlite3_file*) {
  return 512;
}
int device_facts(sqlite3_file*) {
  return SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods kMethods = [] {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;
  methods.xClose = close_file;
  methods.xRead = read_file;
  methods.xWrite = write_file;
  methods.xTruncate = truncate_file;
  methods.xSync = sync_file;
  methods.xFileSize = size_of_file;
  methods.xLock = lock_file;
  methods.xUnlock = lock_file;
  methods.xCheckReservedLock = check_lock;
  methods.xFileControl = control_file;
  methods.xSectorSize = sector_bytes;
  methods.xDeviceCharacteristics = device_facts;
  return methods;
}();

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* base, int flags, int* flags_out) {
  base->pMethods = nullptr;
  if (name != nullptr || (flags & SQLITE_OPEN_MAIN_DB) != 0) return SQLITE_CANTOPEN;  // a file that stays
  new (base) TempFile{};
  base->pMethods = &kMethods;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

}  // namespace

const char* temp_file_vfs() {
  static const bool registered = [] {
    static sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);  // its clock and its chance
    vfs.zName = kName;
    vfs.szOsFile = sizeof(TempFile);
    vfs.pNext = nullptr;
    vfs.xOpen = open_file;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  return registered ? kName : nullptr;
}

}  // namespace varve
