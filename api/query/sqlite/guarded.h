// Callbacks as SQLite takes them: C++ exceptions must not pass through its C code.
// Errors:  SQLITE_NOMEM for std::bad_alloc, the only one our callbacks let out.
// Threads: as the callback.
#pragma once

#include <sqlite3.h>

#include <new>

namespace varve {

template <auto f, class... Arguments>
int guarded(Arguments... arguments) {
  try {
    return f(arguments...);
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
}

}  // namespace varve
