// Log lines on stderr, for people or as one JSON object a line.
//   console  2026-01-02T03:04:05.678Z warning store: the disk is full free_bytes=17
//   json     {"time":"2026-01-02T03:04:05.678Z","level":"warning","component":"store","message":"the disk is full",
//             "free_bytes":"17"}
// Control bytes and bytes that are no UTF-8 are escaped and texts are capped, so that no payload, name or path can forge
// a line or steer a terminal. The same message is written at most a few times a minute (log_repeats.h).
// Callers format with fmt. spdlog stays behind log.cc.
// Threads: any.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace varve {

enum class LogLevel {
  kDebug,
  kInfo,
  kWarn,
  kError,
  kOff
};  // kOff: for tests that provoke errors by the thousand

enum class LogFormat { kConsole, kJson };

// Context of a message. The name is a word of ours (snake_case), the value may be anything.
struct LogField {
  std::string_view name;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

constexpr size_t kLogMessageBytesMax = 4096;  // one runaway payload must not flood the log (guessed)
constexpr size_t kLogFieldBytesMax = 1024;

void set_log_level(LogLevel lowest);
void set_log_format(LogFormat format);

void log_message(LogLevel level, std::string_view component, std::string_view message, LogFields fields = {});
// A line that is a record by itself, such as that of an answered request: never counted as a repeat of another.
void log_record(LogLevel level, std::string_view component, std::string_view message, LogFields fields = {});
// Writes what is due of "repeated N times"; every line written does that, too. `all`: before the program ends.
void log_repeats(bool all = false);

inline void log_debug(std::string_view component, std::string_view message, LogFields fields = {}) {
  log_message(LogLevel::kDebug, component, message, fields);
}
inline void log_info(std::string_view component, std::string_view message, LogFields fields = {}) {
  log_message(LogLevel::kInfo, component, message, fields);
}
inline void log_warn(std::string_view component, std::string_view message, LogFields fields = {}) {
  log_message(LogLevel::kWarn, component, message, fields);
}
inline void log_error(std::string_view component, std::string_view message, LogFields fields = {}) {
  log_message(LogLevel::kError, component, message, fields);
}

}  // namespace varve
