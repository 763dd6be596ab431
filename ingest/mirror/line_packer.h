// Lines as the gzip'd body of a request. Threads: one at a time.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

namespace varve {

class LinePacker {
 public:
  LinePacker();
  ~LinePacker();
  LinePacker(const LinePacker&) = delete;
  LinePacker& operator=(const LinePacker&) = delete;

  std::string pack(std::string_view lines);

 private:
  z_stream deflater_{};
};

}  // namespace varve
