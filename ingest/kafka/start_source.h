// Starts a source with a decoder of the caller's; KafkaSource::start() makes the one the mapping asks for.
#pragma once

#include <memory>

#include "ingest/kafka/source.h"

namespace varve {

Result<std::unique_ptr<KafkaSource>> start_kafka_source(KafkaSourceOptions options, Engine& engine,
                                                        MetricsRegistry& metrics,
                                                        std::unique_ptr<Decoder> decoder);

// The decoder the mapping asks for, which looks at the types the store has.
Result<std::unique_ptr<Decoder>> make_source_decoder(const KafkaSourceOptions& options, Engine& engine);

}  // namespace varve
