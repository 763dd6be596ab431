#include "ingest/kafka/start_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr std::string_view kMetadataPrefix = "varve:";

}  // namespace

Result<StartRule> StartRule::parse(const std::string& text) {
  if (text == "earliest") return StartRule{Kind::kEarliest, 0};
  if (text == "latest") return StartRule{Kind::kLatest, 0};
  const auto time = parse_timestamp(text);
  if (!time) {
    return invalid_argument(
        fmt::format("start = \"{}\": use earliest, latest or a time such as 2025-07-01T00:00:00Z", text));
  }
  return StartRule{Kind::kTime, std::max<int64_t>(*time / kNsPerMs, 0)};
}

std::string commit_metadata(std::string_view store_id) {
  return std::string(kMetadataPrefix).append(store_id);
}

std::optional<int64_t> choose_start(std::optional<int64_t> own, const PartitionOffset& committed,
                                    std::string_view store_id) {
  const std::optional<int64_t> advice =
      committed.offset >= 0 ? std::optional<int64_t>(committed.offset) : std::nullopt;
  if (!own) return advice;
  const bool by_another_store =
      committed.metadata.starts_with(kMetadataPrefix) && committed.metadata != commit_metadata(store_id);
  return by_another_store && advice ? std::max(*own, *advice) : *own;
}

}  // namespace varve
