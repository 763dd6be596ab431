#include "api/http/query_answer.h"

#include <chrono>

namespace varve {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How often a waiting worker looks whether its client still is there.
constexpr milliseconds kClientCheck{100};

QueryAnswer::QueryAnswer(QueryService& service, QueryRequest request, ResultFormat format,
                         TimeFormat time_format) {
  thread_ = std::jthread([this, &service, request = std::move(request), format, time_format] {
    run(service, request, format, time_format);
  });
}

QueryAnswer::~QueryAnswer() {
  close();
}

void QueryAnswer::run(QueryService& service, const QueryRequest& request, ResultFormat format,
                      TimeFormat time_format) {
  auto writer = ResultWriter::make(format, time_format, [this](std::string_view text) { return put(text); });
  auto stats = service.run(request, *writer);
  bool complete = stats.has_value() && writer->finish(*stats);
  if (complete && !filling_.empty()) complete = hand_over();
  const std::lock_guard lock(mutex_);
  if (!stats) {
    error_ = std::move(stats.error());
  } else if (!complete) {
    error_ =
        QueryError{QueryErrorKind::kCancelled, "client_gone", "the reader of the answer went away", {}, {}};
  }
  finished_ = true;
  changed_.notify_all();
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
  const bool room = changed_.wait_for(lock, seconds(kReaderStallSeconds),
                                      [&] { return closed_ || pieces_.size() < kPiecesMax; });
  if (!room || closed_) return false;
  pieces_.push_back(std::move(filling_));
  filling_.clear();
  changed_.notify_all();
  return true;
}

QueryAnswer::Start QueryAnswer::wait(const std::function<bool()>& client_gone) {
  std::unique_lock lock(mutex_);
  const auto decided = [&] { return finished_ || pieces_.size() >= kPiecesMax; };
  while (!changed_.wait_for(lock, kClientCheck, decided)) {
    if (client_gone()) {
      closed_ = true;
      changed_.notify_all();
      return Start::kClientGone;
    }
  }
  if (!finished_) return Start::kStreaming;
  return error_ ? Start::kFailed : Start::kWhole;
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
  changed_.wait(lock, [&] { return finished_ || closed_ || !pieces_.empty(); });
  if (closed_ || (finished_ && error_)) return Next::kBroken;
  if (pieces_.empty()) return Next::kEnd;
  piece = std::move(pieces_.front());
  pieces_.pop_front();
  changed_.notify_all();
  return Next::kPiece;
}

void QueryAnswer::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace varve
