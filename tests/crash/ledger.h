// What the driver knows for certain, in files beside the store: one for each writer and one for the sink. A line is one
// write() in append mode, so it survives the kill of the process (not a power cut, and need not).
//   writer-N:  s STEP   sent: append is about to be called        a STEP   acknowledged
//   sink:      d WRITER STEP   a step came through the cursor     v LSN    the cursor was saved up to there
// Errors:  a line that cannot be written ends the process: nothing it proves would hold.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace varve::test {

class LedgerFile {
 public:
  explicit LedgerFile(const std::string& path);
  ~LedgerFile();
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  void sent(int64_t step);
  void acknowledged(int64_t step);
  void delivered(int writer, int64_t step);
  void saved(uint64_t lsn);

 private:
  void line(const std::string& text);
  int fd_;
};

std::string writer_ledger_path(const std::string& folder, int writer);
std::string sink_ledger_path(const std::string& folder);

struct WriterLedger {
  int64_t sent_end = 0;               // one past the last step sent
  int64_t acknowledged_end = 0;       // one past the last step acknowledged
  std::vector<std::string> problems;  // of the ledger itself
};
WriterLedger read_writer_ledger(const std::string& path);

struct SinkLedger {
  std::set<std::pair<int, int64_t>> delivered;  // writer, step
  uint64_t saved = 0;
};
SinkLedger read_sink_ledger(const std::string& path);

}  // namespace varve::test
