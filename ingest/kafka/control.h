// What an operator may ask of a running source, and the mailbox that hands it to the consumer's thread.
//   resume  a halted partition goes on where the operator says; a row with reason "gap" in varve_quarantine tells what
//           was left out and why, in the same log record as the new position
//   rewind  goes back to the first message at or after a time. Rows read again overwrite the same (series, time), so
//           they count once; what is refused again is in varve_quarantine twice. A partition is never moved forward,
//           and a halted one stays where it is.
// Either is done when it is answered: the new position is durable in the log, so a crash right after keeps it, and it
// is committed to the broker under this store's id as far as the broker answers in time.
// Errors: kInvalidArgument (the partition is not halted), kNotFound (this source does not read it now), kUnavailable
// (the store or the broker does not answer, the mailbox is full: nothing was changed, try again).
// Threads: send() from any; serve() and close() on the consumer's.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/error.h"

namespace varve {

class ConsumerLoop;

struct ResumeRequest {
  enum class From {
    kSkip,      // at the nearest offset the broker has, behind what cannot be read
    kEarliest,  // at the first offset the broker has
    kLatest,    // at its end
    kOffset,
  };
  std::string topic;
  int32_t partition = 0;
  From from = From::kSkip;
  int64_t offset = 0;  // of kOffset
};

struct RewindRequest {
  int64_t time_ns = 0;  // of the broker's timestamps, which count milliseconds: rounded down to one
  std::string topic;    // empty = every topic
};

struct MovedPartition {
  std::string topic;
  int32_t partition = 0;
  int64_t from = 0;  // offsets; equal when it was not moved
  int64_t to = 0;
};

class ConsumerMailbox {
 public:
  using Outcome = Result<std::vector<MovedPartition>>;
  using Command = std::function<Outcome(ConsumerLoop&)>;
  static constexpr size_t kWaitingMax = 8;  // guessed: commands come from people

  Outcome send(Command command);  // waits for the answer
  void serve(ConsumerLoop& loop);
  void close();  // what waits, and what still comes, is answered kUnavailable

 private:
  struct Letter {
    Command command;
    std::optional<Outcome> outcome;
  };
  std::mutex mutex_;  // guards all below, and the outcomes
  std::condition_variable answered_;
  std::deque<std::shared_ptr<Letter>> waiting_;
  bool closed_ = false;
};

}  // namespace varve
