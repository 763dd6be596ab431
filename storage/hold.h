// DATA/hold: while it is held, no file of the store is unlinked or renamed. The store itself takes it without waiting
// whenever it unlinks, and comes again later; a backup waits for it and keeps it until every file is linked.
// Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/file.h"

namespace varve {

// Tries for `timeout_ns`, 0 = once. kUnavailable when somebody else holds it.
Result<std::unique_ptr<FileLock>> hold_store(FileSystem& file_system, const std::string& data_directory,
                                             int64_t timeout_ns);

}  // namespace varve
