#include "api/query/sqlite/memory_count.h"

#include <sqlite3.h>

namespace varve {
namespace {

struct ThreadCount {
  int64_t bytes = 0;
  int64_t bytes_max = INT64_MAX;
  bool refused = false;
};
thread_local ThreadCount thread_count;

sqlite3_mem_methods system_memory;

bool fits(int64_t bytes) {
  return thread_count.bytes <= thread_count.bytes_max - bytes;
}

bool allowed(int64_t bytes) {
  if (fits(bytes)) return true;
  thread_count.refused = true;
  return false;
}

void* allocate(int bytes) {
  if (!allowed(bytes)) return nullptr;
  void* memory = system_memory.xMalloc(bytes);
  if (memory != nullptr) thread_count.bytes += system_memory.xSize(memory);
  return memory;
}

void release(void* memory) {
  if (memory != nullptr) thread_count.bytes -= system_memory.xSize(memory);
  system_memory.xFree(memory);
}

void* resize(void* memory, int bytes) {
  const int before = system_memory.xSize(memory);
  if (bytes > before && !allowed(bytes - before)) return nullptr;
  void* moved = system_memory.xRealloc(memory, bytes);
  if (moved != nullptr) thread_count.bytes += system_memory.xSize(moved) - before;
  return moved;
}

bool install() {
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) != SQLITE_OK) return false;
  sqlite3_mem_methods counting = system_memory;
  counting.xMalloc = allocate;
  counting.xFree = release;
  counting.xRealloc = resize;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &counting) == SQLITE_OK;
}

const bool installed = install();

}  // namespace

QueryMemory::QueryMemory(uint64_t bytes_max) {
  const auto most = static_cast<uint64_t>(INT64_MAX);
  thread_count = {0, static_cast<int64_t>(bytes_max < most ? bytes_max : most), false};
}

QueryMemory::~QueryMemory() {
  thread_count = {};
}

bool QueryMemory::take(uint64_t bytes) {
  if (bytes > static_cast<uint64_t>(INT64_MAX) / 2 || !fits(static_cast<int64_t>(bytes))) return false;
  thread_count.bytes += static_cast<int64_t>(bytes);
  return true;
}

void QueryMemory::give_back(uint64_t bytes) {
  thread_count.bytes -= static_cast<int64_t>(bytes);
}

uint64_t QueryMemory::bytes() const {
  return static_cast<uint64_t>(thread_count.bytes < 0 ? 0 : thread_count.bytes);
}

bool QueryMemory::refused() const {
  return thread_count.refused;
}

void QueryMemory::refuse_nothing() {
  thread_count.bytes_max = INT64_MAX;
}

bool QueryMemory::counts() {
  return installed;
}

}  // namespace varve
