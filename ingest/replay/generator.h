// Sources of messages for `varve produce` and the demo: CSV files and the simulators.
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "storage/base/error.h"

namespace varve {

struct GeneratedMessage {
  std::string key;
  std::string value;         // JSON
  int64_t timestamp_ms = 0;  // 0 = now
};

class Generator {
 public:
  virtual ~Generator() = default;
  // False at the end. Errors name file and line.
  virtual Result<bool> next(GeneratedMessage& message) = 0;
  virtual std::optional<uint64_t> total() const = 0;  // messages in all, where known, for the progress bar
};

struct CsvOptions {
  std::string path;
  std::string time_column;        // empty = cells stay as they are
  std::string time_format;        // strptime pattern or auto; the time becomes RFC 3339 UTC in field "ts"
  std::string time_zone = "UTC";  // of times without an offset
  std::string key_column;         // empty = first column
};
// kNotFound naming the file, kInvalidArgument naming the missing column and listing those there are.
Result<std::unique_ptr<Generator>> open_csv(const CsvOptions& options);

struct SimulatorOptions {
  std::string kind;  // water | clickstream | machines
  uint32_t sensors = 200;
  uint64_t count = 0;  // 0 = without end
  uint64_t seed = 0;   // 0 = from the clock
};
Result<std::unique_ptr<Generator>> make_simulator(const SimulatorOptions& options);

}  // namespace varve
