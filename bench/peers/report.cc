#include "bench/peers/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace varve::bench {
namespace {

constexpr double kMiB = 1 << 20;
constexpr int kValuesPerCpuRow = 10;
constexpr int kValuesPerWaterRow = 6;

const Latencies* latencies_of(const PeerResult& peer, const QueryType& type) {
  const auto found = peer.queries.find(type.name);
  return found == peer.queries.end() || found->second.ms.empty() ? nullptr : &found->second;
}

std::string milliseconds(double ms) {
  return ms < 1     ? fmt::format("{:.2f}", ms)
         : ms < 100 ? fmt::format("{:.1f}", ms)
                    : fmt::format("{:.0f}", ms);
}

std::string header(const std::vector<PeerResult>& results, const char* what, int width) {
  std::string line = fmt::format("\n{:<24}", what);
  for (const PeerResult& peer : results) line += fmt::format("{:>{}}", peer.name, width);
  return line + '\n';
}

template <class Cell>
std::string line(const std::vector<PeerResult>& results, const std::string& what, Cell cell) {
  std::string text = fmt::format("{:<24}", what);
  for (const PeerResult& peer : results) text += fmt::format("{:>18}", cell(peer));
  return text + '\n';
}

std::string query_lines(const std::vector<PeerResult>& results) {
  std::string text = header(results, "median / p95 ms", 18);
  text.pop_back();
  text += fmt::format("{:>10}{:>12}\n", "target", "best peer");
  for (const QueryType& type : query_types()) {
    std::string row = line(results, type.name, [&](const PeerResult& peer) {
      const Latencies* found = latencies_of(peer, type);
      if (found == nullptr) return std::string("-");
      const char* mark = peer.differing.contains(type.name) ? "!" : "";
      return fmt::format("{}{} / {}", mark, milliseconds(found->quantile(0.5)),
                         milliseconds(found->quantile(0.95)));
    });
    row.pop_back();
    double best = 0;
    for (size_t i = 1; i < results.size(); ++i) {
      const Latencies* found = latencies_of(results[i], type);
      if (found != nullptr && (best == 0 || found->quantile(0.5) < best)) best = found->quantile(0.5);
    }
    row += fmt::format("{:>10}", milliseconds(type.target_ms));
    const Latencies* own = results.empty() ? nullptr : latencies_of(results[0], type);
    if (best > 0 && own != nullptr) row += fmt::format("{:>11.1f}x", best / own->quantile(0.5));
    text += row + '\n';
  }
  return text;
}

}  // namespace

double Latencies::quantile(double share) const {
  if (ms.empty()) return 0;
  std::vector<double> sorted = ms;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

std::string report_table(const std::vector<PeerResult>& results) {
  std::string text = header(results, "ingest", 18);
  for (const Set set : {Set::kCpu, Set::kWater}) {
    const std::string table = table_name(set);
    const auto each = [&](const char* what, auto cell) {
      text += line(results, table + what, [&](const PeerResult& peer) {
        const auto found = peer.ingest.find(table);
        return found == peer.ingest.end() ? std::string("-") : cell(found->second);
      });
    };
    const int values = set == Set::kCpu ? kValuesPerCpuRow : kValuesPerWaterRow;
    each(", rows/s", [](const IngestResult& one) {
      return fmt::format("{:.0f} k", static_cast<double>(one.rows) / one.seconds / 1000);
    });
    each(", CPU s per M rows", [](const IngestResult& one) {
      return fmt::format("{:.2f}", one.cpu_seconds / static_cast<double>(one.rows) * 1e6);
    });
    each(", bits per value", [&](const IngestResult& one) {
      return fmt::format("{:.1f}",
                         static_cast<double>(one.disk_bytes) * 8 / static_cast<double>(one.rows) / values);
    });
    each(", MiB on disk", [](const IngestResult& one) {
      return fmt::format("{:.1f}", static_cast<double>(one.disk_bytes) / kMiB);
    });
  }
  const auto memory = [&](const char* what, double PeerResult::*value) {
    text += line(results, what, [&](const PeerResult& peer) { return fmt::format("{:.0f}", peer.*value); });
  };
  memory("RSS MiB, ingest peak", &PeerResult::peak_ingest_mib);
  memory("RSS MiB, loaded", &PeerResult::loaded_mib);
  memory("RSS MiB, after queries", &PeerResult::after_queries_mib);
  text += query_lines(results);
  text += header(results, "queries/s (p99 ms)", 18);
  const size_t steps = results.empty() ? 0 : results[0].concurrency.size();
  for (size_t step = 0; step < steps; ++step) {
    const int clients = results[0].concurrency[step].clients;
    text += line(results, fmt::format("{} client{}", clients, clients == 1 ? "" : "s"),
                 [&](const PeerResult& peer) {
                   if (peer.concurrency.size() <= step) return std::string("-");
                   const ConcurrencyResult& one = peer.concurrency[step];
                   return fmt::format("{:.0f} ({}){}", one.per_second, milliseconds(one.p99_ms),
                                      one.failed == 0 ? "" : fmt::format(" {}!", one.failed));
                 });
  }
  text += '\n';
  for (const PeerResult& peer : results) {
    text += fmt::format("{}: {}\n", peer.name, peer.note);
    for (const auto& [query, what] : peer.differing)
      text += fmt::format("  ! {} answers otherwise: {}\n", query, what);
  }
  return text;
}

std::string report_json(const std::vector<PeerResult>& results) {
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  for (const PeerResult& peer : results) {
    Json json = {{"name", peer.name}, {"note", peer.note}};
    for (const auto& [table, one] : peer.ingest) {
      json["ingest"][table] = {{"rows", one.rows},
                               {"seconds", one.seconds},
                               {"server_cpu_seconds", one.cpu_seconds},
                               {"disk_bytes", one.disk_bytes}};
    }
    json["rss_mib"] = {{"ingest_peak", peer.peak_ingest_mib},
                       {"loaded", peer.loaded_mib},
                       {"after_queries", peer.after_queries_mib}};
    for (const QueryType& type : query_types()) {
      const Latencies* found = latencies_of(peer, type);
      if (found == nullptr) continue;
      json["queries_ms"][type.name] = {{"median", found->quantile(0.5)},
                                       {"p95", found->quantile(0.95)},
                                       {"runs", found->ms.size()},
                                       {"target", type.target_ms}};
    }
    for (const auto& [query, what] : peer.differing) json["differing_answers"][query] = what;
    for (const ConcurrencyResult& one : peer.concurrency) {
      json["concurrency"].push_back({{"clients", one.clients},
                                     {"queries_per_second", one.per_second},
                                     {"p99_ms", one.p99_ms},
                                     {"failed", one.failed}});
    }
    all.push_back(std::move(json));
  }
  return all.dump(1) + "\n";
}

std::string report_svg(const std::vector<PeerResult>& results) {
  constexpr int kLabel = 180;
  constexpr int kPlot = 620;
  constexpr int kBar = 9;
  constexpr int kTop = 60;
  constexpr double kLeastMs = 0.1;
  constexpr const char* kColours[] = {"#0b6e4f", "#8a8fa3", "#c9a227", "#b5543a", "#4a7fb5", "#7b5ea7"};
  double most = 1;
  for (const PeerResult& peer : results) {
    for (const auto& [query, found] : peer.queries) most = std::max(most, found.quantile(0.5));
  }
  const double decades = std::ceil(std::log10(most / kLeastMs));
  const auto x_of = [&](double ms) {
    return kLabel + kPlot * std::clamp(std::log10(ms / kLeastMs) / decades, 0.004, 1.0);
  };
  const int group = static_cast<int>(results.size()) * kBar + 10;
  const int height = kTop + group * static_cast<int>(query_types().size()) + 10;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"10\" y=\"18\" font-size=\"14\">median time of a query, ms (shorter is better, "
      "logarithmic)</text>\n",
      kLabel + kPlot + 60, height);
  int legend = 10;
  for (size_t i = 0; i < results.size(); ++i) {
    svg += fmt::format(
        "<rect x=\"{}\" y=\"28\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"37\">{}</text>\n",
        legend, kColours[i % std::size(kColours)], legend + 14, results[i].name);
    legend += 40 + 7 * static_cast<int>(results[i].name.size());
  }
  for (int decade = 0; decade <= static_cast<int>(decades); ++decade) {
    const double ms = kLeastMs * std::pow(10, decade);
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" fill=\"#666\" text-anchor=\"middle\">{4:g}</text>\n",
        kLabel + kPlot * decade / decades, kTop, height - 5, kTop - 4, ms);
  }
  int y = kTop + 5;
  for (const QueryType& type : query_types()) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", kLabel - 8, y + group / 2,
                       type.name);
    for (size_t i = 0; i < results.size(); ++i) {
      const int top = y + static_cast<int>(i) * kBar;
      const Latencies* found = latencies_of(results[i], type);
      if (found == nullptr) continue;
      const double ms = found->quantile(0.5);
      svg += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>"
          "<text x=\"{:.1f}\" y=\"{}\" font-size=\"9\" fill=\"#444\">{}</text>\n",
          kLabel, top, x_of(ms) - kLabel, kBar - 1, kColours[i % std::size(kColours)], x_of(ms) + 3,
          top + kBar - 1, milliseconds(ms));
    }
    y += group;
  }
  return svg + "</svg>\n";
}

}  // namespace varve::bench
