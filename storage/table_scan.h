// The scan of one table: which series, which pieces, merged in time order (see scan.h).
#pragma once

#include <memory>

#include "storage/scan.h"
#include "storage/table.h"

namespace varve {

std::shared_ptr<const TablePin> pin_table(const Table& table);
Result<std::unique_ptr<Scan>> open_table_scan(const Table& table, ScanRequest request);

}  // namespace varve
