#include "ingest/decode/table_template.h"

#include <fmt/format.h>

#include "ingest/decode/decoder.h"

namespace varve {

Result<TableTemplate> parse_table_template(std::string_view text) {
  constexpr std::string_view kFieldPrefix = "{field:";
  if (text == "{topic}") return TableTemplate{TableTemplate::Kind::kTopic, {}};
  if (text.starts_with(kFieldPrefix) && text.ends_with('}')) {
    const std::string_view name = text.substr(kFieldPrefix.size(), text.size() - kFieldPrefix.size() - 1);
    if (!name.empty() && name.find_first_of("{}") == std::string_view::npos) {
      return TableTemplate{TableTemplate::Kind::kField, std::string(name)};
    }
  }
  if (text.find_first_of("{}") != std::string_view::npos) {
    return invalid_argument(
        fmt::format("table = \"{}\": use a fixed name, \"{{topic}}\" or \"{{field:NAME}}\"", text));
  }
  if (const std::string_view fault = table_name_fault(text); !fault.empty()) {
    return invalid_argument(fmt::format("table = \"{}\": {}", text, fault));
  }
  return TableTemplate{TableTemplate::Kind::kFixed, std::string(text)};
}

}  // namespace varve
