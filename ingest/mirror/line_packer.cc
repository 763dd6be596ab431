#include "ingest/mirror/line_packer.h"

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr int kGzipLevel = 1;  // lines shrink 5 to 10 times even so; higher levels cost more than they save
constexpr int kGzipWindow = 15 + 16;  // zlib: + 16 asks for the gzip frame
constexpr int kGzipMemory = 8;        // zlib's default

}  // namespace

LinePacker::LinePacker() {
  VARVE_CHECK(
      deflateInit2(&deflater_, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) == Z_OK);
}

LinePacker::~LinePacker() {
  deflateEnd(&deflater_);
}

std::string LinePacker::pack(std::string_view lines) {
  deflateReset(&deflater_);
  std::string packed(deflateBound(&deflater_, lines.size()), '\0');
  deflater_.next_in =
      reinterpret_cast<Bytef*>(const_cast<char*>(lines.data()));  // NOLINT: zlib's old signature
  deflater_.avail_in = static_cast<uInt>(lines.size());
  deflater_.next_out = reinterpret_cast<Bytef*>(packed.data());
  deflater_.avail_out = static_cast<uInt>(packed.size());
  VARVE_CHECK(deflate(&deflater_, Z_FINISH) == Z_STREAM_END);
  packed.resize(deflater_.total_out);
  return packed;
}

}  // namespace varve
