// The command line as values. CLI11 stays behind arguments.cc.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace varve {

struct ServeArguments {
  std::string config;
  std::vector<std::string> overrides;
  uint64_t dry_run = 0;  // messages of each source; 0 = run
  bool allow_root = false;
};

struct DemoArguments {
  uint16_t port = 8484;
  uint32_t sensors = 200;
  uint64_t rate = 20'000;  // messages a second
};

struct ProduceArguments {
  std::string brokers;
  std::string topic;
  std::string csv;       // this or simulate
  std::string simulate;  // water | clickstream | machines
  std::string time_column;
  std::string time_format = "auto";
  std::string time_zone = "UTC";
  std::string key_column;
  std::optional<uint64_t> rate;  // messages a second; absent = as fast as the broker takes them
  uint64_t count = 0;            // 0 = all of a CSV file, without end of a simulator
  uint32_t sensors = 200;
};

struct ImportArguments {
  std::string csv;
  std::string table;
  std::string time_column;
  std::string time_format = "auto";
  std::string time_zone = "UTC";
  std::vector<std::string> tags;  // empty = columns of text with few values
  std::string database = "varve";
  std::string url = "http://127.0.0.1:8484";
  std::string token;
};

struct QueryArguments {
  std::string sql;  // empty = of the file, or of standard input
  std::string file;
  std::string url = "http://127.0.0.1:8484";
  std::string format = "table";
  int64_t watch_ns = 0;  // 0 = once
  bool expanded = false;
  bool spark = false;
  std::string token;
};

struct IngestArguments {
  enum class Verb { kStatus, kResume, kRewind };
  Verb verb = Verb::kStatus;
  std::string source;  // empty = the only one
  std::string topic;
  int32_t partition = 0;  // resume
  std::string from;       // resume: skip | earliest | latest | an offset
  std::string time;       // rewind
  std::string url = "http://127.0.0.1:8484";
  std::string token;
};

struct StatusArguments {
  std::string url = "http://127.0.0.1:8484";
  std::string token;
  std::string watch;             // a duration; empty = once
  std::string format = "table";  // table | json
  bool ready = false;            // only whether it is ready
};

struct CheckArguments {
  std::string data;
  bool repair = false;
};

struct BackupArguments {
  std::string data;
  std::string to;
};

struct ReplayArguments {
  std::string archive;
  std::string config;
  std::vector<std::string> overrides;
  std::string topic;
  std::string source;
  std::string from;
  std::string to;
  double speed = 0;  // 0 = as fast as can be
};

struct QuarantineArguments {
  enum class Verb { kList, kRetry, kExport } verb = Verb::kList;
  std::string where;
  std::string url = "http://127.0.0.1:8484";
  std::string format = "ndjson";  // of export
  std::string token;
};

struct TokenArguments {
  enum class Verb { kCreate, kList, kRevoke };
  Verb verb = Verb::kList;
  std::string data;  // this or url
  std::string url;
  std::string token;  // with url
  std::string name;
  std::string role;
  std::vector<std::string> tables;
};

struct MirrorBackfillArguments {
  std::string url = "http://127.0.0.1:8484";
  std::string mirror;  // empty = all
  std::string table;   // empty = all
  std::string from;
  std::string to;
  std::string token;
};

// The process should end with this code; what was to be printed has been.
struct ExitNow {
  int code = 0;
};

using Command =
    std::variant<ExitNow, ServeArguments, DemoArguments, ProduceArguments, ImportArguments, QueryArguments,
                 IngestArguments, CheckArguments, BackupArguments, ReplayArguments, QuarantineArguments,
                 MirrorBackfillArguments, StatusArguments, TokenArguments>;

constexpr int kExitFine = 0;
constexpr int kExitFailed = 1;
constexpr int kExitBadArguments = 2;

// Prints help and the version to stdout; a bad command line as one line to stderr.
Command parse_arguments(int argc, const char* const* argv);

}  // namespace varve
