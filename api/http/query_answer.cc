#include "api/http/query_answer.h"

#include <chrono>

namespace varve {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// How often a waiting worker looks whether its client still is there, and a waiting query whether it was cancelled.
constexpr milliseconds kLook{100};

QueryAnswer::QueryAnswer(Workers& threads, QueryRequest request, std::unique_ptr<AnswerText> text)
    : request_(std::move(request)), text_(std::move(text)) {
  request_.stop = stop_;
  if (threads.enqueue([this] { run(); })) return;
  error_ = QueryError{QueryErrorKind::kBusy, "busy", "too many queries at once", {}, "try again"};
  finished_ = true;
}

QueryAnswer::~QueryAnswer() {
  std::unique_lock lock(mutex_);
  stop();
  changed_.wait(lock, [this] { return finished_; });
}

void QueryAnswer::run() {
  const QueryResult<bool> outcome =
      text_->write(request_, [this](std::string_view part) { return put(part); });
  bool complete = outcome.value_or(false);
  if (!outcome && set_error(outcome.error())) {
    text_->fail(outcome.error());
    complete = true;
  }
  if (complete && !filling_.empty()) complete = hand_over();
  if (outcome && !complete) {
    set_error({QueryErrorKind::kCancelled, "client_gone", "the reader of the answer went away", {}, {}});
  }
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();  // under the lock: after it, this may be gone
}

bool QueryAnswer::set_error(QueryError error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
  return streaming_ && !closed_;
}

bool QueryAnswer::put(std::string_view text) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kPieceBytes - filling_.size());
    filling_.append(part);
    text.remove_prefix(part.size());
    if (filling_.size() == kPieceBytes && !hand_over()) return false;
  }
  const std::lock_guard lock(mutex_);
  return !closed_;
}

bool QueryAnswer::hand_over() {
  std::unique_lock lock(mutex_);
  const auto room = [&] { return closed_ || pieces_.size() < kPiecesMax; };
  const auto patience_ends = steady_clock::now() + seconds(kReaderStallSeconds);
  while (!changed_.wait_for(lock, kLook, room)) {
    if (*stop_ || steady_clock::now() > patience_ends) return false;  // cancelled by hand, or stalled
  }
  if (closed_) return false;
  pieces_.push_back(std::move(filling_));
  filling_.clear();
  changed_.notify_all();
  return true;
}

void QueryAnswer::stop() {
  closed_ = true;
  *stop_ = true;
  changed_.notify_all();
}

QueryAnswer::Start QueryAnswer::wait(std::function<bool()> client_gone) {
  client_gone_ = std::move(client_gone);
  std::unique_lock lock(mutex_);
  const auto decided = [&] { return finished_ || error_ || pieces_.size() >= kPiecesMax; };
  while (!changed_.wait_for(lock, kLook, decided)) {
    if (client_gone_()) {
      stop();
      return Start::kClientGone;
    }
  }
  if (error_) return Start::kFailed;
  streaming_ = !finished_;
  return streaming_ ? Start::kStreaming : Start::kWhole;
}

std::string QueryAnswer::take_whole() {
  const std::lock_guard lock(mutex_);
  std::string whole;
  for (const std::string& piece : pieces_) whole += piece;
  pieces_.clear();
  return whole;
}

BodyStream::Next QueryAnswer::next(std::string& piece) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLook, [&] { return finished_ || closed_ || !pieces_.empty(); })) {
    if (client_gone_()) stop();
  }
  if (closed_) return Next::kBroken;
  if (pieces_.empty()) return error_ ? Next::kBroken : Next::kEnd;
  piece = std::move(pieces_.front());
  pieces_.pop_front();
  changed_.notify_all();
  return Next::kPiece;
}

void QueryAnswer::close() {
  const std::lock_guard lock(mutex_);
  stop();
}

}  // namespace varve
