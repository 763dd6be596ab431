// What the system knows of this process, from /proc; what cannot be read is 0.
// Threads: any.
#pragma once

#include <cstdint>

namespace varve {

struct ProcessFigures {
  double cpu_seconds = 0;         // user and system, of all threads
  double start_time_seconds = 0;  // since the Unix epoch
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double threads = 0;
  double open_files = 0;
  double open_files_max = 0;
};

ProcessFigures read_process_figures();

}  // namespace varve
