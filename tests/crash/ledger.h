// What the driver knows for certain, in files beside the store: one for each writer and one for the sink. A line is one
// write() in append mode, so it survives the kill of the process (not a power cut, and need not).
//   writer-N:  s STEP   sent: append is about to be called        a STEP   acknowledged
//              x FROM TO SENSOR   rows [FROM, TO) of the writer's cut table are about to be deleted, of one sensor or,
//                                 with -1, of all; every earlier step is answered        y ...   they are
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

struct Cut {
  int64_t from = 0;
  int64_t to = 0;
  int64_t sensor = -1;
  bool done = false;
  bool covers(int64_t row, int64_t sensors) const {
    return from <= row && row < to && (sensor < 0 || row % sensors == sensor);
  }
};

class LedgerFile {
 public:
  explicit LedgerFile(const std::string& path);
  ~LedgerFile();
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  void sent(int64_t step);
  void acknowledged(int64_t step);
  void cut_sent(const Cut& cut);
  void cut_done(const Cut& cut);
  void delivered(int writer, int64_t step);
  void saved(uint64_t lsn);

 private:
  void line(const std::string& text);
  int fd_;
};

std::string writer_ledger_path(const std::string& folder, int writer);
std::string sink_ledger_path(const std::string& folder);

struct WriterLedger {
  int64_t sent_end = 0;          // one past the last step sent
  int64_t acknowledged_end = 0;  // one past the last step acknowledged
  std::vector<Cut> cuts;
  std::vector<std::string> problems;  // of the ledger itself
};
WriterLedger read_writer_ledger(const std::string& path);

struct SinkLedger {
  std::set<std::pair<int, int64_t>> delivered;  // writer, step
  uint64_t saved = 0;
};
SinkLedger read_sink_ledger(const std::string& path);

}  // namespace varve::test
