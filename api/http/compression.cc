#include "api/http/compression.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, in gzip's frame
constexpr int kMemoryLevel = 8;       // zlib's default
constexpr size_t kBufferBytes = 16 << 10;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals(std::string_view a, std::string_view lower_case) {
  return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

// Whether a coding's parameters (";q=0.000") refuse it.
bool is_refused(std::string_view parameters) {
  const size_t equals_sign = parameters.find('=');
  if (equals_sign == std::string_view::npos) return false;
  const std::string_view value = trimmed(parameters.substr(equals_sign + 1));
  return !value.empty() && value.find_first_not_of("0.") == std::string_view::npos;
}

class Deflater {
 public:
  Deflater() {
    VARVE_CHECK(deflateInit2(&state_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                             Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Deflater() { deflateEnd(&state_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void add(std::string_view text, bool last, std::string& out) {
    std::array<char, kBufferBytes> buffer;
    // zlib's interface is older than const; it does not write to the input.
    state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    state_.avail_in = static_cast<uInt>(text.size());
    do {
      state_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      state_.avail_out = static_cast<uInt>(buffer.size());
      VARVE_CHECK(deflate(&state_, last ? Z_FINISH : Z_NO_FLUSH) != Z_STREAM_ERROR);
      out.append(buffer.data(), buffer.size() - state_.avail_out);
    } while (state_.avail_out == 0);
  }

 private:
  z_stream state_{};
};

class GzipStream final : public BodyStream {
 public:
  explicit GzipStream(std::shared_ptr<BodyStream> plain) : plain_(std::move(plain)) {}

  Next next(std::string& piece) override {
    piece.clear();
    if (ended_) return Next::kEnd;
    std::string text;
    while (piece.empty()) {
      switch (plain_->next(text)) {
        case Next::kPiece:
          deflater_.add(text, false, piece);
          break;
        case Next::kEnd:
          deflater_.add({}, true, piece);
          ended_ = true;
          break;
        case Next::kBroken:
          return Next::kBroken;  // without gzip's trailer: the client sees that twice
      }
    }
    return Next::kPiece;
  }
  void close() override { plain_->close(); }

 private:
  const std::shared_ptr<BodyStream> plain_;
  Deflater deflater_;
  bool ended_ = false;
};

bool is_text(std::string_view type) {
  type = trimmed(type.substr(0, type.find(';')));
  return type.starts_with("text/") ? type != "text/event-stream"  // each event is to arrive at once
                                   : type.find("json") != std::string_view::npos || type == "application/csv";
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    const size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view coding = trimmed(item.substr(0, semicolon));
    const bool refused = is_refused(item.substr(semicolon));
    if (equals(coding, "gzip") || equals(coding, "x-gzip")) return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

void compress_answer(std::string_view accept_encoding, HttpResponse& response) {
  if (!is_text(response.content_type)) return;
  for (const auto& [name, value] : response.headers) {
    if (name == "Content-Encoding") return;
  }
  if (response.stream == nullptr && response.body.size() < kGzipBytesMin) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!accepts_gzip(accept_encoding)) return;
  if (response.stream != nullptr) {
    response.stream = std::make_shared<GzipStream>(std::move(response.stream));
  } else {
    std::string packed;
    Deflater().add(response.body, true, packed);
    response.body = std::move(packed);
  }
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace varve
