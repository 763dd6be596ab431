#include "bench/peers/peer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace varve::bench {

std::string Peer::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

void Peer::run(std::vector<std::string> argv, const test::Process::Options& options,
               const std::string& ready_path) {
  std::filesystem::create_directories(data());
  process_ = std::make_unique<test::Process>(std::move(argv), options);
  const bool ready = test::wait_until(
      [&] {
        if (!process_->running()) return true;
        const int status = test::http_get(url() + ready_path).status;
        return status >= 200 && status < 300;
      },
      test::seconds(60));
  if (!ready || !process_->running()) {
    throw std::runtime_error(name() + " did not start:\n" + process_->log_tail());
  }
}

test::HttpAnswer Peer::ask(const Request& request) const {
  test::HttpSession session(url());
  test::HttpAnswer answer = session.send(request.method, request.path, request.body, request.content_type);
  if (answer.status < 200 || answer.status > 299) {
    throw std::runtime_error(fmt::format("{} answered {} to {} {}: {}", name(), answer.status, request.path,
                                         request.body.substr(0, 500), answer.body.substr(0, 500)));
  }
  return answer;
}

double Peer::memory_mib(const std::string& line) const {
  std::ifstream file(fmt::format("/proc/{}/status", process_->pid()));
  std::string name;
  double kib = 0;
  while (file >> name) {
    if (name == line + ":" && file >> kib) break;
    std::getline(file, name);
  }
  return kib / 1024;
}

double Peer::cpu_seconds() const {
  std::ifstream file(fmt::format("/proc/{}/stat", process_->pid()));
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));  // the program's name may have spaces
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

uint64_t Peer::disk_bytes() const {
  uint64_t bytes = 0;
  std::error_code gone;  // files come and go while we look
  for (auto file = std::filesystem::recursive_directory_iterator(data(), gone);
       file != std::filesystem::recursive_directory_iterator(); file.increment(gone)) {
    if (gone) break;
    const bool counts = file->is_regular_file(gone) && file->hard_link_count(gone) > 0;
    if (!counts) continue;
    const uint64_t size = file->file_size(gone);
    if (!gone) bytes += size / file->hard_link_count(gone);
  }
  return bytes;
}

void Peer::stop() {
  if (process_) process_->stop();
  process_.reset();
}

const std::vector<std::string>& peer_names() {
  static const std::vector<std::string> names = {"varve", "influxdb", "victoria-metrics", "clickhouse",
                                                 "duckdb"};
  return names;
}

std::unique_ptr<Peer> make_peer(const std::string& name, const Programs& programs) {
  const auto exists = [](const std::filesystem::path& path) { return std::filesystem::exists(path); };
  if (name == "varve" && exists(programs.varve)) return make_varve(programs);
  if (name == "influxdb" && exists(programs.influxd)) return make_influx(programs);
  if (name == "victoria-metrics" && exists(programs.packages / "usr/bin/victoria-metrics")) {
    return make_victoria(programs);
  }
  if (name == "clickhouse" && exists(programs.packages / "usr/sbin/clickhouse-server")) {
    return make_clickhouse(programs);
  }
  if (name == "duckdb" && exists(programs.python)) return make_duckdb(programs);
  return nullptr;
}

}  // namespace varve::bench
