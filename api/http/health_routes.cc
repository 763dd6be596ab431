// GET /healthz (alive), /readyz (recovered; 200 as long as queries work, 503 when the store has failed), /metrics (Prometheus text).
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "api/http/routes.h"

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

double resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  long total_pages = 0, resident_pages = 0;
  const int read = std::fscanf(file, "%ld %ld", &total_pages, &resident_pages);
  (void)std::fclose(file);
  return read == 2 ? static_cast<double>(resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

HttpResponse readiness(const EngineStatus& store) {
  std::string body = store.failed ? "failed\n" : "ready\n";
  if (!store.read_only_reason.empty()) body += "read-only: " + store.read_only_reason + "\n";
  body += fmt::format("durability: {}\n", durability(store.wal_sync));
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

void add_health_routes(Router& router, const HttpServices& services) {
  MetricsRegistry& metrics = *services.metrics;
  metrics.gauge("varve_info", "Always 1; the version is a label.", {{"version", VARVE_VERSION}}).set(1);
  Gauge& uptime = metrics.gauge("varve_uptime_seconds", "Seconds since the server began to serve.");
  Gauge& memory = metrics.gauge("varve_resident_memory_bytes", "Resident memory of the process.");
  router.add({"GET", "/metrics", "metrics",
              [&metrics, &uptime, &memory, &clock = *services.clock,
               started = services.clock->monotonic_ns()](const HttpRequest&) {
                uptime.set(static_cast<double>(clock.monotonic_ns() - started) / kNsPerSecond);
                memory.set(resident_bytes());
                return text(kMetricsType, metrics.render());
              },
              Access::kReadAll});
  router.add({"GET", "/healthz", "health", [](const HttpRequest&) { return text("text/plain", "ok\n"); },
              Access::kOpen});
  router.add({"GET", "/readyz", "health",
              [&engine = *services.engine](const HttpRequest&) { return readiness(engine.status()); },
              Access::kProbe});
}

}  // namespace varve
