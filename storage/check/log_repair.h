// Makes a log with holes whole: each file that lost records is written anew, with blank records in their places. A blank
// record carries nothing; readers pass it, and a later rebuild knows by it that the log is not complete.
// Errors: kIo, kExhausted; kUnsupported for a hole too large to fill. Threads: one; no writer.
#pragma once

#include <string>
#include <vector>

#include "storage/base/file.h"
#include "storage/check/inventory.h"

namespace varve {

// Appends what was done to `repairs`.
Result<void> repair_log(FileSystem& file_system, const std::string& data_directory, const LogFacts& log,
                        std::vector<std::string>& repairs);

}  // namespace varve
