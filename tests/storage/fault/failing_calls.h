// One workload in which one file call fails, each in turn: the program must name the file, keep what it acknowledged,
// never show a wrong row, and after a full disk go on by itself.
#pragma once

#include <optional>
#include <string>

#include "tests/storage/fault/store_run.h"

namespace varve::test {

enum class Failure {
  kIo,          // any call
  kDiskFull,    // calls that need space, three in a row
  kShortWrite,  // a write that stops half way, then kIo or full disk by turns
  kSync,        // a sync of a file or a folder
};

struct FailingCall {
  bool struck = false;               // false: the workload has fewer such calls
  std::string call;                  // "append /store/wal/..."
  std::optional<std::string> wrong;  // what a checker found
};

FailingCall run_failing_call(uint64_t seed, Failure failure, int nth, const Plant& plant = {});

}  // namespace varve::test
