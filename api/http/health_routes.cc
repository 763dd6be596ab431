// GET /healthz (alive), /readyz (recovered; 200 as long as queries work, 503 when the store has failed;
// with a line for each problem), /metrics (Prometheus text).
#include <fmt/format.h>

#include "api/http/routes.h"
#include "api/http/status_metrics.h"

namespace varve {
namespace {

// Prometheus 3 refuses a scrape without exactly this type.
constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse text(std::string_view content_type, std::string body) {
  HttpResponse response;
  response.content_type = content_type;
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse readiness(const EngineStatus& store, const std::vector<Problem>& problems) {
  std::string body = store.failed ? "failed\n" : "ready\n";
  if (!store.read_only_reason.empty()) body += "read-only: " + store.read_only_reason + "\n";
  body += fmt::format("durability: {}\n", durability(store.wal_sync));
  for (const Problem& problem : problems) {
    body += fmt::format("problem {}: {}{}{}; {}\n", problem.code, problem.subject,
                        problem.subject.empty() ? "" : ": ", problem.reason, problem.remedy);
  }
  HttpResponse response = text("text/plain", std::move(body));
  if (store.failed) response.status = 503;
  return response;
}

}  // namespace

std::string_view durability(WalSync sync) {
  switch (sync) {
    case WalSync::kGroup:
      return "group: acknowledged = on disk";
    case WalSync::kEach:
      return "each: acknowledged = on disk";
    case WalSync::kRelaxed:
      return "relaxed: a power cut takes up to the last second of what was acknowledged";
  }
  return "";
}

void add_health_routes(Router& router, const HttpServices& services, ProblemWatch& problems) {
  MetricsRegistry& metrics = *services.metrics;
  router.add({"GET", "/metrics", "metrics",
              [&metrics, status = std::make_shared<StatusMetrics>(services, problems)](const HttpRequest&) {
                status->refresh();
                return text(kMetricsType, metrics.render());
              },
              Access::kReadAll});
  router.add({"GET", "/healthz", "health", [](const HttpRequest&) { return text("text/plain", "ok\n"); },
              Access::kOpen});
  router.add({"GET", "/readyz", "health",
              [&services, &problems](const HttpRequest&) {
                const EngineStatus store = services.engine->status();
                return readiness(store, problems.now(store, services.sources(), services.mirrors()));
              },
              Access::kProbe});
}

}  // namespace varve
