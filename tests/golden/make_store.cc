// Makes a golden store, once for each format that is released: make_golden_store tests/golden/format-N
// What is there already is never written again: a program must read what older ones wrote.
#include <cstdio>
#include <filesystem>

#include "tests/golden/golden_store.h"

int main(int argc, char** argv) {
  if (argc != 2 || std::filesystem::exists(argv[1])) {
    std::fputs("usage: make_golden_store NEW_FOLDER\n", stderr);
    return 2;
  }
  return varve::test::make_golden_store(argv[1]) ? 0 : 1;
}
