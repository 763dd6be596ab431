// The steps of a repair, in an order that leaves a store the next repair can finish, wherever it stops:
//   1 each damaged segment: a copy and a report into quarantine/, then its salvage into segments/, not yet listed
//   2 the catalog, in one commit; a rebuilt one is made beside the old one and takes its place
//   3 the damaged originals go, their copies being safe; what is unexplained is moved to quarantine/
//   4 log files with holes: a copy into quarantine/, then a file with blank records in its place
// Errors: kIo, kExhausted. Threads: one; the store's lock is held.
#pragma once

#include "storage/check/check.h"
#include "storage/check/findings.h"

namespace varve {

// Adds to `repairs` and `losses` of the report.
Result<void> repair_store(const CheckOptions& options, const Inventory& inventory, const Findings& findings,
                          CheckReport& report);

}  // namespace varve
