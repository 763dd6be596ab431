#include "tests/crash/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace varve::test {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "ledger: {}: {}\n", what, std::strerror(errno));
  std::_Exit(3);
}

}  // namespace

LedgerFile::LedgerFile(const std::string& path)
    : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (fd_ < 0) give_up("open " + path);
}

LedgerFile::~LedgerFile() {
  ::close(fd_);
}

void LedgerFile::line(const std::string& text) {
  if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) give_up("write");
}

void LedgerFile::sent(int64_t step) {
  line(fmt::format("s {}\n", step));
}
void LedgerFile::acknowledged(int64_t step) {
  line(fmt::format("a {}\n", step));
}
void LedgerFile::cut_sent(const Cut& cut) {
  line(fmt::format("x {} {} {}\n", cut.from, cut.to, cut.sensor));
}
void LedgerFile::cut_done(const Cut& cut) {
  line(fmt::format("y {} {} {}\n", cut.from, cut.to, cut.sensor));
}
void LedgerFile::delivered(int writer, int64_t step) {
  line(fmt::format("d {} {}\n", writer, step));
}
void LedgerFile::saved(uint64_t lsn) {
  line(fmt::format("v {}\n", lsn));
}

std::string writer_ledger_path(const std::string& folder, int writer) {
  return fmt::format("{}/writer-{}", folder, writer);
}

std::string sink_ledger_path(const std::string& folder) {
  return folder + "/sink";
}

WriterLedger read_writer_ledger(const std::string& path) {
  WriterLedger ledger;
  std::ifstream in(path);
  char kind = 0;
  int64_t step = 0;
  while (in >> kind >> step) {
    if (kind == 'x') {
      Cut& cut = ledger.cuts.emplace_back(Cut{step});
      in >> cut.to >> cut.sensor;
      continue;
    }
    if (kind == 'y') {
      int64_t to = 0, sensor = 0;
      in >> to >> sensor;
      const auto sent = std::find_if(ledger.cuts.begin(), ledger.cuts.end(), [&](const Cut& cut) {
        return cut.from == step && cut.to == to && cut.sensor == sensor && !cut.done;
      });
      if (sent == ledger.cuts.end()) {
        ledger.problems.push_back(fmt::format("{}: a cut from {} is done that was never sent", path, step));
      } else {
        sent->done = true;
      }
      continue;
    }
    int64_t& end = kind == 's' ? ledger.sent_end : ledger.acknowledged_end;
    // After a kill the writer goes on from the store's position: sent steps may come again, but none is left out.
    if (kind == 's' && step > end) {
      ledger.problems.push_back(fmt::format("{}: step {} was sent after {}", path, step, end - 1));
    }
    if (kind == 'a' && step >= ledger.sent_end) {
      ledger.problems.push_back(fmt::format("{}: step {} was acknowledged, never sent", path, step));
    }
    end = std::max(end, step + 1);
  }
  return ledger;
}

SinkLedger read_sink_ledger(const std::string& path) {
  SinkLedger ledger;
  std::ifstream in(path);
  char kind = 0;
  while (in >> kind) {
    if (kind == 'd') {
      int writer = 0;
      int64_t step = 0;
      in >> writer >> step;
      ledger.delivered.emplace(writer, step);
    } else {
      uint64_t lsn = 0;
      in >> lsn;
      ledger.saved = std::max(ledger.saved, lsn);
    }
  }
  return ledger;
}

}  // namespace varve::test
