// One query's answer on its way to the client. The query runs on the connection's own worker, on a stack of its own
// (fiber.h): while its answer is small until its end, after that piece by piece as the client takes them. So a big answer
// takes kWholeBytesMax of memory, however slow its reader, and a small one no change of threads, which on an idle machine
// takes longer than most queries.
//   - An answer up to kWholeBytesMax is known whole, success or error, before the first byte is sent.
//   - After that an error ends the text with its message and cuts the connection short, which the client sees as an
//   unfinished chunked body.
//   - A reader that went away stops the query, also one that is still computing: the query asks from time to time. One
//   that takes nothing loses its connection (connection.h), and with it the query.
// Threads: one, the worker's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/http/errors.h"
#include "api/http/exchange.h"
#include "api/http/fiber.h"
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
  static constexpr size_t kWholeBytesMax = 256 << 10;  // most answers are smaller
  static constexpr size_t kPieceBytes = 64 << 10;      // of larger ones, after the first

  // `client_gone` is asked from time to time, on any thread of the query.
  QueryAnswer(QueryRequest request, std::unique_ptr<AnswerText> text, std::function<bool()> client_gone);
  ~QueryAnswer() override { close(); }

  enum class Start { kWhole, kStreaming, kFailed, kClientGone };
  Start start();                                       // runs until the answer is whole, failed, or too large
  std::string take_whole();                            // after kWhole
  const QueryError& error() const { return *error_; }  // after kFailed

  Next next(std::string& piece) override;
  void close() override;

 private:
  void run();
  void go_on() noexcept;            // what is thrown closes it
  bool put(std::string_view text);  // false = stop

  std::atomic<bool> gone_{false};  // the client; set by any thread of the query
  QueryRequest request_;
  const std::unique_ptr<AnswerText> text_;
  std::string filling_;
  size_t room_ = kWholeBytesMax;  // of filling_
  std::optional<QueryError> error_;
  bool streaming_ = false;  // start() has said so
  bool closed_ = false;
  Fiber fiber_;
};

// Starts `answer` and makes its response; `failed` makes that of an error before the first byte.
HttpResponse respond(std::shared_ptr<QueryAnswer> answer, std::string_view content_type,
                     const std::function<HttpResponse(const HttpError&)>& failed);

}  // namespace varve
