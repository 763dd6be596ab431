#include "storage/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace varve {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "varve: BUG: check failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace varve
