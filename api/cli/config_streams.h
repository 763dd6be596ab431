// Configuration of what goes out beside the mirrors: the archive of a [[kafka]] source, and [[kafka_out]].
// Errors and threads: as config_reader.h.
#pragma once

#include <string>
#include <vector>

#include "api/cli/config.h"
#include "api/cli/config_reader.h"

namespace varve {

void read_archive(ConfigReader& reader, ArchiveOptions& out);
Result<KafkaOutOptions> read_kafka_out(const toml::table& table, std::string name, const std::string& path,
                                       const std::string& file, KnownKeys* known);
// Two sources in one archive folder, and a topic that is read and written: rows would go round for ever.
Result<void> check_streams(const Config& config, const std::vector<const toml::table*>& sources,
                           const std::vector<const toml::table*>& outs, const std::string& file);

}  // namespace varve
