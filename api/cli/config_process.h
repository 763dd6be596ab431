// The keys of a [[kafka]] section that process rows before storing: where, set, rename, drop, [[kafka.enrich]], dedupe.
// Expressions are checked here, so that a mistake names its line and has a caret below it.
// Errors:  in `reader`. Threads: pure function.
#pragma once

#include "api/cli/config_reader.h"
#include "ingest/kafka/source.h"

namespace varve {

// Call after out.mapping has been read; `path` ends in a dot.
Result<void> read_process(ConfigReader& reader, const std::string& path, const std::string& file,
                          KnownKeys* known, KafkaSourceOptions& out);

}  // namespace varve
