// Answers as gzip, for clients that ask: zlib's fastest level, which takes a tenth of the time of its default for a
// text a few percent longer. Streams are compressed piece by piece. Small answers and event streams go as they are.
// Threads: pure functions; a stream belongs to its answer.
#pragma once

#include <string_view>

#include "api/http/exchange.h"

namespace varve {

// Below it the answer fits into one packet anyway.
constexpr size_t kGzipBytesMin = 1400;

// By RFC 9110, 12.5.3: "gzip, br;q=0.5", "*", "gzip;q=0" ...
bool accepts_gzip(std::string_view accept_encoding);
void compress_answer(std::string_view accept_encoding, HttpResponse& response);

}  // namespace varve
