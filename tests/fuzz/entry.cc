// libFuzzer entry of one target, named by VARVE_FUZZ_TARGET on the command line of the compiler.
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::fuzz::VARVE_FUZZ_TARGET(data, size);
  return 0;
}
