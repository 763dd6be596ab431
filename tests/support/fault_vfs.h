// SQLite's file calls over a FaultFileSystem, so that a catalog fails and loses unsynced bytes in the same world as
// the files beside it. The database must be opened with locking_mode=EXCLUSIVE: there is no shared memory.
// A made log or journal gets its name durable at its first sync, as SQLite's own VFS does.
// Errors: an injected kExhausted is SQLITE_FULL, every other one the SQLITE_IOERR of its call.
// Threads: as SQLite asks of a VFS; any.
#pragma once

#include <memory>
#include <string>

#include "tests/support/fault_file_system.h"

namespace varve {

class FaultVfs {
 public:
  explicit FaultVfs(FaultFileSystem& files);  // registered with SQLite under name()
  ~FaultVfs();                                // every database must be closed
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const;

 private:
  struct Registration;
  std::unique_ptr<Registration> registration_;
};

}  // namespace varve
