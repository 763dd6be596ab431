// Copies every accepted row to an InfluxDB, at least once, in order, as a cursor on the log. A slow or dead server
// never touches ingest or queries: the log keeps what was not sent, the position moves after the server's 2xx.
// What the server refuses for good (400, 422) is named in the log and in varve_quarantine, and the rest goes on.
// Threads: starts one sender thread; status() from any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ingest/status.h"
#include "storage/engine.h"

namespace varve {

struct MirrorOptions {
  std::string name = "mirror.0";  // of the cursor, too: keep it stable
  std::string url = "http://127.0.0.1:8086";
  std::string version = "auto";  // auto | 1 | 2 | 3
  std::string database = "varve";
  std::string org;
  std::string token;
  size_t batch_lines = 5000;
  std::vector<std::string> tables{"*"};  // "*" = all but varve's own; else names
  // Rows of database "varve" go to `database`; rows of another database D go to D (created on demand).
};

class Mirror {
 public:
  // kInvalidArgument for a URL or option it cannot use.
  static Result<std::unique_ptr<Mirror>> start(MirrorOptions options, Engine& engine, MetricsRegistry& metrics);
  virtual ~Mirror() = default;  // stops after the request in flight, at most kRequestTimeout
  virtual MirrorStatus status() const = 0;
};

}  // namespace varve
