// What a comparison found, as a table for the terminal, JSON for programs and an SVG plot for people.
// Threads: values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/peers/query_types.h"

namespace varve::bench {

struct Latencies {
  std::vector<double> ms;
  double quantile(double share) const;  // nearest rank; 0 when there are none
};

struct IngestResult {
  uint64_t rows = 0;
  double seconds = 0;       // of sending, until the last answer
  double cpu_seconds = 0;   // of the server, until it has settled
  uint64_t disk_bytes = 0;  // settled
};

struct ConcurrencyResult {
  int clients = 0;
  double per_second = 0;
  double p99_ms = 0;
  uint64_t failed = 0;
};

struct PeerResult {
  std::string name;
  std::string note;
  std::map<std::string, IngestResult> ingest;  // by table
  double peak_ingest_mib = 0;
  double loaded_mib = 0;  // settled, before the first query
  double after_queries_mib = 0;
  std::map<std::string, Latencies> queries;      // by query type; absent = it cannot say it
  std::map<std::string, std::string> differing;  // answers that are not as varve's
  std::vector<ConcurrencyResult> concurrency;
};

std::string report_table(const std::vector<PeerResult>& results);
std::string report_json(const std::vector<PeerResult>& results);
std::string report_svg(const std::vector<PeerResult>& results);

}  // namespace varve::bench
