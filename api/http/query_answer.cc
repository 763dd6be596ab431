#include "api/http/query_answer.h"

#include <fmt/format.h>

#include <utility>

#include "storage/base/log.h"

namespace varve {

QueryAnswer::QueryAnswer(QueryRequest request, std::unique_ptr<AnswerText> text,
                         std::function<bool()> client_gone)
    : request_(std::move(request)), text_(std::move(text)), fiber_([this] { run(); }) {
  request_.stop = std::make_shared<std::atomic<bool>>(false);
  request_.reader_gone = [this, asked = std::move(client_gone)] {
    if (asked()) gone_ = true;
    return gone_.load();
  };
}

// On the fiber.
void QueryAnswer::run() {
  const QueryResult<bool> outcome =
      text_->write(request_, [this](std::string_view part) { return put(part); });
  if (!outcome) {
    error_ = outcome.error();
    if (streaming_ && !closed_) text_->fail(*error_);
  } else if (!*outcome) {
    error_ = {QueryErrorKind::kCancelled, "client_gone", "the reader of the answer went away", {}, {}};
  }
}

bool QueryAnswer::put(std::string_view text) {
  while (!text.empty() && !closed_) {
    const std::string_view part = text.substr(0, room_ - filling_.size());
    filling_.append(part);
    text.remove_prefix(part.size());
    if (filling_.size() == room_) fiber_.pause();
  }
  return !closed_;
}

QueryAnswer::Start QueryAnswer::start() {
  fiber_.resume();
  streaming_ = !fiber_.ended();
  if (streaming_) return Start::kStreaming;
  if (gone_) return Start::kClientGone;
  return error_ ? Start::kFailed : Start::kWhole;
}

std::string QueryAnswer::take_whole() {
  return std::move(filling_);
}

void QueryAnswer::go_on() noexcept {
  try {
    fiber_.resume();
  } catch (const std::exception& error) {
    log_error("http",
              fmt::format("a query threw while its answer was sent ({}); the answer is cut", error.what()));
    closed_ = true;
  }
}

BodyStream::Next QueryAnswer::next(std::string& piece) {
  const bool first = filling_.size() == kWholeBytesMax;
  if (!first && !closed_ && !fiber_.ended()) go_on();
  if (closed_) return Next::kBroken;
  if (filling_.empty()) return error_ ? Next::kBroken : Next::kEnd;
  piece = std::exchange(filling_, {});
  room_ = kPieceBytes;
  filling_.reserve(room_);
  return Next::kPiece;
}

void QueryAnswer::close() {
  if (closed_) return;
  closed_ = true;
  *request_.stop = true;
  filling_.clear();
  if (fiber_.begun() && !fiber_.ended()) go_on();  // to its end: put() refuses everything now
}

HttpResponse respond(std::shared_ptr<QueryAnswer> answer, std::string_view content_type,
                     const std::function<HttpResponse(const HttpError&)>& failed) {
  HttpResponse response;
  switch (answer->start()) {
    case QueryAnswer::Start::kFailed:
      return failed(http_error(answer->error()));
    case QueryAnswer::Start::kClientGone:
      response.status = kStatusClientGone;
      return response;
    case QueryAnswer::Start::kWhole:
      response.body = answer->take_whole();
      break;
    case QueryAnswer::Start::kStreaming:
      response.stream = std::move(answer);
      break;
  }
  response.content_type = content_type;
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace varve
