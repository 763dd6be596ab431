#include "storage/base/thread.h"

#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace varve {

void lower_thread_priority() {
#ifdef __linux__
  // On Linux a priority belongs to a thread, not to its process. Measured by bench_compaction.
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
#endif
}

}  // namespace varve
