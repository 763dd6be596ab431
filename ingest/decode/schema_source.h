// Where Avro schemas come from by the id of Confluent framing.
// Errors: kNotFound: there is none of this id; kInvalidArgument, kUnsupported: it is not one this version can read;
//   kUnavailable: not to be had at the moment, the same call may work later.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "ingest/decode/avro_schema.h"

namespace varve {

class SchemaSource {
 public:
  virtual ~SchemaSource() = default;
  virtual Result<std::shared_ptr<const AvroSchema>> find(uint32_t id) = 0;
};

}  // namespace varve
