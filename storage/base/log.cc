#include "storage/base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>

#include "storage/base/clock.h"
#include "storage/base/log_repeats.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

constexpr const char* kConsolePattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v";
constexpr const char* kJsonPattern = "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}";

struct Log {
  Log() : out(spdlog::stderr_color_mt("varve")) {
    out->set_pattern(kConsolePattern, spdlog::pattern_time_type::utc);
    out->flush_on(spdlog::level::info);
  }
  const std::shared_ptr<spdlog::logger> out;
  std::atomic<LogFormat> format{LogFormat::kConsole};
  std::mutex mutex;  // guards repeats
  LogRepeats repeats;
};

Log& the_log() {
  static Log log;
  return log;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// U+0080 to U+009F: terminals take some of them as the start of a command.
bool is_c1_control(std::string_view character) {
  return character.size() == 2 && static_cast<unsigned char>(character[0]) == 0xc2 &&
         static_cast<unsigned char>(character[1]) < 0xa0;
}

void append_byte(std::string& out, unsigned char byte, LogFormat format) {
  if (format == LogFormat::kJson) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += static_cast<char>(byte);
    }
    return;
  }
  if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\x{:02x}", byte);
  } else {
    out += static_cast<char>(byte);
  }
}

std::string escape(std::string_view text, size_t bytes_max, LogFormat format) {
  const bool json = format == LogFormat::kJson;
  std::string out;
  out.reserve(std::min(text.size(), bytes_max));
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = utf8_character_bytes(text.substr(at));
    if (at + std::max<size_t>(length, 1) > bytes_max) break;
    const std::string_view character = text.substr(at, length);
    if (length == 0) {  // no UTF-8
      out += json ? "\\ufffd" : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
      ++at;
      continue;
    }
    if (length == 1) {
      append_byte(out, static_cast<unsigned char>(text[at]), format);
    } else if (is_c1_control(character)) {
      out += fmt::format("\\u00{:02x}", static_cast<unsigned char>(character[1]));
    } else {
      out += character;
    }
    at += length;
  }
  if (at < text.size()) out += fmt::format("... ({} bytes)", text.size());
  return out;
}

std::string line_text(LogFormat format, std::string_view component, std::string_view message,
                      LogFields fields) {
  const std::string text = escape(message, kLogMessageBytesMax, format);
  std::string line = format == LogFormat::kJson
                         ? fmt::format("\"component\":\"{}\",\"message\":\"{}\"",
                                       escape(component, kLogFieldBytesMax, format), text)
                         : fmt::format("{}: {}", escape(component, kLogFieldBytesMax, format), text);
  for (const LogField& field : fields) {
    const std::string value = escape(field.value, kLogFieldBytesMax, format);
    if (format == LogFormat::kJson) {
      line += fmt::format(",\"{}\":\"{}\"", field.name, value);
    } else {
      const bool plain = !value.empty() && value.find_first_of(" \"=") == std::string::npos;
      line += plain ? fmt::format(" {}={}", field.name, value) : fmt::format(" {}=\"{}\"", field.name, value);
    }
  }
  return line;
}

void write(Log& log, spdlog::level::level_enum level, std::string_view component, std::string_view message,
           LogFields fields) {
  log.out->log(level, "{}", line_text(log.format, component, message, fields));
}

void write_summaries(Log& log, const std::vector<LogRepeats::Summary>& summaries) {
  for (const auto& [last, held_back] : summaries) {
    write(log, static_cast<spdlog::level::level_enum>(last.level), last.component,
          fmt::format("repeated {} times more in {} s, the last time: {}", held_back,
                      LogRepeats::kWindowNs / kNsPerSecond, last.message),
          {});
  }
}

}  // namespace

void set_log_level(LogLevel lowest) {
  the_log().out->set_level(to_spdlog(lowest));
}

void set_log_format(LogFormat format) {
  Log& log = the_log();
  log.format = format;
  log.out->set_pattern(format == LogFormat::kJson ? kJsonPattern : kConsolePattern,
                       spdlog::pattern_time_type::utc);
}

void log_message(LogLevel level, std::string_view component, std::string_view message, LogFields fields) {
  Log& log = the_log();
  const auto severity = to_spdlog(level);
  if (!log.out->should_log(severity)) return;
  const int64_t now = real_clock().monotonic_ns();
  bool allowed = false;
  std::vector<LogRepeats::Summary> due;
  {
    const std::lock_guard lock(log.mutex);
    due = log.repeats.due(now);
    allowed = log.repeats.allow({static_cast<int>(severity), std::string(component),
                                 std::string(message.substr(0, kLogMessageBytesMax))},
                                now);
  }
  write_summaries(log, due);
  if (allowed) write(log, severity, component, message, fields);
}

void log_record(LogLevel level, std::string_view component, std::string_view message, LogFields fields) {
  Log& log = the_log();
  const auto severity = to_spdlog(level);
  if (log.out->should_log(severity)) write(log, severity, component, message, fields);
}

void log_repeats(bool all) {
  Log& log = the_log();
  std::vector<LogRepeats::Summary> due;
  {
    const std::lock_guard lock(log.mutex);
    due = log.repeats.due(real_clock().monotonic_ns(), all);
  }
  write_summaries(log, due);
}

}  // namespace varve
