#include "api/cli/config_log.h"

namespace varve {

Result<void> read_log(const toml::table& table, const std::string& file, KnownKeys* known, LogConfig& out) {
  ConfigReader reader(table, "log.", file, known);
  std::string format = "console", level = "info";
  reader.word("format", {"console", "json"}, format);
  reader.word("level", {"debug", "info", "warn", "error"}, level);
  out.format = format == "json" ? LogFormat::kJson : LogFormat::kConsole;
  out.level = level == "debug"   ? LogLevel::kDebug
              : level == "warn"  ? LogLevel::kWarn
              : level == "error" ? LogLevel::kError
                                 : LogLevel::kInfo;
  return reader.finish();
}

void apply_log(const LogConfig& log) {
  set_log_format(log.format);
  set_log_level(log.level);
}

}  // namespace varve
