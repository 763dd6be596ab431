#include "api/http/process_figures.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace varve {
namespace {

std::string read_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Since the Unix epoch. Not from /proc/stat, which a hardened unit hides.
double boot_time_seconds() {
  const auto now = [](clockid_t clock) {
    timespec time{};
    (void)clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  return now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME);
}

// Without the descriptor that reading the folder takes.
double count_open_files() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = 0;
  while (const dirent* const entry = readdir(folder)) count += entry->d_name[0] == '.' ? 0 : 1;
  (void)closedir(folder);
  return count - 1;
}

}  // namespace

ProcessFigures read_process_figures() {
  ProcessFigures figures;
  const std::string stat = read_text("/proc/self/stat");
  // The name, in parentheses, may hold anything; what is counted comes after it, from field 3 on.
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    std::istringstream rest(stat.substr(name_end + 1));
    std::string value;
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    static const double boot = boot_time_seconds();
    for (int field = 3; rest >> value; ++field) {
      const double number = field == 3 ? 0 : std::stod(value);
      if (field == 14 || field == 15) figures.cpu_seconds += number / ticks;
      if (field == 20) figures.threads = number;
      if (field == 22) figures.start_time_seconds = boot + number / ticks;
      if (field == 23) figures.virtual_bytes = number;
      if (field == 24) figures.resident_bytes = number * static_cast<double>(sysconf(_SC_PAGESIZE));
    }
  }
  figures.open_files = count_open_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.open_files_max = static_cast<double>(limit.rlim_cur);
  return figures;
}

}  // namespace varve
