#include "ingest/decode/time_pin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/base/clock.h"

namespace varve {
namespace {

// Text that TimeParser's rfc3339 does not read and that means one instant all the same.
constexpr std::array<std::string_view, 18> kForms = {"%Y/%m/%d %H:%M:%S.%f",
                                                     "%Y/%m/%d %H:%M:%S",
                                                     "%Y/%m/%d %H:%M",
                                                     "%Y/%m/%d",
                                                     "%d.%m.%Y %H:%M:%S.%f",
                                                     "%d.%m.%Y %H:%M:%S",
                                                     "%d.%m.%Y %H:%M",
                                                     "%d.%m.%Y",
                                                     "%Y%m%dT%H%M%S%z",
                                                     "%Y%m%dT%H%M%S",
                                                     "%Y%m%dT%H%M%S.%f%z",
                                                     "%a, %d %b %Y %H:%M:%S GMT",
                                                     "%a, %d %b %Y %H:%M:%S UTC",
                                                     "%a, %d %b %Y %H:%M:%S %z",
                                                     "%d %b %Y %H:%M:%S %z",
                                                     "%a %b %e %H:%M:%S %Y",
                                                     "%Y-%m-%d %H:%M:%S %z",
                                                     "%Y-%m-%d %H:%M:%S UTC"};

constexpr uint64_t kTellingFrom = 1'000'000'000;   // 2001-09-09 in seconds
constexpr uint64_t kTellingBelow = 5'000'000'000;  // 2128-06-11, as the guess of TimeParser

bool is_number(std::string_view text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const size_t first = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  if (at == first) return false;
  return at == text.size() || ((text[at] == '.' || text[at] == 'e' || text[at] == 'E') &&
                               text.find_first_not_of("0123456789.eE+-", at) == std::string_view::npos &&
                               std::count(text.begin(), text.end(), '.') <= 1);
}

// The unit a number of this size has beyond doubt, or 0.
int64_t telling_unit(int64_t ns_if_ns) {
  const uint64_t size = ns_if_ns < 0 ? 0 - static_cast<uint64_t>(ns_if_ns) : static_cast<uint64_t>(ns_if_ns);
  uint64_t scale = 1;
  for (const int64_t unit : {kNsPerSecond, kNsPerMs, kNsPerUs, int64_t{1}}) {
    if (size >= kTellingFrom * scale && size / scale < kTellingBelow) return unit;
    scale *= 1000;
  }
  return 0;
}

}  // namespace

Result<PinnedTime> PinnedTime::make(std::string_view format) {
  VARVE_ASSIGN(auto parser, TimeParser::make(format));
  PinnedTime pinned(std::move(parser));
  if (format != "auto") return pinned;
  pinned.is_auto_ = true;
  for (const std::string_view form : kForms) {
    VARVE_ASSIGN(auto one, TimeParser::make(form));
    pinned.forms_.push_back(std::move(one));
  }
  pinned.form_ = pinned.forms_.size();
  return pinned;
}

Result<int64_t> PinnedTime::parse(std::string_view text) {
  if (!is_auto_) return parser_.parse(text);
  if (is_number(text)) return parse_number(text);
  if (form_ < forms_.size()) {
    if (auto ns = forms_[form_].parse(text)) return ns;
  }
  auto rfc3339 = parser_.parse(text);
  if (rfc3339) return rfc3339;
  for (size_t i = 0; i < forms_.size(); ++i) {
    auto ns = forms_[i].parse(text);
    if (!ns) continue;
    form_ = i;
    return ns;
  }
  if (text.find('/') != std::string_view::npos) {
    return with_context(std::move(rfc3339.error()),
                        "day and month cannot be told apart by looking, or it is no time; set time_format");
  }
  return rfc3339;
}

Result<int64_t> PinnedTime::parse_number(std::string_view text) {
  const auto raw = parse_epoch_number(text, 1);  // its whole part
  if (!raw) return raw;
  const int64_t unit = telling_unit(*raw);
  if (unit != 0) unit_ns_ = unit;
  int64_t ns = 0;
  const bool is_whole = text.find_first_of(".eE") == std::string_view::npos;
  if (is_whole && unit_ns_ != 0 && !__builtin_mul_overflow(*raw, unit_ns_, &ns)) return ns;
  return parse_epoch_number(text, unit_ns_);
}

}  // namespace varve
