// The program's status as tables that SQL reads: varve_ingest (a row for each source and partition) and varve_mirror.
// They say what GET /api/v1/status says of the same.
// Threads: the tables call `sources` and `mirrors` on the threads of queries.
#pragma once

#include <functional>
#include <vector>

#include "api/query/system_table.h"
#include "ingest/status.h"

namespace varve {

SystemTable ingest_table(std::function<std::vector<SourceStatus>()> sources);
SystemTable mirror_table(std::function<std::vector<MirrorStatus>()> mirrors);

}  // namespace varve
