// Copies of damaged files, kept below DATA/quarantine/ under the path they had, with a report in words beside them.
// Errors: kIo, kExhausted. Threads: one.
#pragma once

#include <string>

#include "storage/base/file.h"

namespace varve {

// Durable when it returns; made once, however often a repair is repeated. Returns the copy's path.
Result<std::string> keep_copy(FileSystem& file_system, const std::string& data_directory,
                              const std::string& file);

// `copy`.txt, in place of what an unfinished repair wrote.
Result<void> write_report(FileSystem& file_system, const std::string& copy, const std::string& text);

}  // namespace varve
