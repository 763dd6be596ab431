// SQLite's temporary files (runs of sorters, pages that left the cache), kept in memory by pieces. SQLite's own files in
// memory double whenever they are full, so that a sort of 3 MB held 6 MB of them.
// The memory is SQLite's, so it counts for the query (memory_count.h); a write that would pass the limit fails.
// Threads: a file belongs to its connection.
#pragma once

namespace varve {

// The name for sqlite3_open_v2(); null when it could not be registered. No connection opened with it makes any file.
const char* temp_file_vfs();

}  // namespace varve
