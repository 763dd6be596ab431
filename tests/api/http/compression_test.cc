#include "api/http/compression.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <deque>

namespace varve {
namespace {

std::string unpacked(const std::string& packed) {
  z_stream state{};
  EXPECT_EQ(inflateInit2(&state, 15 + 16), Z_OK);
  std::string input = packed, out(64 << 20, '\0');
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&state, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(state.avail_in, 0U);
  out.resize(out.size() - state.avail_out);
  inflateEnd(&state);
  return out;
}

class Pieces final : public BodyStream {
 public:
  explicit Pieces(std::deque<std::string> pieces, Next last = Next::kEnd)
      : pieces_(std::move(pieces)), last_(last) {}
  Next next(std::string& piece) override {
    if (pieces_.empty()) return last_;
    piece = pieces_.front();
    pieces_.pop_front();
    return Next::kPiece;
  }
  void close() override { closed = true; }
  bool closed = false;

 private:
  std::deque<std::string> pieces_;
  const Next last_;
};

std::string header(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

HttpResponse text_answer(std::string body, std::string type = "application/json") {
  HttpResponse response;
  response.content_type = std::move(type);
  response.body = std::move(body);
  return response;
}

TEST(Compression, ReadsWhatAClientAccepts) {
  for (const char* yes :
       {"gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.5", "deflate , x-gzip", "*", "*;q=0.1"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no :
       {"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *", "gzipped", ","}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

TEST(Compression, PacksWhatIsLargeAndText) {
  const std::string body(100'000, 'a');
  HttpResponse response = text_answer(body);
  compress_answer("gzip", response);
  EXPECT_EQ(header(response, "Content-Encoding"), "gzip");
  EXPECT_EQ(header(response, "Vary"), "Accept-Encoding");
  EXPECT_LT(response.body.size(), 2000U);
  EXPECT_EQ(unpacked(response.body), body);
}

TEST(Compression, LeavesTheRestAsItIs) {
  const std::string body(100'000, 'a');
  HttpResponse not_asked = text_answer(body);
  compress_answer("br", not_asked);
  EXPECT_EQ(not_asked.body, body);
  EXPECT_EQ(header(not_asked, "Content-Encoding"), "");
  EXPECT_EQ(header(not_asked, "Vary"), "Accept-Encoding");

  HttpResponse small = text_answer(std::string(kGzipBytesMin - 1, 'a'));
  compress_answer("gzip", small);
  EXPECT_EQ(header(small, "Content-Encoding"), "");

  HttpResponse image = text_answer(body, "image/png");
  compress_answer("gzip", image);
  EXPECT_EQ(header(image, "Content-Encoding"), "");

  HttpResponse packed = text_answer(body);
  packed.headers.emplace_back("Content-Encoding", "gzip");
  compress_answer("gzip", packed);
  EXPECT_EQ(packed.body, body);

  HttpResponse events;
  events.content_type = "text/event-stream";
  events.stream = std::make_shared<Pieces>(std::deque<std::string>{"data: 1\n\n"});
  compress_answer("gzip", events);
  EXPECT_EQ(header(events, "Content-Encoding"), "");
}

TEST(Compression, PacksAStreamPieceByPiece) {
  std::deque<std::string> pieces;
  std::string whole;
  uint32_t random = 7;
  for (int i = 0; i < 100; ++i) {
    std::string piece;
    for (int k = 0; k < 20'000; ++k)
      piece += static_cast<char>('a' + ((random = random * 1664525 + 1013904223) >> 28));
    whole += piece;
    pieces.push_back(piece);
  }
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  const auto plain = std::make_shared<Pieces>(pieces);
  response.stream = plain;
  compress_answer("gzip", response);
  std::string packed, piece;
  size_t largest = 0;
  BodyStream::Next outcome{};
  while ((outcome = response.stream->next(piece)) == BodyStream::Next::kPiece) {
    EXPECT_FALSE(piece.empty());  // an empty chunk would end the answer
    largest = std::max(largest, piece.size());
    packed += piece;
  }
  EXPECT_EQ(outcome, BodyStream::Next::kEnd);
  EXPECT_LT(largest, 300'000U) << "it waited for the end";
  EXPECT_EQ(unpacked(packed), whole);
  response.stream->close();
  EXPECT_TRUE(plain->closed);
}

TEST(Compression, ABrokenStreamStaysBroken) {
  HttpResponse response;
  response.content_type = "text/csv";
  response.stream = std::make_shared<Pieces>(std::deque<std::string>{"a"}, BodyStream::Next::kBroken);
  compress_answer("gzip", response);
  std::string piece;
  BodyStream::Next outcome{};
  while ((outcome = response.stream->next(piece)) == BodyStream::Next::kPiece) {
  }
  EXPECT_EQ(outcome, BodyStream::Next::kBroken);
}

}  // namespace
}  // namespace varve
