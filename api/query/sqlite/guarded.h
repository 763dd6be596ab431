// Callbacks of virtual tables as SQLite takes them: C++ exceptions must not pass through its C code, and tables and
// cursors of our types are made and ended.
// Errors:  SQLITE_NOMEM for std::bad_alloc, the only one our callbacks let out.
// Threads: as the callback.
#pragma once

#include <sqlite3.h>

#include <memory>
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

template <class Table>
int disconnect(sqlite3_vtab* table) {
  delete static_cast<Table*>(table);
  return SQLITE_OK;
}

template <class Cursor>
int open_cursor(sqlite3_vtab*, sqlite3_vtab_cursor** made) {
  auto cursor = std::make_unique<Cursor>();
  static_cast<sqlite3_vtab_cursor&>(*cursor) = {};
  *made = cursor.release();
  return SQLITE_OK;
}

template <class Cursor>
int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete static_cast<Cursor*>(cursor);
  return SQLITE_OK;
}

}  // namespace varve
