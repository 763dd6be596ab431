#include "tests/support/influxd_server.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/http_client.h"

#ifndef VARVE_INFLUXD
#error "VARVE_INFLUXD must be defined (it may be empty)"
#endif

namespace varve::testing {
namespace {

constexpr auto kStartLimit = seconds(60);  // 0.2 s on an idle machine; CI may be busy
constexpr auto kStopLimit = seconds(30);

}  // namespace

InfluxdServer::InfluxdServer() : port_(free_port()) {
  std::ofstream(folder_ / "influxdb.conf") << fmt::format(
      "reporting-enabled = false\n"
      "bind-address = \"127.0.0.1:{1}\"\n"
      "[meta]\n"
      "  dir = \"{2}/meta\"\n"
      "[data]\n"
      "  dir = \"{2}/data\"\n"
      "  wal-dir = \"{2}/wal\"\n"
      "  query-log-enabled = false\n"
      "[monitor]\n"
      "  store-enabled = false\n"
      "[http]\n"
      "  bind-address = \"127.0.0.1:{0}\"\n"
      "  log-enabled = false\n",
      port_, free_port(), folder_.path().string());
}

void InfluxdServer::start() {
  if (!std::filesystem::exists(VARVE_INFLUXD)) {
    throw std::runtime_error("no influxd at '" VARVE_INFLUXD "'; run ./dev setup test, then ./dev test");
  }
  if (process_ && process_->running()) throw std::runtime_error("InfluxdServer::start: it runs already");
  process_ = std::make_unique<Process>(
      std::vector<std::string>{VARVE_INFLUXD, "run", "-config", folder_ / "influxdb.conf"});
  bool answers = false;
  wait_until(
      [&] {
        answers = http_get(url() + "/ping").status == 204;
        return answers || !process_->running();
      },
      kStartLimit);
  if (!answers) throw std::runtime_error("influxd did not start\n" + process_->log_tail());
}

void InfluxdServer::stop() {
  process_->stop(kStopLimit);
}

void InfluxdServer::kill() {
  process_->kill();
}

std::string InfluxdServer::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

std::string InfluxdServer::query(const std::string& influxql, const std::string& database) const {
  auto answer = http_post(url() + "/query?db=" + url_encode(database), "q=" + url_encode(influxql),
                          "application/x-www-form-urlencoded");
  if (answer.status != 200) {
    throw std::runtime_error(
        fmt::format("InfluxDB answered {} to {}: {}", answer.status, influxql, answer.body));
  }
  return answer.body;
}

}  // namespace varve::testing
