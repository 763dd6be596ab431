// One query's answer on its way to the client: the query runs on a thread of its own and fills a bounded pipe, the
// connection's worker empties it. So a big answer takes kPiecesMax pieces of memory, however slow its reader.
//   - The thread is one of a few that stay: starting one would take longer than most queries, with memory that is cold.
//   - An answer that fits into the pipe is known whole, success or error, before the first byte is sent.
//   - After that an error ends the text with its message and cuts the connection short, which the client sees as an
//   unfinished chunked body.
//   - A reader that went away, or took nothing for kReaderStall, stops the query, also one that is still computing.
// Threads: made and read by one worker; close() from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/http/exchange.h"
#include "api/http/workers.h"
#include "api/query/query.h"

namespace varve {

// What runs a query and writes its answer, whatever the language and the format. One per answer.
class AnswerText {
 public:
  using Put = std::function<bool(std::string_view)>;  // false = stop, the reader is gone
  virtual ~AnswerText() = default;
  virtual QueryResult<bool> write(const QueryRequest& request,
                                  const Put& put) = 0;  // false = `put` stopped it
  // After write() failed with text handed out already: says so at its end, for people.
  virtual void fail(const QueryError& error) = 0;
};

class QueryAnswer final : public BodyStream {
 public:
  static constexpr size_t kPieceBytes = 64 << 10;
  static constexpr size_t kPiecesMax = 4;             // 256 KiB: most answers are whole before they are sent
  static constexpr int64_t kReaderStallSeconds = 30;  // then the reader counts as gone

  QueryAnswer(Workers& threads, QueryRequest request, std::unique_ptr<AnswerText> text);
  ~QueryAnswer() override;

  enum class Start { kWhole, kStreaming, kFailed, kClientGone };
  // Waits until the answer is whole, failed, or fills the pipe. `client_gone` is asked from time to time, by next(), too.
  Start wait(std::function<bool()> client_gone);
  std::string take_whole();                            // after kWhole
  const QueryError& error() const { return *error_; }  // after kFailed

  Next next(std::string& piece) override;
  void close() override;

 private:
  void run();
  bool put(std::string_view text);  // on the query's thread; false = stop
  bool hand_over();
  void stop();                       // under the lock
  bool set_error(QueryError error);  // true: its text is wanted

  const StopSwitch stop_ = std::make_shared<std::atomic<bool>>(false);  // the query's
  std::function<bool()> client_gone_;                                   // of the worker
  // Of the query's thread:
  QueryRequest request_;
  const std::unique_ptr<AnswerText> text_;
  std::string filling_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::optional<QueryError> error_;
  bool streaming_ = false;  // wait() has said so
  bool finished_ = false;
  bool closed_ = false;
};

}  // namespace varve
