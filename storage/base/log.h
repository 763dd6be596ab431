// Log lines: time, level, component, message, to stderr; control bytes in the message are escaped.
// Callers format with fmt. spdlog stays behind log.cc.
// Threads: any.
#pragma once

#include <string_view>

namespace varve {

enum class LogLevel {
  kDebug,
  kInfo,
  kWarn,
  kError,
  kOff
};  // kOff: for tests that provoke errors by the thousand

void set_log_level(LogLevel lowest);
void log_message(LogLevel level, std::string_view component, std::string_view message);

inline void log_debug(std::string_view component, std::string_view message) {
  log_message(LogLevel::kDebug, component, message);
}
inline void log_info(std::string_view component, std::string_view message) {
  log_message(LogLevel::kInfo, component, message);
}
inline void log_warn(std::string_view component, std::string_view message) {
  log_message(LogLevel::kWarn, component, message);
}
inline void log_error(std::string_view component, std::string_view message) {
  log_message(LogLevel::kError, component, message);
}

}  // namespace varve
