// Random work for a store, as data: a failing list can be shrunk and printed.
// Threads: values; nothing shared.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/storage/fault/history.h"

namespace varve::test {

using Random = std::mt19937_64;

struct Operation {
  enum class Kind {
    kWrite,  // each record appended, then all waited for
    kFlush,
    kDeliver,  // the sink reads the log to its end and saves its place
    kRead,     // scans while it may
    kReopen,   // closed in order
    kCompact,
    kDelete,
    kCount
  };
  Kind kind = Kind::kWrite;
  std::vector<Record> records;
  Deletion deletion;
};

// Few tables, sites and times, so that rows meet: within a record, across records, memtables and segments.
// Every value is told from every other, except that some are the odd ones (NaN, -0.0, extremes, empty text).
std::vector<Operation> random_operations(Random& random, size_t count);

Operation random_operation(Random& random, Operation::Kind kind);

std::string describe(const std::vector<Operation>& operations);

}  // namespace varve::test
