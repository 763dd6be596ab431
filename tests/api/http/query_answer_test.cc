#include "api/http/query_answer.h"

#include <gtest/gtest.h>

#include <thread>

namespace varve {
namespace {

constexpr size_t kPart = 1000;

bool nobody_leaves() {
  return false;
}

// Writes `parts` parts of kPart bytes, then fails if it is to; tells what became of it.
struct Script {
  size_t parts = 0;
  std::optional<QueryError> error;
  bool throws = false;
};
struct Outcome {
  size_t parts_put = 0;
  bool refused = false;
  bool stop_was_set = false;
  std::thread::id thread;
};

class ScriptedText final : public AnswerText {
 public:
  ScriptedText(Script script, Outcome& outcome) : script_(std::move(script)), outcome_(outcome) {}

  QueryResult<bool> write(const QueryRequest& request, const Put& put) override {
    put_ = put;
    outcome_.thread = std::this_thread::get_id();
    for (size_t i = 0; i < script_.parts; ++i) {
      if (!put(std::string(kPart, static_cast<char>('a' + i % 26)))) {
        outcome_.refused = true;
        outcome_.stop_was_set = *request.stop;
        return false;
      }
      ++outcome_.parts_put;
    }
    if (script_.throws) throw std::runtime_error("thrown by the query");
    if (script_.error) return tl::make_unexpected(*script_.error);
    return true;
  }
  void fail(const QueryError& error) override { put_("!" + error.message); }

 private:
  const Script script_;
  Outcome& outcome_;
  Put put_;
};

QueryError broken() {
  return {QueryErrorKind::kInternal, "broken", "it broke", {}, {}};
}

std::string expected_text(size_t parts) {
  std::string text;
  for (size_t i = 0; i < parts; ++i) text += std::string(kPart, static_cast<char>('a' + i % 26));
  return text;
}

std::unique_ptr<QueryAnswer> make(Script script, Outcome& outcome,
                                  std::function<bool()> client_gone = nobody_leaves) {
  return std::make_unique<QueryAnswer>(
      QueryRequest{}, std::make_unique<ScriptedText>(std::move(script), outcome), client_gone);
}

TEST(QueryAnswer, IsWholeWhenItFits) {
  Outcome outcome;
  const auto answer = make({.parts = 5, .error = {}}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kWhole);
  EXPECT_EQ(answer->take_whole(), expected_text(5));
  EXPECT_EQ(outcome.thread, std::this_thread::get_id());
}

TEST(QueryAnswer, OfALargeOneOnlyAPieceAtATimeIsMadeAheadOfTheReader) {
  constexpr size_t kParts = 1000;
  Outcome outcome;
  const auto answer = make({.parts = kParts, .error = {}}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kStreaming);
  EXPECT_LE(outcome.parts_put * kPart, QueryAnswer::kWholeBytesMax);
  std::string text, piece;
  while (true) {
    const BodyStream::Next next = answer->next(piece);
    if (next == BodyStream::Next::kEnd) break;
    ASSERT_EQ(next, BodyStream::Next::kPiece);
    EXPECT_LE(piece.size(), text.empty() ? QueryAnswer::kWholeBytesMax : QueryAnswer::kPieceBytes);
    text += piece;
    EXPECT_LE(outcome.parts_put * kPart, text.size() + QueryAnswer::kPieceBytes);
  }
  EXPECT_EQ(text, expected_text(kParts));
  EXPECT_EQ(outcome.parts_put, kParts);
}

TEST(QueryAnswer, AnErrorBeforeTheFirstByteIsTheWholeAnswer) {
  Outcome outcome;
  const auto answer = make({.parts = 5, .error = broken()}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kFailed);
  EXPECT_EQ(answer->error().code, "broken");
}

TEST(QueryAnswer, ALaterErrorEndsTheTextAndBreaksTheStream) {
  Outcome outcome;
  const auto answer = make({.parts = 300, .error = broken()}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kStreaming);
  std::string text, piece;
  BodyStream::Next next = BodyStream::Next::kPiece;
  while ((next = answer->next(piece)) == BodyStream::Next::kPiece) text += piece;
  EXPECT_EQ(next, BodyStream::Next::kBroken);
  EXPECT_EQ(text, expected_text(300) + "!it broke");
}

TEST(QueryAnswer, AClosedOneStopsItsQuery) {
  Outcome outcome;
  const auto answer = make({.parts = 1000, .error = {}}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kStreaming);
  answer->close();
  EXPECT_TRUE(outcome.refused);
  EXPECT_TRUE(outcome.stop_was_set);
  std::string piece;
  EXPECT_EQ(answer->next(piece), BodyStream::Next::kBroken);
}

TEST(QueryAnswer, OneThatIsDroppedHalfReadStopsItsQuery) {
  Outcome outcome;
  {
    const auto answer = make({.parts = 1000, .error = {}}, outcome);
    ASSERT_EQ(answer->start(), QueryAnswer::Start::kStreaming);
    std::string piece;
    EXPECT_EQ(answer->next(piece), BodyStream::Next::kPiece);
  }
  EXPECT_TRUE(outcome.refused);
}

TEST(QueryAnswer, WhatItsQueryThrowsIsThrownWhileNothingWasSent) {
  Outcome outcome;
  const auto answer = make({.parts = 1, .error = {}, .throws = true}, outcome);
  EXPECT_THROW((void)answer->start(), std::runtime_error);
}

TEST(QueryAnswer, WhatItsQueryThrowsLaterBreaksTheStream) {
  Outcome outcome;
  const auto answer = make({.parts = 300, .error = {}, .throws = true}, outcome);
  ASSERT_EQ(answer->start(), QueryAnswer::Start::kStreaming);
  std::string piece;
  BodyStream::Next next = BodyStream::Next::kPiece;
  while (next == BodyStream::Next::kPiece) next = answer->next(piece);
  EXPECT_EQ(next, BodyStream::Next::kBroken);
}

// A query that asks whether its reader is there until it is not.
class PatientText final : public AnswerText {
 public:
  QueryResult<bool> write(const QueryRequest& request, const Put&) override {
    while (!request.reader_gone()) {
    }
    return tl::make_unexpected(
        QueryError{QueryErrorKind::kCancelled, "cancelled", "the query was cancelled", {}, {}});
  }
  void fail(const QueryError&) override { ADD_FAILURE() << "no text was handed out"; }
};

TEST(QueryAnswer, AQueryWhoseClientLeavesIsNoErrorOfTheQuery) {
  int asked = 0;
  QueryAnswer answer({}, std::make_unique<PatientText>(), [&] { return ++asked == 3; });
  EXPECT_EQ(answer.start(), QueryAnswer::Start::kClientGone);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace varve
