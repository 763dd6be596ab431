// Numbers, strings, times and durations as Go prints them: InfluxDB is written in Go, and clients compare bytes.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace varve::influxql {

// The shortest text that reads back the same, with an exponent below 1e-6 and from 1e21 on; null when not finite.
void append_json_number(std::string& out, double value);
void append_plain_number(std::string& out, double value);  // never an exponent
// With quotes; <, > and & are escaped, too; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
// A field of CSV, in quotes when it needs them.
void append_csv_field(std::string& out, std::string_view text);
// RFC 3339 with as many digits of the second as it takes, `offset_ns` from UTC: 2025-07-01T00:00:00.5+02:00
void append_rfc3339(std::string& out, int64_t ns, int64_t offset_ns);
std::string duration_text(int64_t ns);  // 1h0m5s, 1.5s, 250ms, 14µs

}  // namespace varve::influxql
