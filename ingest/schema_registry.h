// Avro schemas from a Confluent-compatible Schema Registry: GET /schemas/ids/ID, and what the schema refers to by
// GET /subjects/S/versions/N. An id never changes its meaning, so an answer is kept for good, also one that cannot be
// read; "no such id" for kUnknownForNs. While the registry is away, it is asked again after 1 s, then 2 s ... 30 s;
// calls in between are refused without asking. A request takes at most kRequestNs, and the caller waits for it.
// Errors: as SchemaSource; kUnavailable also for wrong credentials (401, 403) and answers that are not a registry's.
// Threads: one at a time.
// Source: Confluent Schema Registry API reference, "Schemas" and "Subjects".
#pragma once

#include <memory>
#include <string>

#include "ingest/decode/schema_source.h"
#include "storage/base/clock.h"

namespace varve {

struct SchemaRegistryOptions {
  std::string url;
  std::string user_password = {};  // empty = none
};

// kInvalidArgument for a URL that is none.
Result<std::unique_ptr<SchemaSource>> open_schema_registry(SchemaRegistryOptions options,
                                                           const Clock& clock = real_clock());

}  // namespace varve
