#include "tests/crash/serve_load.h"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "tests/support/http_client.h"

namespace varve::test {
namespace {

constexpr int64_t kRowsPerRequest = 20;
constexpr size_t kPaddingBytes = 200;  // of a row, hard to compress: the disk fills
constexpr auto kPauseAfterRefusal = milliseconds(5);

std::string row_text(size_t writer, int64_t row) {
  std::string text = fmt::format("{}-{}-", writer, row);
  uint64_t state = static_cast<uint64_t>(row) * 0x9e3779b97f4a7c15ULL + writer;
  while (text.size() < kPaddingBytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    text += fmt::format("{:x}", state >> 16);
  }
  return text;
}

std::string lines_of(size_t writer, int64_t first_row) {
  std::string lines;
  for (int64_t row = first_row; row < first_row + kRowsPerRequest; ++row) {
    lines += fmt::format("load,writer=w{} row={}i,text=\"{}\" {}\n", writer, row, row_text(writer, row),
                         1'700'000'000'000 + row);
  }
  return lines;
}

}  // namespace

ServeNode::ServeNode(std::filesystem::path data, const std::string& storage) : port_(free_port()) {
  std::ofstream out(folder_ / "varve.toml");
  out << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \"" << data.string() << "\"\n"
      << storage << "\n";
}

void ServeNode::start(const Process::Options& options) {
  process_ =
      std::make_unique<Process>(std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config",
                                                         (folder_ / "varve.toml").string()},
                                options);
  const bool up = wait_until([&] { return readiness() == 200 || !process_->running(); }, seconds(60));
  if (!up || !process_->running())
    throw std::runtime_error("varve serve is not ready\n" + process_->log_tail());
}

int ServeNode::readiness() const {
  return http_get(url() + "/readyz").status;
}

std::vector<std::string> ServeNode::query(const std::string& sql) const {
  const HttpAnswer answer = http_get(url() + "/api/v1/query?format=csv&q=" + url_encode(sql));
  // Killed before its first row was there; one that was acknowledged is then missed.
  if (answer.status == 404 && answer.body.find("unknown_table") != std::string::npos) return {};
  if (answer.status != 200)
    throw std::runtime_error(fmt::format("{}: {} {}", sql, answer.status, answer.body));
  std::vector<std::string> rows;
  std::istringstream lines(answer.body);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) rows.push_back(line);
  }
  return rows;
}

std::string ServeNode::metric(const std::string& name) const {
  std::istringstream lines(http_get(url() + "/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  }
  return {};
}

void ServeLoad::start() {
  stopping_ = false;
  for (size_t writer = 0; writer < requests_.size(); ++writer) {
    threads_.emplace_back([this, writer] { write(writer); });
  }
}

void ServeLoad::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ServeLoad::write(size_t writer) {
  std::vector<Request>& requests = requests_[writer];
  while (!stopping_) {
    const int64_t first_row = static_cast<int64_t>(requests.size()) * kRowsPerRequest;
    const HttpAnswer answer =
        http_post(url_ + "/write?precision=ms", lines_of(writer, first_row), "text/plain");
    const Outcome outcome = answer.status == 204   ? Outcome::kAcknowledged
                            : answer.status == 503 ? Outcome::kRefused
                                                   : Outcome::kUnknown;
    requests.push_back({first_row, outcome});
    ++counts_[static_cast<size_t>(outcome)];
    if (outcome == Outcome::kAcknowledged) continue;
    if (outcome == Outcome::kRefused) {
      const std::lock_guard lock(refusal_mutex_);
      last_refusal_ = answer.body;
    }
    std::this_thread::sleep_for(kPauseAfterRefusal);
  }
}

std::string ServeLoad::last_refusal() const {
  const std::lock_guard lock(refusal_mutex_);
  return last_refusal_;
}

std::string ServeLoad::check(const ServeNode& node) const {
  for (size_t writer = 0; writer < requests_.size(); ++writer) {
    std::map<int64_t, int> seen;
    for (const std::string& line :
         node.query(fmt::format("SELECT row, text FROM load WHERE writer = 'w{}'", writer))) {
      const int64_t row = std::stoll(line);
      ++seen[row];
      if (line != fmt::format("{},{}", row, row_text(writer, row))) return "a wrong row: " + line;
    }
    for (const Request& request : requests_[writer]) {
      for (int64_t row = request.first_row; row < request.first_row + kRowsPerRequest; ++row) {
        const auto found = seen.find(row);
        const int times = found == seen.end() ? 0 : found->second;
        if (found != seen.end()) seen.erase(found);
        if (times > 1) return fmt::format("row {} of writer {} is there {} times", row, writer, times);
        if (request.outcome == Outcome::kAcknowledged && times == 0) {
          return fmt::format("row {} of writer {} was acknowledged and is lost", row, writer);
        }
        if (request.outcome == Outcome::kRefused && times != 0) {
          return fmt::format("row {} of writer {} was refused with 503 and is there", row, writer);
        }
      }
    }
    if (!seen.empty()) return fmt::format("row {} of writer {} was never sent", seen.begin()->first, writer);
  }
  return {};
}

}  // namespace varve::test
